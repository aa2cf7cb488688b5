//! What each signal asks for: so many members for now and soon, and so many that a removal must leave.

use serde::{Deserialize, Serialize};

use super::measured::{informing, read_signal, unusable};
use super::number::{count, round_down, round_up};
use super::supply::Supply;
use super::{
    Memory, Observation, Policy, Quality, Signal, SignalKind, SignalPolicy, Target, erlang,
};

/// After a removal the load must stay so far below the load that adds.
const MARGIN: f64 = 0.02;
/// Beyond the boot time the next look and the publication take a little.
const REACT_S: f64 = 15.0;

/// One signal as it was read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SignalReading {
    /// What was measured.
    pub kind: SignalKind,
    /// The type of machine that it is about, in a stack of several types.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// How much is used, in the signal's unit.
    pub used: f64,
    /// How much is expected when a member ordered now would be ready.
    pub expected: f64,
    /// How much there is on active members.
    pub capacity: f64,
    /// Used per capacity; `None` if there is no capacity.
    pub load: Option<f64>,
    /// Members that this signal asks for, before limits, drains that can be taken back included;
    /// `None` if it only informs.
    pub want: Option<u32>,
    /// Members that must be active at once.
    pub urgent: u32,
    /// Members that must stay, so that a removal is not bought back at once.
    pub keep: u32,
    /// Why it may not lead to a removal, or not be used at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl SignalReading {
    /// Whether clearly more is expected than is used.
    pub(super) fn rises(&self) -> bool {
        self.expected > self.used * 1.02 + 0.5
    }
}

/// All signals of one observation.
#[derive(Debug, Default)]
pub(super) struct Readings {
    pub(super) all: Vec<SignalReading>,
}

impl Readings {
    /// The one that asks for most.
    pub(super) fn largest(&self) -> Option<&SignalReading> {
        let asking = self.all.iter().filter(|signal| signal.want.is_some());
        // Of equals the first: calls are what the others explain.
        asking.reduce(|best, signal| {
            if signal.want > best.want {
                signal
            } else {
                best
            }
        })
    }

    /// Members that must stay.
    pub(super) fn keep(&self) -> u32 {
        self.all.iter().map(|signal| signal.keep).max().unwrap_or(0)
    }

    /// Members that must stay for what is measured beside the calls of the pool.
    pub(super) fn measured_keep(&self) -> u32 {
        let measured =
            |signal: &&SignalReading| signal.kind != SignalKind::Calls || signal.of.is_some();
        let kept = self.all.iter().filter(measured).map(|signal| signal.keep);
        kept.max().unwrap_or(0)
    }

    /// Members that must be active at once.
    pub(super) fn urgent(&self) -> u32 {
        self.all
            .iter()
            .map(|signal| signal.urgent)
            .max()
            .unwrap_or(0)
    }

    /// Load of the fullest signal.
    pub(super) fn load(&self) -> f64 {
        let loads = self.all.iter().filter(|signal| signal.want.is_some());
        loads.filter_map(|signal| signal.load).fold(0.0, f64::max)
    }

    /// Whether more is expected than there is.
    pub(super) fn rising(&self) -> bool {
        self.all.iter().any(SignalReading::rises)
    }

    /// Why nothing may be removed on these signals.
    pub(super) fn problem(&self) -> Option<&str> {
        self.all.iter().find_map(|signal| signal.problem.as_deref())
    }
}

/// Reads the calls of the members and the configured signals; other signals only inform.
pub(super) fn read(
    observation: &Observation,
    policy: &Policy,
    memory: &Memory,
    supply: Supply,
) -> Readings {
    if matches!(observation.quality, Quality::Missing(_)) {
        return Readings::default();
    }
    let mut all = Vec::with_capacity(1 + policy.signals.len());
    all.push(read_calls(policy, memory, supply));
    for rule in &policy.signals {
        let same = |signal: &&Signal| signal.kind == rule.kind && signal.of == rule.of;
        all.push(match observation.signals.iter().find(same) {
            Some(signal) => read_signal(signal, rule, supply, &observation.members),
            None => unusable(rule, supply, "it was not measured".into()),
        });
    }
    for signal in &observation.signals {
        let configured = |rule: &SignalPolicy| rule.kind == signal.kind && rule.of == signal.of;
        if signal.used.is_finite() && !policy.signals.iter().any(configured) {
            all.push(informing(signal));
        }
    }
    Readings { all }
}

