//! The reports that jitsi-autoscaler keeps, and the stress of each of the last periods.
//!
//! Source: jitsi/jitsi-autoscaler `src/instance_tracker.ts`, `getMetricInventoryPerPeriod` (periods
//! count back from now; a gap of one period between two is filled with the value before it) and
//! `computeSummaryMetric` (mean per instance, then over instances; 0 without any).

use std::collections::{BTreeMap, VecDeque};

use crate::simulate::rivals::pool::{in_phase, whole};
use crate::simulate::{SimPhase, View};

const PERIOD_S: f64 = 60.0;
/// Older reports are of no period that anybody asks for.
const KEPT_S: f64 = 600.0;

/// One report of one instance.
#[derive(Debug, Clone, Copy)]
struct Report {
    at_s: f64,
    id: u32,
    stress: f64,
}

/// The reports.
#[derive(Debug, Default)]
pub(super) struct Stress {
    reports: VecDeque<Report>,
    participants: BTreeMap<u32, u32>,
}

impl Stress {
    /// Every running instance reports.
    pub(super) fn report(&mut self, view: &View<'_>) {
        self.participants.clear();
        for member in in_phase(view, SimPhase::Active) {
            let stress = f64::from(member.calls) / f64::from(view.capacity_calls.max(1));
            self.reports.push_back(Report {
                at_s: view.now_s,
                id: member.id,
                stress,
            });
            self.participants.insert(member.id, member.calls);
        }
        while self
            .reports
            .front()
            .is_some_and(|report| view.now_s - report.at_s > KEPT_S)
        {
            self.reports.pop_front();
        }
    }

    /// When somebody reported last.
    pub(super) fn last_report_s(&self) -> Option<f64> {
        self.reports.back().map(|report| report.at_s)
    }

    /// The participants that an instance reported last.
    pub(super) fn participants(&self, id: u32) -> u32 {
        self.participants.get(&id).copied().unwrap_or(0)
    }

    /// The group's stress in each of the last periods, the latest first.
    pub(super) fn per_period(&self, now_s: f64, periods: usize) -> Vec<f64> {
        let mut reported: Vec<BTreeMap<u32, (f64, u32, f64)>> = vec![BTreeMap::new(); periods];
        for report in &self.reports {
            let age = ((now_s - report.at_s) / PERIOD_S).floor();
            let Some(period) = (0..periods).find(|index| index_s(*index) == age) else {
                continue;
            };
            let entry = reported[period].entry(report.id).or_insert((0.0, 0, 0.0));
            *entry = (entry.0 + report.stress, entry.1 + 1, report.stress);
        }
        let means = |period: usize| -> Vec<f64> {
            let mut means: Vec<f64> = reported[period]
                .values()
                .map(|(sum, count, _)| sum / f64::from(*count))
                .collect();
            if period + 1 < periods {
                let before = reported[period + 1].iter();
                let gap = |id: &u32| {
                    !reported[period].contains_key(id)
                        && (period == 0 || reported[period - 1].contains_key(id))
                };
                means.extend(
                    before
                        .filter(|(id, _)| gap(id))
                        .map(|(_, (_, _, last))| *last),
                );
            }
            means
        };
        (0..periods).map(|period| mean(&means(period))).collect()
    }
}

fn index_s(index: usize) -> f64 {
    f64::from(whole(index))
}

fn mean(values: &[f64]) -> f64 {
    if values.is_empty() {
        0.0
    } else {
        values.iter().sum::<f64>() / index_s(values.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stress(reports: &[(f64, u32, f64)]) -> Stress {
        let reports = reports.iter().map(|(at_s, id, stress)| Report {
            at_s: *at_s,
            id: *id,
            stress: *stress,
        });
        Stress {
            reports: reports.collect(),
            participants: BTreeMap::new(),
        }
    }

    #[test]
    fn periods_count_back_from_now_and_average_over_instances() {
        let stress = stress(&[
            (0.0, 1, 0.9),
            (50.0, 1, 0.2),
            (70.0, 1, 0.4),
            (70.0, 2, 0.7),
        ]);
        let periods = stress.per_period(100.0, 3);
        // Instance 1: (0.2 + 0.4) / 2; instance 2: 0.7.
        assert!((periods[0] - 0.5).abs() < 1e-9, "{periods:?}");
        assert!((periods[1] - 0.9).abs() < 1e-9);
        assert!((periods[2]).abs() < 1e-9, "nobody reported");
    }

    #[test]
    fn a_single_missing_period_is_filled_and_two_are_not() {
        let one = stress(&[(10.0, 1, 0.6), (130.0, 1, 0.8)]);
        let periods = one.per_period(150.0, 3);
        assert!((periods[1] - 0.6).abs() < 1e-9, "{periods:?}");
        let latest = stress(&[(10.0, 1, 0.6)]);
        assert!((latest.per_period(100.0, 2)[0] - 0.6).abs() < 1e-9);
        assert!((latest.per_period(160.0, 3)[0]).abs() < 1e-9);
    }
}
