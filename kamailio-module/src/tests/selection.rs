//! Each algorithm keeps its promise, also when members are out of use.

use std::collections::HashMap;

use kamscale_shm::DesiredState;
use proptest::prelude::*;

use super::{Site, member};
use crate::algorithm::Algorithm;

fn shares(site: &mut Site, algorithm: Algorithm, requests: u32) -> HashMap<String, u32> {
    let mut shares = HashMap::new();
    for number in 0..requests {
        let key = number.to_le_bytes();
        *shares
            .entry(site.pick(algorithm, Some(&key)).unwrap())
            .or_default() += 1;
    }
    shares
}

#[test]
fn round_robin_visits_everybody_in_turn() {
    let mut site = Site::of(5);
    let shares = shares(&mut site, Algorithm::RoundRobin, 50);
    assert_eq!(shares.len(), 5);
    assert!(shares.values().all(|n| *n == 10), "{shares:?}");
}

#[test]
fn who_is_out_of_turn_leaves_its_part_to_all_others_and_not_to_its_neighbour() {
    let mut site = Site::of(5);
    for name in ["m1", "m2"] {
        let slot = site.publisher.slot("p", name).unwrap() as usize;
        let row = site.server.observed.member(slot).unwrap();
        row.set_override(
            kamscale_shm::member_id("p", name),
            Some(DesiredState::Disabled),
        );
    }
    let shares = shares(&mut site, Algorithm::RoundRobin, 300);
    assert_eq!(shares.len(), 3);
    assert!(shares.values().all(|n| *n == 100), "{shares:?}");
}

#[test]
fn random_choices_are_spread() {
    let mut site = Site::of(4);
    for algorithm in [Algorithm::Random, Algorithm::P2c] {
        let shares = shares(&mut site, algorithm, 4000);
        assert!(
            shares.values().all(|n| (800..1200).contains(n)),
            "{algorithm:?}: {shares:?}"
        );
    }
}

#[test]
fn weights_hold_over_short_runs_and_for_hundreds_of_members() {
    let mut site = Site::of(2);
    let mut members: Vec<_> = (0..300).map(|i| member(&format!("m{i}"))).collect();
    members[0].weight = 30_000;
    site.publish(&members);
    // One of 300 has 30000 of 59900: half of the requests, and so in every hundred.
    for _ in 0..5 {
        let first = shares(&mut site, Algorithm::Weight, 100)
            .get("m0")
            .copied()
            .unwrap_or(0);
        assert!((45..=55).contains(&first), "{first} of 100");
    }
}

#[test]
fn a_thousand_members_hold_their_shares_also_when_one_weight_changes() {
    let mut site = Site::of(1);
    let weight = |i: u16| i % 10 + 1;
    let mut members: Vec<_> = (0..1000).map(|i| member(&format!("m{i}"))).collect();
    for (member, i) in members.iter_mut().zip(0..) {
        member.weight = weight(i);
    }
    for heavy in [false, true] {
        if heavy {
            members[999].weight = 5500; // as much as all others together
        }
        site.publish(&members);
        let total: u32 = members.iter().map(|m| u32::from(m.weight)).sum();
        let taken = shares(&mut site, Algorithm::Weight, total * 4);
        assert_eq!(taken.len(), 1000, "every one is used");
        for class in 1..=10_u16 {
            let of_class = members[..999].iter().filter(|m| m.weight == class);
            let (mut is, mut wanted) = (0_u32, 0_u32);
            for member in of_class {
                is += taken[&member.name];
                wanted += u32::from(class) * 4;
            }
            let off = is.abs_diff(wanted);
            assert!(
                off * 20 <= wanted,
                "weight {class}: {is} instead of {wanted}"
            );
        }
    }
}

