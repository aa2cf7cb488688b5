//! Calls: none appears from nowhere, none is forgotten, and queues behave as theory says.

use super::*;
use crate::plan::erlang;
use crate::simulate::{Balancing, Placement};

fn float(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap())
}

/// Deletes the fullest member every half hour, drains and boots all the time.
fn reckless() -> Script<impl FnMut(&View<'_>) -> Vec<Step>> {
    Script(|view: &View<'_>| {
        let fullest = view.members.iter().max_by_key(|member| member.calls);
        let oldest = view.members.first().map(|member| member.id);
        match view.now_s % 1800.0 {
            0.0 => fullest
                .map(|member| Step::Delete(member.id))
                .into_iter()
                .collect(),
            300.0 => oldest.map(Step::Drain).into_iter().collect(),
            600.0 => oldest.map(Step::TakeBack).into_iter().collect(),
            900.0 => vec![Step::Boot(2)],
            _ => Vec::new(),
        }
    })
}

#[test]
fn every_call_that_was_tried_is_somewhere() {
    for name in [
        "diurnal",
        "conference_day",
        "storm",
        "crashes",
        "failing_boots",
    ] {
        let scenario = Scenario::named(name).unwrap();
        let scalers: [&mut dyn Scaler; 2] =
            [&mut Kamscale::for_scenario(&scenario), &mut reckless()];
        for scaler in scalers {
            let mut world = World::new(&scenario, 5);
            world.run(scaler, &mut |_| {});
            let record = &world.record;
            let ended = record.completed + record.cut + record.crashed_calls + record.vanished;
            let carried = u64::from(world.members.all_calls());
            let somewhere = ended + carried + record.lost + record.retrying;
            assert_eq!(record.offered + record.under_way, somewhere, "{name}");
            let on_members = world.members.existing().iter();
            let on_members: u32 = on_members.map(|id| world.members.calls(*id)).sum();
            assert_eq!(on_members, world.members.all_calls());
        }
    }
}

#[test]
fn as_many_calls_are_under_way_as_littles_law_says() {
    let mut scenario = Scenario::named("steady").unwrap();
    scenario.start_members = 8;
    let mut world = World::new(&scenario, 2);
    world.run(&mut nobody(), &mut |_| {});
    let outcome = world.outcome("nobody", 2);
    assert_eq!(outcome.figures.lost_calls, 0);
    let points = outcome.points.len();
    let calls: u64 = outcome
        .points
        .iter()
        .map(|point| u64::from(point.calls))
        .sum();
    let mean = float(calls) / float(points as u64);
    // The mean over a day has a deviation of sqrt(2 * 1000 * 1500 / 86400) = 6 calls.
    assert!((mean - 1000.0).abs() < 24.0, "{mean}");
    assert!(
        outcome
            .points
            .iter()
            .all(|point| point.calls == point.demand_calls)
    );
}

#[test]
fn a_full_pool_blocks_as_many_calls_as_erlang_b_says() {
    let mut scenario = without_retries(hour());
    scenario.duration_s = 86_400.0;
    scenario.hold_s = 10.0;
    scenario.traffic = Traffic::of(Shape::Constant { per_s: 1.5 });
    let expected = erlang::blocking(20, 15.0);
    for (members, count, share_s) in [(1, 1, 1.0), (4, 1, 1.0), (4, 2, 0.0), (2, 2, 1.0)] {
        scenario.start_members = members;
        scenario.capacity_calls = 20 / members;
        scenario.balancing = Balancing {
            count,
            placement: Placement::LeastCalls,
            share_s,
            tries: 3,
        };
        let figures = follow(&scenario, |_| Vec::new()).figures;
        let blocked = float(figures.lost_calls) / float(figures.offered_calls);
        // 130,000 calls, blocked in clusters: a deviation of about 0.0013.
        assert!(
            (blocked - expected).abs() < 0.005,
            "{members}: {blocked}, not {expected}"
        );
    }
}

#[test]
fn a_balancer_that_knows_less_refuses_more() {
    let mut scenario = without_retries(hour());
    scenario.duration_s = 86_400.0;
    scenario.hold_s = 10.0;
    scenario.traffic = Traffic::of(Shape::Constant { per_s: 1.5 });
    scenario.start_members = 10;
    scenario.capacity_calls = 2;
    scenario.balancing.tries = 1;
    let mut lost = |placement, share_s| {
        scenario.balancing.placement = placement;
        scenario.balancing.share_s = share_s;
        follow(&scenario, |_| Vec::new()).figures.lost_share
    };
    let exact = lost(Placement::LeastCalls, 0.0);
    let stale = lost(Placement::LeastCalls, 60.0);
    let drawn = lost(Placement::TwoChoices, 0.0);
    let in_turn = lost(Placement::RoundRobin, 0.0);
    assert!(exact < stale, "{exact} {stale}");
    assert!(exact < drawn, "{exact} {drawn}");
    assert!(drawn < in_turn, "{drawn} {in_turn}");
}

#[test]
fn refused_callers_come_back_with_patience_and_are_lost_without() {
    let mut scenario = hour();
    scenario.start_members = 1;
    let mut world = World::new(&scenario, 1);
    world.run(&mut nobody(), &mut |_| {});
    let record = world.record;
    assert!(record.lost > 0);
    // A caller tries 1 / 0.3 times on average if never taken; here some are taken.
    assert!(
        record.refused > record.lost,
        "{} {}",
        record.refused,
        record.lost
    );
    let impatient = follow(&without_retries(scenario), |_| Vec::new()).figures;
    assert!(impatient.lost_calls > record.lost);
    assert_eq!(impatient.offered_calls, record.offered);
}

#[test]
fn members_never_carry_more_than_their_capacity() {
    let mut scenario = Scenario::named("flash").unwrap();
    scenario.balancing.share_s = 30.0;
    let most = scenario.capacity_calls;
    let outcome = follow(&scenario, |view| {
        assert!(view.members.iter().all(|member| member.calls <= most));
        Vec::new()
    });
    assert!(outcome.figures.lost_calls > 0);
}
