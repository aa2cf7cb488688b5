//! Observation: what was seen of one pool at one moment.

use serde::{Deserialize, Serialize};

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

/// One member as it was seen.
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
    /// Seconds since it became active.
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
    /// Requests per second of the pool's feature, 30 s mean.
    pub requests_per_s: Option<f64>,
    /// Creations that failed since the last decision.
    pub failed_creates: u32,
    /// Creations that succeeded since the last decision.
    pub finished_creates: u32,
    /// Whether the agent started since the last decision.
    pub agent_restarted: bool,
}
