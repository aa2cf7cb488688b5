//! `kamscale simulate`: scenarios, or a user's own traffic, against policies; without an agent.
//!
//! It only chooses what runs and hands the outcome to the reports. `setup` makes scenarios and scalers
//! of the arguments, `runs` runs them side by side.

mod growth;
mod runs;
mod setup;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::Failure;
use super::table::{aligned, columns};
use crate::simulate::report::{About, Report};
use crate::simulate::{POLICIES, Scenario};
use setup::Setup;

/// Wrong usage, as clap itself ends.
const USAGE: u8 = 2;
/// Seeds without `--seed` and `--seeds`.
const DEFAULT_SEEDS: u64 = 3;
/// The same seed gives the same traffic for ever: figures in documents are of this one and the next.
const FIRST_SEED: u64 = 1;

const HELP: &str = "\
A trace is a CSV file with a header row, or the answer of Prometheus' /api/v1/query_range:
  time,arrivals_per_s   calls that arrive per second, from that time on (needs --hold-s)
  time,calls            calls in progress, from which arrivals are derived (needs --hold-s)
  start,duration        call detail records, one line for each call
Times are unix seconds, seconds from the start, or 2026-11-22T08:30:00Z. At most 31 days, 1 GiB.

Examples:
  kamscale simulate diurnal storm --html report.html
  kamscale simulate --trace calls.csv --hold-s 180 --capacity 100 --html report.html
  kamscale simulate diurnal --config /etc/kamscale/agent.toml --pool conference";

/// What `--list` and `--scale` have no use for.
const OTHERS: [&str; 6] = ["scenarios", "policy", "config", "trace", "seeds", "html"];

/// What to simulate.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(super) struct SimulateArguments {
    /// Scenarios; see --list [default: diurnal]
    #[arg(value_name = "SCENARIO")]
    scenarios: Vec<String>,
    /// Policies, separated by commas; see --list [default: all]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    policy: Vec<String>,
    /// Take kamscale's policy from this configuration
    #[arg(long, value_name = "FILE", requires = "pool")]
    config: Option<PathBuf>,
    /// The pool in it
    #[arg(long, value_name = "NAME", requires = "config")]
    pool: Option<String>,
    /// Your own traffic instead of a scenario
    #[arg(long, value_name = "FILE", conflicts_with = "scenarios")]
    trace: Option<PathBuf>,
    /// With --trace: how long a call lasts on average, in seconds
    #[arg(long, value_name = "S", requires = "trace")]
    hold_s: Option<f64>,
    /// With --trace: calls that a member may carry [default: of the pool's configuration, or 100]
    #[arg(long, value_name = "N", requires = "trace", value_parser = clap::value_parser!(u32).range(1..))]
    capacity: Option<u32>,
    /// Run with so many seeds [default: 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100))]
    seeds: Option<u64>,
    /// Run with this seed only
    #[arg(long, value_name = "N", conflicts_with = "seeds")]
    seed: Option<u64>,
    /// Write a report to look at
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// List scenarios and policies
    #[arg(long, conflicts_with_all = OTHERS)]
    list: bool,
    /// Show how simulation and plan grow with the number of members
    #[arg(long, conflicts_with_all = OTHERS, conflicts_with = "list")]
    scale: bool,
}

impl SimulateArguments {
    fn seeds(&self) -> Vec<u64> {
        match self.seed {
            Some(seed) => vec![seed],
            None => (FIRST_SEED..)
                .take(count(self.seeds.unwrap_or(DEFAULT_SEEDS)))
                .collect(),
        }
    }
}

fn count(seeds: u64) -> usize {
    usize::try_from(seeds).unwrap_or(usize::MAX)
}

/// Runs what is asked for; answers JSON and text.
pub(super) fn simulate(arguments: &SimulateArguments) -> Result<(Value, String), Failure> {
    if arguments.list {
        return Ok(list());
    }
    if arguments.scale {
        return growth::show(arguments.seed.unwrap_or(FIRST_SEED));
    }
    let setup = Setup::of(arguments)?;
    if let Some(file) = &arguments.html {
        // Better now than after minutes of work.
        write(file, "")?;
    }
    let outcomes = runs::all(&setup, &arguments.seeds())?;
    let report = report(&setup, outcomes);
    let mut text = report.table();
    if let Some(file) = &arguments.html {
        write(file, &report.html())?;
        text.push_str(&format!("\nreport: {}\n", file.display()));
    }
    Ok((report.json(), text))
}

fn report(setup: &Setup, outcomes: Vec<crate::simulate::Outcome>) -> Report {
    let about = setup.scenarios.iter().map(|scenario| About {
        name: scenario.name.clone(),
        title: scenario.title.clone(),
        starts_at_s: setup.starts_at_s,
    });
    let policies = POLICIES
        .iter()
        .map(|(name, title)| ((*name).to_owned(), (*title).to_owned()));
    Report::new(about.collect(), policies.collect(), outcomes)
}

fn write(file: &std::path::Path, text: &str) -> Result<(), Failure> {
    std::fs::write(file, text).map_err(|error| {
        usage(format!(
            "{}: cannot be written: {error}; name another file with --html",
            file.display()
        ))
    })
}

fn usage(message: impl Into<String>) -> Failure {
    Failure {
        code: USAGE,
        message: message.into(),
    }
}

fn list() -> (Value, String) {
    let scenarios = Scenario::names().into_iter().filter_map(Scenario::named);
    let scenarios: Vec<(String, String)> = scenarios
        .map(|scenario| (scenario.name, scenario.title))
        .collect();
    let entry = |name: &str, title: &str| json!({"name": name, "title": title});
    let value = json!({
        "scenarios": scenarios.iter().map(|(name, title)| entry(name, title)).collect::<Vec<_>>(),
        "policies": POLICIES.iter().map(|(name, title)| entry(name, title)).collect::<Vec<_>>(),
    });
    let mut rows = vec![columns(["SCENARIO", ""])];
    rows.extend(scenarios.iter().map(|(name, title)| columns([name, title])));
    rows.push(columns(["", ""]));
    rows.push(columns(["POLICY", ""]));
    rows.extend(POLICIES.iter().map(|(name, title)| columns([name, title])));
    (value, aligned(&rows))
}
