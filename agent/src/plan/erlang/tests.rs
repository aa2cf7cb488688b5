//! Tests of Erlang's formulas: golden values, the whole recursion, and the inverses.

use proptest::prelude::*;

use super::*;

/// The recursion from 0 on, as the textbooks write it.
fn blocking_from_zero(servers: u32, erlangs: f64) -> f64 {
    (1..=servers).fold(1.0, |b, n| erlangs * b / (f64::from(n) + erlangs * b))
}

fn near(value: f64, expected: f64, relative: f64) -> bool {
    (value - expected).abs() <= relative * expected.abs()
}

#[test]
fn blocking_as_in_the_tables() {
    for (erlangs, servers, expected) in [
        (10.0, 15, 0.036_496_9),
        (100.0, 117, 0.009_790_1),
        (1000.0, 1029, 0.009_941_9),
    ] {
        let value = blocking(servers, erlangs);
        assert!(
            (value - expected).abs() < 5.01e-8,
            "B({erlangs}, {servers}) = {value}"
        );
    }
}

#[test]
fn waiting_as_in_the_tables() {
    for (erlangs, servers, expected) in [(10.0, 14, 0.174_131_9), (100.0, 110, 0.237_007_5)] {
        let value = waiting(servers, erlangs);
        assert!(
            (value - expected).abs() < 5.01e-8,
            "C({erlangs}, {servers}) = {value}"
        );
    }
}

#[test]
fn servers_as_in_the_tables() {
    let loads = [50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0];
    let one_percent = loads.map(|erlangs| servers_for_blocking(erlangs, 0.01));
    assert_eq!(one_percent, [64, 117, 221, 527, 1029, 2028]);
    let one_in_thousand = loads.map(|erlangs| servers_for_blocking(erlangs, 0.001));
    assert_eq!(one_in_thousand, [71, 128, 238, 555, 1072, 2095]);
}

#[test]
fn one_server_is_the_known_case() {
    // M/M/1: lost a/(1+a), waiting a, mean wait a h / (1-a).
    assert!(near(blocking(1, 0.5), 1.0 / 3.0, 1e-15));
    assert!(near(waiting(1, 0.5), 0.5, 1e-15));
    assert!(near(answer_s(1, 0.5, 180.0), 180.0, 1e-15));
}

#[test]
fn beginning_in_the_middle_changes_nothing() {
    for erlangs in [
        0.3_f64,
        7.0,
        99.5,
        120.0,
        1000.0,
        12_345.6,
        1e6,
        MOST_ERLANGS,
    ] {
        for beside in [-20.0, -9.0, -1.0, 0.0, 1.0, 4.0, 9.0] {
            let servers = whole((erlangs + beside * erlangs.sqrt()).max(0.0));
            // Half of the load too: where the first value used is already near.
            for servers in [servers, servers / 2] {
                let (value, expected) = (
                    blocking(servers, erlangs),
                    blocking_from_zero(servers, erlangs),
                );
                assert!(
                    near(value, expected, 1e-11),
                    "B({erlangs}, {servers}) = {value}, not {expected}"
                );
            }
        }
    }
}

#[test]
fn overload_is_a_certain_and_endless_wait() {
    for servers in [0, 9, 10] {
        assert_eq!(waiting(servers, 10.0), 1.0);
        assert_eq!(answer_s(servers, 10.0, 60.0), f64::INFINITY);
        assert_eq!(answer_s(servers, 10.0, 0.0), f64::INFINITY);
    }
}

#[test]
fn without_load_nothing_is_needed() {
    for none in [0.0, -0.0, -5.0, f64::NEG_INFINITY, f64::NAN] {
        assert_eq!(servers_for_blocking(none, 0.01), 0);
        assert_eq!(servers_for_waiting(none, 0.2), 0);
        assert_eq!(servers_for_answer(none, 60.0, 5.0), 0);
        assert_eq!((blocking(0, none), blocking(1, none)), (1.0, 0.0));
        assert_eq!((waiting(0, none), waiting(1, none)), (1.0, 0.0));
        assert_eq!(answer_s(1, none, 60.0), 0.0);
    }
}

#[test]
fn a_goal_out_of_reach_is_the_least() {
    for goal in [0.0, -1.0, f64::NAN, f64::NEG_INFINITY] {
        assert_eq!(
            servers_for_blocking(100.0, goal),
            servers_for_blocking(100.0, LEAST)
        );
        assert_eq!(
            servers_for_waiting(100.0, goal),
            servers_for_waiting(100.0, LEAST)
        );
        assert_eq!(
            servers_for_answer(100.0, 60.0, goal),
            servers_for_answer(100.0, 60.0, LEAST * 60.0)
        );
    }
}

#[test]
fn a_goal_that_asks_for_nothing_needs_no_server_but_a_wait_must_end() {
    assert_eq!(servers_for_blocking(100.0, 1.0), 0);
    assert_eq!(servers_for_waiting(100.0, f64::INFINITY), 0);
    assert_eq!(servers_for_answer(100.0, 60.0, f64::INFINITY), 101);
    assert_eq!(servers_for_answer(100.0, 0.0, 1.0), 101);
}

