//! What is summed over a pool, and what selections make of it.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;

use super::{Site, member, pool};
use crate::algorithm::Algorithm;
use crate::sums;

impl Site {
    /// A second of the timer process.
    fn sum(&mut self) {
        sums::refresh(self.server, &mut self.worker);
    }

    /// Sets what a member carries.
    fn load(&mut self, name: &str, calls: i64) {
        let slot = self.publisher.slot("p", name).unwrap();
        let row = self.server.observed.member(slot as usize).unwrap();
        row.claim(kamscale_shm::member_id("p", name));
        row.calls.store(calls, Relaxed);
    }

    fn owners(&mut self, algorithm: Algorithm) -> BTreeMap<u32, String> {
        let key = |n: u32| format!("room-{n}");
        (0..500)
            .map(|n| (n, self.pick(algorithm, Some(key(n).as_bytes())).unwrap()))
            .collect()
    }
}

#[test]
fn a_key_leaves_its_owner_only_while_that_carries_more_than_a_quarter_above_its_share() {
    let mut site = Site::of(4);
    for name in ["m0", "m1", "m2", "m3"] {
        site.load(name, 8);
    }
    site.sum();
    let owners = site.owners(Algorithm::Hash);
    assert_eq!(
        site.owners(Algorithm::BoundedHash),
        owners,
        "all are at their share"
    );

    // 36 calls: a share of 9, and a bound of 12.
    site.load("m2", 12);
    site.sum();
    let spilled = site.owners(Algorithm::BoundedHash);
    assert!(spilled.values().all(|name| name != "m2"));
    for (key, name) in &owners {
        assert!(
            name == "m2" || spilled[key] == *name,
            "key {key} need not move"
        );
    }
    let fair = owners.values().filter(|name| *name == "m2").count() / 3;
    for name in ["m0", "m1", "m3"] {
        let is = |owners: &BTreeMap<u32, String>| owners.values().filter(|n| *n == name).count();
        let more = is(&spilled) - is(&owners);
        assert!(
            more < 2 * fair,
            "{name} takes {more} of 3 x {fair}: not one neighbour takes all"
        );
    }
    site.load("m2", 11);
    site.sum();
    assert_eq!(
        site.owners(Algorithm::BoundedHash),
        owners,
        "below the bound again"
    );
}

#[test]
fn bounds_follow_the_weights_and_when_all_are_full_the_hash_decides() {
    let mut members = [member("m0"), member("m1")];
    members[0].weight = 300;
    let mut site = Site::new(&[pool("p", &members)]);
    site.load("m0", 30);
    site.load("m1", 10);
    site.sum();
    let owners = site.owners(Algorithm::Hash);
    assert_eq!(site.owners(Algorithm::BoundedHash), owners);
    // More came within the second: both are above the bounds of the last sum.
    site.load("m0", 300);
    site.load("m1", 100);
    assert_eq!(site.owners(Algorithm::BoundedHash), owners);
}

#[test]
fn a_pool_without_calls_or_members_has_its_bounds_too() {
    let mut site = Site::of(3);
    site.sum();
    assert_eq!(
        site.owners(Algorithm::BoundedHash),
        site.owners(Algorithm::Hash)
    );
    site.publish(&[]);
    site.sum();
    assert_eq!(site.pick(Algorithm::BoundedHash, Some(b"room")), None);
}
