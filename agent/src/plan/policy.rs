//! Policy: what the operator configured for one pool.

use serde::{Deserialize, Serialize};

use super::Floor;

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

/// What is measured. The largest want of all signals wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignalKind {
    /// Calls that are carried.
    Calls,
    /// Requests per second of the pool's feature.
    Requests,
    /// Requests per second that found no member or were not admitted.
    Refused,
    /// Callers that wait in a queue.
    Waiting,
    /// Processors in use, as a share of each member's (1 = all of one member).
    Cpu,
    /// Memory in use, as a share of each member's.
    Memory,
    /// Network in use, as a share of each member's line.
    Network,
}

impl SignalKind {
    /// The name in configuration, metrics and reasons.
    pub fn name(self) -> &'static str {
        match self {
            SignalKind::Calls => "calls",
            SignalKind::Requests => "requests",
            SignalKind::Refused => "refused",
            SignalKind::Waiting => "waiting",
            SignalKind::Cpu => "cpu",
            SignalKind::Memory => "memory",
            SignalKind::Network => "network",
        }
    }

    /// The unit of `used` and of a member's capacity.
    pub fn unit(self) -> &'static str {
        match self {
            SignalKind::Calls => "calls",
            SignalKind::Requests | SignalKind::Refused => "requests/s",
            SignalKind::Waiting => "callers",
            SignalKind::Cpu | SignalKind::Memory | SignalKind::Network => "members' worth",
        }
    }

    /// Whether each member reports it, as a share of what it has.
    pub fn is_share(self) -> bool {
        matches!(
            self,
            SignalKind::Cpu | SignalKind::Memory | SignalKind::Network
        )
    }
}

/// How one signal asks for members.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SignalPolicy {
    /// Which signal.
    pub kind: SignalKind,
    /// The type of machine that it is about, in a stack of several types.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// What one member can bear, in the unit of the kind.
    pub capacity: f64,
    /// Load above which members are added.
    pub scale_out_load: f64,
    /// Load below which a member may go.
    pub scale_in_load: f64,
    /// Older than this it is not used.
    pub max_age_s: f64,
}

/// What a pool's size aims at.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// `scale_out_load` of the members' capacity.
    Load,
    /// Erlang B: the probability that a call finds all capacity taken.
    ErlangB {
        /// At most this, as 0.001.
        blocking: f64,
    },
    /// Erlang C: the probability that a caller must wait in the queue.
    ErlangC {
        /// At most this, as 0.2.
        wait: f64,
    },
    /// Erlang C: the mean time until a caller is answered.
    AnswerTime {
        /// At most so many seconds.
        answer_s: f64,
        /// Mean holding time of a call, in seconds.
        hold_s: f64,
    },
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
    pub survive_losses: u32,
    pub target: Target,
    pub scale_out_load: f64,
    pub scale_in_load: f64,
    pub signals: Vec<SignalPolicy>,
    pub floors: Vec<Floor>,
    pub stabilization_s: f64,
    pub cooldown_out_s: f64,
    pub cooldown_in_s: f64,
    pub drain_timeout_s: f64,
    pub empty_for_s: f64,
    pub protect_new_s: f64,
    pub max_booting: u32,
    pub max_growth_share: f64,
    pub max_shrink_share: f64,
    pub surge_load: f64,
    pub surge_step: f64,
    pub boot_s: f64,
    pub trend_cap: f64,
    pub create_retry_s: f64,
    pub budget_member_hours: Option<f64>,
    pub outage_drop: f64,
    pub outage_guard_s: f64,
    pub fallback_members: u32,
    pub fallback_after_s: f64,
    pub capacity_calls: u32,
    /// Spreads the retries of pools that failed together; any number, the same for the same pool.
    pub jitter_seed: u64,
}

impl Default for Policy {
    /// The documented defaults; `max` has none and is boundless here.
    fn default() -> Policy {
        Policy {
            mode: Mode::On,
            min: 2,
            max: u32::MAX,
            spare: 0,
            survive_losses: 0,
            target: Target::Load,
            scale_out_load: 0.70,
            scale_in_load: 0.65,
            signals: Vec::new(),
            floors: Vec::new(),
            stabilization_s: 900.0,
            cooldown_out_s: 10.0,
            cooldown_in_s: 120.0,
            drain_timeout_s: 28_800.0,
            empty_for_s: 10.0,
            protect_new_s: 600.0,
            max_booting: 20,
            max_growth_share: 1.0,
            max_shrink_share: 0.5,
            surge_load: 0.95,
            surge_step: 1.5,
            boot_s: 240.0,
            trend_cap: 3.0,
            create_retry_s: 60.0,
            budget_member_hours: None,
            outage_drop: 0.6,
            outage_guard_s: 1800.0,
            fallback_members: 0,
            fallback_after_s: 300.0,
            capacity_calls: 100,
            jitter_seed: 0,
        }
    }
}
