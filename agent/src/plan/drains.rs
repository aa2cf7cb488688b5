//! Drains: how long members drain and are empty, and when a drained one may go.

use super::{MemberView, Memory, Observation, Phase, Policy, Quality};

/// Counts how long members drain and are empty; answers those that may go, with the reason.
pub(super) fn finish(
    memory: &mut Memory,
    observation: &Observation,
    policy: &Policy,
    tick_s: f64,
) -> Vec<(String, String)> {
    let leaves = |member: &&MemberView| matches!(member.phase, Phase::Draining | Phase::Leaving);
    let draining: Vec<&MemberView> = observation.members.iter().filter(leaves).collect();
    memory
        .drains
        .retain(|name, _| draining.iter().any(|member| member.name == *name));
    let mut finished = Vec::new();
    for member in draining {
        let known = memory.drains.contains_key(&member.name);
        let sure = memory.last_now_s >= Some(memory.calls_unsure_before_s);
        let clock = memory.drains.entry(member.name.clone()).or_default();
        if known {
            clock.draining_s += tick_s;
        }
        let seen = observation.quality == Quality::Good;
        let empty = known && sure && seen && member.calls == Some(0);
        // Time counts between two observations of 0 only: before the first there may be calls.
        clock.empty_s = if empty && clock.was_empty {
            clock.empty_s + tick_s
        } else {
            0.0
        };
        clock.was_empty = empty;
        let asked = member.phase == Phase::Leaving;
        let frozen = matches!(policy.mode, super::Mode::Paused | super::Mode::Advise);
        let Some(calls) = member.calls.filter(|_| seen && known && (asked || !frozen)) else {
            continue;
        };
        if calls == 0 && clock.empty_s >= policy.empty_for_s {
            finished.push((
                member.name.clone(),
                format!("0 calls for {:.0} s", clock.empty_s),
            ));
        } else if clock.draining_s >= policy.drain_timeout_s {
            let why = format!(
                "drained for {:.0} s, its timeout, with {calls} calls left",
                clock.draining_s
            );
            finished.push((member.name.clone(), why));
        }
    }
    finished
}
