//! Slow start: who has just come up gets a share that grows, by every algorithm.

use std::collections::HashMap;

use kamailio::double::{Dialogs, Message, set_ticks};
use kamailio::message::Method;
use kamscale_shm::{DesiredState, MemberSpec, PoolSpec};

use super::{Site, dialogs, member, pool};
use crate::algorithm::Algorithm;
use crate::slow_start::SlowStart;

const RAMP_S: u32 = 60;

fn ramped(members: &[MemberSpec]) -> PoolSpec {
    let mut pool = pool("p", members);
    pool.options.slow_start_s = RAMP_S;
    pool
}

fn four() -> Vec<MemberSpec> {
    (0..4).map(|i| member(&format!("m{i}"))).collect()
}

/// A site of m0 to m2 that were there before, and m3 that comes at second 100.
fn site() -> (Site, SlowStart) {
    set_ticks(90);
    let mut site = Site::new(&[ramped(&four()[..3])]);
    let mut slow = SlowStart::new();
    slow.look(&site.server.observed, &site.worker);
    set_ticks(100);
    site.publish_pools(vec![ramped(&four())]);
    site.worker.refresh(site.server);
    slow.look(&site.server.observed, &site.worker);
    (site, slow)
}

/// How many of 2000 requests that count nowhere go to the member.
fn requests_to(site: &mut Site, algorithm: Algorithm, name: &str) -> usize {
    let keys = (0..2000_u32).map(u32::to_le_bytes);
    keys.filter(|key| site.pick(algorithm, Some(key)).as_deref() == Some(name))
        .count()
}

/// How many calls each member has of 800 that stay.
fn calls(site: &mut Site, dialogs: &Dialogs, algorithm: Algorithm) -> HashMap<String, u32> {
    let mut calls = HashMap::new();
    for number in 0..800 {
        let id = format!("{number}");
        let mut msg = Message::new(Method::Invite)
            .with_call_id(&id)
            .with_dialogs(dialogs);
        assert_eq!(site.select(&mut msg, algorithm, Some(id.as_bytes())), 1);
        *calls.entry(site.member_of(&msg)).or_default() += 1;
    }
    calls
}

#[test]
fn by_turn_chance_weight_and_key_the_share_grows_from_a_tenth_to_the_whole() {
    let by = [
        Algorithm::RoundRobin,
        Algorithm::Random,
        Algorithm::Weight,
        Algorithm::Hash,
        Algorithm::BoundedHash,
        Algorithm::Sticky,
    ];
    let (mut site, mut slow) = site();
    for (second, share) in [(100, 0.10), (130, 0.55), (160, 1.0)] {
        set_ticks(second);
        slow.look(&site.server.observed, &site.worker);
        // Of four like members the new one's share of all is share / (3 + share), if those that it does
        // not take are drawn again.
        let wanted = 2000.0 * share / (3.0 + share);
        for algorithm in by {
            let is = requests_to(&mut site, algorithm, "m3") as f64;
            let play = 0.35 * wanted + 25.0;
            assert!(
                (is - wanted).abs() < play,
                "{algorithm:?} at {second}: {is}, not {wanted}"
            );
        }
    }
}

#[test]
fn no_neighbour_gets_all_that_a_new_member_leaves() {
    let (mut site, _slow) = site();
    for algorithm in [
        Algorithm::RoundRobin,
        Algorithm::Random,
        Algorithm::Weight,
        Algorithm::Hash,
    ] {
        for name in ["m0", "m1", "m2"] {
            let is = requests_to(&mut site, algorithm, name);
            assert!(
                (500..=800).contains(&is),
                "{algorithm:?}: {is} of 2000 to {name}"
            );
        }
    }
}

#[test]
fn a_key_goes_once_to_the_member_that_comes_and_no_other_key_moves() {
    let (mut site, mut slow) = site();
    for algorithm in [Algorithm::Hash, Algorithm::Sticky] {
        let owners = |site: &mut Site| -> Vec<String> {
            (0..600_u32)
                .map(|key| site.pick(algorithm, Some(&key.to_le_bytes())).unwrap())
                .collect()
        };
        set_ticks(100);
        let mut before = owners(&mut site);
        for second in 100..=162 {
            set_ticks(second);
            slow.look(&site.server.observed, &site.worker);
            let now = owners(&mut site);
            for (was, is) in before.iter().zip(&now) {
                assert!(
                    was == is || is == "m3",
                    "{algorithm:?}: a key went from {was} to {is}"
                );
            }
            before = now;
        }
    }
}

