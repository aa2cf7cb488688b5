//! What is refused, what never holds, and what is part of the value.

use super::*;

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
fn a_time_or_a_floor_that_cannot_be_never_holds() {
    let always = floor("* * * * *", "Europe/Berlin", 60.0);
    assert!(always.until_s(0.0).is_some());
    assert!(always.until_s(END_OF_TIME_S - 1.0).is_some());
    for at_s in [
        -1.0,
        -1e300,
        1e18,
        f64::MAX,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::NAN,
        END_OF_TIME_S,
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
