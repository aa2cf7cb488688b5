//! Which pods a ReplicaSet deletes first.
//!
//! Source: kubernetes `pkg/controller/controller_utils.go`, `ActivePodsWithRanks`: not assigned, then
//! pending, then not ready, then (the same on every node, no deletion cost here) those that became
//! ready last. Since `LogarithmicScaleDown` (on by default from 1.22) times are compared by the
//! logarithm of the age to base 2, in whole steps, and within a step the UID decides, which is as good
//! as chance: so among pods of the same age class it is not simply the newest.

use std::cmp::Ordering;

use super::in_phase;
use crate::simulate::{SimMember, SimPhase, View};

/// The pods that are not being deleted yet, the first to be deleted first.
pub(super) fn deletion_order<'a>(view: &View<'a>) -> Vec<&'a SimMember> {
    let mut booting: Vec<&SimMember> = in_phase(view, SimPhase::Booting).collect();
    let mut active: Vec<&SimMember> = in_phase(view, SimPhase::Active).collect();
    booting.sort_by(|a, b| by_age(view.now_s, a.ordered_s, b.ordered_s, a.id, b.id));
    active.sort_by(|a, b| {
        let ready_s = |member: &SimMember| member.active_s.unwrap_or(member.ordered_s);
        by_age(view.now_s, ready_s(a), ready_s(b), a.id, b.id)
    });
    booting.extend(active);
    booting
}

fn by_age(now_s: f64, a_s: f64, b_s: f64, a_id: u32, b_id: u32) -> Ordering {
    age_class(now_s - a_s)
        .total_cmp(&age_class(now_s - b_s))
        .then(uid(a_id).cmp(&uid(b_id)))
}

/// The logarithm of an age in nanoseconds, in whole steps; -1 for no age.
fn age_class(age_s: f64) -> f64 {
    if age_s > 0.0 {
        (age_s * 1e9).log2().trunc()
    } else {
        -1.0
    }
}

/// A stand-in for a UID: fixed for a member, without order.
fn uid(id: u32) -> u64 {
    let mixed = (u64::from(id) + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(id: u32, phase: SimPhase, since_s: f64) -> SimMember {
        SimMember {
            id,
            phase,
            calls: 1,
            ordered_s: since_s,
            active_s: (phase != SimPhase::Booting).then_some(since_s),
            draining_s: None,
        }
    }

    fn order(now_s: f64, members: &[SimMember]) -> Vec<u32> {
        let view = View {
            now_s,
            members,
            capacity_calls: 1,
            metrics: true,
            started: 0,
            refused: 0,
            booted_s: &[],
            failed_creates: 0,
        };
        deletion_order(&view)
            .iter()
            .map(|member| member.id)
            .collect()
    }

    #[test]
    fn pods_that_are_not_ready_go_first_then_the_youngest_age_class() {
        let members = [
            member(1, SimPhase::Active, 0.0),
            member(2, SimPhase::Active, 9_000.0),
            member(3, SimPhase::Draining, 0.0),
            member(4, SimPhase::Booting, 9_990.0),
        ];
        assert_eq!(order(10_000.0, &members), [4, 2, 1]);
    }

    #[test]
    fn within_an_age_class_chance_decides_and_always_the_same_way() {
        let members: Vec<SimMember> = (0..16)
            .map(|id| member(id, SimPhase::Active, f64::from(id)))
            .collect();
        let first = order(10_000.0, &members);
        assert_eq!(first, order(10_001.0, &members));
        assert_ne!(first, (0..16).collect::<Vec<_>>());
        assert_ne!(first, (0..16).rev().collect::<Vec<_>>());
    }
}
