//! What is expected of our own policy, figure by figure, as the issue asks for it. It must not measure.

use serde_json::{Value, json};

use crate::play::{FLOOR, OPTIMUM, OWN};
use crate::row::{Row, Spread};

/// Member-hours of an ordinary day, against who knew it beforehand.
const MOST_DIURNAL: f64 = 1.35;
/// Member-hours of a day with a surge.
const MOST_SURGE: f64 = 1.6;
/// Lost calls where there is a surge, against the best rival's.
const SHARE_OF_BEST: f64 = 0.1;

/// A limit that a figure must not exceed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Limit {
    /// The limit for people.
    pub(crate) text: String,
    /// The limit.
    pub(crate) most: f64,
    /// Whether it is meant for the worst day already, and not only for the median.
    pub(crate) on_every_day: bool,
    /// What it is a part of, and whose.
    pub(crate) other: Option<Value>,
}

impl Limit {
    fn at_most(most: f64) -> Self {
        Self {
            text: format!("<= {most}"),
            most,
            on_every_day: false,
            other: None,
        }
    }

    fn never() -> Self {
        Self {
            text: "== 0".into(),
            on_every_day: true,
            ..Self::at_most(0.0)
        }
    }

    /// Whether the figure keeps to it.
    pub(crate) fn is_met(&self, spread: Spread) -> bool {
        let value = if self.on_every_day {
            spread.worst
        } else {
            spread.median
        };
        value <= self.most
    }

    /// Whether it does on every day.
    pub(crate) fn is_met_by_worst(&self, spread: Spread) -> bool {
        spread.worst <= self.most
    }
}

/// No call is cut, by whatever configuration: a promise.
pub(crate) fn cut_calls(row: &Row) -> Option<Limit> {
    [OWN, FLOOR].contains(&row.policy).then(Limit::never)
}

/// No order that takes back what was done less than 15 minutes before, on no day.
pub(crate) fn reversals(row: &Row) -> Option<Limit> {
    (row.policy == OWN).then(Limit::never)
}

/// Member-hours, where the issue names a limit.
pub(crate) fn member_hours(row: &Row) -> Option<Limit> {
    if row.policy != OWN {
        return None;
    }
    match row.surge_s {
        Some(_) => Some(Limit::at_most(MOST_SURGE)),
        None => (row.scenario == "diurnal").then(|| Limit::at_most(MOST_DIURNAL)),
    }
}

/// Lost calls where there is a surge. If the best rival lost none, none may be lost.
pub(crate) fn lost_share(row: &Row, scenario: &[&Row]) -> Option<Limit> {
    if row.policy != OWN || row.surge_s.is_none() {
        return None;
    }
    let best = best_rival(scenario)?;
    Some(Limit {
        text: "<= a tenth of the best rival's".into(),
        most: SHARE_OF_BEST * best.lost_share.median,
        on_every_day: false,
        other: Some(json!({
            "policy": best.policy,
            "median": best.lost_share.median,
            "worst": best.lost_share.worst,
            "cut_calls": best.cut_calls.median,
        })),
    })
}

/// The rival that lost the least; of equals the one that cut less.
fn best_rival<'a>(scenario: &[&'a Row]) -> Option<&'a Row> {
    let harm = |row: &Row| (row.lost_share.median, row.cut_calls.median);
    let rivals = scenario
        .iter()
        .filter(|row| ![OWN, FLOOR, OPTIMUM].contains(&row.policy));
    rivals.copied().min_by(|one, other| {
        let (one, other) = (harm(one), harm(other));
        one.0.total_cmp(&other.0).then(one.1.total_cmp(&other.1))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(policy: &'static str, lost: f64, worst: f64) -> Row {
        let spread = |median, worst| Spread { median, worst };
        Row {
            scenario: "storm".into(),
            policy,
            seeds: (1, 3),
            lost_share: spread(lost, worst),
            cut_calls: spread(0.0, 0.0),
            member_hours: spread(10.0, 10.0),
            times_optimum: spread(1.5, 1.7),
            times_least: spread(2.0, 2.0),
            actions: spread(4.0, 4.0),
            reversals: spread(0.0, 1.0),
            surge_s: Some(spread(0.0, 60.0)),
        }
    }

    #[test]
    fn a_tenth_of_the_best_rival_is_asked_for_not_of_the_optimum_or_of_our_own_floor() {
        let rows = [
            row(OWN, 0.02, 0.5),
            row(FLOOR, 0.0, 0.0),
            row("talk", 0.9, 0.9),
            row("hpa", 0.3, 0.4),
            row(OPTIMUM, 0.0, 0.0),
        ];
        let all: Vec<&Row> = rows.iter().collect();
        let limit = lost_share(&rows[0], &all).unwrap();
        assert!((limit.most - 0.03).abs() < 1e-12);
        assert_eq!(limit.other.as_ref().unwrap()["policy"], "hpa");
        assert!(limit.is_met(rows[0].lost_share));
        assert!(!limit.is_met_by_worst(rows[0].lost_share));
        assert_eq!(lost_share(&rows[3], &all), None);
    }

    #[test]
    fn where_the_best_rival_lost_nothing_none_may_be_lost() {
        let rows = [row(OWN, 1e-9, 1e-9), row("jitsi", 0.0, 0.0)];
        let all: Vec<&Row> = rows.iter().collect();
        let limit = lost_share(&rows[0], &all).unwrap();
        assert!(!limit.is_met(rows[0].lost_share));
    }

    #[test]
    fn one_cut_call_on_the_worst_day_breaks_the_promise() {
        let mut own = row(OWN, 0.0, 0.0);
        own.cut_calls.worst = 1.0;
        let limit = cut_calls(&own).unwrap();
        assert!(!limit.is_met(own.cut_calls));
        assert_eq!(cut_calls(&row("talk", 0.0, 0.0)), None);
    }

    #[test]
    fn member_hours_have_a_limit_on_diurnal_and_on_surges() {
        let mut own = row(OWN, 0.0, 0.0);
        assert_eq!(member_hours(&own), Some(Limit::at_most(MOST_SURGE)));
        own.surge_s = None;
        assert_eq!(member_hours(&own), None);
        own.scenario = "diurnal".into();
        assert_eq!(member_hours(&own), Some(Limit::at_most(MOST_DIURNAL)));
    }
}
