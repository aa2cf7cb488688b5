//! Section `[pools.NAME]`: policy of a pool, its members, and what makes new ones.

use serde::Deserialize;

use super::keys::{FloorConfig, SignalConfig, TargetConfig, section_with_policy};
use super::{Decider, HeatConfig, LocalConfig};
use crate::plan::{Mode, Policy};

section_with_policy! {
    /// Section `[pools.NAME]`.
    PoolConfig {
        /// The demand counter of the module; the pool's name if absent.
        feature: Option<String> = None,
        /// 2^hash_bits buckets for the algorithm `hash`.
        hash_bits: u8 = 12,
        /// What a new member is like.
        member: MemberTemplate = MemberTemplate::default(),
        /// Members as processes on this machine.
        local: Option<LocalConfig> = None,
        /// Members made by OpenStack Heat.
        heat: Option<HeatConfig> = None,
        /// Who decides about this pool; that of the `agent` section if absent.
        decide: Option<Decider> = None,
        /// Fixed members.
        members: Vec<FixedMember> = Vec::new(),
    }
}

impl PoolConfig {
    /// Whether something here can make members.
    pub fn has_actuator(&self) -> bool {
        self.local.is_some() || self.heat.is_some()
    }

    /// The mode, with its default.
    pub fn mode(&self) -> Mode {
        self.mode.unwrap_or(if self.has_actuator() {
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
    pub fn policy(&self, name: &str) -> Policy {
        // Nobody keeps up a number where nothing can be made.
        let min = if self.has_actuator() {
            Policy::default().min
        } else {
            0
        };
        self.policy_of(name, self.mode(), min, self.member.capacity_calls)
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
