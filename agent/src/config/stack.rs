//! Section `[stacks.NAME]`: machines of several pools that come and go together.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::keys::{FloorConfig, SignalConfig, TargetConfig, section_with_policy};
use super::{Config, Decider, HeatConfig, PoolConfig};
use crate::plan::{Mode, Policy, SignalKind, SignalPolicy};

section_with_policy! {
    /// Section `[stacks.NAME]`: `min`, `max` and so on count whole stacks.
    StackConfig {
        /// So many members of each pool make one stack.
        pools: BTreeMap<String, u32> = BTreeMap::new(),
        /// One Heat stack makes all machines of a stack. Without it each pool has its own actuator.
        heat: Option<HeatConfig> = None,
    }
}

impl StackConfig {
    /// The mode, with its default.
    pub fn mode(&self) -> Mode {
        self.mode.unwrap_or(Mode::On)
    }

    /// What the plan needs of it. The calls of each pool are a signal of their own: the fullest
    /// type of machine decides.
    pub fn policy(&self, name: &str, pools: &BTreeMap<String, PoolConfig>) -> Policy {
        let calls = |pool: &str, count: u32| {
            let each = pools.get(pool).map_or(0, |pool| pool.member.capacity_calls);
            each.saturating_mul(count)
        };
        let machines = self.pools.iter();
        let capacity = machines.fold(0u32, |sum, (pool, count)| {
            sum.saturating_add(calls(pool, *count))
        });
        let min = Policy::default().min;
        let mut policy = self.policy_of(name, self.mode(), min, capacity);
        for (signal, written) in policy.signals.iter_mut().zip(&self.signals) {
            if written.capacity.is_none() {
                signal.capacity = f64::from(self.machines(signal.of.as_deref()));
            }
        }
        let of_pools = self.pools.iter().map(|(pool, count)| SignalPolicy {
            kind: SignalKind::Calls,
            of: Some(pool.clone()),
            capacity: f64::from(calls(pool, *count)),
            scale_out_load: self.scale_out_load,
            scale_in_load: self.scale_in_load,
            // They come from the same look as the members.
            max_age_s: f64::from(u32::MAX),
        });
        policy.signals.splice(0..0, of_pools);
        policy
    }

    /// Machines of a pool in one stack; without one, all machines.
    fn machines(&self, of: Option<&str>) -> u32 {
        let machines = self.pools.iter();
        machines
            .filter(|(pool, _)| of.is_none_or(|of| of == *pool))
            .map(|(_, count)| *count)
            .sum()
    }
}

impl Config {
    /// The stack that a pool belongs to.
    pub fn stack_of(&self, pool: &str) -> Option<(&String, &StackConfig)> {
        let mut stacks = self.stacks.iter();
        stacks.find(|(_, stack)| stack.pools.contains_key(pool))
    }

    /// What a pool is scaled as: its stack, or itself.
    pub fn subject_of<'a>(&'a self, pool: &'a str) -> &'a str {
        self.stack_of(pool).map_or(pool, |(stack, _)| stack)
    }

    /// The section by which Heat makes the members of a pool.
    pub fn heat_of(&self, pool: &str) -> Option<&HeatConfig> {
        let own = self.pools.get(pool).and_then(|pool| pool.heat.as_ref());
        own.or_else(|| {
            self.stack_of(pool)
                .and_then(|(_, stack)| stack.heat.as_ref())
        })
    }

    /// Who decides about a pool.
    pub fn decider(&self, pool: &str) -> Decider {
        let written = self.pools.get(pool).and_then(|pool| pool.decide);
        written.unwrap_or(self.agent.decide)
    }

    /// What is scaled by one decision: pools on their own, and stacks.
    pub fn subjects(&self) -> Vec<String> {
        let alone = self
            .pools
            .keys()
            .filter(|pool| self.stack_of(pool).is_none());
        alone.chain(self.stacks.keys()).cloned().collect()
    }
}
