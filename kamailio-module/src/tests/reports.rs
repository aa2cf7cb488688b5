//! What members say of themselves decides where requests go.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;

use kamscale_shm::Health;
use kamscale_shm::health::Report;

use super::health::ward::probing;
use super::{Site, member, pool};
use crate::algorithm::Algorithm;

/// So many members, `m0` and so on, which answer probes.
fn probed(members: usize) -> Site {
    let members: Vec<_> = (0..members).map(|i| member(&format!("m{i}"))).collect();
    let site = Site::with(&[pool("p", &members)], Some(probing(1000)));
    for member in &members {
        says(&site, &member.name, Report::default());
    }
    site
}

fn says(site: &Site, name: &str, report: Report) {
    let slot = site.publisher.slot("p", name).unwrap() as usize;
    let row = site.server.observed.member(slot).unwrap();
    row.set_health(kamscale_shm::member_id("p", name), Health::Up);
    for (cell, told) in [
        (&row.reported_calls, report.calls),
        (&row.reported_capacity, report.capacity),
        (&row.reported_weight, report.weight),
    ] {
        cell.store(told.map_or(0, |value| value + 1), Relaxed);
    }
}

fn asks(site: &Site, name: &str, percent: u32) {
    let report = Report {
        weight: Some(percent),
        ..Report::default()
    };
    says(site, name, report);
}

fn shares(site: &mut Site, algorithm: Algorithm, requests: u32) -> BTreeMap<String, u32> {
    let mut shares = BTreeMap::new();
    for number in 0..requests {
        let picked = site.pick(algorithm, Some(&number.to_le_bytes())).unwrap();
        *shares.entry(picked).or_default() += 1;
    }
    shares
}

#[test]
fn who_asks_for_nothing_gets_nothing_while_anybody_asks_for_something() {
    let mut site = probed(10);
    for number in 0..9 {
        asks(&site, &format!("m{number}"), 0);
    }
    let only = shares(&mut site, Algorithm::Weight, 500);
    assert_eq!(only, BTreeMap::from([("m9".to_owned(), 500)]));

    asks(&site, "m3", 50);
    let two = shares(&mut site, Algorithm::Weight, 3000);
    assert_eq!(two.len(), 2, "{two:?}");
    assert!(
        (850..1150).contains(&two["m3"]),
        "half of the other's: {two:?}"
    );

    for name in ["m3", "m9"] {
        asks(&site, name, 0);
    }
    let all = shares(&mut site, Algorithm::Weight, 1000);
    assert!(
        all.len() == 10 && all.values().all(|n| (50..200).contains(n)),
        "nobody asks for any: {all:?}"
    );
}

#[test]
fn a_bound_follows_from_the_calls_that_members_report() {
    let mut site = probed(4);
    let carries = |site: &Site, name: &str, calls| {
        let report = Report {
            calls: Some(calls),
            ..Report::default()
        };
        says(site, name, report);
    };
    for (name, calls) in [("m0", 50), ("m1", 50), ("m2", 300), ("m3", 50)] {
        carries(&site, name, calls);
    }
    crate::sums::refresh(site.server, &mut site.worker);
    let spilled = shares(&mut site, Algorithm::BoundedHash, 300);
    assert_eq!(spilled.len(), 3, "{spilled:?}");
    assert!(!spilled.contains_key("m2"), "above its bound: {spilled:?}");
    carries(&site, "m2", 50);
    crate::sums::refresh(site.server, &mut site.worker);
    let even = shares(&mut site, Algorithm::BoundedHash, 300);
    assert_eq!(even, shares(&mut site, Algorithm::Hash, 300));
}

#[test]
fn who_reports_a_capacity_of_0_gets_no_new_room_and_no_call_that_another_can_take() {
    let mut site = probed(3);
    let report = Report {
        capacity: Some(0),
        ..Report::default()
    };
    says(&site, "m1", report);
    for algorithm in [Algorithm::Sticky, Algorithm::LeastCalls] {
        let shares = shares(&mut site, algorithm, 60);
        assert!(!shares.contains_key("m1"), "{algorithm:?}: {shares:?}");
    }
}
