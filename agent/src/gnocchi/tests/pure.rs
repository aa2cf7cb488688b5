//! What becomes of reports before anything is sent.

use std::collections::BTreeMap;

use serde_json::Value;

use super::report;
use crate::gnocchi::backlog::{Backlog, Second};
use crate::gnocchi::measures::{Before, measures};
use crate::gnocchi::names::{Kind, Place, Thing};
use crate::gnocchi::registry::Registry;
use crate::nodes::NodeReport;

/// By metric and resource name.
type Told = BTreeMap<(&'static str, String), f64>;

#[derive(Default)]
struct Node {
    registry: Registry,
    before: Before,
}

impl Node {
    fn second(&mut self, report: &NodeReport) -> Option<Second> {
        let (registry, before) = (&mut self.registry, &mut self.before);
        measures(registry, before, report, &mut report.calls())
    }

    fn tell(&mut self, report: &NodeReport) -> Told {
        let second = self.second(report).unwrap();
        let values = second.series.iter().zip(&second.values);
        let named = values.map(|(series, value)| {
            let (resource, metric) = self.registry.of_series(*series).unwrap();
            ((metric, resource.thing.name.clone()), *value)
        });
        named.collect()
    }
}

fn of(told: &Told, metric: &'static str, name: &str) -> Option<f64> {
    told.get(&(metric, name.to_owned())).copied()
}

const OFFERED: &str = "kamscale.feature.offered";
const LOAD: &str = "kamscale.pool.load";
const CALLS: &str = "kamscale.member.calls";

#[test]
fn features_are_told_as_differences_and_restarts_count_from_zero() {
    let mut node = Node::default();
    let told = node.tell(&report("a", 1001, 500, &[]));
    assert_eq!(of(&told, OFFERED, "calls"), None, "nothing to compare with");
    assert_eq!(
        of(&told, "kamscale.feature.offered_total", "calls"),
        Some(500.0)
    );
    let told = node.tell(&report("a", 1002, 512, &[]));
    assert_eq!(of(&told, OFFERED, "calls"), Some(12.0));
    let told = node.tell(&report("a", 1003, 5, &[]));
    assert_eq!(of(&told, OFFERED, "calls"), Some(5.0));
    let told = node.tell(&report("a", 1004, 5, &[]));
    assert_eq!(
        of(&told, OFFERED, "calls"),
        Some(0.0),
        "once, as it changed"
    );
}

#[test]
fn a_load_stands_for_the_seconds_since_the_last_report() {
    let mut node = Node::default();
    let told = node.tell(&report("a", 1001, 0, &[("m1", 30)]));
    assert_eq!(of(&told, LOAD, "ccp"), Some(0.3));
    let told = node.tell(&report("a", 1004, 0, &[("m1", 30)]));
    assert!((of(&told, LOAD, "ccp").unwrap() - 0.9).abs() < 1e-9);
    let told = node.tell(&report("a", 2000, 0, &[("m1", 30)]));
    assert!(
        (of(&told, LOAD, "ccp").unwrap() - 3.0).abs() < 1e-9,
        "10 s at most"
    );
}

#[test]
fn one_measure_per_second_whatever_the_rounds() {
    let mut node = Node::default();
    let mut early = report("a", 1001, 10, &[]);
    assert!(node.second(&early).is_some());
    early.at_s = 1001.9;
    assert!(node.second(&early).is_none());
    early.at_s = f64::NAN;
    assert!(node.second(&early).is_none());
    let told = node.tell(&report("a", 1002, 15, &[]));
    assert_eq!(of(&told, OFFERED, "calls"), Some(5.0), "nothing is lost");
}

#[test]
fn what_did_not_change_is_repeated_within_ten_seconds_and_what_is_gone_ends_at_zero() {
    let mut node = Node::default();
    let members: Vec<(String, u32)> = (0..50).map(|it| (format!("m{it}"), it)).collect();
    let members: Vec<(&str, u32)> = members
        .iter()
        .map(|(name, it)| (name.as_str(), *it))
        .collect();
    let mut repeated = BTreeMap::new();
    for second in 0..=10 {
        let told = node.tell(&report("a", 1000 + second, 0, &members));
        let calls = told.keys().filter(|(metric, _)| *metric == CALLS);
        let mut count = 0;
        for (_, name) in calls {
            count += 1;
            *repeated.entry(name.clone()).or_insert(0) += 1;
        }
        assert_eq!(
            count,
            if second == 0 { 50 } else { 5 },
            "in second {second}"
        );
    }
    assert!(repeated.len() == 50 && repeated.values().all(|count| *count == 2));
    let told = node.tell(&report("a", 1011, 0, &members[..49]));
    assert_eq!(of(&told, CALLS, "m49"), Some(0.0));
    for second in 1012..1030 {
        let told = node.tell(&report("a", second, 0, &members[..49]));
        assert_eq!(of(&told, CALLS, "m49"), None);
    }
}

#[test]
fn what_did_not_change_is_repeated_in_time_however_seldom_is_reported() {
    let members: Vec<(String, u32)> = (0..20).map(|it| (format!("m{it}"), it)).collect();
    let members: Vec<(&str, u32)> = members
        .iter()
        .map(|(name, it)| (name.as_str(), *it))
        .collect();
    for every_s in [1, 2, 3, 5, 7, 10] {
        let mut node = Node::default();
        let mut last: BTreeMap<&str, u32> = BTreeMap::new();
        for second in (1000..1060).step_by(every_s) {
            let told = node.tell(&report("a", second, 0, &members));
            for (name, _) in &members {
                if of(&told, CALLS, name).is_some() {
                    let before = last.insert(name, second).unwrap_or(second);
                    let age_s = second - before;
                    assert!(
                        age_s <= 10,
                        "{name} is repeated after {age_s} s, with a report every {every_s} s"
                    );
                }
            }
        }
        assert!(last.values().all(|at| 1060 - at <= 10), "{last:?}");
    }
}

#[test]
fn members_that_come_and_go_in_the_middle_keep_their_series() {
    let mut node = Node::default();
    let rounds: [&[(&str, u32)]; 5] = [
        &[("a", 1), ("c", 3), ("e", 5), ("g", 7)],
        &[("a", 2), ("b", 9), ("c", 4), ("e", 6), ("g", 8)],
        &[("c", 5), ("g", 9)],
        &[("b", 1), ("c", 6), ("d", 2), ("e", 3), ("f", 4), ("g", 1)],
        &[],
    ];
    for (second, members) in (1001..).zip(rounds) {
        let told = node.tell(&report("a", second, 0, members));
        for (name, calls) in members {
            assert_eq!(
                of(&told, CALLS, name),
                Some(f64::from(*calls)),
                "{name} in {second}"
            );
        }
        let zeros = told
            .iter()
            .filter(|(key, value)| key.0 == CALLS && **value == 0.0);
        let gone = [0, 0, 3, 0, 6];
        assert_eq!(zeros.count(), gone[second as usize - 1001], "in {second}");
    }
}

#[test]
fn the_same_thing_has_the_same_id_after_a_restart_and_another_elsewhere() {
    let thing = Thing {
        kind: Kind::Member,
        pool: "ccp".into(),
        name: "m1".into(),
    };
    let here = Place {
        project: "p".into(),
        instance: "default".into(),
        node: "lb1".into(),
        pool: None,
    };
    assert_eq!(
        thing.id(&here).to_string(),
        "b7fd23fb-ddb2-5a8b-b422-ec404c30e3ba"
    );
    for other in [
        Place {
            project: "q".into(),
            ..here.clone()
        },
        Place {
            node: "lb2".into(),
            ..here.clone()
        },
        Place {
            instance: "other".into(),
            ..here.clone()
        },
    ] {
        assert_ne!(thing.id(&other), thing.id(&here));
    }
}

#[test]
fn the_oldest_part_is_one_well_formed_request() {
    let mut node = Node::default();
    let mut backlog = Backlog::default();
    for second in [1001, 1002, 1003] {
        let second = node.second(&report("a", second, u64::from(second), &[("m1", 2)]));
        backlog.push(second.unwrap());
    }
    assert_eq!(
        backlog.batch(&node.registry).unwrap().measures,
        0,
        "nothing is created yet"
    );
    for number in node.registry.numbers(|it| it.thing.kind == Kind::Pool) {
        node.registry.found(number);
    }
    let batch = backlog.batch(&node.registry).unwrap();
    assert_eq!(batch.until_s, 1003);
    let body: Value = serde_json::from_slice(&batch.body).unwrap();
    let resources = body.as_object().unwrap();
    assert_eq!(resources.len(), 1);
    let metrics = resources.values().next().unwrap();
    assert_eq!(metrics[LOAD].as_array().unwrap().len(), 3);
    assert_eq!(metrics[LOAD][2]["timestamp"], 1003);
    assert_eq!(metrics[LOAD][2]["value"], 0.02);
    backlog.sent(batch.until_s);
    assert!(backlog.batch(&node.registry).is_none());
}

#[test]
fn a_backlog_is_bounded_in_bytes_and_age_and_counts_what_it_drops() {
    let mut backlog = Backlog::default();
    for at_s in 1..=10_000 {
        let mut second = Second::new(at_s, 0);
        (0..4000).for_each(|series| second.add(series, 1.0));
        backlog.push(second);
    }
    let kept = 10_000 - backlog.oldest_s().unwrap() + 1;
    assert!((100..200).contains(&kept), "8 MiB of 48 KiB: {kept}");
    assert_eq!(backlog.dropped, (10_000 - kept) * 4000);
    backlog.push(Second::new(20_000, 0));
    assert_eq!(
        backlog.oldest_s(),
        Some(20_000),
        "Gnocchi takes no older ones"
    );
}
