//! Time as the plan sees it: gaps, leaps and restarts block removals, never cause them.

use super::{Memory, Observation, Policy, Quality};

/// A step of the clock beyond this is a leap (or the agent slept): what lay between was not seen.
const LEAP_S: f64 = 30.0;
/// One tick vouches for at most so many seconds of draining or being empty.
const MAX_TICK_S: f64 = 10.0;
/// A gap in good data beyond this starts the stabilization window anew.
const MAX_GAP_S: f64 = LEAP_S;

/// Brings memory to `now_s`; answers the seconds that this tick vouches for.
pub(super) fn advance(
    memory: &mut Memory,
    observation: &Observation,
    policy: &Policy,
    now_s: f64,
) -> f64 {
    let step_s = memory.last_now_s.map_or(0.0, |last_s| now_s - last_s);
    let until_s = now_s + policy.stabilization_s;
    if step_s < 0.0 {
        set_back(memory, policy, now_s);
        memory.block_removal(until_s, "the clock went backwards");
    } else if step_s > LEAP_S {
        memory.forget_demand();
        memory.block_removal(until_s, "the clock leapt, or the agent slept");
        if memory.guard_until_s > now_s - step_s {
            memory.guard_until_s += step_s;
        }
    }
    if observation.agent_restarted {
        memory.forget_demand();
        memory.block_removal(until_s, "the agent started a short while ago");
    }
    if let Some(boot_id) = observation.boot_id {
        if memory.boot_id.is_some_and(|known| known != boot_id) {
            memory.forget_demand();
            memory.block_removal(until_s, "Kamailio restarted a short while ago");
            memory.calls_unsure_before_s = until_s;
        }
        memory.boot_id = Some(boot_id);
    }
    if observation.quality == Quality::Good {
        if memory
            .last_good_s
            .is_none_or(|last_s| now_s - last_s > MAX_GAP_S)
        {
            memory.forget_demand();
        }
        memory.last_good_s = Some(now_s);
        memory.watching_since_s.get_or_insert(now_s);
    }
    let recent_s = now_s - super::removal::SHRINK_S;
    while memory
        .drained
        .front()
        .is_some_and(|(at_s, _)| *at_s < recent_s)
    {
        memory.drained.pop_front();
    }
    memory.first_s.get_or_insert(now_s);
    memory.last_now_s = Some(now_s);
    step_s.clamp(0.0, MAX_TICK_S)
}

/// The clock went backwards: what lies in the future now is taken as just happened.
fn set_back(memory: &mut Memory, policy: &Policy, now_s: f64) {
    memory.forget_demand();
    let moments = [
        &mut memory.last_good_s,
        &mut memory.last_out_s,
        &mut memory.last_in_s,
        &mut memory.last_failure_s,
        &mut memory.first_s,
        &mut memory.flow.last_refused_s,
    ];
    for moment in moments.into_iter().flatten() {
        *moment = moment.min(now_s);
    }
    memory.no_create_before_s = memory
        .no_create_before_s
        .min(now_s + super::creation::RETRY_MAX_S);
    memory.no_removal_before_s = 0.0;
    memory.guard_until_s = memory.guard_until_s.min(now_s + policy.outage_guard_s);
    memory.drained.clear();
    for hour in &mut memory.spent {
        hour.from_s = hour.from_s.min(now_s);
    }
    memory.calls_unsure_before_s = memory
        .calls_unsure_before_s
        .min(now_s + policy.stabilization_s);
}
