//! Policy: what the operator configured for one pool.

use serde::{Deserialize, Serialize};

/// Who may change the size of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The agent adds and removes.
    On,
    /// The agent adds only.
    OutOnly,
    /// The agent says what it would do.
    Advise,
    /// Nobody; only what operators ask for is carried out.
    Paused,
}

/// The numbers behind every decision; meanings as in agent.toml.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(
    missing_docs,
    reason = "named and explained in agent.toml.example, key by key"
)]
pub struct Policy {
    pub mode: Mode,
    pub min: u32,
    pub max: u32,
    pub spare: u32,
    pub scale_out_load: f64,
    pub scale_in_load: f64,
    pub stabilization_s: f64,
    pub cooldown_out_s: f64,
    pub cooldown_in_s: f64,
    pub drain_timeout_s: f64,
    pub empty_for_s: f64,
    pub protect_new_s: f64,
    pub max_booting: u32,
    pub surge_load: f64,
    pub surge_step: f64,
    pub create_retry_s: f64,
    pub capacity_calls: u32,
}