/// The signal `calls`. What the pool needs in all follows from the calls of all its members: the calls
/// of a draining member end there, but their successors come to the active ones. What must be active
/// at once follows from the calls of active members: a drain can be taken back in no time.
fn read_calls(policy: &Policy, memory: &Memory, supply: Supply) -> SignalReading {
    let (used, capacity) = (count(supply.calls), count(supply.capacity));
    let each = supply.each(policy);
    let horizon_s = memory.boot_p90_s(policy) + REACT_S;
    let total = count(supply.all_calls);
    let expected =
        memory
            .flow
            .expected(total, horizon_s, policy.trend_cap, each, memory.last_now_s);
    let (now, keep) = members_for(policy, total, each);
    // Headroom is for what nobody foresees; what is foreseen must only fit.
    let foreseen = match policy.target {
        Target::Load => round_up(expected / (policy.surge_load * each)),
        _ => members_for(policy, expected, each).0,
    };
    SignalReading {
        kind: SignalKind::Calls,
        of: None,
        used,
        expected: used + (expected - total),
        capacity,
        load: (capacity > 0.0).then(|| used / capacity),
        want: Some(now.max(foreseen)),
        urgent: match policy.target {
            Target::Load => round_up(used / (hot_load(policy) * each)),
            // Erlang's formulas leave no more headroom than is needed.
            _ => members_for(policy, used, each).0,
        },
        keep: keep.max(foreseen),
        problem: (supply.unseen > 0).then(|| {
            let (unseen, active) = (supply.unseen, supply.serving + supply.down);
            format!("the calls of {unseen} of {active} active members were not seen")
        }),
    }
}

/// Active members may run so hot while drains can be taken back.
pub(super) fn hot_load(policy: &Policy) -> f64 {
    f64::midpoint(1.0, policy.scale_out_load)
}

/// Members wanted for so many calls, and members that a removal must leave.
pub(super) fn members_for(policy: &Policy, calls: f64, each: f64) -> (u32, u32) {
    match sized(policy.target, calls) {
        Some(servers) => {
            let keep = sized(policy.target, calls * (1.0 + MARGIN)).unwrap_or(servers);
            (round_up(servers / each), round_up(keep / each))
        }
        None => band(calls, each, policy.scale_out_load, policy.scale_in_load),
    }
}

/// Calls that must fit by Erlang's formulas; `None` for a target load.
fn sized(target: Target, erlangs: f64) -> Option<f64> {
    let servers = match target {
        Target::Load => return None,
        Target::ErlangB { blocking } => erlang::servers_for_blocking(erlangs, blocking),
        Target::ErlangC { wait } => erlang::servers_for_waiting(erlangs, wait),
        Target::AnswerTime { answer_s, hold_s } => {
            erlang::servers_for_answer(erlangs, hold_s, answer_s)
        }
    };
    Some(f64::from(servers))
}

/// Members wanted for a load, and members that must stay: enough for the load with the margin (the
/// projection), and as many as leave the load of those before the removal below `scale_in_load`.
pub(super) fn band(used: f64, each: f64, scale_out_load: f64, scale_in_load: f64) -> (u32, u32) {
    let want = round_up(used / (scale_out_load * each));
    let projected = round_up(used / ((scale_out_load - MARGIN).max(0.01) * each));
    let low = round_down(used / (scale_in_load * each));
    (want, want.max(projected).max(low))
}

/// What led to the number that the signals want: the kind, or that more is expected.
pub(super) fn because(signal: &SignalReading) -> super::Cause {
    use super::Cause;
    if signal.rises() {
        return Cause::Forecast;
    }
    match signal.kind {
        SignalKind::Calls => Cause::Calls,
        SignalKind::Requests => Cause::Requests,
        SignalKind::Refused => Cause::Refused,
        SignalKind::Waiting => Cause::Waiting,
        SignalKind::Cpu => Cause::Cpu,
        SignalKind::Memory => Cause::Memory,
        SignalKind::Network => Cause::Network,
    }
}
