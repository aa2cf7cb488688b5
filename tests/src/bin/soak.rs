//! `make soak`: an hour of calls, changes and faults (`KAMSCALE_SOAK_S` says how long), and what has grown.
//! It writes `target/reports/soak.json`, and fails if a call fails, a process dies or memory grows.

use std::process::ExitCode;
use std::time::Duration;

use kamscale_tests::report::Report;
use kamscale_tests::soak::{self, Plan, figures};

fn main() -> ExitCode {
    let wanted = std::env::var("KAMSCALE_SOAK_S").ok();
    let seconds = wanted.and_then(|s| s.parse().ok()).unwrap_or(3600);
    println!("soak: {seconds} s of calls, changes and faults");
    let mut report = Report::new("soak");
    let mut outcome = soak::play(Plan {
        time: Duration::from_secs(seconds),
        faults: true,
    });
    figures::add(&mut report, &outcome);
    let grown = figures::growth_of(&outcome);
    if !grown.none {
        outcome.broken.push(format!("memory grew: {}", grown.of));
    }
    print!("{}", report.table());
    println!("report: {}", report.write().display());
    for promise in &outcome.broken {
        eprintln!("soak: a broken promise: {promise}");
    }
    ExitCode::from(u8::from(!outcome.broken.is_empty()))
}
