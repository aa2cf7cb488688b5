//! A call is counted once, on the member it is at, from its selection to its end.

use std::collections::HashMap;

use kamailio::double::Message;
use kamailio::message::Method;
use proptest::prelude::*;

use super::{Site, dialogs, member, pool};
use crate::algorithm::Algorithm;

#[test]
fn a_call_is_counted_until_it_ends_and_its_end_only_once() {
    let mut site = Site::of(1);
    let dialogs = dialogs(site.server);
    let mut invite = Message::new(Method::Invite)
        .with_call_id("c")
        .with_dialogs(&dialogs);
    assert_eq!(site.select(&mut invite, Algorithm::RoundRobin, None), 1);
    assert_eq!(site.calls("m0"), 1);
    assert!(
        dialogs.end_call(b"c"),
        "the double reports every end twice, as Kamailio may"
    );
    assert_eq!(site.calls("m0"), 0);
}

#[test]
fn a_retransmitted_invite_neither_counts_again_nor_moves() {
    let mut site = Site::of(4);
    let dialogs = dialogs(site.server);
    let first = Message::new(Method::Invite)
        .with_call_id("c")
        .with_dialogs(&dialogs);
    let mut sent = Vec::new();
    for _ in 0..5 {
        // As Kamailio sees it: another message, the same dialog, no transaction memory.
        let mut again = Message::new(Method::Invite)
            .with_call_id("c")
            .with_dialogs(&dialogs);
        assert_eq!(site.select(&mut again, Algorithm::RoundRobin, None), 1);
        sent.push(site.member_of(&again));
    }
    assert!(sent.iter().all(|m| *m == sent[0]), "{sent:?}");
    assert_eq!((0..4).map(|i| site.calls(&format!("m{i}"))).sum::<u32>(), 1);
    drop(first);
}

#[test]
fn failover_moves_the_call() {
    let mut site = Site::of(3);
    let dialogs = dialogs(site.server);
    let mut invite = Message::new(Method::Invite)
        .with_call_id("c")
        .with_dialogs(&dialogs);
    site.select(&mut invite, Algorithm::RoundRobin, None);
    let mut seen = vec![site.member_of(&invite)];
    for _ in 0..2 {
        let mut failed = invite.failed();
        assert_eq!(site.next(&mut failed), 1);
        seen.push(site.member_of(&failed));
        for name in ["m0", "m1", "m2"] {
            assert_eq!(site.calls(name), u32::from(seen.last().unwrap() == name));
        }
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 3, "a member was tried twice");
    assert_eq!(site.next(&mut invite.failed()), crate::code::NO_MEMBER);
    dialogs.end_call(b"c");
    assert_eq!((0..3).map(|i| site.calls(&format!("m{i}"))).sum::<u32>(), 0);
}

#[test]
fn a_call_that_comes_back_is_counted_where_it_was_sent_back_too() {
    let mut site = Site::of(1);
    let members = |names: &[&str]| -> Vec<_> { names.iter().map(|n| member(n)).collect() };
    site.publish_pools(vec![
        pool("p", &members(&["e0", "e1"])),
        pool("q", &members(&["c0", "c1"])),
    ]);
    let dialogs = dialogs(site.server);
    // As Kamailio sees it each time: another message and transaction, the same dialog.
    let select = |site: &mut Site, from: &str| {
        let mut invite = Message::new(Method::Invite)
            .with_call_id("c")
            .with_dialogs(&dialogs);
        assert_eq!(
            site.select_from(from, &mut invite, Algorithm::RoundRobin, None),
            1
        );
        invite
    };
    let carried = |site: &Site, pool: &str, names: [&str; 2]| {
        names.map(|name| {
            let slot = site.publisher.slot(pool, name).unwrap() as usize;
            let row = site.server.observed.member(slot).unwrap();
            row.calls_of(kamscale_shm::member_id(pool, name))
        })
    };
    let at = |site: &Site| {
        let all = [
            carried(site, "p", ["e0", "e1"]),
            carried(site, "q", ["c0", "c1"]),
        ];
        all.map(|two| {
            two.iter()
                .position(|n| *n == 1)
                .filter(|_| two[0] + two[1] == 1)
        })
    };
    let edge = select(&mut site, "p");
    let conference = select(&mut site, "q");
    let first = at(&site);
    assert!(first.iter().all(Option::is_some), "{first:?}");
    for (pool, again) in [("p", &edge), ("q", &conference)] {
        let sent = select(&mut site, pool);
        assert_eq!(sent.destination, again.destination, "INVITE again");
    }
    assert_eq!(at(&site), first, "INVITEs again");

    assert_eq!(site.next(&mut edge.failed()), 1);
    let [Some(edge_at), Some(conference_at)] = at(&site) else {
        panic!("{:?}", at(&site))
    };
    assert_ne!(Some(edge_at), first[0], "the first pass failed over");
    assert_eq!(Some(conference_at), first[1], "the second one stays");
    assert_eq!(site.next(&mut conference.failed()), 1);
    assert_ne!(at(&site)[1], first[1]);
    assert_eq!(at(&site)[0], Some(edge_at));

    dialogs.end_call(b"c");
    assert_eq!(at(&site), [None, None]);
    assert_eq!(carried(&site, "p", ["e0", "e1"]), [0, 0]);
    assert_eq!(carried(&site, "q", ["c0", "c1"]), [0, 0]);
}

