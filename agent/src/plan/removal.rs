//! Removal: which member may be drained, and when a drained one may go.
//!
//! Every condition is a reason not to remove; the default is to hold.

use super::want::Supply;
use super::{MemberView, Memory, Observation, Phase, Policy, Quality};

/// After a removal the load must stay so far below the load that adds.
const PROJECTION_MARGIN: f64 = 0.05;
/// No removal for so many `create_retry_s` (600 s) after a failed creation: what goes may not come
/// back.
const AFTER_FAILURE_RETRIES: f64 = 10.0;

/// The member to drain and why, or why none.
pub(super) fn choose(
    observation: &Observation,
    policy: &Policy,
    memory: &Memory,
    supply: Supply,
    now_s: f64,
) -> Result<(String, String), String> {
    if supply.serving <= policy.min.max(1) {
        return Err(format!("at the minimum of {}", policy.min));
    }
    quiet(observation, policy, memory, supply, now_s)?;
    let peak = memory.peak_load();
    let serving = || {
        observation
            .members
            .iter()
            .filter(|member| member.phase == Phase::Active && !member.down)
    };
    let capacity: f64 = serving().map(|member| f64::from(member.capacity)).sum();
    let load = peak / capacity;
    if load >= policy.scale_in_load {
        return Err(format!(
            "the peak of {:.0} s was {peak} calls, {:.0} %, and removal needs less than {:.0} %",
            policy.stabilization_s,
            load * 100.0,
            policy.scale_in_load * 100.0
        ));
    }
    let peak_want = memory.peak_want();
    if peak_want >= supply.serving {
        return Err(format!(
            "{peak_want} members were wanted within the last {:.0} s",
            policy.stabilization_s
        ));
    }
    let victim = emptiest(serving(), policy)?;
    let left = capacity - f64::from(victim.capacity);
    let projected = if left > 0.0 {
        peak / left
    } else {
        f64::INFINITY
    };
    let most = policy.scale_out_load - PROJECTION_MARGIN;
    if projected > most {
        return Err(format!(
            "without {} the peak load would be {:.0} %, above {:.0} %",
            victim.name,
            projected * 100.0,
            most * 100.0
        ));
    }
    let why = format!(
        "the peak of {:.0} s was {peak} calls, {:.0} %, and would be {:.0} % without it",
        policy.stabilization_s,
        load * 100.0,
        projected * 100.0
    );
    Ok((victim.name.clone(), why))
}

/// Whether things have been calm and well seen for long enough.
fn quiet(
    observation: &Observation,
    policy: &Policy,
    memory: &Memory,
    supply: Supply,
    now_s: f64,
) -> Result<(), String> {
    if observation.quality != Quality::Good {
        return Err("nothing is removed without complete data".into());
    }
    if supply.down > 0 {
        return Err(format!("{} active members are down", supply.down));
    }
    if supply.booting > 0 {
        return Err(format!("{} members are booting", supply.booting));
    }
    if now_s < memory.no_removal_before_s {
        let wait_s = memory.no_removal_before_s - now_s;
        return Err(format!(
            "{}: {wait_s:.0} s to wait",
            memory.no_removal_because
        ));
    }
    let since = |moment: Option<f64>| moment.map_or(f64::INFINITY, |moment_s| now_s - moment_s);
    let window_s = policy.stabilization_s;
    let watched_s = memory
        .watching_since_s
        .map_or(0.0, |since_s| now_s - since_s);
    let waits = [
        (watched_s, window_s, "demand has been watched for"),
        (
            since(memory.last_out_s),
            window_s,
            "the time since the last addition is",
        ),
        (
            since(memory.last_in_s),
            policy.cooldown_in_s,
            "the time since the last removal is",
        ),
        (
            since(memory.last_failure_s),
            window_s.max(AFTER_FAILURE_RETRIES * policy.create_retry_s),
            "the time since the last failed creation is",
        ),
    ];
    for (is_s, needed_s, what) in waits {
        if is_s < needed_s {
            return Err(format!("{what} {is_s:.0} s of {needed_s:.0} s"));
        }
    }
    Ok(())
}

/// The member with the fewest calls; of those the oldest.
fn emptiest<'a>(
    serving: impl Iterator<Item = &'a MemberView>,
    policy: &Policy,
) -> Result<&'a MemberView, String> {
    serving
        .filter(|member| member.elastic && member.age_s >= policy.protect_new_s)
        .min_by(|a, b| {
            let calls = a
                .calls
                .unwrap_or(u32::MAX)
                .cmp(&b.calls.unwrap_or(u32::MAX));
            calls
                .then(b.age_s.total_cmp(&a.age_s))
                .then_with(|| a.name.cmp(&b.name))
        })
        .ok_or_else(|| "every member is fixed or too new to be drained".to_owned())
}

/// Counts how long members drain and are empty; answers those that may go, with the reason.
pub(super) fn finish_drains(
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
