//! One run: a scenario, a scaler, a seed.

use super::outcome::Outcome;
use super::scaler::Scaler;
use super::scenario::{Scenario, ScenarioError};
use super::world::World;

/// Runs a scenario with a scaler. The same scenario, scaler and seed give the same outcome, and all
/// scalers meet the same traffic under the same seed. `progress` is told the share that is done,
/// from 0 to 1, at every point of the course and at the end.
///
/// # Errors
/// [`ScenarioError`] if the scenario cannot be run; see [`Scenario::check`].
pub fn run(
    scenario: &Scenario,
    scaler: &mut dyn Scaler,
    seed: u64,
    progress: &mut dyn FnMut(f64),
) -> Result<Outcome, ScenarioError> {
    run_counted(scenario, scaler, seed, progress).map(|(outcome, _)| outcome)
}

/// The same; also answers how many events it took.
pub(super) fn run_counted(
    scenario: &Scenario,
    scaler: &mut dyn Scaler,
    seed: u64,
    progress: &mut dyn FnMut(f64),
) -> Result<(Outcome, u64), ScenarioError> {
    scenario.check()?;
    let mut world = World::new(scenario, seed);
    world.run(scaler, progress);
    let events = world.events();
    Ok((world.outcome(scaler.name(), seed), events))
}
