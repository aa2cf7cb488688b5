//! Figures: computed by hand on small cases, and the same for the same seed.

use super::*;
use crate::simulate::{Spike, run};

#[test]
fn the_same_seed_gives_the_same_outcome_to_the_byte() {
    for name in ["conference_day", "crashes", "failing_boots"] {
        let scenario = Scenario::named(name).unwrap();
        let play = |seed| {
            let mut scaler = Kamscale::for_scenario(&scenario);
            let outcome = run(&scenario, &mut scaler, seed, &mut |_| {}).unwrap();
            serde_json::to_string(&outcome).unwrap()
        };
        let first = play(4);
        assert_eq!(first, play(4));
        assert_ne!(first, play(5));
    }
}

#[test]
fn all_scalers_meet_the_same_traffic() {
    let scenario = Scenario::named("storm").unwrap();
    let mut scaler = Kamscale::for_scenario(&scenario);
    let ours = run(&scenario, &mut scaler, 1, &mut |_| {}).unwrap();
    let nobodys = follow(&scenario, |_| Vec::new());
    assert!(nobodys.figures.lost_calls > 0);
    let demand = |outcome: &Outcome| -> Vec<u32> {
        let points = outcome.points.iter();
        points.map(|point| point.demand_calls).collect()
    };
    assert_eq!(demand(&ours), demand(&nobodys));
    assert_eq!(ours.figures.offered_calls, nobodys.figures.offered_calls);
    assert_eq!(
        ours.figures.least_member_hours,
        nobodys.figures.least_member_hours
    );
}

#[test]
fn member_hours_count_from_the_order_to_the_deletion() {
    let outcome = follow(&hour(), |view| match view.now_s {
        // 1,200 s, of which it boots 120 s and drains 600 s.
        600.0 => vec![Step::Boot(1)],
        1200.0 => vec![Step::Drain(2)],
        1800.0 => vec![Step::Delete(2)],
        // 60 s, all of them booting.
        2400.0 => vec![Step::Boot(1)],
        2460.0 => vec![Step::Delete(3)],
        // Still there at the end: 600 s.
        3000.0 => vec![Step::Boot(1)],
        _ => Vec::new(),
    });
    let hours = 2.0 + (1200.0 + 60.0 + 600.0) / 3600.0;
    assert!((outcome.figures.member_hours - hours).abs() < 1e-9);
}

#[test]
fn orders_against_each_other_within_a_quarter_of_an_hour_are_reversals() {
    let outcome = follow(&hour(), |view| match view.now_s {
        0.0 => vec![Step::Boot(2)],
        // 890 s after the boot: the first reversal.
        890.0 => vec![Step::Drain(0)],
        // 900 s after the drain: none.
        1790.0 => vec![Step::TakeBack(0)],
        // The second; the other drain turns nothing round.
        1800.0 => vec![Step::Drain(0), Step::Drain(1)],
        // The removal of a drained member is no order of its own.
        2400.0 => vec![Step::Delete(0)],
        // The third.
        2690.0 => vec![Step::Boot(1)],
        // The fourth: a deletion without a drain.
        2700.0 => vec![Step::Delete(2)],
        _ => Vec::new(),
    });
    assert_eq!(outcome.figures.actions, 7);
    assert_eq!(outcome.figures.reversals_15min, 4);
}

#[test]
fn the_least_member_hours_follow_the_demand() {
    let mut scenario = hour();
    // Nobody calls; 100 at a time after half an hour, but only for 600 s: the minimum is enough.
    scenario.traffic = Traffic::of(Shape::Table(vec![(0.0, 0.0), (1800.0, 1.0), (2400.0, 0.0)]));
    scenario.capacity_calls = 1000;
    assert_eq!(
        follow(&scenario, |_| Vec::new()).figures.least_member_hours,
        1.0
    );
    scenario.capacity_calls = 40;
    let outcome = follow(&scenario, |_| Vec::new());
    let by_points = outcome
        .points
        .iter()
        .skip(1)
        .map(|point| f64::from(point.demand_calls.div_ceil(40).max(1)) * 60.0 / 3600.0);
    let by_points: f64 = by_points.sum();
    let exact = outcome.figures.least_member_hours;
    assert!(exact > 1.2, "{exact}");
    assert!((exact - by_points).abs() < 0.1, "{exact} {by_points}");
}

#[test]
fn a_surge_is_over_at_its_last_refusal() {
    let mut scenario = hour();
    assert_eq!(
        follow(&scenario, |_| Vec::new())
            .figures
            .surge_to_capacity_s,
        None
    );
    scenario.surge_s = Some(600.0);
    assert_eq!(
        follow(&scenario, |_| Vec::new())
            .figures
            .surge_to_capacity_s,
        Some(0.0)
    );
    scenario.traffic.spikes.push(Spike {
        from_s: 600.0,
        until_s: 900.0,
        factor: 4.0,
        add_per_s: 0.0,
    });
    let outcome = follow(&scenario, |_| Vec::new());
    let surge_s = outcome.figures.surge_to_capacity_s.unwrap();
    assert!((250.0..700.0).contains(&surge_s), "{surge_s}");
    assert!(outcome.figures.lost_calls > 0);
}

#[test]
fn the_course_has_a_point_every_minute_and_its_sums_are_the_figures() {
    let mut scenario = hour();
    scenario.start_members = 1;
    let outcome = follow(&scenario, |view| match view.now_s {
        1810.0 => vec![Step::Boot(1)],
        2410.0 => vec![Step::Delete(0)],
        _ => Vec::new(),
    });
    let minutes: Vec<f64> = outcome.points.iter().map(|point| point.t_s).collect();
    let expected: Vec<f64> = (0..=60).map(|minute| f64::from(minute) * 60.0).collect();
    assert_eq!(minutes, expected);
    let lost: u32 = outcome.points.iter().map(|point| point.lost).sum();
    let cut: u32 = outcome.points.iter().map(|point| point.cut).sum();
    assert_eq!(u64::from(lost), outcome.figures.lost_calls);
    assert_eq!(u64::from(cut), outcome.figures.cut_calls);
    assert!(lost > 0 && cut > 0);
}

#[test]
fn progress_grows_to_the_whole() {
    let mut shares = Vec::new();
    run(&hour(), &mut nobody(), 1, &mut |share| shares.push(share)).unwrap();
    assert!(shares.is_sorted());
    assert_eq!(shares.last(), Some(&1.0));
}

#[test]
fn a_scaler_that_wants_to_look_all_the_time_looks_every_second() {
    struct Hasty(u32);
    impl Scaler for Hasty {
        fn name(&self) -> &str {
            "hasty"
        }

        fn interval_s(&self) -> f64 {
            0.0
        }

        fn decide(&mut self, _: &View<'_>) -> Decision {
            self.0 += 1;
            Decision::default()
        }
    }
    let mut hasty = Hasty(0);
    run(&hour(), &mut hasty, 1, &mut |_| {}).unwrap();
    assert_eq!(hasty.0, 3601);
}
