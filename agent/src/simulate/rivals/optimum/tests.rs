//! The plan against brute force and against sums that can be done by hand.

use super::plan::{Grid, Need, Plan, Rules, cheapest, tail_s};
use super::*;
use crate::simulate::rivals::hand::Hand;
use crate::simulate::rivals::pool::whole;

fn rules(min: u32, max: u32) -> Rules {
    Rules {
        min,
        max,
        usable_calls: 10.0,
        step_s: 60.0,
        hold_s: 120.0,
        lead_s: 60.0,
    }
}

fn needs(calls: &[f64]) -> Vec<Need> {
    calls
        .iter()
        .map(|calls| Need {
            first_calls: *calls,
            most_calls: *calls,
            least_calls: *calls,
        })
        .collect()
}

/// What a course costs, by the rules alone.
fn cost_of(rules: &Rules, needs: &[Need], start: u32, course: &[u32]) -> f64 {
    let grid = Grid::new(rules, needs, start);
    let (mut level, mut class, mut cost) = (grid.level(start), 0, 0.0);
    for (step, members) in course.iter().enumerate() {
        while grid.members(level) < *members {
            cost += grid.add_cost(step, level);
            level += 1;
        }
        while grid.members(level) > *members {
            let (removal, after) = grid.remove_cost(step, level, class);
            cost += removal;
            class = after;
            level -= 1;
        }
        cost += grid.stay_cost(step, level, class);
        class = grid.next_class(step, class);
    }
    cost
}

fn brute_force(rules: &Rules, needs: &[Need], start: u32) -> f64 {
    let sizes = rules.max - rules.min + 1;
    let courses = sizes.pow(whole(needs.len()));
    (0..courses)
        .map(|course| {
            let digit = |place: u32| rules.min + course / sizes.pow(place) % sizes;
            let course: Vec<u32> = (0..whole(needs.len())).map(digit).collect();
            cost_of(rules, needs, start, &course)
        })
        .fold(f64::INFINITY, f64::min)
}

