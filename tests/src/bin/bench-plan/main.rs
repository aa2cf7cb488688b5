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

use std::ops::RangeInclusive;
use std::process::ExitCode;

use kamscale_agent::simulate::report::Report as Pages;
use kamscale_tests::report::{Report, write};

/// Fewer say too little about the worst day; `make bench-plan SEEDS=2` is for a first look.
const DEFAULT_SEEDS: u64 = 10;

fn main() -> ExitCode {
    let Some(seeds) = seeds() else {
        eprintln!(
            "usage: bench-plan [SEEDS [FIRST]]     days of each scenario, 1 to 100; the first seed"
        );
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
    let outcomes = play::all(&scenarios, seeds.clone());
    let rows = row::rows(&scenarios, &outcomes);
    let broken = figures::add(&mut report, &scenarios, &rows);
    report.part("seeds", vec![*seeds.start(), *seeds.end()].into());

    println!("{}", tables::scenarios(&scenarios, &outcomes));
    let svg = write("plan.svg", &chart::draw(&scenarios, &rows));
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

/// `SEEDS=2` plays the days 1 and 2, `SEEDS="10 101"` ten days that nobody has seen before.
fn seeds() -> Option<RangeInclusive<u64>> {
    let number = |place: usize, default: u64| match std::env::args().nth(place) {
        None => Some(default),
        Some(text) => text.parse().ok(),
    };
    let (seeds, first) = (number(1, DEFAULT_SEEDS)?, number(2, 1)?);
    let last = first.checked_add(seeds.checked_sub(1)?)?;
    (seeds <= 100).then_some(first..=last)
}
