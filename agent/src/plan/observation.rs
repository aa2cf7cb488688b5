//! Observation: what was seen of one pool at one moment.

use serde::{Deserialize, Serialize};

use super::SignalKind;

/// Whether what was seen may be trusted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quality {
    /// Fresh and complete.
    Good,
    /// Some of it is missing: it may add, never remove.
    Partial(String),
    /// Nothing was seen: only the minimum is kept up.
    Missing(String),
}

/// The stage of a member's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Being created; not ready.
    Booting,
    /// Takes requests.
    Active,
    /// Takes no new requests because the plan said so; can be taken back.
    Draining,
    /// Leaves because an operator said so; goes when it is empty.
    Leaving,
    /// Out of use because an operator said so; stays until the operator says otherwise.
    Held,
}

/// One member as it was seen. In a pool of stacks it is a whole stack: the unit that comes and goes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MemberView {
    /// Its name.
    pub name: String,
    /// The stage of its life.
    pub phase: Phase,
    /// Calls that it carries; `None` if that was not seen.
    pub calls: Option<u32>,
    /// Calls that it may carry.
    pub capacity: u32,
    /// Whether Kamailio found it down.
    pub down: bool,
    /// Whether the plan may drain it (it was made by an actuator).
    pub elastic: bool,
    /// Seconds since it became active; while it boots, since it was ordered.
    pub age_s: f64,
}

/// A measured demand beside the calls of the members.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    /// What was measured.
    pub kind: SignalKind,
    /// The type of machine that it is about, in a stack of several types.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// The sum over the active members that reported, in the unit of its kind.
    pub used: f64,
    /// How many active members reported; `None` if it was measured for the pool as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reported: Option<u32>,
    /// Seconds since it was measured.
    pub age_s: f64,
}

/// One pool at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// Whether what was seen may be trusted.
    pub quality: Quality,
    /// Which Kamailio was seen; another value means that it restarted.
    pub boot_id: Option<u64>,
    /// Its members.
    pub members: Vec<MemberView>,
    /// What was measured beside their calls.
    #[serde(default)]
    pub signals: Vec<Signal>,
    /// Calls begun on its members since Kamailio's start; only grows.
    #[serde(default)]
    pub started: Option<u64>,
    /// Requests for which it had no member, or that were not admitted, since Kamailio's start.
    #[serde(default)]
    pub refused: Option<u64>,
    /// Creations that failed since the last decision.
    #[serde(default)]
    pub failed_creates: u32,
    /// Whether one of those failed because a quota is used up: what exists is all there is.
    #[serde(default)]
    pub quota_reached: bool,
    /// Creations whose outcome is not known: a request timed out and the truth was not read yet.
    #[serde(default)]
    pub unconfirmed_creates: u32,
    /// Seconds that each creation took which succeeded since the last decision.
    #[serde(default)]
    pub booted_s: Vec<f64>,
    /// Whether the demand of another pool collapsed within the last two minutes.
    #[serde(default)]
    pub others_fell: bool,
    /// Whether the agent started since the last decision.
    #[serde(default)]
    pub agent_restarted: bool,
}

impl Observation {
    /// These members, well seen, and nothing else measured or happened.
    pub fn of(members: Vec<MemberView>) -> Observation {
        Observation {
            quality: Quality::Good,
            boot_id: Some(1),
            members,
            signals: Vec::new(),
            started: None,
            refused: None,
            failed_creates: 0,
            quota_reached: false,
            unconfirmed_creates: 0,
            booted_s: Vec::new(),
            others_fell: false,
            agent_restarted: false,
        }
    }
}
