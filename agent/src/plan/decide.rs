//! The decision: from observation, policy, memory and time to a plan with its reason.

use super::want::{self, SignalReading, Supply};
use super::{
    Action, Memory, Mode, Observation, Phase, Plan, Policy, Quality, removal, time, words,
};

/// The longest pause between two tries to create a member.
pub(super) const CREATE_RETRY_MAX_S: f64 = 900.0;
/// So many failed creations in a row open the circuit.
const CIRCUIT_FAILURES: u32 = 3;
/// A small pool may grow by so many members in one step; a big one doubles.
const SMALL_STEP: u32 = 4;

/// Decides about one pool. `now_s` is in unix seconds; only steps between calls matter.
pub fn decide(
    observation: &Observation,
    policy: &Policy,
    memory: &Memory,
    now_s: f64,
) -> (Plan, Memory) {
    let mut memory = memory.clone();
    let tick_s = time::advance(&mut memory, observation, policy, now_s);
    note_creations(&mut memory, observation, policy, now_s);
    let supply = Supply::of(observation);
    let signals: Vec<SignalReading> = want::read_calls(observation, policy).into_iter().collect();
    let (want, surging) = if signals.is_empty() {
        let have = supply.serving + supply.down + supply.booting;
        (have.clamp(policy.min, policy.max), false)
    } else {
        want::want(&signals, supply, policy)
    };
    if observation.quality == Quality::Good {
        let load = signals.iter().map(|signal| signal.used).fold(0.0, f64::max);
        memory.remember(now_s, load, want, policy.stabilization_s);
    }
    let finished = removal::finish_drains(&mut memory, observation, policy, tick_s);

    let mut reason = words::facts(observation, &signals, supply, want, surging);
    let mut actions = Vec::new();
    if policy.mode == Mode::Paused {
        reason.push_str("; paused: nobody scales this pool");
    } else {
        let (steps, verdict) = change(observation, policy, &memory, supply, want, now_s);
        actions = steps;
        reason.push_str("; ");
        reason.push_str(&verdict);
    }
    let advice = if policy.mode == Mode::Advise {
        std::mem::take(&mut actions)
    } else {
        Vec::new()
    };
    if !advice.is_empty() {
        reason.push_str(" (advice only: the pool's mode is advise)");
    }
    note_actions(&mut memory, &actions, now_s);
    for (member, why) in finished {
        let taken_back = Action::TakeBack {
            member: member.clone(),
        };
        if !actions.contains(&taken_back) {
            memory.drains.remove(&member);
            reason.push_str(&format!("; removing {member}: {why}"));
            actions.push(Action::Remove { member });
        }
    }
    if actions.is_empty() {
        actions.push(Action::Hold);
    }
    (
        Plan {
            want,
            actions,
            advice,
            signals,
            bounds: Vec::new(),
            cause: super::Cause::Steady,
            reason,
        },
        memory,
    )
}

/// Growth, shrinkage, or why neither.
fn change(
    observation: &Observation,
    policy: &Policy,
    memory: &Memory,
    supply: Supply,
    want: u32,
    now_s: f64,
) -> (Vec<Action>, String) {
    let have = supply.serving + supply.booting;
    if want > have {
        return grow(observation, policy, memory, supply, want, now_s);
    }
    if policy.mode == Mode::OutOnly {
        return (Vec::new(), "holding: the pool's mode is out_only".into());
    }
    match removal::choose(observation, policy, memory, supply, now_s) {
        Ok((member, why)) => {
            let verdict = format!("draining {member}, the emptiest: {why}");
            (vec![Action::Drain { member }], verdict)
        }
        Err(why) => (Vec::new(), format!("holding: {why}")),
    }
}

