//! How many members the signals ask for.

use serde::{Deserialize, Serialize};

use super::{MemberView, Observation, Phase, Policy, Quality, SignalKind};

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
    /// Members that this signal asks for, before limits.
    pub want: u32,
    /// Why it may not lead to a removal, or not be used at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// The state of supply: who serves, who boots.
#[derive(Debug, Clone, Copy)]
pub(super) struct Supply {
    /// Active members that are not down.
    pub(super) serving: u32,
    /// Active members that are down.
    pub(super) down: u32,
    /// Booting members.
    pub(super) booting: u32,
    /// All members that exist, whatever they do.
    pub(super) existing: u32,
}

impl Supply {
    pub(super) fn of(observation: &Observation) -> Supply {
        let count = |test: &dyn Fn(&MemberView) -> bool| {
            let count = observation
                .members
                .iter()
                .filter(|member| test(member))
                .count();
            u32::try_from(count).unwrap_or(u32::MAX)
        };
        Supply {
            serving: count(&|member| member.phase == Phase::Active && !member.down),
            down: count(&|member| member.phase == Phase::Active && member.down),
            booting: count(&|member| member.phase == Phase::Booting),
            existing: count(&|_| true),
        }
    }
}

/// The signal `calls`: calls on active members against their capacity.
pub(super) fn read_calls(observation: &Observation, policy: &Policy) -> Option<SignalReading> {
    if matches!(observation.quality, Quality::Missing(_)) {
        return None;
    }
    let active = || {
        observation
            .members
            .iter()
            .filter(|member| member.phase == Phase::Active)
    };
    // A member whose calls were not seen counts as empty here: it may not add on its own.
    let used: f64 = active()
        .map(|member| f64::from(member.calls.unwrap_or(0)))
        .fold(0.0, |sum, calls| sum + calls);
    let serving = || active().filter(|member| !member.down);
    // Not sum(): an empty sum of floats is -0, and people would read it.
    let capacity = serving()
        .map(|member| f64::from(member.capacity))
        .fold(0.0, |a, b| a + b);
    let members = u32::try_from(serving().count()).unwrap_or(u32::MAX);
    let each = if capacity > 0.0 {
        capacity / f64::from(members)
    } else {
        f64::from(policy.capacity_calls)
    };
    let load = (capacity > 0.0).then(|| used / capacity);
    Some(SignalReading {
        kind: SignalKind::Calls,
        of: None,
        used,
        expected: used,
        capacity,
        load,
        problem: None,
        want: round_up(used / (policy.scale_out_load * each)),
    })
}

/// How many members are wanted: the largest signal, the surge step, spare, and the limits.
pub(super) fn want(signals: &[SignalReading], supply: Supply, policy: &Policy) -> (u32, bool) {
    let largest = signals.iter().map(|signal| signal.want).max().unwrap_or(0);
    let load = signals
        .iter()
        .filter_map(|signal| signal.load)
        .fold(0.0, f64::max);
    let surging = supply.serving > 0 && load >= policy.surge_load;
    let surge = if surging {
        round_up(policy.surge_step * f64::from(supply.serving))
    } else {
        0
    };
    let want = largest.max(surge).saturating_add(policy.spare);
    (want.clamp(policy.min, policy.max), surging)
}

/// Rounds up to members; a hair above a whole number is noise of floating point, not demand.
fn round_up(members: f64) -> u32 {
    let members = (members - 1e-9).ceil().clamp(0.0, f64::from(u32::MAX));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to the range of u32 just above"
    )]
    let members = members as u32;
    members
}
