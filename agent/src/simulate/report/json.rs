//! JSON for programs: every figure of every run, and the summary that the table shows.

use serde_json::{Value, json};

use super::{Report, Section};

pub(super) fn value(report: &Report) -> Value {
    let scenarios: Vec<Value> = report.scenarios.iter().map(section_value).collect();
    json!({"scenarios": scenarios})
}

fn section_value(section: &Section) -> Value {
    let runs: Vec<Value> = section
        .runs
        .iter()
        .map(|run| {
            json!({
                "policy": run.policy,
                "seed": run.seed,
                "duration_s": run.duration_s,
                "figures": run.figures,
            })
        })
        .collect();
    json!({
        "name": section.about.name,
        "title": section.about.title,
        "summary": section.rows(),
        "runs": runs,
    })
}
