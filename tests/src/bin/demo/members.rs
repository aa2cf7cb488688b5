//! The life of each conference member, from the agent's events, the samples and the member's own
//! statistics.

use std::collections::BTreeMap;

use kamscale_tests::{SippSteps, read_steps};
use serde::Serialize;
use serde_json::Value;

use crate::course::Course;
use crate::scenario::Stage;

/// One member. All moments are seconds since the first call; absent: before it, or never.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Life {
    pub(crate) name: String,
    /// The decision to have it.
    pub(crate) ordered: Option<f64>,
    /// It answered OPTIONS often enough.
    pub(crate) ready: Option<f64>,
    /// The first sample in which it had got a call.
    pub(crate) first_call: Option<f64>,
    pub(crate) draining: Option<f64>,
    /// The decision to stop it.
    pub(crate) removed: Option<f64>,
    pub(crate) stopped: Option<f64>,
    /// How long it had carried no call when it was removed.
    pub(crate) empty_s: Option<f64>,
    /// Calls in the last sample before it was removed.
    pub(crate) calls_at_removal: Option<u32>,
    /// Calls that it got, by its own statistics.
    pub(crate) invites: u64,
    /// Calls that ended by the caller's BYE, by its own statistics.
    pub(crate) byes: u64,
    /// Most calls at once.
    pub(crate) peak: u32,
}

/// All of them, by name.
pub(crate) fn lives(course: &Course, stage: &Stage<'_>) -> Vec<Life> {
    let mut lives: BTreeMap<String, Life> = BTreeMap::new();
    for sample in &course.samples {
        for (name, member) in sample.members("conference") {
            let life = lives.entry(name.clone()).or_default();
            life.peak = life.peak.max(member.calls);
            if member.calls_total > 0 {
                life.first_call.get_or_insert(sample.t);
            }
        }
    }
    for event in course.events.iter().filter(|e| e["pool"] == "conference") {
        let Some(name) = event["member"].as_str() else {
            continue;
        };
        let life = lives.entry(name.to_owned()).or_default();
        let t = event["t"].as_f64();
        match event["event"].as_str() {
            Some("member_booting") => life.ordered = t,
            Some("member_ready") => life.ready = t,
            Some("member_draining") => life.draining = t,
            Some("member_taken_back") => life.draining = None,
            Some("member_removed") => life.removed = t,
            Some("member_stopped") => life.stopped = t,
            _ => {}
        }
    }
    for (name, life) in &mut lives {
        life.name.clone_from(name);
        let steps = read_steps(&stage.member_dir(name));
        life.invites = step(&steps, "1_INVITE_Recv");
        life.byes = step(&steps, "6_BYE_Recv");
        note_emptiness(life, course);
    }
    lives.into_values().collect()
}

/// How empty it was when it was removed, and for how long.
fn note_emptiness(life: &mut Life, course: &Course) {
    let Some(removed) = life.removed else { return };
    let before = course.samples.iter().filter(|s| s.t <= removed);
    let seen: Vec<(f64, u32)> = before
        .filter_map(|s| Some((s.t, s.pools.get("conference")?.get(&life.name)?.calls)))
        .collect();
    life.calls_at_removal = seen.last().map(|(_, calls)| *calls);
    let busy = seen.iter().rposition(|(_, calls)| *calls > 0);
    let empty_from = seen.get(busy.map_or(0, |at| at + 1)).map(|(t, _)| *t);
    life.empty_s = Some(empty_from.map_or(0.0, |from| removed - from));
}

/// A count of SIPp's.
pub(crate) fn step(steps: &SippSteps, name: &str) -> u64 {
    steps.get(name).copied().unwrap_or(0)
}

/// Events of one pool.
pub(crate) fn events_of<'a>(course: &'a Course, pool: &str) -> impl Iterator<Item = &'a Value> {
    course.events.iter().filter(move |e| e["pool"] == pool)
}
