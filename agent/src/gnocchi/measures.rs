//! From what a node reports to measures: what is a difference, what a gauge, what need not be sent.
//!
//! Gauges that did not change are repeated every [`REFRESH_S`] seconds, each resource in a second
//! of its own, so that readers find a value within that window at any time.

use std::collections::BTreeMap;

use super::backlog::Second;
use super::names::Kind;
use super::registry::Registry;
use crate::nodes::{FeatureReport, MemberCalls, NodeReport};

/// Within so many seconds every value is sent at least once.
pub(super) const REFRESH_S: u64 = 10;
/// A load stands for no more time than this, however long the node was silent.
pub(super) const MOST_S: u64 = 10;
/// So much of a start's number survives as a floating-point number.
const BOOT_MASK: u64 = (1 << 52) - 1;

/// What was measured before.
#[derive(Debug, Default)]
pub(super) struct Before {
    at_s: Option<u64>,
    features: BTreeMap<String, FeatureReport>,
    /// How many values there were.
    values: usize,
    /// The members' numbers in the order of the report: the next report has mostly the same.
    members: Vec<u32>,
}

/// The measures of a report; none if its second was told already.
pub(super) fn measures(
    registry: &mut Registry,
    before: &mut Before,
    report: &NodeReport,
    members: &mut MemberCalls<'_>,
) -> Option<Second> {
    let at_s = whole_s(report.at_s)?;
    let last_s = before.at_s;
    if last_s.is_some_and(|last_s| at_s <= last_s) {
        return None;
    }
    let span_s = last_s.map_or(1, |last_s| (at_s - last_s).min(MOST_S));
    let mut writer = Writer {
        registry,
        span_s,
        second: Second::new(at_s, before.values),
    };
    writer.node(report);
    writer.pools(report);
    writer.features(report, &before.features);
    let members = writer.members(members, &before.members);
    if members != before.members {
        writer.gone(&before.members);
    }
    let second = writer.second;
    before.at_s = Some(at_s);
    before.members = members;
    before.values = second.values.len();
    before.features.clone_from(&report.features);
    Some(second)
}

/// Which start of Kamailio a report counts from, as far as a measure can say it.
pub(super) fn boot_of(report: &NodeReport) -> u64 {
    let pool = report.pools.values().next();
    pool.map_or(0, |pool| pool.boot_id & BOOT_MASK)
}

struct Writer<'a> {
    registry: &'a mut Registry,
    /// Since the report before; at most [`MOST_S`].
    span_s: u64,
    second: Second,
}

impl Writer<'_> {
    fn see(&mut self, kind: Kind, pool: &str, name: &str) -> Place {
        let number = self.registry.see(kind, pool, name, self.second.at_s);
        self.place(number)
    }

    fn place(&mut self, number: u32) -> Place {
        let at_s = self.second.at_s;
        let first = self.registry.get_mut(number).map_or(0, |it| {
            it.seen_s = at_s;
            it.first
        });
        // The next report is as far away as the last one was: it must not be too late.
        let length_s = REFRESH_S.saturating_sub(self.span_s) + 1;
        let period = |second_s: u64| (second_s + u64::from(number)) / length_s;
        Place {
            first,
            // Another resource in every second of the period; one whose second passed without a report has it now.
            turn: period(at_s) > period(at_s.saturating_sub(self.span_s)),
        }
    }

    /// Sent every second.
    fn always(&mut self, place: &Place, metric: u32, value: f64) {
        if value.is_finite() {
            self.second.add(place.first + metric, value);
        }
    }

    /// Sent when it changed, and at its turn.
    fn gauge(&mut self, place: &Place, metric: u32, value: f64) {
        let series = place.first + metric;
        if (self.registry.changed(series, value) || place.turn) && value.is_finite() {
            self.second.add(series, value);
        }
    }

    fn node(&mut self, report: &NodeReport) {
        let place = self.see(Kind::Node, "", "");
        // The sign of life: by it readers judge how fresh all the rest is.
        self.always(&place, 0, float(report.revision));
        self.gauge(&place, 1, float(boot_of(report)));
        if let Some(shares) = &report.shares {
            self.always(&place, 2, shares.cpu);
            self.always(&place, 3, shares.memory);
            if let Some(network) = shares.network {
                self.always(&place, 4, network);
            }
        }
    }

    fn pools(&mut self, report: &NodeReport) {
        for (name, pool) in &report.pools {
            let place = self.see(Kind::Pool, "", name);
            let calls = float(pool.calls) * float(self.span_s);
            if pool.capacity > 0 {
                self.always(&place, 0, calls / float(pool.capacity));
            }
            self.always(&place, 1, calls);
            self.gauge(&place, 2, float(pool.capacity));
            self.gauge(&place, 3, float(pool.started));
            self.gauge(&place, 4, float(pool.refused));
        }
    }

    fn features(&mut self, report: &NodeReport, before: &BTreeMap<String, FeatureReport>) {
        for (name, now) in &report.features {
            let place = self.see(Kind::Feature, "", name);
            self.gauge(&place, 3, float(now.offered));
            let Some(then) = before.get(name) else {
                continue;
            };
            let differences = since(*then, *now);
            let values = [
                differences.offered,
                differences.admitted,
                differences.refused,
            ];
            for (metric, value) in (0..).zip(values) {
                let value = float(value);
                match value > 0.0 {
                    true => {
                        self.registry.changed(place.first + metric, value);
                        self.always(&place, metric, value);
                    }
                    false => self.gauge(&place, metric, value),
                }
            }
        }
    }

    /// Answers their numbers.
    fn members(&mut self, members: &mut MemberCalls<'_>, before: &[u32]) -> Vec<u32> {
        let at_s = self.second.at_s;
        let mut numbers = Vec::with_capacity(before.len());
        for it in members {
            let number = self.registry.see_member(it.id, it.pool, it.member, at_s);
            let place = self.place(number);
            self.gauge(&place, 0, f64::from(it.calls));
            numbers.push(number);
        }
        numbers
    }

    /// A member that is gone carries nothing: without that its last value would stand for a while.
    fn gone(&mut self, before: &[u32]) {
        let at_s = self.second.at_s;
        for number in before {
            let known = self.registry.get(*number);
            if let Some(first) = known.filter(|it| it.seen_s != at_s).map(|it| it.first) {
                self.second.add(first, 0.0);
            }
        }
    }
}

/// A resource while it is written.
struct Place {
    first: u32,
    turn: bool,
}

/// Requests between two looks. Counters that fell count from Kamailio's new start.
fn since(then: FeatureReport, now: FeatureReport) -> FeatureReport {
    let restarted =
        now.offered < then.offered || now.admitted < then.admitted || now.refused < then.refused;
    let then = match restarted {
        true => FeatureReport::default(),
        false => then,
    };
    FeatureReport {
        offered: now.offered - then.offered,
        admitted: now.admitted - then.admitted,
        refused: now.refused - then.refused,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "seconds since 1970 fit; a clock before it gives none"
)]
fn whole_s(at_s: f64) -> Option<u64> {
    (at_s.is_finite() && at_s >= 1.0).then_some(at_s as u64)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts below 2^53 are exact, and above nobody sees the difference"
)]
pub(super) fn float(value: u64) -> f64 {
    value as f64
}
