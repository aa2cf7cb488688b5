//! `make openstack`: the whole loop with the real Keystone, Heat, Gnocchi and Aodh, real Kamailio with
//! the module, real calls and the real agent. Plays every scenario, measures, writes
//! `target/reports/openstack.json`. It fails on a broken promise, never on a missed figure.
//!
//!   openstack [--short] [WORD...]     only scenarios in whose name one of the words stands

#![forbid(unsafe_code)]

mod aodh;
mod bed;
mod heat;
mod lanes;
mod node;
mod play;
mod policy;
mod pools;
mod stage;
mod tally;
mod traffic;

use std::process::ExitCode;

use kamscale_tests::cloud;
use kamscale_tests::report::Report;
use serde_json::json;

use lanes::Verdict;
use play::{Form, Scenario};
use stage::Stage;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let full = !words.iter().any(|w| w == "--short");
    let parts: Vec<&String> = words.iter().filter(|w| !w.starts_with("--")).collect();
    let chosen = |s: &&Scenario| {
        let asked = parts.is_empty() || parts.iter().any(|p| s.name.contains(p.as_str()));
        asked && (full || s.form == Form::Always)
    };
    let scenarios: Vec<&Scenario> = play::ALL.iter().filter(chosen).collect();
    let mut report = Report::new("openstack");
    let stage = match Stage::up(full) {
        Ok(stage) => stage,
        Err(why) => {
            for scenario in &scenarios {
                println!("SKIPPED: {}: {why}", scenario.name);
            }
            return ExitCode::SUCCESS;
        }
    };
    let verdicts = lanes::play(&stage, &scenarios);
    tell(&mut report, &stage, &verdicts);
    println!("\n{}", report.table());
    println!("report: {}", report.write().display());
    let failed = verdicts.iter().filter(|v| v.problem.is_some()).count();
    println!(
        "{} scenarios kept their promises, {failed} did not",
        verdicts.len() - failed
    );
    ExitCode::from(u8::from(failed > 0))
}

fn tell(report: &mut Report, stage: &Stage, verdicts: &[Verdict]) {
    for verdict in verdicts {
        report.event(
            verdict.began_s,
            "scenario",
            json!({"name": verdict.name, "seconds": verdict.seconds, "problem": verdict.problem}),
        );
    }
    stage.tally.report(report);
}
