//! Conference-call day: one Kamailio, an elastic pool and a fixed one, real calls; it shows what
//! happens and checks itself. The verdicts are in `promises`, the picture in `picture`.

#![forbid(unsafe_code)]

mod course;
mod members;
mod picture;
mod processes;
mod promises;
mod scenario;

use std::process::ExitCode;

use kamscale_tests::report::{self, Report};
use kamscale_tests::{RunDir, Watch};
use serde_json::json;

use processes::Fingerprint;
use scenario::Stage;

fn main() -> ExitCode {
    println!(
        "Conference-call day: about two minutes. Starting Kamailio, the agent and members ..."
    );
    let run = RunDir::new("demo");
    let mut stage = Stage::set_up(&run);
    let mut watch = Watch::new(&run.shm_dir(), "default");
    let before = Fingerprint::of(&stage.kamailio, &watch);
    println!(
        "Kamailio {} with {} processes; calls on each conference member now stand in brackets.",
        stage.kamailio.pid(),
        before.count()
    );
    let mut callers = stage.call();
    let mut report = Report::new("demo");
    let course = course::watch(&stage, &mut callers, &mut watch);
    let after = Fingerprint::of(&stage.kamailio, &watch);

    stage.end_queue();
    let lives = members::lives(&course, &stage);
    let day = promises::Day {
        course: &course,
        lives: &lives,
        before: &before,
        after: &after,
    };
    day.judge(&mut report, &stage, &mut callers);
    for event in &course.events {
        let (t, name) = (event["t"].as_f64(), event["event"].as_str());
        report.event(t.unwrap_or(0.0), name.unwrap_or("?"), details(event));
    }
    report.part("members", json!(lives));
    report.part("samples", json!(course.samples));
    println!("\n{}", report.table());
    let json = report.write();
    let svg = report::write(
        "demo.svg",
        &picture::draw(&course, &lives, &summary(&report)),
    );
    println!("{}\n{}", json.display(), svg.display());
    let broken: Vec<&str> = report
        .figures()
        .iter()
        .filter(|f| !f.is_met())
        .map(|f| f.name())
        .collect();
    if broken.is_empty() {
        println!("Every promise was kept.");
        ExitCode::SUCCESS
    } else {
        eprintln!("Broken: {}", broken.join(", "));
        ExitCode::FAILURE
    }
}

/// The day in one line, from the figures.
fn summary(report: &Report) -> String {
    let value = |name: &str| report.value(name);
    format!(
        "{} calls offered, {} answered, {} failed, {} cut. Conference pool: {}, {}, {} members. \
         Kamailio: {} restarts, {} reloads. Queue pool disturbed: {} times.",
        value("calls.offered"),
        value("calls.answered"),
        value("calls.failed"),
        value("calls.cut"),
        value("members.start"),
        value("members.peak"),
        value("members.end"),
        value("kamailio.restarts"),
        value("kamailio.reloads"),
        value("queue.disturbed"),
    )
}

fn details(event: &serde_json::Value) -> serde_json::Value {
    let mut details = event.clone();
    if let Some(fields) = details.as_object_mut() {
        fields.remove("t");
        fields.remove("event");
    }
    details
}
