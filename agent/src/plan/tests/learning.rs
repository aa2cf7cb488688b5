//! What the plan learns of traffic: holding times, rises, collapses, boots, and what was needed lately.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "numbers of calls, chosen to fit"
)]

use super::super::flow::Flow;
use super::super::supply::Supply;
use super::super::{Memory, Observation, Policy, budget};
use super::{Phase, member, observation, policy};

/// An observation with so many calls and counters.
fn seen(calls: u32, started: Option<u64>, refused: Option<u64>) -> (Observation, Supply) {
    let seen = Observation {
        started,
        refused,
        ..observation(vec![member("a", Phase::Active, Some(calls))])
    };
    let supply = Supply::of(&seen, 1e9);
    (seen, supply)
}

/// A flow that saw constant traffic: `erlangs` calls that last `hold_s`, every 10 s, so many times.
fn constant(erlangs: u32, hold_s: f64, times: u32) -> Flow {
    let mut flow = Flow::default();
    for tick in 0..times {
        let t_s = f64::from(tick) * 10.0;
        let started = (f64::from(erlangs) / hold_s * t_s).round() as u64;
        let (seen, supply) = seen(erlangs, Some(started), None);
        assert!(flow.add(&seen, supply, t_s));
    }
    flow
}

fn near(value: f64, expected: f64, share: f64) -> bool {
    (value - expected).abs() <= share * expected
}

#[test]
fn the_holding_time_is_learned_from_what_ended() {
    for (erlangs, hold_s) in [(10_u32, 60.0), (200, 180.0), (1000, 1500.0)] {
        let learned = constant(erlangs, hold_s, 100).hold_s().unwrap();
        assert!(near(learned, hold_s, 0.03), "{learned} {hold_s}");
    }
    assert_eq!(
        constant(10, 600.0, 100).hold_s(),
        None,
        "16 calls are too few"
    );
}

#[test]
fn constant_traffic_expects_no_more_than_there_is() {
    let flow = constant(200, 180.0, 100);
    assert_eq!(flow.expected(200.0, 240.0, 3.0, 20.0, Some(990.0)), 200.0);
}

/// Long calls were learned, then only short ones come: begun as fast as they end, they are no rise, and
/// their length is learned in the end.
#[test]
fn short_calls_after_long_ones_are_no_rise() {
    let mut flow = constant(60, 60.0, 100);
    for tick in 1..=400_u32 {
        let t_s = 990.0 + f64::from(tick) * 5.0;
        let (seen, supply) = seen(3, Some(990 + u64::from(tick) * 5), None);
        flow.add(&seen, supply, t_s);
        if tick >= 8 {
            let expected = flow.expected(3.0, 20.0, 3.0, 20.0, Some(t_s));
            assert!(expected < 4.0, "{expected} expected at {t_s}");
        }
    }
    let hold_s = flow.hold_s().unwrap();
    assert!(hold_s < 30.0, "{hold_s}");
}

/// N(t) = N e^(-t/h) + λ h (1 - e^(-t/h)): exact for exponential holding times.
#[test]
fn a_surge_is_expected_as_the_transient_of_the_queue_says() {
    for (rate_per_s, horizon_s) in [(4.0_f64, 60.0_f64), (10.0, 240.0), (3.0, 900.0)] {
        let (hold_s, mut calls) = (180.0_f64, 200.0_f64);
        let mut flow = constant(200, hold_s, 100);
        let (mut t_s, mut started) = (990.0, 1100.0);
        for _ in 0..12 {
            t_s += 10.0;
            started += rate_per_s * 10.0;
            let fade = (-10.0 / hold_s).exp();
            calls = calls * fade + rate_per_s * hold_s * (1.0 - fade);
            let (seen, supply) = seen(calls.round() as u32, Some(started as u64), None);
            assert!(flow.add(&seen, supply, t_s));
        }
        let fade = (-horizon_s / hold_s).exp();
        let exact = calls * fade + rate_per_s * hold_s * (1.0 - fade);
        let expected = flow.expected(calls, horizon_s, 100.0, 20.0, Some(t_s));
        assert!(
            near(expected, exact, 0.05),
            "{rate_per_s}/s: {expected}, exactly {exact}"
        );
    }
}

#[test]
fn a_rise_within_chance_is_none_and_refused_calls_are_arrivals() {
    let rate = |more: f64, refused: u64| {
        let mut flow = constant(180, 180.0, 100);
        let started = 990.0 + 10.0 * (1.0 + more);
        let (seen, supply) = seen(180, Some(started as u64), Some(refused));
        flow.samples
            .iter_mut()
            .for_each(|sample| sample.refused = Some(0));
        flow.add(&seen, supply, 1000.0);
        flow.expected(180.0, 60.0, 10.0, 20.0, Some(1000.0))
    };
    assert_eq!(rate(0.5, 0), 180.0, "15 instead of 10 in 10 s");
    assert!(rate(2.5, 0) > 200.0, "35 instead of 10");
    assert!(rate(0.0, 25) > 200.0, "25 refused beside 10");
}

