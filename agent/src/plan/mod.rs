//! The plan: what one pool needs, decided from what was seen.
//!
//! [`decide()`] is pure: no I/O, no clock, no randomness; the same input gives the same plan, in the
//! agent, in the simulator and in the tests. It must not know processes, Heat or shared memory.
//! Its one rule above all: what was not seen never removes capacity.

mod bounds;
mod budget;
mod cause;
mod creation;
mod decide;
mod drains;
pub mod erlang;
mod flow;
mod grow;
mod measured;
mod memory;
mod number;
mod observation;
mod policy;
mod removal;
mod schedule;
mod supply;
mod time;
mod want;
mod words;

pub use cause::{Bound, Cause};
pub use decide::decide;
pub use flow::{Flow, Sample};
pub use memory::{DrainClock, Memory, Peak, Spent};
pub use observation::{MemberView, Observation, Phase, Quality, Signal};
pub use policy::{Mode, Policy, SignalKind, SignalPolicy, Target};
pub use schedule::Floor;
pub use want::SignalReading;

use serde::{Deserialize, Serialize};

/// One step towards what is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// Create so many members.
    Boot {
        /// How many.
        count: u32,
    },
    /// A draining member takes requests again.
    TakeBack {
        /// Its name.
        member: String,
    },
    /// A member takes no new requests any more.
    Drain {
        /// Its name.
        member: String,
    },
    /// A drained member leaves the table and is stopped.
    Remove {
        /// Its name.
        member: String,
    },
    /// Nothing to do.
    Hold,
}

impl Action {
    /// The name in metrics and logs.
    pub fn name(&self) -> &'static str {
        match self {
            Action::Boot { .. } => "boot",
            Action::TakeBack { .. } => "take_back",
            Action::Drain { .. } => "drain",
            Action::Remove { .. } => "remove",
            Action::Hold => "hold",
        }
    }
}

/// What is to be done with a pool, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Members that the pool should have.
    pub want: u32,
    /// Steps, in this order; `[Hold]` if there is nothing to do.
    pub actions: Vec<Action>,
    /// What would be done in the modes `on`; only in mode `advise`.
    pub advice: Vec<Action>,
    /// The signals that were looked at.
    pub signals: Vec<SignalReading>,
    /// What raised or limited the number wanted, in this order, and to what.
    pub bounds: Vec<(Bound, u32)>,
    /// Why, as one of few words: for metrics.
    pub cause: Cause,
    /// Why these steps, and not more or fewer, in words.
    pub reason: String,
}

impl Plan {
    /// Whether it does anything.
    pub fn acts(&self) -> bool {
        self.actions.iter().any(|action| *action != Action::Hold)
    }
}

#[cfg(test)]
mod tests;