#[test]
fn the_plan_is_as_cheap_as_the_best_of_all_courses() {
    let demands: [&[f64]; 7] = [
        &[5.0, 5.0, 25.0, 25.0, 5.0, 5.0],
        &[30.0, 2.0, 2.0, 2.0, 2.0, 30.0],
        &[30.0, 20.0, 10.0, 5.0, 1.0, 0.0, 0.0],
        &[0.0, 0.0, 39.0, 0.0, 0.0, 39.0],
        &[12.0, 18.0, 21.0, 29.0, 31.0, 38.0],
        &[38.0, 38.0, 29.0, 28.0, 18.0, 17.0, 4.0],
        &[39.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    ];
    for calls in demands {
        for start in 1..=4 {
            for lead_s in [0.0, 60.0, 150.0] {
                let rules = Rules {
                    lead_s,
                    ..rules(1, 4)
                };
                let needs = needs(calls);
                let plan = cheapest(&rules, &needs, start);
                let planned = cost_of(&rules, &needs, start, &plan.members);
                let best = brute_force(&rules, &needs, start);
                assert!(
                    (planned - best).abs() < 1e-6,
                    "{calls:?} from {start}: {plan:?}"
                );
            }
        }
    }
}

#[test]
fn a_steady_demand_keeps_what_it_needs() {
    let plan = cheapest(&rules(1, 9), &needs(&[25.0; 30]), 3);
    assert_eq!(plan.members, [3; 30]);
}

#[test]
fn members_are_there_when_the_demand_is() {
    let mut calls = [5.0; 30];
    calls[20..].fill(45.0);
    let plan = cheapest(&rules(1, 9), &needs(&calls), 1);
    assert_eq!(plan.members[19], 1);
    assert_eq!(plan.members[20..], [5; 10]);
}

#[test]
fn a_short_dip_is_not_worth_a_drain() {
    let mut calls = [28.0; 60];
    calls[30..33].fill(10.0);
    let plan = cheapest(&rules(1, 9), &needs(&calls), 3);
    assert_eq!(plan.members, [3; 60]);
}

#[test]
fn drains_begin_before_the_demand_fits_on_fewer_since_drained_members_still_carry() {
    let falling: Vec<f64> = (0..60)
        .map(|step| (40.0 - f64::from(step)).max(4.0))
        .collect();
    let plan = cheapest(&rules(1, 9), &needs(&falling), 4);
    let first = plan
        .members
        .iter()
        .position(|members| *members == 3)
        .unwrap();
    assert!(
        first < 10,
        "40 - 10 calls are the first that fit on 3: {plan:?}"
    );
}

#[test]
fn an_outage_ends_drained_calls_too() {
    let mut calls = [38.0; 12];
    calls[3..6].fill(0.0);
    let plan = cheapest(&rules(1, 9), &needs(&calls), 4);
    assert_eq!(
        plan.members[6..9],
        [4; 3],
        "nothing is carried by drains any more: {plan:?}"
    );
}

#[test]
fn large_pools_are_planned_in_groups() {
    let rules = Rules {
        hold_s: 1500.0,
        ..rules(2, 2000)
    };
    let needs = needs(&[9_000.0; 300]);
    let grid = Grid::new(&rules, &needs, 1000);
    assert!(grid.levels * grid.classes * needs.len() < 50_000_000);
    assert_eq!(grid.members(grid.level(1000)), 1000);
}

/// The mean of the greatest of n exponentials is the mean times H(n): H(4) = 25/12.
#[test]
fn the_tail_of_a_drain_is_harmonic() {
    assert!((tail_s(4.0, 120.0) - 250.0).abs() < 0.1);
    assert!((tail_s(1.0, 120.0) - 120.0).abs() < 1.0);
    assert!(tail_s(0.0, 120.0).abs() < 1e-9);
}

fn optimum(demand: Vec<(f64, u32)>) -> Optimum {
    let foresight = Foresight::new(demand, 7200.0, 120.0, 300.0);
    Optimum::new(
        Pool {
            min: 1,
            max: 9,
            capacity_calls: 100,
        },
        foresight,
    )
}

#[test]
fn orders_a_lead_ahead_of_the_need() {
    let mut hand = Hand::new(100, &[50]);
    let orders = hand.play_until(&mut optimum(vec![(0.0, 50), (3600.0, 250)]), 3600.0);
    let first = orders.first().unwrap();
    assert!(first.0 > 3100.0 && first.0 <= 3300.0, "{orders:?}");
    assert_eq!(first.1, Step::Boot(2));
}

#[test]
fn drains_the_emptiest_and_deletes_it_when_it_is_empty() {
    let mut hand = Hand::new(100, &[30, 10, 20]);
    let mut optimum = optimum(vec![(0.0, 60)]);
    let orders = hand.play_until(&mut optimum, 0.0);
    assert_eq!(orders, [(0.0, Step::Drain(1)), (0.0, Step::Drain(2))]);
    hand.member(2).calls = 0;
    assert_eq!(hand.look(&mut optimum).steps, [Step::Delete(2)]);
}

#[test]
fn a_creation_that_takes_too_long_is_replaced() {
    let mut hand = Hand::new(100, &[50]);
    let mut optimum = optimum(vec![(0.0, 50), (1200.0, 150)]);
    let orders = hand.play_until(&mut optimum, 1200.0);
    let first_s = orders.first().unwrap().0;
    assert_eq!(
        orders,
        [
            (first_s, Step::Boot(1)),
            (first_s + 310.0, Step::Delete(1)),
            (first_s + 310.0, Step::Boot(1))
        ]
    );
}

#[test]
fn a_crash_takes_back_what_drains() {
    let mut hand = Hand::new(100, &[60, 60, 30]);
    let mut optimum = optimum(vec![(0.0, 150)]);
    hand.look(&mut optimum);
    hand.carry_out(Step::Drain(2));
    hand.carry_out(Step::Delete(0));
    assert_eq!(hand.look(&mut optimum).steps, [Step::TakeBack(2)]);
}

#[test]
fn additions_are_counted_even_while_others_are_drained() {
    let plan = Plan {
        step_s: 60.0,
        members: vec![3, 2, 4, 4, 1],
    };
    assert_eq!(plan.at(59.0), 3);
    assert_eq!(plan.at(60.0), 2);
    assert_eq!(plan.with_additions(0.0, 59.0), 3);
    assert_eq!(plan.with_additions(0.0, 130.0), 5);
    assert_eq!(plan.with_additions(130.0, 9000.0), 4);
    assert_eq!(plan.at(9000.0), 1);
}
