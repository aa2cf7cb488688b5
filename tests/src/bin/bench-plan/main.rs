//! `make bench-plan`: plays every scenario of the simulator with our plan and with its rivals, measures
//! how long decisions take, prints tables and writes `target/reports/plan.json`, `.html`, `.svg` and
//! `.md`. It fails only on a broken promise (a call that we cut), never on a missed figure.

mod chart;
mod expected;
mod figures;
mod measured;
mod play;
mod row;
mod tables;

use std::process::ExitCode;

use kamscale_agent::simulate::report::Report as Pages;
use kamscale_tests::report::{Report, write};

/// Fewer say too little about the worst day; `make bench-plan SEEDS=2` is for a first look.
const DEFAULT_SEEDS: u64 = 10;

fn main() -> ExitCode {
    let Some(seeds) = seeds() else {
        eprintln!("usage: bench-plan [SEEDS]     how many days of each scenario, 1 to 100");
        return ExitCode::from(2);
    };
    let mut report = Report::new("plan");
    // First, while no thread of ours is beside it.
    eprintln!("bench-plan: 1,000 pools of 100 members");
    measured::decisions(&mut report);
    eprintln!("bench-plan: a day of 1,000 members");
    measured::thousand_members(&mut report);
    for pools in measured::POOLS {
        eprintln!("bench-plan: an hour of {pools} pools");
        measured::growth(&mut report, pools);
    }
    let scenarios = play::scenarios();
    let outcomes = play::all(&scenarios, seeds);
    let rows = row::rows(&scenarios, &outcomes);
    let broken = figures::add(&mut report, &scenarios, &rows);
    report.part("seeds", seeds.into());

    println!("{}", tables::scenarios(&scenarios, &outcomes));
    let svg = write("plan.svg", &chart::draw(&scenarios, &rows, seeds));
    let markdown = write("plan.md", &tables::markdown(&scenarios, &rows));
    // The page compares rules; a pool with another configuration is no other rule.
    let rules = outcomes
        .into_iter()
        .filter(|outcome| outcome.policy != play::FLOOR);
    let pages = Pages::new(play::about(&scenarios), play::titles(), rules.collect());
    let html = write("plan.html", &pages.html());
    let json = report.write();
    println!("{}", tables::verdicts(&report));
    for path in [json, html, svg, markdown] {
        println!("report: {}", path.display());
    }
    for promise in &broken {
        eprintln!("bench-plan: a broken promise: {promise}");
    }
    ExitCode::from(u8::from(!broken.is_empty()))
}

fn seeds() -> Option<u64> {
    match std::env::args().nth(1) {
        None => Some(DEFAULT_SEEDS),
        Some(seeds) => seeds.parse().ok().filter(|seeds| (1..=100).contains(seeds)),
    }
}
