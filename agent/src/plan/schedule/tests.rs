//! Tests of the schedule floors: calendars and clock changes.

mod search;
mod value;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

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
    let time: DateTime = text.parse().unwrap();
    TimeZone::UTC.to_timestamp(time).unwrap().as_second() as f64
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
