//! What is promised of traffic.

use super::super::Scenario;
use super::*;

fn count(scenario: &Scenario, from_s: f64, until_s: f64) -> f64 {
    let (arrivals, _) = Arrivals::new(scenario, 1);
    let within = arrivals.filter(|arrival| {
        let at_s = arrival.at.seconds();
        at_s >= from_s && at_s < until_s
    });
    f64::from(u32::try_from(within.count()).unwrap())
}

#[test]
fn the_day_has_its_low_at_midnight_and_its_peak_at_noon() {
    let shape = Shape::Diurnal {
        low_per_s: 1.0,
        high_per_s: 3.0,
    };
    assert_eq!(shape.piece(0.0), (1.0, 5.0));
    let (noon, until_s) = shape.piece(43_200.0);
    assert!((noon - 3.0).abs() < 1e-9);
    assert_eq!(until_s, 43_205.0);
    assert_eq!(shape.piece(7.0), shape.piece(5.0));
}

#[test]
fn a_table_holds_each_row_until_the_next() {
    let shape = Shape::Table(vec![(10.0, 1.0), (20.0, 0.5)]);
    assert_eq!(shape.piece(0.0), (0.0, 10.0));
    assert_eq!(shape.piece(10.0), (1.0, 20.0));
    assert_eq!(shape.piece(19.9), (1.0, 20.0));
    assert_eq!(shape.piece(1e6), (0.5, f64::INFINITY));
    assert_eq!(Shape::Table(Vec::new()).piece(3.0), (0.0, f64::INFINITY));
}

#[test]
fn meetings_bring_a_crowd_around_every_half_hour() {
    let day = Scenario::named("conference_day").unwrap();
    let meetings = day.traffic.meetings.clone().unwrap();
    assert_eq!(meetings.piece(36_000.0 - 60.0).0, 6.25);
    assert_eq!(meetings.piece(36_000.0 - 61.0).0, 0.0);
    assert_eq!(meetings.piece(36_000.0 + 179.0).0, 6.25);
    assert_eq!(meetings.piece(36_000.0 + 180.0).0, 0.0);
    assert_eq!(meetings.piece(1800.0).0, 0.625);
}

#[test]
fn a_spike_multiplies_and_adds_for_its_time_only() {
    let mut traffic = Traffic::of(Shape::Constant { per_s: 2.0 });
    traffic.spikes.push(Spike {
        from_s: 100.0,
        until_s: 200.0,
        factor: 4.0,
        add_per_s: 1.0,
    });
    assert_eq!(traffic.piece(0.0), (2.0, 100.0));
    assert_eq!(traffic.piece(100.0), (9.0, 200.0));
    assert_eq!(traffic.piece(200.0), (2.0, f64::INFINITY));
}

#[test]
fn as_many_arrive_as_the_rate_says() {
    let flash = Scenario::named("flash").unwrap();
    // 4000 joins and a quarter of an hour of 1200 erlang with 1500 s: 4000 + 720.
    let joins = count(&flash, 43_200.0, 44_100.0);
    assert!((joins - 4720.0).abs() < 4.0 * 4720f64.sqrt(), "{joins}");
    let mut table = Scenario::named("steady").unwrap();
    table.traffic = Traffic::of(Shape::Table(vec![
        (0.0, 0.01),
        (1000.0, 50.0),
        (1100.0, 0.0),
    ]));
    let rows = count(&table, 1000.0, 1100.0);
    assert!((rows - 5000.0).abs() < 4.0 * 5000f64.sqrt(), "{rows}");
    assert_eq!(count(&table, 1100.0, f64::INFINITY), 0.0);
}

#[test]
fn nobody_calls_during_an_outage() {
    let storm = Scenario::named("storm").unwrap();
    assert_eq!(count(&storm, 36_000.0, 36_900.0), 0.0);
    assert!(count(&storm, 36_900.0, 37_200.0) > 0.0);
}

#[test]
fn arrivals_come_in_order_of_time() {
    let day = Scenario::named("conference_day").unwrap();
    let (arrivals, under_way) = Arrivals::new(&day, 3);
    assert!(!under_way.is_empty());
    let moments: Vec<_> = arrivals.map(|arrival| arrival.at).collect();
    assert!(moments.is_sorted());
}
