//! The rules between values, which TOML and types cannot say.

mod dns;
mod features;
mod host;
mod inventory;
mod lease;
mod members;
mod openstack;
mod options;
mod policy;
mod prometheus;
mod stacks;

use kamscale_shm::limits;
use kamscale_shm::spec::is_name;

use super::{Config, Listen, PoolConfig};
use crate::plan::{Mode, Policy};
use dns::check_dns;
use features::check_feature;
use host::check_host;
use inventory::check_inventory;
pub(super) use lease::check_lease;
use members::{check_local, check_members};
use openstack::{check_cloud, check_decide, check_heat};
use options::{check_member_options, check_pool_options};
use policy::{check_policy, check_signals_written};
use prometheus::{check_prometheus, check_source};
use stacks::{check_stack, check_stacked_pool};

/// What is wrong, and at which key.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) path: Vec<String>,
    pub(super) problem: String,
}

type Checked = Result<(), Fault>;

/// Where a key stands: the names from the root of the file.
struct At<'a>(&'a [&'a str]);

impl At<'_> {
    fn fault(&self, key: &str, problem: impl Into<String>) -> Fault {
        let path = self
            .0
            .iter()
            .copied()
            .chain([key])
            .map(str::to_owned)
            .collect();
        Fault {
            path,
            problem: problem.into(),
        }
    }

    fn need(&self, key: &str, holds: bool, problem: impl Into<String>) -> Checked {
        if holds {
            Ok(())
        } else {
            Err(self.fault(key, problem))
        }
    }

    fn seconds(&self, key: &str, value: f64, least: f64, most: f64) -> Checked {
        let holds = value.is_finite() && (least..=most).contains(&value);
        self.need(
            key,
            holds,
            format!("{value} is not in {least} to {most} seconds"),
        )
    }

    fn within(&self, key: &str, value: f64, least: f64, most: f64) -> Checked {
        let holds = value.is_finite() && (least..=most).contains(&value);
        self.need(key, holds, format!("{value} is not in {least} to {most}"))
    }
}

pub(super) fn check(config: &Config) -> Checked {
    let at = At(&["agent"]);
    let agent = &config.agent;
    at.need("instance", is_name(&agent.instance), NAME_RULE)?;
    at.seconds("interval_s", agent.interval_s, 0.05, 10.0)?;
    at.need(
        "listen",
        !agent.listen.values().is_empty(),
        "empty; name at least one address",
    )?;
    for text in agent.listen.values() {
        Listen::parse(text).map_err(|problem| at.fault("listen", problem))?;
    }
    check_cloud(config)?;
    config.lease.as_ref().map_or(Ok(()), check_lease)?;
    config.host.as_ref().map_or(Ok(()), check_host)?;
    check_dns(&config.dns)?;
    if let Some(inventory) = &config.inventory {
        check_inventory(config, inventory)?;
    }
    config
        .prometheus
        .as_ref()
        .map_or(Ok(()), check_prometheus)?;
    for (name, stack) in &config.stacks {
        if let Some(heat) = &stack.heat {
            check_heat(["stacks", name], heat, true)?;
        }
        check_stack(config, name, stack)?;
    }
    for (name, pool) in &config.pools {
        At(&["pools"]).need(name, is_name(name), NAME_RULE)?;
        check_pool(config, name, pool)?;
    }
    for (name, feature) in &config.features {
        check_feature(config, name, feature)?;
    }
    Ok(())
}

const NAME_RULE: &str = "a name has 1 to 63 of A-Z a-z 0-9 _ . -";

fn check_pool(config: &Config, name: &str, pool: &PoolConfig) -> Checked {
    let path = ["pools", name];
    let at = At(&path);
    if let Some(feature) = &pool.feature {
        at.need("feature", is_name(feature), NAME_RULE)?;
    }
    let mut most = pool.max.unwrap_or(0);
    if let Some((stack, section)) = config.stack_of(name) {
        check_stacked_pool(&at, pool, stack)?;
        let count = section.pools.get(name).copied().unwrap_or(0);
        most = section.max.unwrap_or(0).saturating_mul(count);
    } else {
        check_alone(&at, pool)?;
    }
    check_policy(&path, &pool.policy(name))?;
    at.need(
        "hash_bits",
        limits::HASH_BITS.contains(&pool.hash_bits),
        format!(
            "must be {} to {}",
            limits::HASH_BITS.start(),
            limits::HASH_BITS.end()
        ),
    )?;
    At(&["pools", name, "member"]).need(
        "capacity_calls",
        pool.member.capacity_calls > 0,
        "0 would make the load unknown; write the calls that a member may carry",
    )?;
    check_member_options(&["pools", name, "member"], &pool.member.options())?;
    check_pool_options(config, name, pool)?;
    check_signals_written(config, &path, &pool.signals)?;
    check_decide(config, name)?;
    if let Some(heat) = &pool.heat {
        let alone = pool.local.is_none();
        let why = "a pool has one actuator; remove the `local` section or this one";
        at.need("heat", alone, why)?;
        let part = config
            .stack_of(name)
            .is_some_and(|(_, stack)| stack.heat.is_some());
        let why = "its stack has a `heat` section already, which makes all its machines";
        at.need("heat", !part, why)?;
        check_heat(["pools", name], heat, false)?;
    }
    if let Some(local) = &pool.local {
        check_local(name, most as usize, local)?;
    }
    check_members(name, pool)
}

/// A pool that is scaled by itself, or by nobody.
fn check_alone(at: &At<'_>, pool: &PoolConfig) -> Checked {
    let scales = matches!(pool.mode(), Mode::On | Mode::OutOnly);
    at.need(
        "mode",
        !scales || pool.has_actuator(),
        "nothing here can make members; add a `local` section, or write mode = \"paused\"",
    )?;
    for (index, signal) in pool.signals.iter().enumerate() {
        let place = index.to_string();
        let path = [at.0, &["signals", &place]].concat();
        let why = "only signals in a [stacks.NAME] section are of a pool; leave it out";
        At(&path).need("of", signal.of.is_none(), why)?;
    }
    at.need(
        "max",
        pool.max
            .is_none_or(|max| max as usize <= limits::MAX_MEMBERS),
        format!("a table has at most {} members", limits::MAX_MEMBERS),
    )?;
    check_size(at, pool.min, pool.max, pool.has_actuator())
}

/// The limits as they were written, before the policy bends the minimum below the maximum.
fn check_size(at: &At<'_>, min: Option<u32>, max: Option<u32>, elastic: bool) -> Checked {
    at.need(
        "max",
        max.is_some() || !elastic,
        "missing; what is elastic needs an upper limit, as max = 4",
    )?;
    let max = max.unwrap_or(u32::MAX);
    at.need("max", max > 0, "must be 1 or more")?;
    match min {
        Some(min) => at.need(
            "min",
            min <= max,
            format!("min {min} is above max {max}; lower min, or raise max"),
        )?,
        None => {
            let default = Policy::default().min;
            at.need(
                "max",
                !elastic || default <= max,
                format!("max {max} is below the default min = {default}; write min = {max}, too"),
            )?;
        }
    }
    at.need(
        "min",
        min != Some(0) || !elastic,
        "must be 1 or more: what is empty shows no load and would never grow again",
    )
}
