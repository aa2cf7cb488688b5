//! What is promised of the world, tried with scalers that follow a script.

mod calls;
mod faults;
mod figures;
mod orders;

use super::*;
use crate::simulate::scaler::{Decision, Step};
use crate::simulate::{BootTime, Kamscale, Outcome, Retries, Shape, Traffic};

/// Somebody who does at every look what a function says.
pub(super) struct Script<F>(F);

impl<F: FnMut(&View<'_>) -> Vec<Step>> Scaler for Script<F> {
    fn name(&self) -> &str {
        "script"
    }

    fn interval_s(&self) -> f64 {
        10.0
    }

    fn decide(&mut self, view: &View<'_>) -> Decision {
        let steps = (self.0)(view);
        let reason = "as scripted".into();
        Decision { steps, reason }
    }
}

/// Nobody orders anything.
fn nobody() -> Script<impl FnMut(&View<'_>) -> Vec<Step>> {
    Script(|_: &View<'_>| Vec::new())
}

/// An hour at 100 erlang on two members for 100 calls each; boots take 120 s and never fail.
fn hour() -> Scenario {
    let mut scenario = Scenario::named("steady").unwrap();
    scenario.duration_s = 3600.0;
    scenario.hold_s = 100.0;
    scenario.traffic = Traffic::of(Shape::Constant { per_s: 1.0 });
    scenario.capacity_calls = 100;
    scenario.min = 1;
    scenario.max = 10;
    scenario.start_members = 2;
    scenario.failing_share = 0.0;
    scenario.boot = BootTime::Normal {
        mean_s: 120.0,
        deviation_s: 0.0,
        least_s: 0.0,
    };
    scenario
}

/// Refused callers do not come back.
fn without_retries(mut scenario: Scenario) -> Scenario {
    scenario.retries = Retries {
        probability: 0.0,
        pause_s: 5.0,
        mean_s: 30.0,
    };
    scenario
}

/// The outcome of a script: steps at some of the looks.
fn follow(scenario: &Scenario, steps: impl FnMut(&View<'_>) -> Vec<Step>) -> Outcome {
    crate::simulate::run(scenario, &mut Script(steps), 1, &mut |_| {}).unwrap()
}

/// The last point of the course at or before a moment.
fn point_at(outcome: &Outcome, at_s: f64) -> crate::simulate::Point {
    let mut before = outcome.points.iter().filter(|point| point.t_s <= at_s);
    *before.next_back().unwrap()
}
