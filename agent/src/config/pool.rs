//! Section `[pools.NAME]`: policy of a pool, its members, and what makes new ones.

use serde::Deserialize;

use super::Addresses;
use crate::plan::{Mode, Policy};

/// Section `[pools.NAME]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PoolConfig {
    /// The demand counter of the module; the pool's name if absent.
    pub feature: Option<String>,
    /// Who scales; `on` for pools with an actuator, else `paused`.
    pub mode: Option<Mode>,
    /// Never fewer members.
    pub min: u32,
    /// Never more members; must be written where the agent scales.
    pub max: Option<u32>,
    /// Members beyond what the load needs.
    pub spare: u32,
    /// Load above which members are added.
    pub scale_out_load: f64,
    /// Load below which a member may go.
    pub scale_in_load: f64,
    /// How long demand must have been low.
    pub stabilization_s: f64,
    /// Between two additions.
    pub cooldown_out_s: f64,
    /// Between two removals.
    pub cooldown_in_s: f64,
    /// A draining member with calls is stopped after so long.
    pub drain_timeout_s: f64,
    /// 0 calls for so long before a drained member is stopped.
    pub empty_for_s: f64,
    /// A new member is not drained for so long.
    pub protect_new_s: f64,
    /// Members that may boot at the same time.
    pub max_booting: u32,
    /// Load from which the surge step is taken.
    pub surge_load: f64,
    /// The surge step: members wanted per active member.
    pub surge_step: f64,
    /// First pause after a failed creation; doubles up to 15 minutes.
    pub create_retry_s: f64,
    /// 2^hash_bits buckets for the algorithm `hash`.
    pub hash_bits: u8,
    /// What a new member is like.
    pub member: MemberTemplate,
    /// Members as processes on this machine.
    pub local: Option<LocalConfig>,
    /// Fixed members.
    pub members: Vec<FixedMember>,
}

impl Default for PoolConfig {
    fn default() -> Self {
        PoolConfig {
            feature: None,
            mode: None,
            min: 1,
            max: None,
            spare: 0,
            scale_out_load: 0.70,
            scale_in_load: 0.50,
            stabilization_s: 600.0,
            cooldown_out_s: 20.0,
            cooldown_in_s: 120.0,
            drain_timeout_s: 14_400.0,
            empty_for_s: 10.0,
            protect_new_s: 600.0,
            max_booting: 4,
            surge_load: 0.95,
            surge_step: 1.5,
            create_retry_s: 60.0,
            hash_bits: 12,
            member: MemberTemplate::default(),
            local: None,
            members: Vec::new(),
        }
    }
}

impl PoolConfig {
    /// The mode, with its default.
    pub fn mode(&self) -> Mode {
        self.mode.unwrap_or(if self.local.is_some() {
            Mode::On
        } else {
            Mode::Paused
        })
    }

    /// The feature whose rate is shown beside this pool.
    pub fn feature<'a>(&'a self, pool: &'a str) -> &'a str {
        self.feature.as_deref().unwrap_or(pool)
    }

    /// What the plan needs of it.
    pub fn policy(&self) -> Policy {
        Policy {
            mode: self.mode(),
            min: self.min,
            max: self.max.unwrap_or(u32::MAX),
            spare: self.spare,
            scale_out_load: self.scale_out_load,
            scale_in_load: self.scale_in_load,
            stabilization_s: self.stabilization_s,
            cooldown_out_s: self.cooldown_out_s,
            cooldown_in_s: self.cooldown_in_s,
            drain_timeout_s: self.drain_timeout_s,
            empty_for_s: self.empty_for_s,
            protect_new_s: self.protect_new_s,
            max_booting: self.max_booting,
            surge_load: self.surge_load,
            surge_step: self.surge_step,
            create_retry_s: self.create_retry_s,
            capacity_calls: self.member.capacity_calls,
            ..Policy::default()
        }
    }
}

/// Section `[pools.NAME.member]`: what a new member is like.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MemberTemplate {
    /// Calls that it may carry.
    pub capacity_calls: u32,
    /// Share of requests against its siblings.
    pub weight: u16,
    /// For the algorithm `serial`: higher is tried first.
    pub priority: u16,
}

impl Default for MemberTemplate {
    fn default() -> Self {
        MemberTemplate {
            capacity_calls: 100,
            weight: 100,
            priority: 0,
        }
    }
}

/// Section `[[pools.NAME.members]]`: a member that is always there.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FixedMember {
    /// Its name, unique in the pool.
    pub name: String,
    /// Where requests go.
    pub uri: String,
    /// Calls that it may carry; that of the pool's `member` section if absent.
    pub capacity_calls: Option<u32>,
    /// Share of requests; that of the pool's `member` section if absent.
    pub weight: Option<u16>,
    /// Priority; that of the pool's `member` section if absent.
    pub priority: Option<u16>,
}

/// Section `[pools.NAME.local]`: members as processes on this machine.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocalConfig {
    /// Command and arguments with `{name} {pool} {address} {port}`.
    pub start: Vec<String>,
    /// Asks the process to end.
    #[serde(default)]
    pub stop_signal: StopSignal,
    /// SIGKILL follows after so long.
    #[serde(default = "defaults::stop_timeout_s")]
    pub stop_timeout_s: f64,
    /// Addresses, one per member.
    pub addresses: Addresses,
    /// Port of every member.
    #[serde(default = "defaults::port")]
    pub port: u16,
    /// SIP URI with `{name} {pool} {address} {port}`.
    #[serde(default = "defaults::uri")]
    pub uri: String,
    /// So many OPTIONS answered with 2xx in a row make a member ready.
    #[serde(default = "defaults::ready_options")]
    pub ready_options: u32,
    /// Seconds between two OPTIONS, and how long an answer may take.
    #[serde(default = "defaults::ready_interval_s")]
    pub ready_interval_s: f64,
    /// A member that is not ready after so long has failed.
    #[serde(default = "defaults::boot_timeout_s")]
    pub boot_timeout_s: f64,
}

mod defaults {
    pub(super) fn stop_timeout_s() -> f64 {
        5.0
    }
    pub(super) fn port() -> u16 {
        5060
    }
    pub(super) fn uri() -> String {
        "sip:{address}:{port}".into()
    }
    pub(super) fn ready_options() -> u32 {
        3
    }
    pub(super) fn ready_interval_s() -> f64 {
        0.5
    }
    pub(super) fn boot_timeout_s() -> f64 {
        600.0
    }
}

/// The signal that asks a member process to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum StopSignal {
    /// The usual one.
    #[default]
    #[serde(rename = "SIGTERM")]
    Term,
    /// Interrupt.
    #[serde(rename = "SIGINT")]
    Int,
    /// Quit.
    #[serde(rename = "SIGQUIT")]
    Quit,
    /// Hang-up.
    #[serde(rename = "SIGHUP")]
    Hup,
    /// SIPp ends gracefully on it.
    #[serde(rename = "SIGUSR1")]
    Usr1,
    /// For programs with their own meaning of it.
    #[serde(rename = "SIGUSR2")]
    Usr2,
    /// Without asking.
    #[serde(rename = "SIGKILL")]
    Kill,
}
