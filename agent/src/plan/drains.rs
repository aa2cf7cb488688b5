//! Drains: how long members drain and are empty, and when a drained one may go.

use super::bounds::Want;
use super::supply::Supply;
use super::{MemberView, Memory, Mode, Observation, Phase, Policy, Quality};

/// A member whose drain is over.
#[derive(Debug)]
pub(super) struct Drained {
    pub(super) member: String,
    /// Why it may go.
    pub(super) why: String,
    /// Whether an operator asked for it.
    asked: bool,
    /// Whether it is down, so that nobody can take it back.
    down: bool,
    /// Whether it stays as a reserve, because without it the pool would be too small.
    pub(super) needed: bool,
}

/// Marks drained members that would be bought again once they are gone.
pub(super) fn keep_needed(drained: &mut [Drained], supply: Supply, want: &Want) {
    let mut left = supply.have() + supply.draining;
    let reserve = |drained: &&mut Drained| !drained.asked && !drained.down;
    for drained in drained.iter_mut().filter(reserve) {
        // As for every removal: what goes must not be wanted again at the next breath of demand.
        if left <= want.keep {
            drained.needed = true;
        } else {
            left = left.saturating_sub(1);
        }
    }
}

/// Counts how long members drain and are empty; answers those that may go, with the reason.
pub(super) fn finish(
    memory: &mut Memory,
    observation: &Observation,
    policy: &Policy,
    supply: Supply,
    tick_s: f64,
) -> Vec<Drained> {
    if supply.out_of_use() == 0 {
        memory.drains.clear();
        return Vec::new();
    }
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
        let frozen = matches!(policy.mode, Mode::Paused | Mode::Advise);
        let Some(calls) = member.calls.filter(|_| seen && known && (asked || !frozen)) else {
            continue;
        };
        if calls == 0 && clock.empty_s >= policy.empty_for_s {
            let why = format!("0 calls for {:.0} s", clock.empty_s);
            finished.push(drained(member, why, asked));
        } else if clock.draining_s >= policy.drain_timeout_s {
            let why = format!(
                "drained for {:.0} s, its timeout, with {calls} calls left",
                clock.draining_s
            );
            finished.push(drained(member, why, asked));
        }
    }
    finished
}

fn drained(member: &MemberView, why: String, asked: bool) -> Drained {
    Drained {
        member: member.name.clone(),
        why,
        asked,
        down: member.down,
        needed: false,
    }
}