#[test]
fn least_calls_goes_by_load_not_by_number() {
    let mut site = Site::of(1);
    let dialogs = dialogs(site.server);
    let mut members = vec![member("big"), member("small")];
    (members[0].capacity, members[1].capacity) = (30, 10);
    site.publish(&members);
    for call in 0..40 {
        let id = format!("call {call}");
        let mut invite = Message::new(Method::Invite)
            .with_call_id(&id)
            .with_dialogs(&dialogs);
        site.select(&mut invite, Algorithm::LeastCalls, None);
    }
    assert_eq!((site.calls("big"), site.calls("small")), (30, 10));
}

#[test]
fn calls_survive_every_change_of_the_table() {
    let mut site = Site::of(2);
    let dialogs = dialogs(site.server);
    for call in 0..6 {
        let id = format!("call {call}");
        let mut invite = Message::new(Method::Invite)
            .with_call_id(&id)
            .with_dialogs(&dialogs);
        site.select(&mut invite, Algorithm::RoundRobin, None);
    }
    let mut members: Vec<_> = ["m9", "m1", "m5", "m0"].map(member).to_vec();
    members[1].uri = "sip:10.9.9.9".to_owned();
    site.publish(&members);
    site.pick(Algorithm::RoundRobin, None);
    assert_eq!((site.calls("m0"), site.calls("m1")), (3, 3));
    // A member that left the table with calls: they end where they are counted.
    let slot = site.publisher.slot("p", "m0").unwrap() as usize;
    site.publish(&[member("m9")]);
    for call in 0..6 {
        dialogs.end_call(format!("call {call}").as_bytes());
    }
    let row = site.server.observed.member(slot).unwrap();
    assert_eq!(row.calls.load(std::sync::atomic::Ordering::Relaxed), 0);
}

#[derive(Clone, Debug)]
enum Step {
    Invite(u8),
    Fail(u8),
    End(u8),
    Members(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_u8..12).prop_map(Step::Invite),
        2 => (0_u8..12).prop_map(Step::Fail),
        3 => (0_u8..12).prop_map(Step::End),
        1 => (1_u8..6).prop_map(Step::Members),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn counts_are_those_of_a_plain_model(steps in proptest::collection::vec(step(), 1..60)) {
        let mut site = Site::of(3);
        let dialogs = dialogs(site.server);
        let mut open: HashMap<u8, (Message, String)> = HashMap::new();
        for step in steps {
            match step {
                Step::Invite(call) => {
                    let mut invite = Message::new(Method::Invite)
                        .with_call_id(&format!("call {call}"))
                        .with_dialogs(&dialogs);
                    prop_assert_eq!(site.select(&mut invite, Algorithm::Random, None), 1);
                    let to = site.member_of(&invite);
                    // Known already: a retransmission. It stays, unless its member has left.
                    let entry = open.entry(call).or_insert_with(|| (invite, to.clone()));
                    if site.publisher.slot("p", &entry.1).is_some() {
                        prop_assert_eq!(&entry.1, &to);
                    }
                    entry.1 = to;
                }
                Step::Fail(call) => {
                    if let Some((invite, at)) = open.get_mut(&call) {
                        let mut failed = invite.failed();
                        if site.next(&mut failed) == 1 {
                            *at = site.member_of(&failed);
                        }
                    }
                }
                Step::End(call) => {
                    let known = open.remove(&call).is_some();
                    let ended = dialogs.end_call(format!("call {call}").as_bytes());
                    prop_assert_eq!(ended, known);
                }
                Step::Members(count) => {
                    let members: Vec<_> = (0..count).map(|i| member(&format!("m{i}"))).collect();
                    site.publish(&members);
                    site.pick(Algorithm::RoundRobin, None);
                }
            }
            for index in 0..6 {
                let name = format!("m{index}");
                if site.publisher.slot("p", &name).is_some() {
                    let expected = open.values().filter(|(_, at)| *at == name).count();
                    prop_assert_eq!(site.calls(&name) as usize, expected, "calls of {}", name);
                }
            }
        }
    }
}
