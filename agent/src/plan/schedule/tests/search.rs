//! Properties: the same answers as a search minute by minute, and no panic whatever is written.

use std::collections::BTreeSet;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use proptest::prelude::*;

use super::{floor, utc, zone};

/// Some minutes, hours and weekdays (from Sunday).
type Named = (BTreeSet<i8>, BTreeSet<i8>, BTreeSet<i8>);

fn expression((minutes, hours, weekdays): &Named) -> String {
    let list = |set: &BTreeSet<i8>| set.iter().map(i8::to_string).collect::<Vec<_>>().join(",");
    format!("{} {} * * {}", list(minutes), list(hours), list(weekdays))
}

/// The same answer the slow way: every minute that a window could have begun in.
fn until_minute_by_minute(
    named: &Named,
    time_zone: &TimeZone,
    duration_s: i64,
    at: i64,
) -> Option<i64> {
    let local = |unix_s: i64| time_zone.to_datetime(Timestamp::from_second(unix_s).unwrap());
    let is_named = |time: DateTime| {
        named.0.contains(&time.minute())
            && named.1.contains(&time.hour())
            && named.2.contains(&time.weekday().to_sunday_zero_offset())
    };
    let minute = 1.minute();
    (at - duration_s + 1..=at)
        .rev()
        .filter(|begin| begin % 60 == 0)
        .find_map(|begin| {
            // The local minutes that this one is, or leaps over.
            let (mut time, now) = (local(begin - 60) + minute, local(begin));
            let mut leapt = false;
            while time < now {
                leapt |= is_named(time);
                time += minute;
            }
            (leapt || is_named(now)).then_some(begin + duration_s)
        })
}

fn named() -> impl Strategy<Value = Named> {
    use proptest::collection::btree_set;
    let hours = prop_oneof![btree_set(0_i8..5, 1..3), btree_set(0_i8..24, 1..24)];
    (btree_set(0_i8..60, 1..4), hours, btree_set(0_i8..7, 1..8))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn holds_as_a_search_minute_by_minute_says(
        named in named(),
        (time_zone, change) in prop::sample::select(vec![
            ("Europe/Berlin", "2026-03-29 01:00"),
            ("Europe/Berlin", "2026-10-25 01:00"),
            ("America/New_York", "2026-11-01 06:00"),
            ("America/Santiago", "2026-09-06 04:00"),
            ("Australia/Lord_Howe", "2026-04-04 15:00"),
            ("Australia/Lord_Howe", "2026-10-03 15:30"),
            ("Pacific/Apia", "2011-12-30 10:00"),
            ("Pacific/Kwajalein", "1993-08-21 12:00"),
            ("Asia/Kathmandu", "2028-02-29 00:00"),
        ]),
        beside in -90_000_i64..200_000,
        duration in prop_oneof![1_i64..7200, 1_i64..260_000],
    ) {
        #[expect(clippy::cast_possible_truncation, reason = "whole seconds")]
        let at = utc(change) as i64 + beside;
        let floor = floor(&expression(&named), time_zone, duration as f64);
        prop_assert_eq!(floor.check(), Ok(()));
        let expected = until_minute_by_minute(&named, &zone::find(time_zone).unwrap(), duration, at);
        prop_assert_eq!(floor.until_s(at as f64), expected.map(|until| until as f64));
    }

    #[test]
    fn no_text_and_no_number_ends_in_panic(
        cron in prop_oneof!["\\PC{0,20}", "[0-9*/,LW#+-]{1,5}( [0-9*/,LWMON#+-]{1,5}){4}"],
        time_zone in prop_oneof![Just("Europe/Berlin".to_string()), "\\PC{0,10}"],
        duration_s in prop_oneof![any::<f64>(), 0.0..700_000.0],
        at_s in prop_oneof![any::<f64>(), 0.0..5e9],
    ) {
        let floor = floor(&cron, &time_zone, duration_s);
        let good = floor.check().is_ok();
        if let Some(until_s) = floor.until_s(at_s) {
            prop_assert!(good && until_s > at_s && until_s <= at_s + duration_s + 1e-3);
        }
    }
}
