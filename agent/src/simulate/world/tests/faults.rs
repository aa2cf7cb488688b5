//! Faults: crashes, outages, blackouts and creations that fail.

use super::*;
use crate::simulate::{Crash, Span};

#[test]
fn crashed_members_are_gone_with_their_calls_and_nobody_is_blamed() {
    let mut scenario = hour();
    scenario.start_members = 4;
    scenario.crashes = vec![Crash {
        at_s: 1805.0,
        members: 2,
    }];
    let mut before = 0;
    let outcome = follow(&scenario, |view| {
        if view.now_s == 1800.0 {
            before = view.members.iter().map(|member| member.calls).sum();
        }
        let expected = if view.now_s > 1805.0 { 2 } else { 4 };
        assert_eq!(view.members.len(), expected);
        Vec::new()
    });
    assert!(outcome.figures.crashed_calls > 0);
    assert!(outcome.figures.crashed_calls < before.into());
    assert_eq!(outcome.figures.cut_calls, 0);
    assert_eq!(outcome.figures.actions, 0);
    let crash = &outcome.marks[0];
    assert_eq!(
        (crash.t_s, crash.what.as_str(), crash.count),
        (1805.0, "crash", 2)
    );
    let hours = 4.0 * 1805.0 / 3600.0 + 2.0 * 1795.0 / 3600.0;
    assert!((outcome.figures.member_hours - hours).abs() < 1e-9);
}

#[test]
fn more_crashes_than_members_leave_an_empty_pool() {
    let mut scenario = hour();
    scenario.crashes = vec![Crash {
        at_s: 60.0,
        members: 5,
    }];
    let outcome = follow(&scenario, |_| Vec::new());
    assert_eq!(point_at(&outcome, 3600.0).active, 0);
    assert_eq!(outcome.marks[0].count, 2);
    assert!(outcome.figures.lost_share > 0.5);
}

#[test]
fn an_outage_empties_the_pool_and_its_demand_until_it_is_over() {
    let mut scenario = hour();
    scenario.outages = vec![Span {
        from_s: 1210.0,
        until_s: 1810.0,
    }];
    let outcome = follow(&scenario, |_| Vec::new());
    assert!(point_at(&outcome, 1200.0).calls > 50);
    for at_s in [1260.0, 1500.0, 1800.0] {
        let point = point_at(&outcome, at_s);
        assert_eq!((point.calls, point.demand_calls, point.active), (0, 0, 2));
    }
    let after = point_at(&outcome, 3600.0);
    assert!(after.calls > 50);
    assert_eq!(after.calls, after.demand_calls);
    assert_eq!(outcome.figures.cut_calls + outcome.figures.lost_calls, 0);
}

#[test]
fn who_waits_to_try_again_waits_until_the_outage_is_over() {
    let mut scenario = hour();
    scenario.start_members = 1;
    scenario.retries.probability = 0.99;
    scenario.outages = vec![Span {
        from_s: 1210.0,
        until_s: 1810.0,
    }];
    let mut during = Vec::new();
    let mut refused_at_end = 0;
    follow(&scenario, |view| {
        if scenario.in_outage(view.now_s) {
            during.push((view.refused, view.started));
        }
        refused_at_end = view.refused;
        Vec::new()
    });
    assert!(during.iter().all(|counted| counted == &during[0]));
    assert!(refused_at_end > during[0].0);
}

#[test]
fn a_blackout_hides_calls_and_counters_but_not_members() {
    let mut scenario = hour();
    scenario.blackouts = vec![Span {
        from_s: 1200.0,
        until_s: 1800.0,
    }];
    let mut last_seen = 0;
    let outcome = follow(&scenario, |view| {
        let dark = (1200.0..1800.0).contains(&view.now_s);
        assert_eq!(view.metrics, !dark);
        assert_eq!(view.members.len(), 2);
        if dark {
            assert!(view.members.iter().all(|member| member.calls == 0));
            assert_eq!(view.started, last_seen);
        }
        last_seen = view.started;
        Vec::new()
    });
    assert!(point_at(&outcome, 1500.0).calls > 50);
    assert_eq!(outcome.marks[0].what, "blackout");
}

#[test]
fn failing_creations_look_booting_until_the_timeout_and_cost_nothing() {
    let mut scenario = hour();
    scenario.failing_share = 1.0;
    let mut failed = Vec::new();
    let outcome = follow(&scenario, |view| {
        if view.failed_creates > 0 {
            failed.push((view.now_s, view.failed_creates));
        }
        let exist = if view.now_s > 600.0 && view.now_s < 1200.0 {
            5
        } else {
            2
        };
        assert_eq!(view.members.len(), exist);
        let count = if view.now_s == 600.0 { 3 } else { 0 };
        vec![Step::Boot(count)]
    });
    assert_eq!(failed, [(1200.0, 3)]);
    assert_eq!(point_at(&outcome, 900.0).booting, 3);
    assert_eq!(outcome.figures.member_hours, 2.0);
    let failures = outcome
        .marks
        .iter()
        .filter(|mark| mark.what == "create_failed");
    assert_eq!(failures.count(), 3);
}

#[test]
fn boots_that_take_longer_than_the_timeout_fail() {
    let mut scenario = hour();
    scenario.boot_timeout_s = 100.0;
    let mut failed = 0;
    follow(&scenario, |view| {
        failed += view.failed_creates;
        assert!(view.booted_s.is_empty());
        let count = if view.now_s == 0.0 { 1 } else { 0 };
        vec![Step::Boot(count)]
    });
    assert_eq!(failed, 1);
}
