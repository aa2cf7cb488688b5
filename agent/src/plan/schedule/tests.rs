//! Tests of the schedule floors: calendars, clock changes, and a search minute by minute.

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike, NaiveDateTime, TimeDelta, TimeZone, Timelike};
use chrono_tz::Tz;
use proptest::prelude::*;

use super::*;

const HOUR_S: f64 = 3600.0;

fn floor(cron: &str, time_zone: &str, duration_s: f64) -> Floor {
    Floor {
        name: "test".into(),
        cron: cron.into(),
        time_zone: time_zone.into(),
        duration_s,
        min: 3,
        inhibit_scale_in: false,
        parsed: Parsed::default(),
    }
}

/// Unix time of `2026-03-29 01:00` in UTC; seconds may follow.
fn utc(text: &str) -> f64 {
    let text = if text.len() == 16 {
        format!("{text}:00")
    } else {
        text.to_string()
    };
    let time = NaiveDateTime::parse_from_str(&text, "%Y-%m-%d %H:%M:%S").unwrap();
    time.and_utc().timestamp() as f64
}

/// Asserts that a floor holds from one time to another (UTC), and neither before nor after.
#[track_caller]
fn assert_holds(floor: &Floor, from: &str, until: &str) {
    let (from, until) = (utc(from), utc(until));
    assert_eq!(floor.until_s(from - 1.0), None, "before");
    assert_eq!(floor.until_s(from), Some(until), "begin");
    assert_eq!(floor.until_s((from + until) / 2.0), Some(until), "middle");
    assert_eq!(floor.until_s(until - 0.001), Some(until), "end");
    assert_eq!(floor.until_s(until), None, "after");
}

#[test]
fn eight_stays_eight_when_the_clocks_change() {
    let day = floor("0 8 * * *", "Europe/Berlin", 10.0 * HOUR_S);
    assert_holds(&day, "2026-03-28 07:00", "2026-03-28 17:00");
    assert_holds(&day, "2026-03-29 06:00", "2026-03-29 16:00");
    assert_holds(&day, "2026-10-24 06:00", "2026-10-24 16:00");
    assert_holds(&day, "2026-10-25 07:00", "2026-10-25 17:00");
    // Also in the years that no rule is known for yet.
    assert_holds(&day, "2090-07-01 06:00", "2090-07-01 16:00");
}

#[test]
fn a_window_across_the_change_lasts_its_real_time() {
    let night = floor("0 22 * * SAT", "Europe/Berlin", 8.0 * HOUR_S);
    assert_holds(&night, "2026-03-28 21:00", "2026-03-29 05:00");
    assert_holds(&night, "2026-10-24 20:00", "2026-10-25 04:00");
}

#[test]
fn a_local_time_that_does_not_exist_begins_at_the_leap() {
    let night = floor("30 2 * * *", "Europe/Berlin", HOUR_S);
    assert_holds(&night, "2026-03-29 01:00", "2026-03-29 02:00");
    // A whole day left out: Samoa had no 30 December 2011.
    let day = floor("0 8 30 12 *", "Pacific/Apia", HOUR_S);
    assert_holds(&day, "2011-12-30 10:00", "2011-12-30 11:00");
}

#[test]
fn a_local_time_that_comes_twice_begins_twice() {
    let night = floor("30 2 * * *", "Europe/Berlin", HOUR_S / 2.0);
    assert_holds(&night, "2026-10-25 00:30", "2026-10-25 01:00");
    assert_holds(&night, "2026-10-25 01:30", "2026-10-25 02:00");
    // An hour long, the second begins when the first ends.
    let night = floor("30 2 * * *", "Europe/Berlin", HOUR_S);
    assert_eq!(
        night.until_s(utc("2026-10-25 01:29")),
        Some(utc("2026-10-25 01:30"))
    );
    assert_eq!(
        night.until_s(utc("2026-10-25 01:30")),
        Some(utc("2026-10-25 02:30"))
    );
    // Late in the first pass, asked for early in the second.
    let night = floor("55 2 * * *", "Europe/Berlin", HOUR_S / 2.0);
    assert_eq!(
        night.until_s(utc("2026-10-25 01:05")),
        Some(utc("2026-10-25 01:25"))
    );
}

