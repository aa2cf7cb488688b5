//! The sub-command: what is refused and how, and small runs from end to end.

use clap::{CommandFactory, Parser};

use super::*;
use crate::cli::{Cli, Command};
use crate::simulate::rivals;

fn arguments(line: &str) -> Result<SimulateArguments, clap::Error> {
    let words = ["kamscale", "simulate"]
        .into_iter()
        .chain(line.split_whitespace());
    Cli::try_parse_from(words).map(|cli| match cli.command {
        Command::Simulate(arguments) => *arguments,
        _ => unreachable!("it was simulate"),
    })
}

fn simulated(line: &str) -> Result<(Value, String), Failure> {
    simulate(&arguments(line).unwrap())
}

fn refused(line: &str) -> Failure {
    simulated(line).unwrap_err()
}

/// A quarter of an hour of a small pool.
fn trace_file(directory: &tempfile::TempDir) -> String {
    let file = directory.path().join("quarter.csv");
    std::fs::write(
        &file,
        "time,arrivals_per_s\n2026-11-22T08:00:00Z,1\n2026-11-22T08:10:00Z,2\n",
    )
    .unwrap();
    file.display().to_string()
}

#[test]
fn every_policy_that_is_listed_exists() {
    let names: Vec<&str> = POLICIES.iter().map(|(name, _)| *name).collect();
    assert_eq!(names[0], "kamscale");
    assert_eq!(names[1..], rivals::NAMES);
    let (value, text) = simulated("--list").unwrap();
    assert!(
        text.contains("diurnal") && text.contains("target_tracking"),
        "{text}"
    );
    assert_eq!(value["policies"].as_array().unwrap().len(), names.len());
}

#[test]
fn unknown_names_are_refused_with_those_that_exist() {
    let failure = refused("diurnal nowhere");
    assert_eq!(failure.code, USAGE);
    assert!(
        failure
            .message
            .contains("no scenario \"nowhere\"; there are "),
        "{failure:?}"
    );
    assert!(failure.message.contains("conference_day"), "{failure:?}");
    let failure = refused("--policy kamscale,luck");
    assert!(
        failure
            .message
            .contains("no policy \"luck\"; there are kamscale, talk"),
        "{failure:?}"
    );
}

#[test]
fn arguments_that_contradict_each_other_are_refused() {
    for line in [
        "--seed 1 --seeds 2",
        "--seeds 0",
        "--config a.toml",
        "--pool a",
        "--hold-s 3",
        "diurnal --trace a.csv",
        "--trace a.csv --capacity 0",
        "--list diurnal",
        "--scale diurnal",
    ] {
        assert!(arguments(line).is_err(), "{line}");
    }
    assert!(arguments("--list --json").unwrap().list);
    assert_eq!(arguments("").unwrap().seeds(), [1, 2, 3]);
    assert_eq!(arguments("--seeds 2").unwrap().seeds(), [1, 2]);
    assert_eq!(arguments("--seed 9").unwrap().seeds(), [9]);
    Cli::command().debug_assert();
}

#[test]
fn a_trace_runs_from_file_to_report_and_twice_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let file = trace_file(&directory);
    let html = directory.path().join("report.html");
    let line = format!(
        "--trace {file} --hold-s 60 --capacity 20 --seeds 2 --html {}",
        html.display()
    );
    let (value, text) = simulated(&line).unwrap();
    let scenario = &value["scenarios"][0];
    assert_eq!(scenario["name"], "quarter");
    assert_eq!(
        scenario["runs"].as_array().unwrap().len(),
        2 * POLICIES.len()
    );
    let policies: Vec<&str> = scenario["runs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| run["policy"].as_str().unwrap())
        .collect();
    assert_eq!(
        policies[..2],
        ["kamscale", "talk"],
        "in the order in which they were asked for"
    );
    assert!(text.contains("median (worst) of 2 seeds"), "{text}");
    let page = std::fs::read_to_string(&html).unwrap();
    assert!(
        page.contains(">08:00</text>"),
        "the axis tells the time of the day"
    );
    let again = simulated(&line).unwrap();
    assert_eq!(again, (value, text));
    assert_eq!(std::fs::read_to_string(&html).unwrap(), page);
}

#[test]
fn the_optimum_alone_is_shown_the_demand_too() {
    let directory = tempfile::tempdir().unwrap();
    let file = trace_file(&directory);
    let line = format!("--trace {file} --hold-s 60 --capacity 20 --seed 1 --policy optimum");
    let (value, _) = simulated(&line).unwrap();
    assert_eq!(value["scenarios"][0]["runs"].as_array().unwrap().len(), 1);
}

#[test]
fn a_pool_of_a_configuration_is_the_policy() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("agent.toml");
    std::fs::write(
        &config,
        "[pools.conference]\nmode = \"paused\"\nmin = 4\nmax = 9\nmember.capacity_calls = 50\n",
    )
    .unwrap();
    let trace = trace_file(&directory);
    let with = |pool: &str| {
        format!(
            "--trace {trace} --hold-s 60 --config {} --pool {pool}",
            config.display()
        )
    };
    let setup = Setup::of(&arguments(&with("conference")).unwrap()).unwrap();
    let scenario = &setup.scenarios[0];
    assert_eq!(
        (scenario.min, scenario.max, scenario.capacity_calls),
        (4, 9, 50)
    );
    assert_eq!(
        setup.notes,
        ["pool conference is simulated as if its mode were on"]
    );
    assert_eq!(setup.starts_at_s, 8.0 * 3_600.0);
    let failure = refused(&with("queue"));
    assert_eq!(failure.code, super::super::exit::INVALID);
    assert!(
        failure
            .message
            .contains("no pool \"queue\"; it has conference"),
        "{failure:?}"
    );
    let failure = refused("--config /nonexistent.toml --pool a");
    assert_eq!(failure.code, super::super::exit::INVALID);
}

#[test]
fn a_bad_trace_and_a_report_that_cannot_be_written_are_told_before_anything_runs() {
    let failure = refused("--trace /nonexistent.csv");
    assert_eq!(failure.code, USAGE);
    assert!(
        failure.message.contains("/nonexistent.csv: cannot be read"),
        "{failure:?}"
    );
    let failure = refused("--html /nonexistent/report.html");
    assert!(
        failure.message.contains("name another file with --html"),
        "{failure:?}"
    );
}

#[test]
fn growth_is_shown_with_units() {
    let size = crate::simulate::Scale {
        pools: 10,
        members: 1_000,
        peak_members: 1_100,
        simulated_s: 3_600.0,
        calls: 320_000,
        lost_calls: 0,
        events: 700_000,
        decisions: 3_610,
        threads: 2,
        wall_s: 0.25,
        events_per_s: 2.8e6,
        decide_s: 0.02,
        decide_us: 5.54,
    };
    let expected = "\
Pools of 100 members live 3600 s each, on at most 2 threads.
MEMBERS  POOLS  CALLS   LOST  EVENTS  DECISIONS  WALL    EVENTS/S      PER DECISION
1000     10     320000  0     700000  3610       0.25 s  2.80 million  5.5 us
";
    assert_eq!(growth::text(&[size]), expected);
}
