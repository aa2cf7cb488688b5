//! Setup: scenarios and policies of the arguments, checked before anything runs.

use std::path::Path;

use super::super::{Failure, exit};
use super::{SimulateArguments, usage};
use crate::config::Config;
use crate::plan::{Mode, Policy, SignalKind};
use crate::simulate::rivals::{self, Foresight, Pool};
use crate::simulate::{Kamscale, OWN, POLICIES, Scaler, Scenario, trace};

/// The policy of a pool without a configuration fills members up to so many calls.
const DEFAULT_CAPACITY: u32 = 100;
/// Where no maximum is configured: enough for four times the peak.
const HEADROOM: f64 = 4.0;

/// What runs.
#[derive(Debug)]
pub(super) struct Setup {
    pub(super) scenarios: Vec<Scenario>,
    /// Names, each once.
    pub(super) policies: Vec<String>,
    /// The second of the day (UTC) at which they begin.
    pub(super) starts_at_s: f64,
    /// Kamscale's policy, if it is not the scenario's.
    policy: Option<Policy>,
    /// What people should know before they read the figures.
    pub(super) notes: Vec<String>,
}

impl Setup {
    pub(super) fn of(arguments: &SimulateArguments) -> Result<Setup, Failure> {
        let mut setup = Setup {
            scenarios: Vec::new(),
            policies: chosen_policies(&arguments.policy)?,
            starts_at_s: 0.0,
            policy: None,
            notes: Vec::new(),
        };
        if let (Some(file), Some(pool)) = (&arguments.config, &arguments.pool) {
            setup.configure(file, pool)?;
        }
        match &arguments.trace {
            Some(file) => setup.read_trace(file, arguments)?,
            None => setup.scenarios = chosen_scenarios(&arguments.scenarios)?,
        }
        Ok(setup)
    }

    /// Takes the policy of a configured pool, as far as it means something here.
    fn configure(&mut self, file: &Path, pool: &str) -> Result<(), Failure> {
        let invalid = |message: String| Failure {
            code: exit::INVALID,
            message,
        };
        let config = Config::load(file).map_err(|error| invalid(error.to_string()))?;
        let Some(section) = config.pools.get(pool) else {
            let known: Vec<&str> = config.pools.keys().map(String::as_str).collect();
            return Err(invalid(format!(
                "{}: there is no pool \"{pool}\"; it has {}",
                file.display(),
                if known.is_empty() {
                    "none".into()
                } else {
                    known.join(", ")
                }
            )));
        };
        let mut policy = section.policy(pool);
        if matches!(policy.mode, Mode::Advise | Mode::Paused) {
            self.notes
                .push(format!("pool {pool} is simulated as if its mode were on"));
            policy.mode = Mode::On;
        }
        let before = policy.signals.len();
        policy
            .signals
            .retain(|signal| signal.kind == SignalKind::Calls);
        if policy.signals.len() < before {
            self.notes
                .push("only the signal calls is simulated; the others are left out".into());
        }
        self.policy = Some(policy);
        Ok(())
    }

    /// A trace is the user's own pool: its bounds and capacity are those of the configuration.
    fn read_trace(&mut self, file: &Path, arguments: &SimulateArguments) -> Result<(), Failure> {
        let trace =
            trace::read(file, arguments.hold_s).map_err(|error| usage(error.to_string()))?;
        let mut scenario =
            Scenario::from_trace(&trace).map_err(|error| usage(error.to_string()))?;
        let configured = self.policy.as_ref();
        let capacity = arguments
            .capacity
            .or(configured.map(|policy| policy.capacity_calls));
        let capacity = capacity.unwrap_or(DEFAULT_CAPACITY).max(1);
        let peak_per_s = trace
            .arrivals
            .iter()
            .map(|(_, per_s)| *per_s)
            .fold(0.0, f64::max);
        let peak_calls = (peak_per_s * trace.hold_s).max(trace.calls_at_start);
        scenario.capacity_calls = capacity;
        scenario.min = configured.map_or(1, |policy| policy.min);
        scenario.max = match configured.map(|policy| policy.max) {
            Some(max) if max < u32::MAX => max,
            _ => members_for(HEADROOM * peak_calls, capacity)
                .max(scenario.min)
                .max(2),
        };
        scenario.start_members = members_for(trace.calls_at_start / 0.6, capacity)
            .max(scenario.min)
            .clamp(1, scenario.max.max(1));
        scenario.title = format!(
            "{}; a call lasts {:.0} s on average, {capacity} fit on a member",
            trace.found, trace.hold_s
        );
        scenario.check().map_err(|error| usage(error.to_string()))?;
        self.starts_at_s = trace.starts_at_s.unwrap_or(0.0);
        self.scenarios = vec![scenario];
        Ok(())
    }

    /// A new scaler of that name. The optimum needs foresight.
    pub(super) fn scaler(
        &self,
        name: &str,
        scenario: &Scenario,
        foresight: Option<&Foresight>,
    ) -> Option<Box<dyn Scaler + Send>> {
        if name == OWN {
            let kamscale = match &self.policy {
                // Bounds and capacity are the scenario's, so that all policies have the same pool.
                Some(policy) => Kamscale::new(Policy {
                    min: scenario.min,
                    max: scenario.max,
                    capacity_calls: scenario.capacity_calls,
                    ..policy.clone()
                }),
                None => Kamscale::for_scenario(scenario),
            };
            return Some(Box::new(kamscale.beginning_at_s(self.starts_at_s)));
        }
        let pool = Pool {
            min: scenario.min,
            max: scenario.max,
            capacity_calls: scenario.capacity_calls,
        };
        rivals::by_name(name, pool, foresight)
    }
}

fn members_for(calls: f64, capacity: u32) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a cast of floats saturates"
    )]
    let members = (calls / f64::from(capacity)).ceil() as u32;
    members
}

fn chosen_policies(names: &[String]) -> Result<Vec<String>, Failure> {
    let known = || POLICIES.iter().map(|(name, _)| *name);
    if names.is_empty() {
        return Ok(known().map(str::to_owned).collect());
    }
    chosen("policy", names, &known().collect::<Vec<_>>())
}

fn chosen_scenarios(names: &[String]) -> Result<Vec<Scenario>, Failure> {
    let default = ["diurnal".to_owned()];
    let names = if names.is_empty() { &default } else { names };
    let names = chosen("scenario", names, &Scenario::names())?;
    Ok(names
        .iter()
        .filter_map(|name| Scenario::named(name))
        .collect())
}

/// The names, each once; a name that is not known is an error that lists those that are.
fn chosen(what: &str, names: &[String], known: &[&str]) -> Result<Vec<String>, Failure> {
    let mut chosen: Vec<String> = Vec::new();
    for name in names {
        if !known.contains(&name.as_str()) {
            return Err(usage(format!(
                "there is no {what} \"{name}\"; there are {}. See kamscale simulate --list",
                known.join(", ")
            )));
        }
        if !chosen.contains(name) {
            chosen.push(name.clone());
        }
    }
    Ok(chosen)
}