/// Takes drains back, fullest first, then creates what is still missing.
fn grow(
    observation: &Observation,
    policy: &Policy,
    memory: &Memory,
    supply: Supply,
    want: u32,
    now_s: f64,
) -> (Vec<Action>, String) {
    let missing = want - supply.serving - supply.booting;
    let mut drains: Vec<_> = observation
        .members
        .iter()
        .filter(|member| member.phase == Phase::Draining && !member.down)
        .collect();
    drains.sort_by(|a, b| b.calls.cmp(&a.calls).then_with(|| a.name.cmp(&b.name)));
    drains.truncate(missing as usize);
    let mut actions: Vec<Action> = drains
        .iter()
        .map(|member| Action::TakeBack {
            member: member.name.clone(),
        })
        .collect();
    let taken = u32::try_from(drains.len()).unwrap_or(u32::MAX);
    let mut verdict = Vec::new();
    if taken > 0 {
        let names: Vec<&str> = drains.iter().map(|member| member.name.as_str()).collect();
        verdict.push(format!(
            "taking back {} instead of buying",
            names.join(", ")
        ));
    }
    let missing = missing - taken;
    if missing > 0 {
        match creatable(policy, memory, supply, now_s) {
            Ok((most, limit)) => {
                let count = missing.min(most);
                let limited = if count < missing {
                    format!(", not {missing}: {limit}")
                } else {
                    String::new()
                };
                verdict.push(format!("adding {count}{limited}"));
                actions.push(Action::Boot { count });
            }
            Err(why) => verdict.push(format!("{missing} more wanted, but {why}")),
        }
    }
    (actions, verdict.join("; "))
}

/// How many members may be created now and which limit that is, or why none.
fn creatable(
    policy: &Policy,
    memory: &Memory,
    supply: Supply,
    now_s: f64,
) -> Result<(u32, String), String> {
    if now_s < memory.no_create_before_s {
        let wait_s = memory.no_create_before_s - now_s;
        let failures = memory.failures_in_row;
        return Err(format!(
            "creation failed {failures} times in a row: next try in {wait_s:.0} s"
        ));
    }
    // The minimum is not a matter of demand: it is restored without waiting.
    let below_min = supply.serving + supply.down + supply.booting < policy.min;
    let cooled_s = memory
        .last_out_s
        .map_or(f64::INFINITY, |last_s| now_s - last_s);
    if cooled_s < policy.cooldown_out_s && !below_min {
        let wait_s = policy.cooldown_out_s - cooled_s;
        return Err(format!(
            "the last addition was {cooled_s:.0} s ago: {wait_s:.0} s to wait"
        ));
    }
    let room = policy.max.saturating_sub(supply.existing);
    let booting = policy.max_booting.saturating_sub(supply.booting);
    // After failures one member tries the ground for the others.
    let step = if memory.failures_in_row > 0 {
        1
    } else {
        supply.serving.max(SMALL_STEP)
    };
    let limits = [
        (
            room,
            format!(
                "{} of at most {} members exist",
                supply.existing, policy.max
            ),
        ),
        (
            booting,
            format!(
                "{} of at most {} are booting",
                supply.booting, policy.max_booting
            ),
        ),
        (step, format!("at most {step} in one step")),
    ];
    let (most, limit) = limits
        .into_iter()
        .min_by_key(|(most, _)| *most)
        .unwrap_or_default();
    if most == 0 {
        Err(limit)
    } else {
        Ok((most, limit))
    }
}

/// Learns from creations that ended: failures back off, a success clears them.
fn note_creations(memory: &mut Memory, observation: &Observation, policy: &Policy, now_s: f64) {
    if !observation.booted_s.is_empty() {
        memory.failures_in_row = 0;
        memory.no_create_before_s = 0.0;
    }
    if observation.failed_creates == 0 {
        return;
    }
    memory.last_failure_s = Some(now_s);
    // Members created together fail together: that is one failure.
    memory.failures_in_row = memory.failures_in_row.saturating_add(1);
    let doublings = i32::try_from(memory.failures_in_row - 1)
        .unwrap_or(i32::MAX)
        .min(16);
    let backoff_s = if memory.failures_in_row >= CIRCUIT_FAILURES {
        // The open circuit scales with the configured base, so that tests need not wait.
        CREATE_RETRY_MAX_S.min(policy.create_retry_s * 15.0)
    } else {
        CREATE_RETRY_MAX_S.min(policy.create_retry_s * 2f64.powi(doublings))
    };
    memory.no_create_before_s = now_s + backoff_s;
}

fn note_actions(memory: &mut Memory, actions: &[Action], now_s: f64) {
    for action in actions {
        match action {
            Action::Boot { .. } => memory.last_out_s = Some(now_s),
            Action::TakeBack { member } => {
                memory.last_out_s = Some(now_s);
                memory.drains.remove(member);
            }
            Action::Drain { member } => {
                memory.last_in_s = Some(now_s);
                memory
                    .drains
                    .insert(member.clone(), super::memory::DrainClock::default());
            }
            Action::Remove { .. } | Action::Hold => {}
        }
    }
}