#[test]
fn by_load_a_new_member_carries_its_share() {
    for algorithm in [Algorithm::LeastCalls, Algorithm::P2c, Algorithm::Latency] {
        let (mut site, mut slow) = site();
        let dialogs = dialogs(site.server);
        set_ticks(130);
        slow.look(&site.server.observed, &site.worker);
        let calls = calls(&mut site, &dialogs, algorithm);
        let (new, old) = (calls["m3"], calls["m0"]);
        let percent = new * 100 / old;
        assert!(
            (45..=65).contains(&percent),
            "{algorithm:?}: {percent} % of an old one: {calls:?}"
        );
    }
}

#[test]
fn serial_goes_back_to_the_first_one_bit_by_bit() {
    let (mut site, mut slow) = site();
    let mut members = four();
    members[3].priority = 9;
    site.publish_pools(vec![ramped(&members)]);
    for (second, least, most) in [(100, 120, 280), (130, 950, 1250), (160, 2000, 2000)] {
        set_ticks(second);
        site.worker.refresh(site.server);
        slow.look(&site.server.observed, &site.worker);
        let is = requests_to(&mut site, Algorithm::Serial, "m3");
        assert!((least..=most).contains(&is), "{is} at {second}");
    }
}

#[test]
fn whoever_is_there_at_the_start_and_everybody_if_all_are_new_has_its_whole_share() {
    set_ticks(50);
    let mut site = Site::new(&[ramped(&four())]);
    let mut slow = SlowStart::new();
    let is = requests_to(&mut site, Algorithm::Hash, "m3");
    assert!((350..=650).contains(&is), "before anybody looked: {is}");
    slow.look(&site.server.observed, &site.worker);
    assert_eq!(
        requests_to(&mut site, Algorithm::Hash, "m3"),
        is,
        "all were there"
    );
    let fresh: Vec<_> = ["n0", "n1"].map(member).into();
    site.publish_pools(vec![ramped(&fresh)]);
    site.worker.refresh(site.server);
    slow.look(&site.server.observed, &site.worker);
    let is = requests_to(&mut site, Algorithm::Random, "n0");
    assert!((900..=1100).contains(&is), "all are new: {is}");
}

#[test]
fn a_member_that_was_down_disabled_or_away_begins_anew() {
    let (mut site, mut slow) = site();
    let mut at = 200;
    let mut step = |site: &mut Site, slow: &mut SlowStart| {
        at += 1;
        set_ticks(at);
        site.worker.refresh(site.server);
        slow.look(&site.server.observed, &site.worker);
    };
    let share = |site: &mut Site| requests_to(site, Algorithm::Random, "m3");
    step(&mut site, &mut slow);
    assert!(share(&mut site) > 400, "its time is over");
    let row = |site: &Site| {
        let slot = site.publisher.slot("p", "m3").unwrap() as usize;
        site.server.observed.member(slot).unwrap()
    };
    let id = kamscale_shm::member_id("p", "m3");
    row(&site).mark_down(id, 300);
    step(&mut site, &mut slow);
    row(&site).mark_up(id);
    assert!(
        (20..150).contains(&share(&mut site)),
        "before the timer sees that it is back"
    );
    step(&mut site, &mut slow);
    assert!((20..150).contains(&share(&mut site)), "up again");
    let mut members = four();
    members[3].state = DesiredState::Draining;
    row(&site).note_use(true, true, 1);
    site.publish_pools(vec![ramped(&members)]);
    step(&mut site, &mut slow);
    site.publish_pools(vec![ramped(&four())]);
    step(&mut site, &mut slow);
    assert!(
        (20..150).contains(&share(&mut site)),
        "taken back from its drain"
    );
    row(&site).note_use(true, true, 1);
    site.publish_pools(vec![ramped(&four()[..3])]);
    step(&mut site, &mut slow);
    site.publish_pools(vec![ramped(&four())]);
    step(&mut site, &mut slow);
    assert!((20..150).contains(&share(&mut site)), "it was away");
}
