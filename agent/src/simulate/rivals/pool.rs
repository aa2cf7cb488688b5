//! What rivals read out of a view: members by phase, load, whole members. No rules.

use crate::simulate::{SimMember, SimPhase, View};

/// The members in a phase, oldest first.
pub(super) fn in_phase<'a>(
    view: &View<'a>,
    phase: SimPhase,
) -> impl Iterator<Item = &'a SimMember> + use<'a> {
    view.members
        .iter()
        .filter(move |member| member.phase == phase)
}

/// How many members are in a phase.
pub(super) fn count(view: &View<'_>, phase: SimPhase) -> u32 {
    whole(in_phase(view, phase).count())
}

/// Calls per capacity of the active members, as their mean. `None` without metrics or without
/// active members.
pub(super) fn load(view: &View<'_>) -> Option<f64> {
    let active = count(view, SimPhase::Active);
    if !view.metrics || active == 0 || view.capacity_calls == 0 {
        return None;
    }
    let calls: u64 = in_phase(view, SimPhase::Active)
        .map(|member| u64::from(member.calls))
        .sum();
    #[expect(clippy::cast_precision_loss, reason = "far fewer calls than 2^52")]
    let calls = calls as f64;
    Some(calls / f64::from(active) / f64::from(view.capacity_calls))
}

/// A number of members, which always fits.
pub(super) fn whole(members: usize) -> u32 {
    u32::try_from(members).unwrap_or(u32::MAX)
}

/// Rounds up to whole members; below zero and not a number give 0.
pub(super) fn round_up(members: f64) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to the range of u32; not a number becomes 0"
    )]
    let members = members.ceil().clamp(0.0, f64::from(u32::MAX)) as u32;
    members
}