#[test]
fn what_is_expected_is_capped_by_what_is_there() {
    let mut flow = constant(20, 180.0, 200);
    let (seen, supply) = seen(20, Some(100_000), None);
    flow.add(&seen, supply, 2000.0);
    assert_eq!(flow.expected(20.0, 240.0, 2.0, 10.0, Some(2000.0)), 40.0);
    assert_eq!(flow.expected(1.0, 240.0, 2.0, 10.0, Some(2000.0)), 20.0);
}

#[test]
fn calls_that_are_torn_down_teach_no_holding_time() {
    let mut flow = constant(200, 180.0, 100);
    let before = flow.hold_s();
    let (seen, supply) = seen(40, Some(1111), None);
    assert!(!flow.add(&seen, supply, 1000.0));
    assert_eq!(flow.hold_s(), before);
    assert!(
        flow.collapse(false, &policy())
            .is_some_and(|drop| near(drop, 0.8, 1e-9))
    );
}

#[test]
fn a_collapse_needs_calls_and_half_of_it_is_enough_if_others_fell() {
    let fallen = |from: u32, to: u32, others: bool| {
        let mut flow = constant(from, 180.0, 5);
        let (seen, supply) = seen(to, None, None);
        flow.add(&seen, supply, 50.0);
        flow.collapse(others, &policy()).is_some()
    };
    assert!(fallen(100, 40, false) && !fallen(100, 41, false));
    assert!(fallen(100, 70, true) && !fallen(100, 71, true));
    assert!(!fallen(9, 0, true), "few calls end by chance");
}

#[test]
fn counters_that_go_back_begin_anew() {
    let mut flow = constant(200, 180.0, 50);
    let (seen, supply) = seen(200, Some(3), None);
    assert!(flow.add(&seen, supply, 500.0));
    assert_eq!(flow.samples.len(), 1);
    assert_eq!(flow.expected(200.0, 240.0, 3.0, 20.0, Some(500.0)), 200.0);
    assert!(flow.hold_s().is_some(), "what was learned stays");
}

#[test]
fn nine_of_ten_boots_are_below_what_is_learned_once_three_were_seen() {
    let mut memory = Memory::default();
    memory.learn_boots(&[100.0, 120.0]);
    assert_eq!(memory.boot_p90_s(&policy()), policy().boot_s);
    memory.learn_boots(&[f64::NAN, 110.0]);
    assert_eq!(memory.boot_p90_s(&policy()), 120.0);
    let boots: Vec<f64> = (1..=20).map(f64::from).collect();
    memory.learn_boots(&boots);
    assert_eq!(
        (memory.boots_s.len(), memory.boot_p90_s(&policy())),
        (20, 18.0)
    );
}

#[test]
fn the_peak_lasts_as_long_as_the_window() {
    let mut memory = Memory::default();
    memory.remember(1000.0, 50, 5, 600.0);
    for tick in 1..=60_u32 {
        memory.remember(1000.0 + f64::from(tick) * 10.0, 10, 1, 600.0);
        assert_eq!(memory.peak(), (50, 5), "{tick}");
    }
    memory.remember(1620.0, 10, 1, 600.0);
    assert_eq!(memory.peak(), (10, 1));
    assert!(memory.window.len() <= 61);
}

#[test]
fn a_fall_is_one_beyond_chance_over_four_windows() {
    let fall = |per_tick: f64| {
        let mut memory = Memory::default();
        for tick in 0..45_u32 {
            let calls = (1000.0 - per_tick * f64::from(tick)).round() as u64;
            memory.remember_trend(f64::from(tick) * 10.0, calls, 100.0);
        }
        memory.fall_per_s(440.0, 100.0)
    };
    assert_eq!(fall(0.0), None);
    assert_eq!(fall(2.0), None, "60 calls in 300 s are chance");
    assert!(
        fall(10.0).is_some_and(|per_s| near(per_s, 1.0, 0.15)),
        "{:?}",
        fall(10.0)
    );
    assert_eq!(fall(-10.0), None);
}

#[test]
fn a_budget_counts_member_hours_of_a_day() {
    let policy = Policy {
        budget_member_hours: Some(47.9),
        ..policy()
    };
    let members = (0..2).map(|n| member(&format!("m{n}"), Phase::Draining, None));
    let supply = Supply::of(&observation(members.collect()), 1e9);
    let mut memory = Memory::default();
    let hour = |memory: &mut Memory, from: u32, ticks: u32| {
        for tick in 0..ticks {
            let now_s = f64::from(from) * 3600.0 + f64::from(tick) * 10.0;
            budget::spend(memory, &policy, supply, 10.0, now_s);
        }
    };
    for from in 0..24 {
        assert_eq!(budget::used_up(&memory, &policy), None, "hour {from}");
        hour(&mut memory, from, 360);
    }
    assert!(budget::used_up(&memory, &policy).is_some());
    assert!(memory.spent.len() <= 25);
    // Two hours later the oldest are a day ago; nothing was spent since.
    budget::spend(&mut memory, &policy, Supply::default(), 10.0, 26.5 * 3600.0);
    assert_eq!(budget::used_up(&memory, &policy), None);
}
