//! Summary: the runs of one policy over all seeds, as median and worst.

use serde::Serialize;

use super::Section;
use crate::simulate::{Figures, Outcome};

/// The policy that knows the future: what others are measured by.
pub(super) const OPTIMUM: &str = "optimum";

/// A figure over all seeds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Spread {
    /// The median; of an even number the worse of the middle two, so that nothing looks better than
    /// it was.
    pub(super) median: f64,
    /// The worst.
    pub(super) worst: f64,
}

impl Spread {
    /// Of figures of which a greater one is worse.
    fn of(figures: impl Iterator<Item = f64>) -> Option<Spread> {
        let mut figures: Vec<f64> = figures.collect();
        figures.sort_by(f64::total_cmp);
        Some(Spread {
            median: *figures.get(figures.len() / 2)?,
            worst: *figures.last()?,
        })
    }
}

/// What came of one policy in one scenario.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Row {
    pub(super) policy: String,
    pub(super) seeds: usize,
    pub(super) offered_calls: Spread,
    pub(super) lost_calls: Spread,
    pub(super) lost_share: Spread,
    pub(super) cut_calls: Spread,
    pub(super) member_hours: Spread,
    /// Member-hours against those of the optimum with the same seed, if that was run.
    pub(super) times_optimum: Option<Spread>,
    pub(super) actions: Spread,
    pub(super) reversals_15min: Spread,
    /// `None` without a surge.
    pub(super) surge_to_capacity_s: Option<Spread>,
}

const NOTHING: Spread = Spread {
    median: 0.0,
    worst: 0.0,
};

impl Row {
    pub(super) fn of(section: &Section, policy: &str) -> Row {
        let runs = section.runs_of(policy);
        let spread = |figure: fn(&Figures) -> f64| {
            Spread::of(runs.iter().map(|run| figure(&run.figures))).unwrap_or(NOTHING)
        };
        let surges = runs
            .iter()
            .filter_map(|run| run.figures.surge_to_capacity_s);
        Row {
            policy: policy.into(),
            seeds: runs.len(),
            offered_calls: spread(|figures| decimal(figures.offered_calls)),
            lost_calls: spread(|figures| decimal(figures.lost_calls)),
            lost_share: spread(|figures| figures.lost_share),
            cut_calls: spread(|figures| decimal(figures.cut_calls)),
            member_hours: spread(|figures| figures.member_hours),
            times_optimum: Spread::of(runs.iter().filter_map(|run| times_optimum(section, run))),
            actions: spread(|figures| decimal(figures.actions)),
            reversals_15min: spread(|figures| decimal(figures.reversals_15min)),
            surge_to_capacity_s: Spread::of(surges),
        }
    }
}

/// Member-hours of a run against those of the optimum on the same day.
pub(super) fn times_optimum(section: &Section, run: &Outcome) -> Option<f64> {
    let optimum = section
        .runs
        .iter()
        .find(|other| other.policy == OPTIMUM && other.seed == run.seed)?;
    let hours = optimum.figures.member_hours;
    (hours > 0.0).then(|| run.figures.member_hours / hours)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "calls of a simulation are far below 2^52"
)]
pub(super) fn decimal(count: u64) -> f64 {
    count as f64
}
