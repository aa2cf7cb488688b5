//! Supply: who serves, who boots, who leaves, and what they carry; one pass over the members.

use super::number::count;
use super::{Observation, Phase, Policy};

/// What the members amount to.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Supply {
    /// Active members that are not down.
    pub(super) serving: u32,
    /// Active members that are down.
    pub(super) down: u32,
    /// Booting members that may be ready soon.
    pub(super) booting: u32,
    /// Booting members that take too long to be counted on.
    pub(super) overdue: u32,
    /// Members that drain because the plan said so, and can be taken back.
    pub(super) draining: u32,
    /// Members that leave because an operator said so.
    pub(super) leaving: u32,
    /// Members that an operator keeps out.
    pub(super) held: u32,
    /// All members that exist, whatever they do.
    pub(super) existing: u32,
    /// Active members whose calls were not seen.
    pub(super) unseen: u32,
    /// Calls on active members.
    pub(super) calls: u64,
    /// Calls on all members: the demand.
    pub(super) all_calls: u64,
    /// Calls that fit on serving members.
    pub(super) capacity: u64,
}

impl Supply {
    /// Creations older than `overdue_s` are not counted on.
    pub(super) fn of(observation: &Observation, overdue_s: f64) -> Supply {
        let mut supply = Supply::default();
        for member in &observation.members {
            supply.existing += 1;
            let calls = u64::from(member.calls.unwrap_or(0));
            supply.all_calls += calls;
            match member.phase {
                Phase::Active => {
                    // A member whose calls were not seen counts as empty here: it may not add.
                    supply.calls += calls;
                    supply.unseen += u32::from(member.calls.is_none());
                    if member.down {
                        supply.down += 1;
                    } else {
                        supply.serving += 1;
                        supply.capacity += u64::from(member.capacity);
                    }
                }
                Phase::Booting if member.age_s > overdue_s => supply.overdue += 1,
                Phase::Booting => supply.booting += 1,
                Phase::Draining => supply.draining += u32::from(!member.down),
                Phase::Leaving => supply.leaving += 1,
                Phase::Held => supply.held += 1,
            }
        }
        supply
    }

    /// Calls that one member may carry, on average.
    pub(super) fn each(&self, policy: &Policy) -> f64 {
        if self.capacity > 0 {
            count(self.capacity) / f64::from(self.serving)
        } else {
            f64::from(policy.capacity_calls).max(1.0)
        }
    }

    /// Members that neither take calls nor will: they drain, leave or are held.
    pub(super) fn out_of_use(&self) -> u32 {
        self.existing - self.serving - self.down - self.booting - self.overdue
    }

    /// Members that take calls now or soon.
    pub(super) fn have(&self) -> u32 {
        self.serving + self.booting
    }
}