#[test]
fn nobody_with_weight_0_is_used_while_another_has_some() {
    let mut site = Site::of(1);
    let mut members = vec![member("a"), member("b")];
    members[0].weight = 0;
    site.publish(&members);
    for algorithm in [Algorithm::Weight, Algorithm::Hash] {
        assert_eq!(shares(&mut site, algorithm, 50).len(), 1, "{algorithm:?}");
    }
    members[1].weight = 0;
    site.publish(&members);
    for algorithm in [Algorithm::Weight, Algorithm::Hash] {
        assert!(
            site.pick(algorithm, Some(b"k")).is_some(),
            "{algorithm:?}: no service at all"
        );
    }
}

#[test]
fn serial_uses_the_highest_priority_that_works() {
    let mut site = Site::of(1);
    let mut members = vec![member("low"), member("high"), member("middle")];
    members[1].priority = 10;
    members[2].priority = 5;
    site.publish(&members);
    assert_eq!(site.pick(Algorithm::Serial, None).unwrap(), "high");
    members[1].state = DesiredState::Draining;
    site.publish(&members);
    assert_eq!(site.pick(Algorithm::Serial, None).unwrap(), "middle");
}

#[test]
fn a_member_that_joins_takes_its_share_of_keys_and_no_other_key_moves() {
    let mut site = Site::of(4);
    let keys: Vec<String> = (0..2000).map(|i| format!("room-{i}")).collect();
    let owners = |site: &mut Site| -> Vec<String> {
        keys.iter()
            .map(|k| site.pick(Algorithm::Hash, Some(k.as_bytes())).unwrap())
            .collect()
    };
    let before = owners(&mut site);
    let mut members: Vec<_> = (0..5).map(|i| member(&format!("m{i}"))).collect();
    site.publish(&members);
    let joined = owners(&mut site);
    let moved: Vec<_> = before.iter().zip(&joined).filter(|(a, b)| a != b).collect();
    assert!(
        moved.iter().all(|(_, to)| *to == "m4"),
        "a key moved between old members"
    );
    assert!(
        (300..=500).contains(&moved.len()),
        "{} of 2000 keys moved",
        moved.len()
    );
    // Draining sends its keys elsewhere, and back when the drain is taken back.
    members[4].state = DesiredState::Draining;
    site.publish(&members);
    assert!(
        owners(&mut site)
            .iter()
            .zip(&joined)
            .all(|(now, was)| now == was || was == "m4")
    );
    members[4].state = DesiredState::Active;
    site.publish(&members);
    assert_eq!(owners(&mut site), joined);
}

#[test]
fn what_is_not_active_gets_nothing() {
    for state in [
        DesiredState::Joining,
        DesiredState::Draining,
        DesiredState::Disabled,
    ] {
        let mut site = Site::of(1);
        let mut members = vec![member("a"), member("b"), member("c")];
        members[1].state = state;
        site.publish(&members);
        for algorithm in Algorithm::ALL {
            let shares = shares(&mut site, algorithm, 60);
            assert!(
                !shares.contains_key("b"),
                "{algorithm:?} used a {} member",
                state.name()
            );
        }
        members.iter_mut().for_each(|m| m.state = state);
        site.publish(&members);
        for algorithm in Algorithm::ALL {
            assert_eq!(site.pick(algorithm, Some(b"k")), None, "{algorithm:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn every_algorithm_finds_the_only_usable_member(count in 1_usize..40, left in any::<prop::sample::Index>()) {
        let mut site = Site::of(count);
        let left = left.index(count);
        for index in (0..count).filter(|i| *i != left) {
            let name = format!("m{index}");
            let slot = site.publisher.slot("p", &name).unwrap() as usize;
            let row = site.server.observed.member(slot).unwrap();
            row.set_override(kamscale_shm::member_id("p", &name), Some(DesiredState::Disabled));
        }
        for algorithm in Algorithm::ALL {
            prop_assert_eq!(site.pick(algorithm, Some(b"k")), Some(format!("m{left}")), "{:?}", algorithm);
        }
    }
}