#[test]
fn the_largest_load_is_answered_and_more_is_taken_as_that() {
    let servers = servers_for_blocking(MOST_ERLANGS, 0.001);
    assert!((9_990_000..10_010_000).contains(&servers), "{servers}");
    for more in [1e8, 1e300, f64::INFINITY] {
        assert_eq!(servers_for_blocking(more, 0.001), servers);
        assert_eq!(
            servers_for_waiting(more, 0.2),
            servers_for_waiting(MOST_ERLANGS, 0.2)
        );
        assert_eq!(blocking(servers, more), blocking(servers, MOST_ERLANGS));
    }
}

#[test]
fn a_huge_number_of_servers_blocks_nobody() {
    for erlangs in [f64::MIN_POSITIVE, 1.0, 1e6, f64::INFINITY] {
        assert_eq!(blocking(u32::MAX, erlangs), 0.0);
        assert_eq!(waiting(u32::MAX, erlangs), 0.0);
        assert_eq!(answer_s(u32::MAX, erlangs, 60.0), 0.0);
    }
}

fn load() -> impl Strategy<Value = f64> {
    (-3.0..5.0).prop_map(|power: f64| 10_f64.powf(power))
}

fn probability() -> impl Strategy<Value = f64> {
    (-6.0..0.0).prop_map(|power: f64| 10_f64.powf(power))
}

fn any_number() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>(),
        -10.0..1e8,
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(0.0)
    ]
}

proptest! {
    #[test]
    fn more_servers_block_fewer_and_wait_shorter(erlangs in load(), servers in 0_u32..100_000) {
        let (fewer, more) = (servers, servers + 1);
        prop_assert!(blocking(more, erlangs) <= blocking(fewer, erlangs));
        prop_assert!(waiting(more, erlangs) <= waiting(fewer, erlangs));
        prop_assert!(answer_s(more, erlangs, 180.0) <= answer_s(fewer, erlangs, 180.0));
    }

    #[test]
    fn more_load_blocks_more_and_waits_longer(
        erlangs in load(), more in 1.001..2.0_f64, servers in 0_u32..100_000,
    ) {
        let more = erlangs * more;
        prop_assert!(blocking(servers, erlangs) <= blocking(servers, more));
        prop_assert!(waiting(servers, erlangs) <= waiting(servers, more));
        prop_assert!(answer_s(servers, erlangs, 180.0) <= answer_s(servers, more, 180.0));
        prop_assert!(servers_for_blocking(erlangs, 0.01) <= servers_for_blocking(more, 0.01));
    }

    #[test]
    fn waiting_is_above_blocking_and_both_are_probabilities(
        erlangs in load(), servers in 0_u32..100_000,
    ) {
        let (b, c) = (blocking(servers, erlangs), waiting(servers, erlangs));
        prop_assert!((0.0..=1.0).contains(&b) && (0.0..=1.0).contains(&c) && b <= c);
    }

    #[test]
    fn blocking_is_that_of_the_whole_recursion(erlangs in load(), sigmas in -15.0..9.0_f64) {
        let servers = whole((erlangs + sigmas * erlangs.sqrt()).max(0.0));
        let (value, expected) = (blocking(servers, erlangs), blocking_from_zero(servers, erlangs));
        prop_assert!(near(value, expected, 1e-11), "{value} {expected}");
    }

    #[test]
    fn the_servers_for_a_blocking_are_the_fewest(erlangs in load(), goal in probability()) {
        let servers = servers_for_blocking(erlangs, goal);
        prop_assert!(blocking(servers, erlangs) <= goal);
        prop_assert!(servers == 0 || blocking(servers - 1, erlangs) > goal);
    }

    #[test]
    fn the_servers_for_waiting_are_the_fewest(erlangs in load(), goal in probability()) {
        let servers = servers_for_waiting(erlangs, goal);
        prop_assert!(waiting(servers, erlangs) <= goal);
        prop_assert!(servers == 0 || waiting(servers - 1, erlangs) > goal);
    }

    #[test]
    fn the_servers_for_an_answer_are_the_fewest(
        erlangs in load(), hold_s in 0.1..10_000.0, goal_s in 0.01..600.0,
    ) {
        let servers = servers_for_answer(erlangs, hold_s, goal_s);
        prop_assert!(answer_s(servers, erlangs, hold_s) <= goal_s);
        prop_assert!(servers == 0 || answer_s(servers - 1, erlangs, hold_s) > goal_s);
    }

    #[test]
    fn every_argument_has_an_answer(
        erlangs in any_number(), goal in any_number(), hold_s in any_number(), servers: u32,
    ) {
        prop_assert!((0.0..=1.0).contains(&blocking(servers, erlangs)));
        prop_assert!((0.0..=1.0).contains(&waiting(servers, erlangs)));
        prop_assert!(answer_s(servers, erlangs, hold_s) >= 0.0);
        // 1e7 erlang with the least blocking need fewer than 8 square roots more.
        prop_assert!(servers_for_blocking(erlangs, goal) < 10_030_000);
        prop_assert!(servers_for_waiting(erlangs, goal) < 10_030_000);
        prop_assert!(servers_for_answer(erlangs, hold_s, goal) < 10_030_000);
    }
}
