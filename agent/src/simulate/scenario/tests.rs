//! What is promised of scenarios.

use super::*;

#[test]
fn every_named_scenario_can_be_run_and_bears_its_name() {
    for name in Scenario::names() {
        let scenario = Scenario::named(name).unwrap();
        assert_eq!(scenario.name, name);
        assert_eq!(scenario.check(), Ok(()));
        assert!(!scenario.title.is_empty());
    }
    assert_eq!(Scenario::named("no such"), None);
}

#[test]
fn pools_start_at_sixty_percent() {
    assert_eq!(Scenario::named("diurnal").unwrap().start_members, 4);
    assert_eq!(Scenario::named("small").unwrap().start_members, 2);
    assert_eq!(Scenario::named("conference_day").unwrap().start_members, 2);
}

#[test]
fn a_table_makes_a_scenario_with_room_for_its_peak() {
    let rows = vec![(0.0, 2.0), (60.0, 40.0), (120.0, 1.0)];
    let scenario = Scenario::from_table("mine", rows, 300.0, 180.0).unwrap();
    assert_eq!(scenario.duration_s, 180.0);
    assert_eq!(scenario.start_members, 5);
    assert_eq!(scenario.max, 240);
}

#[test]
fn a_table_that_makes_no_sense_is_refused_with_a_reason() {
    let problem = |rows| {
        let made = Scenario::from_table("mine", rows, 300.0, 180.0);
        made.unwrap_err().to_string()
    };
    assert_eq!(
        problem(Vec::new()),
        "scenario mine: the table of traffic has no rows"
    );
    assert!(problem(vec![(0.0, f64::NAN)]).contains("must be a number"));
    assert!(problem(vec![(0.0, -1.0)]).contains("negative"));
    assert!(problem(vec![(5.0, 1.0), (5.0, 1.0)]).contains("later"));
    assert!(Scenario::from_table("mine", vec![(0.0, 1.0)], 0.0, 180.0).is_err());
}

#[test]
fn who_always_tries_again_must_pause() {
    let mut scenario = named::steady();
    scenario.retries = Retries {
        probability: 1.0,
        pause_s: 0.0,
        mean_s: 0.0,
    };
    assert!(scenario.check().is_err());
}

#[test]
fn what_would_never_end_or_fit_into_memory_is_refused() {
    let refused = |change: fn(&mut Scenario)| {
        let mut scenario = named::steady();
        change(&mut scenario);
        scenario.check().unwrap_err().problem
    };
    let short = refused(|scenario| scenario.balancing.share_s = 1e-9);
    assert!(short.contains("share at once"), "{short}");
    let hasty = refused(|scenario| {
        scenario.retries.probability = 1.0;
        scenario.retries.pause_s = 1e-9;
    });
    assert!(hasty.contains("must pause"), "{hasty}");
    let many = refused(|scenario| (scenario.start_members, scenario.max) = (u32::MAX, u32::MAX));
    assert!(many.contains("at most 100,000"), "{many}");
    let endless = refused(|scenario| scenario.hold_s = f64::INFINITY);
    assert!(endless.contains("hold_s must be a number"), "{endless}");
    let fast = refused(|scenario| scenario.traffic = Traffic::of(Shape::Table(vec![(9.0, 1e9)])));
    assert!(fast.contains("a million calls per second"), "{fast}");
    let multiplied = refused(|scenario| {
        scenario.traffic.spikes.push(crate::simulate::Spike {
            from_s: 0.0,
            until_s: 1.0,
            factor: 1e300,
            add_per_s: 0.0,
        });
    });
    assert_eq!(multiplied, fast);
}

#[test]
fn faults_must_have_their_time() {
    let refused = |from_s, until_s| {
        let mut scenario = named::steady();
        scenario.outages = vec![Span { from_s, until_s }];
        let outage = scenario.check().is_err();
        scenario.blackouts = std::mem::take(&mut scenario.outages);
        assert_eq!(scenario.check().is_err(), outage);
        outage
    };
    assert!(refused(20.0, 10.0) && refused(f64::NAN, 10.0) && refused(0.0, f64::NAN));
    assert!(!refused(0.0, 10.0));
    let mut scenario = named::steady();
    scenario.crashes = vec![Crash {
        at_s: f64::NAN,
        members: 1,
    }];
    assert!(scenario.check().is_err());
}

#[test]
fn boots_keep_their_bounds() {
    use super::super::random::{Purpose, Stream};
    let mut random = Stream::new(1, Purpose::Boots);
    let slow = Scenario::named("slow_boots").unwrap();
    let normal = named::steady();
    for _ in 0..10_000 {
        let slow_s = slow.boot.draw_s(&mut random);
        assert!((180.0..=600.0).contains(&slow_s), "{slow_s}");
        assert!(normal.boot.draw_s(&mut random) >= 60.0);
    }
}

#[test]
fn a_trace_brings_its_calls_under_way() {
    let trace = Trace {
        name: "mine".into(),
        found: "calls".into(),
        starts_at_s: None,
        duration_s: 3600.0,
        hold_s: 300.0,
        calls_at_start: 600.0,
        arrivals: vec![(0.0, 0.1)],
    };
    let scenario = Scenario::from_trace(&trace).unwrap();
    assert_eq!(
        (scenario.name.as_str(), scenario.start_members),
        ("mine", 5)
    );
    let (_, under_way) = super::super::traffic::Arrivals::new(&scenario, 1);
    assert!((500..700).contains(&under_way.len()));
}