#[test]
fn weekdays_are_named_or_numbered() {
    for cron in [
        "0 8 * * MON-FRI",
        "0 8 * * 1-5",
        "0 8 * * mon,tue,wed,thu,fri",
        "0 8 ? * 1-5",
    ] {
        let days = floor(cron, "UTC", HOUR_S);
        assert_holds(&days, "2026-11-20 08:00", "2026-11-20 09:00");
        assert_eq!(days.until_s(utc("2026-11-21 08:30")), None, "Saturday");
        assert_eq!(days.until_s(utc("2026-11-22 08:30")), None, "Sunday");
        assert_holds(&days, "2026-11-23 08:00", "2026-11-23 09:00");
    }
    for sunday in ["0 8 * * 0", "0 8 * * 7", "0 8 * * SUN"] {
        assert_holds(
            &floor(sunday, "UTC", HOUR_S),
            "2026-11-22 08:00",
            "2026-11-22 09:00",
        );
    }
}

#[test]
fn a_day_of_the_month_and_a_weekday_mean_either_and_with_plus_both() {
    let either = floor("0 8 13 * FRI", "UTC", HOUR_S);
    assert_holds(&either, "2026-11-20 08:00", "2026-11-20 09:00");
    assert_holds(&either, "2026-12-13 08:00", "2026-12-13 09:00");
    let both = floor("0 8 13 * +FRI", "UTC", HOUR_S);
    assert_eq!(both.until_s(utc("2026-11-20 08:30")), None);
    assert_holds(&both, "2026-11-13 08:00", "2026-11-13 09:00");
}

#[test]
fn months_end_and_years_leap() {
    let last = floor("0 8 L * *", "UTC", HOUR_S);
    for day in ["2026-02-28", "2028-02-29", "2026-04-30", "2026-12-31"] {
        assert_holds(&last, &format!("{day} 08:00"), &format!("{day} 09:00"));
    }
    let thirty_first = floor("0 8 31 * *", "UTC", HOUR_S);
    assert_eq!(thirty_first.until_s(utc("2026-05-01 08:30")), None);
    assert_holds(&thirty_first, "2026-05-31 08:00", "2026-05-31 09:00");
    let leap_day = floor("0 8 29 2 *", "UTC", HOUR_S);
    assert_eq!(leap_day.check(), Ok(()));
    assert_eq!(leap_day.until_s(utc("2027-03-01 08:30")), None);
    assert_holds(&leap_day, "2028-02-29 08:00", "2028-02-29 09:00");
    assert_eq!(leap_day.until_s(utc("2100-03-01 08:30")), None);
    let across = floor("0 20 31 12 *", "UTC", 7.0 * DAY_S);
    assert_holds(&across, "2026-12-31 20:00", "2027-01-07 20:00");
}

#[test]
fn windows_that_overlap_hold_until_the_last_ends() {
    let hourly = floor("0 8-17 * * *", "UTC", 1.5 * HOUR_S);
    assert_eq!(
        hourly.until_s(utc("2026-11-20 08:59:59")),
        Some(utc("2026-11-20 09:30"))
    );
    assert_eq!(
        hourly.until_s(utc("2026-11-20 09:10")),
        Some(utc("2026-11-20 10:30"))
    );
    assert_eq!(
        hourly.until_s(utc("2026-11-20 18:29")),
        Some(utc("2026-11-20 18:30"))
    );
    assert_eq!(hourly.until_s(utc("2026-11-20 18:30")), None);
    let short = floor("*/15 * * * *", "UTC", 0.5);
    assert_eq!(
        short.until_s(utc("2026-11-20 08:15") + 0.4),
        Some(utc("2026-11-20 08:15") + 0.5)
    );
    assert_eq!(short.until_s(utc("2026-11-20 08:15") + 0.5), None);
}

