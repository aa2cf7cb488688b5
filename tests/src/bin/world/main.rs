//! `make world`: the platform of the talk, alive on this machine, and its two stories without human intervention, each decided
//! by the agent and by Aodh, and with everything broken that can break. Writes `target/reports/world.json` and a picture for
//! each run. It fails on a broken promise, never on a missed figure of time.
//!
//!   world [--short] [WORD...]     only runs in whose name one of the words stands: by_feature.agent, fault.lb_killed
//!   world --running [WORD...]     in the world that runs, as it is: nothing is brought up or ended
//!   world --list                  their names

#![forbid(unsafe_code)]

mod aodh;
mod by_feature;
mod by_stack;
mod course;
mod database;
mod faults;
mod judge;
mod ledger;
mod names;
mod newcomer;
mod phones;
mod platform;
mod rooms;
mod runs;
mod story;
mod timeline;
mod traces;
mod watcher;

use std::process::ExitCode;

use kamscale_tests::report::{Figure, Report, rounded};
use serde_json::json;

use judge::Outcome;
use platform::Decider;
use runs::{Run, World};
use story::Kind;

/// What a newcomer's laptop has, and the time that one waits for it.
const UP_S: f64 = 180.0;
const MEMORY_MB: f64 = 8192.0;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.iter().any(|w| w == "--list") {
        runs::all().iter().for_each(|run| println!("{}", run.name));
        return ExitCode::SUCCESS;
    }
    let is_short = words.iter().any(|w| w == "--short");
    let parts: Vec<&String> = words.iter().filter(|w| !w.starts_with("--")).collect();
    let chosen: Vec<Run> = match (is_short, parts.is_empty()) {
        (true, true) => runs::short(),
        _ => runs::all()
            .into_iter()
            .filter(|run| parts.is_empty() || parts.iter().any(|p| run.name.contains(p.as_str())))
            .collect(),
    };
    if chosen.is_empty() {
        eprintln!("world: no run has such a name; `--list` has them");
        return ExitCode::from(2);
    }
    let mut report = Report::new("world");
    let mut world = World::new(words.iter().any(|w| w == "--running"));
    let mut outcomes = Vec::new();
    for run in &chosen {
        match world.play(run) {
            Ok(outcome) => outcomes.push(outcome),
            Err(why) => {
                world.failures.push(format!("{}: {why}", run.name));
            }
        }
    }
    world.end();
    tell(&mut report, &world, &outcomes);
    println!("\n{}", report.table());
    println!("report: {}", report.write().display());
    verdict(&world, &outcomes)
}

/// Everything that is in the report.
fn tell(report: &mut Report, world: &World, outcomes: &[Outcome]) {
    for kind in [Kind::ByStack, Kind::ByFeature] {
        for decider in [Decider::Agent, Decider::Aodh] {
            let own = outcomes
                .iter()
                .find(|o| o.fault.is_none() && o.kind == kind && o.decider == decider);
            judge::figures(report, kind, decider, own);
        }
    }
    judge::faults(report, outcomes);
    let how = "from nothing but packages and image to all hosts ready; slowest of this run";
    let figure = Figure::new("world.up_s", json!(world.up_s), "s");
    report.figure(match world.up_s {
        Some(up) => figure.how(how).target("<= 180", up <= UP_S),
        None => figure.how("it ran before"),
    });
    let figure = Figure::new("world.memory_mb", json!(world.memory_mb.map(rounded)), "MB");
    report.figure(match world.memory_mb {
        Some(memory) => figure
            .how("most of all hosts with their disks, and of the cloud's services")
            .target("<= 8192", memory <= MEMORY_MB),
        None => figure.how("nothing was played"),
    });
    for outcome in outcomes {
        for (t, what, details) in &outcome.notes {
            report.event(*t, what, json!({"run": outcome.name, "details": details}));
        }
        let broken = outcome.broken();
        report.event(
            outcome.seconds,
            "run over",
            json!({"run": outcome.name, "broken": broken, "calls": outcome.totals,
            "ended_with_the_host": {"cut": outcome.excused.cut, "lost": outcome.excused.lost}}),
        );
    }
}

/// One line for each run, and the exit code.
fn verdict(world: &World, outcomes: &[Outcome]) -> ExitCode {
    for outcome in outcomes {
        let broken = outcome.broken();
        let (word, why) = if broken.is_empty() {
            ("ok", String::new())
        } else {
            ("FAILED", broken.join("; "))
        };
        println!("{word:6}  {}  {why}", outcome.name);
    }
    for failure in &world.failures {
        println!("FAILED  {failure}");
    }
    let failed = outcomes.iter().filter(|o| !o.broken().is_empty()).count() + world.failures.len();
    println!(
        "{} runs kept their promises, {failed} did not",
        outcomes.len() + world.failures.len() - failed
    );
    ExitCode::from(u8::from(failed > 0))
}
