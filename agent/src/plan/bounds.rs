//! Bounds: from what the signals ask for to the number wanted, step by step.

use super::number::{count, round_up};
use super::supply::Supply;
use super::want::{self, Readings};
use super::{Bound, Cause, Floor, Memory, Observation, Policy, Quality, Target};

/// Looks ahead for a floor at most so many times.
const MOST_LOOKS: f64 = 30.0;
/// The surge step is taken while a refusal is not older than this.
const REFUSED_S: f64 = 15.0;

/// The number wanted and how it came about.
#[derive(Debug)]
pub(super) struct Want {
    /// Members wanted, drains that can be taken back included.
    pub(super) members: u32,
    /// Members wanted that take calls: active or booting.
    pub(super) active: u32,
    /// Members that there must be whatever the demand is.
    pub(super) least: u32,
    /// Members that a removal must leave.
    pub(super) keep: u32,
    /// Of those, members that must stay for what is measured beside calls.
    pub(super) measured_keep: u32,
    /// What the surge step asks for: active members, not drains.
    surge: u32,
    /// What asks for so many.
    pub(super) cause: Cause,
    /// What allows no more, if more were asked for.
    pub(super) limited: Option<Cause>,
    /// Each step that changed it.
    pub(super) bounds: Vec<(Bound, u32)>,
    /// Until when a schedule floor forbids removals.
    pub(super) inhibited: Option<(String, f64)>,
}

impl Want {
    fn raise(&mut self, bound: Bound, cause: Cause, members: u32) {
        if members > self.members {
            self.members = members;
            self.cause = cause;
            self.bounds.push((bound, members));
        }
    }

    fn limit(&mut self, bound: Bound, cause: Cause, members: u32) {
        if members < self.members {
            self.members = members;
            self.limited = Some(cause);
            self.bounds.push((bound, members));
        }
    }
}

/// How many members are wanted: the largest signal, raised and limited.
pub(super) fn want(
    observation: &Observation,
    readings: &Readings,
    policy: &Policy,
    memory: &Memory,
    supply: Supply,
    now_s: f64,
) -> Want {
    // Without a signal the pool keeps what it has.
    let (members, cause) = match readings.largest() {
        Some(signal) => (signal.want.unwrap_or(0), want::because(signal)),
        None => (supply.have() + supply.draining, Cause::NoData),
    };
    let mut want = Want {
        members,
        active: 0,
        least: 0,
        keep: 0,
        measured_keep: 0,
        surge: 0,
        cause,
        limited: None,
        bounds: vec![(Bound::Signals, members)],
        inhibited: None,
    };
    if readings.largest().is_some() {
        raise_for_demand(&mut want, readings, policy, memory, supply, now_s);
    } else if missing_for_s(observation, memory, now_s) >= policy.fallback_after_s {
        want.raise(Bound::Fallback, Cause::Fallback, policy.fallback_members);
    }
    let min = policy.min.max(1 + policy.survive_losses);
    want.least = min;
    want.raise(Bound::Minimum, Cause::Minimum, min);
    raise_for_schedule(&mut want, policy, memory, now_s);
    want.limit(Bound::Maximum, Cause::Maximum, policy.max);
    // Drains are capacity that is back in no time; but what is urgent must be active.
    let urgent = readings.urgent().saturating_add(policy.spare);
    let urgent = urgent.max(want.least).max(want.surge);
    want.active = want
        .members
        .saturating_sub(supply.draining)
        .max(urgent)
        .min(policy.max);
    // Members kept must also bear what is spared, scheduled and so on.
    want.keep = readings
        .keep()
        .saturating_add(policy.spare)
        .max(want.members)
        .min(policy.max);
    want.measured_keep = readings
        .measured_keep()
        .saturating_add(policy.spare)
        .min(policy.max);
    want
}

fn raise_for_demand(
    want: &mut Want,
    readings: &Readings,
    policy: &Policy,
    memory: &Memory,
    supply: Supply,
    now_s: f64,
) {
    let refusing = memory
        .flow
        .last_refused_s
        .is_some_and(|last_s| (0.0..=REFUSED_S).contains(&(now_s - last_s)));
    // By Erlang's targets a pool runs hot and refuses a few all the time: that alone is no surge.
    let as_meant = policy.target != Target::Load && !readings.rising();
    let hot = refusing || readings.load() >= policy.surge_load;
    if supply.serving > 0 && hot && !as_meant {
        want.surge = round_up(policy.surge_step * f64::from(supply.serving));
        want.raise(Bound::Surge, Cause::Surge, want.surge);
    }
    if policy.spare > 0 {
        let spared = want.members.saturating_add(policy.spare);
        want.raise(Bound::Spare, Cause::Spare, spared);
    }
    if policy.survive_losses > 0 && supply.serving > 0 {
        let bare = round_up(count(supply.all_calls) / supply.each(policy));
        let survived = bare.max(1).saturating_add(policy.survive_losses);
        want.raise(Bound::Losses, Cause::Losses, survived);
    }
}

/// Floors hold from a boot time before they begin, so that their members are ready in time.
fn raise_for_schedule(want: &mut Want, policy: &Policy, memory: &Memory, now_s: f64) {
    let lead_s = memory.boot_p90_s(policy) + policy.cooldown_out_s;
    for floor in &policy.floors {
        let until_s = floor.until_s(now_s);
        if until_s.is_some() || soon(floor, now_s, lead_s) {
            want.least = want.least.max(floor.min).min(policy.max);
            want.raise(Bound::Schedule, Cause::Schedule, floor.min);
        }
        if let Some(until_s) = until_s.filter(|_| floor.inhibit_scale_in) {
            want.inhibited = Some((floor.name.clone(), until_s));
        }
    }
}

/// Whether a floor holds at some time of the lead; short ones begin and end within it.
fn soon(floor: &Floor, now_s: f64, lead_s: f64) -> bool {
    let looks = (lead_s / floor.duration_s.max(1.0))
        .ceil()
        .clamp(1.0, MOST_LOOKS);
    let step_s = lead_s / looks;
    (1..=round_up(looks)).any(|look| floor.until_s(now_s + f64::from(look) * step_s).is_some())
}

/// Seconds since there was usable data.
fn missing_for_s(observation: &Observation, memory: &Memory, now_s: f64) -> f64 {
    match (&observation.quality, memory.last_good_s.or(memory.first_s)) {
        (Quality::Missing(_), Some(last_s)) => now_s - last_s,
        _ => 0.0,
    }
}