#[test]
fn offsets_of_part_of_an_hour_are_no_trouble() {
    let day = floor("0 8 * * *", "Asia/Kathmandu", HOUR_S);
    assert_holds(&day, "2026-11-20 02:15", "2026-11-20 03:15");
    // Its clocks change by half an hour.
    let night = floor("45 1 * * *", "Australia/Lord_Howe", 600.0);
    assert_holds(&night, "2026-04-04 14:45", "2026-04-04 14:55");
    assert_holds(&night, "2026-04-04 15:15", "2026-04-04 15:25");
}

#[test]
fn what_cannot_hold_is_refused_with_its_value_and_what_to_write() {
    let good = floor("0 8 * * MON-FRI", "Europe/Berlin", 10.0 * HOUR_S);
    assert_eq!(good.check(), Ok(()));
    for (bad, value, remedy) in [
        (
            Floor {
                cron: "0 8 * *".into(),
                ..good.clone()
            },
            "\"0 8 * *\": has 4 fields",
            "0 8 * *",
        ),
        (
            Floor {
                cron: "0 0 8 * * *".into(),
                ..good.clone()
            },
            "6 fields",
            "minute hour day",
        ),
        (
            Floor {
                cron: "@daily".into(),
                ..good.clone()
            },
            "\"@daily\"",
            "minute hour day",
        ),
        (
            Floor {
                cron: "0 25 * * *".into(),
                ..good.clone()
            },
            "\"0 25 * * *\"",
            "minute hour",
        ),
        (
            Floor {
                cron: "0 8 * MON *".into(),
                ..good.clone()
            },
            "MON has letters",
            "minute hour",
        ),
        (
            Floor {
                cron: "0 8 * * MONDAY".into(),
                ..good.clone()
            },
            "MONDAY",
            "MON-FRI",
        ),
        (
            Floor {
                cron: "0 8 30 2 *".into(),
                ..good.clone()
            },
            "\"0 8 30 2 *\"",
            "0 8 1 2 *",
        ),
        (
            Floor {
                cron: "0 8 31 4,6 *".into(),
                ..good.clone()
            },
            "never comes",
            "0 8 1 2 *",
        ),
        (
            Floor {
                time_zone: "Europe/Berln".into(),
                ..good.clone()
            },
            "\"Europe/Berln\" is no time zone",
            "write as Europe/Berlin",
        ),
        (
            Floor {
                duration_s: 0.0,
                ..good.clone()
            },
            "duration_s 0 ",
            "36000",
        ),
        (
            Floor {
                duration_s: f64::NAN,
                ..good.clone()
            },
            "duration_s NaN",
            "36000",
        ),
        (
            Floor {
                duration_s: 604_801.0,
                ..good.clone()
            },
            "duration_s 604801",
            "7 days",
        ),
        (
            Floor {
                min: 0,
                ..good.clone()
            },
            "min 0",
            "at least 1",
        ),
    ] {
        let error = bad.check().unwrap_err();
        assert!(error.contains(value) && error.contains(remedy), "{error}");
    }
}

#[test]
fn times_and_floors_that_cannot_be_hold_never() {
    let always = floor("* * * * *", "Europe/Berlin", 60.0);
    assert!(always.until_s(0.0).is_some());
    for at_s in [
        -1.0,
        -1e300,
        1e18,
        f64::MAX,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::NAN,
    ] {
        assert_eq!(always.until_s(at_s), None, "{at_s}");
    }
    for never in [
        floor("0 8 30 2 *", "Europe/Berlin", 60.0),
        floor("nonsense", "Europe/Berlin", 60.0),
        floor("* * * * *", "nowhere", 60.0),
        floor("* * * * *", "Europe/Berlin", 0.0),
        floor("* * * * *", "Europe/Berlin", f64::NAN),
        floor("* * * * *", "Europe/Berlin", f64::INFINITY),
    ] {
        assert_eq!(never.until_s(1.8e9), None);
    }
}

