//! From a run to its figures.

use serde_json::{Value, json};

use super::memory::{Memory, growth};
use super::{MEMBERS, Outcome};
use crate::report::{Figure, Report};

/// The first part is a warm-up: caches and the agent's list of recent events fill.
const WARM_S: f64 = 15.0;
/// What may differ by chance: a few calls more or less, a page here and there. A hundred changes a second
/// that leak a hundred bytes each are 36 MB in an hour, and 600 kB in a minute.
const SHARED_BYTES: u64 = 256 * 1024;
const PRIVATE_BYTES: u64 = 16 * 1024;
const RESIDENT_KB: u64 = 1024;
const AGENT_KB: u64 = 1024;

/// Growth of each kind of memory, and whether that is none.
#[derive(Debug)]
pub struct Growth {
    /// By kind.
    pub of: Value,
    /// Kamailio's shared memory, in bytes per change.
    pub shared_per_change: f64,
    /// Whether nothing grew beyond what chance explains.
    pub none: bool,
}

/// Judges the samples of a run.
#[must_use]
pub fn growth_of(outcome: &Outcome) -> Growth {
    let from = |start_s: f64, of: fn(&Memory) -> u64| {
        let samples = outcome.memory.iter().filter(|(t, _)| *t >= start_s);
        growth(&samples.map(|(_, m)| of(m)).collect::<Vec<u64>>())
    };
    let shared = from(WARM_S, |m| m.shared);
    let private = from(WARM_S, |m| m.private);
    let resident = from(WARM_S, |m| m.resident_kb);
    let agent = from(outcome.calm_s + WARM_S, |m| m.agent_kb);
    let number = crate::bench::cost::number;
    Growth {
        of: json!({
            "shared_bytes": shared, "private_bytes": private, "resident_kb": resident, "agent_kb": agent,
        }),
        shared_per_change: number(shared) / number(outcome.changes.max(1)),
        none: shared <= SHARED_BYTES
            && private <= PRIVATE_BYTES
            && resident <= RESIDENT_KB
            && agent <= AGENT_KB,
    }
}

/// What is said of the run beside each figure.
#[must_use]
pub fn course(outcome: &Outcome) -> String {
    let seconds = outcome.memory.last().map_or(0.0, |(t, _)| *t);
    format!(
        "{} changes and {} calls in {seconds:.0} s, {MEMBERS} members and one that comes and goes; \
         agent and Kamailio real",
        outcome.changes, outcome.calls.successful
    )
}

/// All figures of a long run; what is broken is in the outcome.
pub fn add(report: &mut Report, outcome: &Outcome) {
    let grown = growth_of(outcome);
    let ends = [outcome.memory.first(), outcome.memory.last()];
    let ends = ends.map(|m| m.map_or(Value::Null, |(_, m)| shown(m)));
    report.figure(
        Figure::new("soak.memory", grown.of.clone(), "")
            .target("no growth", grown.none)
            .sides(json!({"first": ends[0], "last": ends[1]}), Value::Null)
            .how(course(outcome)),
    );
    let failed = outcome.calls.failed;
    report.figure(
        Figure::new("soak.calls.failed", failed, "calls")
            .target("0", failed == 0)
            .how(format!("of {}", outcome.calls.created)),
    );
    for (t, what) in &outcome.events {
        report.event(*t, "fault", json!({"what": what}));
    }
    for (t, memory) in outcome.memory.iter().step_by(60) {
        report.event(*t, "memory", shown(memory));
    }
}

fn shown(memory: &Memory) -> Value {
    json!({
        "shared_bytes": memory.shared, "private_bytes": memory.private,
        "resident_kb": memory.resident_kb, "agent_kb": memory.agent_kb,
    })
}
