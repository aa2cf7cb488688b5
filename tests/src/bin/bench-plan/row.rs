//! Rows: what came of one policy in one scenario over all days, as median and worst.

use kamscale_agent::simulate::{Figures, Outcome, Scenario};

use crate::play::{OPTIMUM, policies};

/// A figure over all days, of which a greater one is worse.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    /// The median; of an even number the worse of the middle two, so that nothing looks better than it
    /// was. The same in the tables and pages of the simulator.
    pub(crate) median: f64,
    /// The worst.
    pub(crate) worst: f64,
}

impl Spread {
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        Some(Self {
            median: *values.get(values.len() / 2)?,
            worst: *values.last()?,
        })
    }
}

/// One policy in one scenario.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) scenario: String,
    pub(crate) policy: &'static str,
    /// First and last seed.
    pub(crate) seeds: (u64, u64),
    pub(crate) lost_share: Spread,
    pub(crate) cut_calls: Spread,
    pub(crate) member_hours: Spread,
    /// Against the optimum that was played on the same day.
    pub(crate) times_optimum: Spread,
    /// Against the integral of max(min, ceil(calls / capacity)): the calls that *this* policy carried.
    pub(crate) times_least: Spread,
    pub(crate) actions: Spread,
    pub(crate) reversals: Spread,
    /// `None` where the scenario has no surge.
    pub(crate) surge_s: Option<Spread>,
}

/// The rows of all scenarios, in the order of the scenarios and then of the policies.
pub(crate) fn rows(scenarios: &[Scenario], outcomes: &[Outcome]) -> Vec<Row> {
    let of = |scenario: &Scenario, policy: &'static str| {
        let here = |outcome: &&Outcome| outcome.scenario == scenario.name;
        row(policy, outcomes.iter().filter(here).collect())
    };
    scenarios
        .iter()
        .flat_map(|scenario| policies(scenario).filter_map(move |policy| of(scenario, policy)))
        .collect()
}

/// The row of a policy from all outcomes in one scenario.
fn row(policy: &'static str, outcomes: Vec<&Outcome>) -> Option<Row> {
    let own: Vec<&Outcome> = outcomes
        .iter()
        .copied()
        .filter(|outcome| outcome.policy == policy)
        .collect();
    let spread =
        |figure: fn(&Figures) -> f64| Spread::of(own.iter().map(|run| figure(&run.figures)));
    let optimum_hours = |seed: u64| {
        let optimum = outcomes
            .iter()
            .find(|other| other.policy == OPTIMUM && other.seed == seed);
        optimum.map(|optimum| optimum.figures.member_hours)
    };
    let times_optimum = own
        .iter()
        .filter_map(|run| Some(run.figures.member_hours / optimum_hours(run.seed)?));
    Some(Row {
        scenario: own.first()?.scenario.clone(),
        policy,
        seeds: (own.first()?.seed, own.last()?.seed),
        lost_share: spread(|figures| figures.lost_share)?,
        cut_calls: spread(|figures| decimal(figures.cut_calls))?,
        member_hours: spread(|figures| figures.member_hours)?,
        times_optimum: Spread::of(times_optimum)?,
        times_least: spread(|figures| figures.member_hours / figures.least_member_hours)?,
        actions: spread(|figures| decimal(figures.actions))?,
        reversals: spread(|figures| decimal(figures.reversals_15min))?,
        surge_s: Spread::of(own.iter().filter_map(|run| run.figures.surge_to_capacity_s)),
    })
}

/// A count as a figure that has a median.
pub(crate) fn decimal(count: u64) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        reason = "calls and decisions are far below 2^52"
    )]
    let decimal = count as f64;
    decimal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_in_the_middle_the_worse_is_the_median() {
        let spread = Spread::of([4.0, 1.0, 3.0, 2.0]).unwrap();
        assert_eq!((spread.median, spread.worst), (3.0, 4.0));
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn member_hours_are_compared_with_the_optimum_of_the_same_day() {
        let outcome = |policy: &str, seed: u64, member_hours: f64| Outcome {
            scenario: "steady".into(),
            policy: policy.into(),
            seed,
            duration_s: 60.0,
            figures: Figures {
                member_hours,
                least_member_hours: 10.0,
                ..Figures::default()
            },
            points: Vec::new(),
            marks: Vec::new(),
        };
        let outcomes = [
            outcome("kamscale", 1, 30.0),
            outcome("optimum", 1, 20.0),
            outcome("kamscale", 2, 30.0),
            outcome("optimum", 2, 15.0),
        ];
        let own = row("kamscale", outcomes.iter().collect()).unwrap();
        assert_eq!(own.times_optimum, Spread::of([1.5, 2.0]).unwrap());
        assert_eq!(own.times_least.worst, 3.0);
        assert_eq!((own.seeds, own.surge_s), ((1, 2), None));
        assert!(row("talk", outcomes.iter().collect()).is_none());
    }
}