#[test]
fn what_was_read_is_no_part_of_the_value() {
    let fresh = floor("0 8 * * *", "UTC", HOUR_S);
    let used = fresh.clone();
    assert!(used.until_s(utc("2026-11-20 08:30")).is_some());
    assert_eq!(fresh, used);
    assert_eq!(format!("{fresh:?}"), format!("{used:?}"));
    let text = serde_json::to_string(&used).unwrap();
    assert!(!text.contains("parsed"), "{text}");
    assert_eq!(serde_json::from_str::<Floor>(&text).unwrap(), fresh);
    // A field changed after the first use counts.
    let later = Floor {
        cron: "0 9 * * *".into(),
        ..used
    };
    assert_holds(&later, "2026-11-20 09:00", "2026-11-20 10:00");
    assert_ne!(later, fresh);
}

/// `cargo test --profile quick -p kamscale-agent --lib schedule -- --ignored --nocapture`
#[test]
#[ignore = "prints how long answers take"]
fn print_what_an_answer_costs() {
    let week = 7.0 * DAY_S;
    for (cron, duration_s, at) in [
        ("0 8 * * MON-FRI", 10.0 * HOUR_S, "2026-11-20 10:00"),
        ("0 8 * * MON-FRI", 10.0 * HOUR_S, "2026-11-20 22:00"),
        ("0 8 29 2 *", week, "2026-11-20 22:00"),
        ("* * * * *", 60.0, "2026-10-25 01:00"),
        ("59 2 * * *", 60.0, "2026-10-25 01:00"),
    ] {
        let (floor, at_s) = (floor(cron, "Europe/Berlin", duration_s), utc(at));
        let until_s = floor.until_s(at_s);
        let begin = std::time::Instant::now();
        for _ in 0..100_000 {
            std::hint::black_box(std::hint::black_box(&floor).until_s(at_s));
        }
        println!(
            "{cron} at {at} {until_s:?}: {:?}",
            begin.elapsed() / 100_000
        );
    }
    let good = floor("0 8 * * MON-FRI", "Europe/Berlin", HOUR_S);
    let never = floor("0 8 30 2 *", "Europe/Berlin", HOUR_S);
    for floor in [good, never] {
        let begin = std::time::Instant::now();
        let _ = std::hint::black_box(floor.check());
        println!("check {}: {:?}", floor.cron, begin.elapsed());
    }
}

/// Some minutes, hours and weekdays (from Sunday).
type Named = (BTreeSet<u32>, BTreeSet<u32>, BTreeSet<u32>);

fn expression((minutes, hours, weekdays): &Named) -> String {
    let list = |set: &BTreeSet<u32>| set.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
    format!("{} {} * * {}", list(minutes), list(hours), list(weekdays))
}

/// The same answer the slow way: every minute that a window could have begun in.
fn until_minute_by_minute(named: &Named, time_zone: Tz, duration_s: i64, at: i64) -> Option<i64> {
    let local = |unix_s: i64| -> NaiveDateTime {
        let utc = DateTime::from_timestamp(unix_s, 0).unwrap().naive_utc();
        time_zone.from_utc_datetime(&utc).naive_local()
    };
    let is_named = |time: NaiveDateTime| {
        named.0.contains(&time.minute())
            && named.1.contains(&time.hour())
            && named.2.contains(&time.weekday().num_days_from_sunday())
    };
    let minute = TimeDelta::minutes(1);
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
    let hours = prop_oneof![btree_set(0_u32..5, 1..3), btree_set(0_u32..24, 1..24)];
    (btree_set(0_u32..60, 1..4), hours, btree_set(0_u32..7, 1..8))
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
        let expected = until_minute_by_minute(&named, time_zone.parse().unwrap(), duration, at);
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
