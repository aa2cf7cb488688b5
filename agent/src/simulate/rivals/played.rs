//! Rivals in the world: what must hold of them there, whoever is cheaper.

use super::{Foresight, NAMES, Pool, by_name, least_member_hours};
use crate::simulate::{Kamscale, Outcome, Scenario, run};

fn pool(scenario: &Scenario) -> Pool {
    Pool {
        min: scenario.min,
        max: scenario.max,
        capacity_calls: scenario.capacity_calls,
    }
}

/// A flash crowd one hour after the start, and four hours in all: short enough for a test.
fn noon() -> Scenario {
    let mut scenario = Scenario::named("flash").unwrap();
    scenario.traffic.spikes[0].from_s = 3600.0;
    scenario.traffic.spikes[0].until_s = 4500.0;
    scenario.surge_s = Some(3600.0);
    scenario.duration_s = 14_400.0;
    scenario
}

fn play(scenario: &Scenario, name: &str, foresight: &Foresight) -> Outcome {
    let mut rival = by_name(name, pool(scenario), Some(foresight)).unwrap();
    run(scenario, rival.as_mut(), 7, &mut |_| ()).unwrap()
}

#[test]
fn who_knew_the_future_loses_and_cuts_nothing_for_less_than_all_who_lose_nothing() {
    let scenario = noon();
    let mut kamscale = Kamscale::for_scenario(&scenario);
    let kamscale = run(&scenario, &mut kamscale, 7, &mut |_| ()).unwrap();
    let foresight = Foresight::of(&scenario, &kamscale.points);
    let optimum = play(&scenario, "optimum", &foresight);
    assert_eq!(
        (optimum.figures.lost_calls, optimum.figures.cut_calls),
        (0, 0)
    );
    let mut others: Vec<Outcome> = NAMES[..NAMES.len() - 1]
        .iter()
        .map(|name| play(&scenario, name, &foresight))
        .collect();
    others.push(kamscale);
    for other in &others {
        let harmless = other.figures.lost_calls + other.figures.cut_calls == 0;
        let dearer = other.figures.member_hours > optimum.figures.member_hours;
        assert!(dearer || !harmless, "{} {:?}", other.policy, other.figures);
        assert_eq!(other.figures.offered_calls, optimum.figures.offered_calls);
    }
}

#[test]
fn the_plain_bound_is_what_the_world_counts_and_nobody_who_loses_nothing_is_below_it() {
    let scenario = noon();
    let nothing = Foresight::new(Vec::new(), 0.0, 1.0, 0.0);
    let jitsi = play(&scenario, "jitsi", &nothing);
    let foresight = Foresight::of(&scenario, &jitsi.points);
    let demand: Vec<(f64, u32)> = jitsi
        .points
        .iter()
        .map(|point| (point.t_s, point.demand_calls))
        .collect();
    let bound = least_member_hours(
        &demand,
        scenario.min,
        scenario.capacity_calls,
        scenario.duration_s,
    );
    let counted = jitsi.figures.least_member_hours;
    assert!(
        (bound / counted - 1.0).abs() < 0.01,
        "{bound} against {counted}"
    );
    assert!(play(&scenario, "optimum", &foresight).figures.member_hours > counted);
}
