//! The rules between values, which TOML and types cannot say.

use kamscale_shm::limits;
use kamscale_shm::spec::{is_name, is_uri};

use super::{Config, Decider, Listen, LocalConfig, PoolConfig};
use crate::plan::Mode;

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
}

pub(super) fn check(config: &Config) -> Checked {
    let at = At(&["agent"]);
    let agent = &config.agent;
    at.need("instance", is_name(&agent.instance), NAME_RULE)?;
    at.seconds("interval_s", agent.interval_s, 0.05, 10.0)?;
    at.need(
        "decide",
        agent.decide == Decider::Agent,
        "\"aodh\" is not yet possible; write decide = \"agent\"",
    )?;
    at.need(
        "listen",
        !agent.listen.values().is_empty(),
        "empty; name at least one address",
    )?;
    for text in agent.listen.values() {
        Listen::parse(text).map_err(|problem| at.fault("listen", problem))?;
    }
    for (name, pool) in &config.pools {
        At(&["pools"]).need(name, is_name(name), NAME_RULE)?;
        check_pool(name, pool)?;
    }
    Ok(())
}

/// Leaves room for `-` and a number in the names of members.
const MAX_LOCAL_POOL_NAME_BYTES: usize = 48;

const NAME_RULE: &str = "a name has 1 to 63 of A-Z a-z 0-9 _ . -";

fn check_pool(name: &str, pool: &PoolConfig) -> Checked {
    let at = At(&["pools", name]);
    if let Some(feature) = &pool.feature {
        at.need("feature", is_name(feature), NAME_RULE)?;
    }
    check_size(&at, pool)?;
    check_loads(&at, pool)?;
    at.seconds("stabilization_s", pool.stabilization_s, 0.0, 604_800.0)?;
    at.seconds("cooldown_out_s", pool.cooldown_out_s, 0.0, 86_400.0)?;
    at.seconds("cooldown_in_s", pool.cooldown_in_s, 0.0, 86_400.0)?;
    at.seconds("drain_timeout_s", pool.drain_timeout_s, 1.0, 604_800.0)?;
    at.seconds("empty_for_s", pool.empty_for_s, 0.0, 3_600.0)?;
    at.seconds("protect_new_s", pool.protect_new_s, 0.0, 604_800.0)?;
    at.seconds("create_retry_s", pool.create_retry_s, 0.1, 900.0)?;
    at.need(
        "max_booting",
        pool.max_booting > 0,
        "0 would never add a member; write 1 or more",
    )?;
    at.need(
        "hash_bits",
        limits::HASH_BITS.contains(&pool.hash_bits),
        format!(
            "must be {} to {}",
            limits::HASH_BITS.start(),
            limits::HASH_BITS.end()
        ),
    )?;
    let capacity = pool.member.capacity_calls;
    At(&["pools", name, "member"]).need(
        "capacity_calls",
        capacity > 0,
        "0 would make the load unknown; write the calls that a member may carry",
    )?;
    if let Some(local) = &pool.local {
        check_local(name, pool, local)?;
    }
    check_members(name, pool)
}

fn check_size(at: &At<'_>, pool: &PoolConfig) -> Checked {
    let scales = matches!(pool.mode(), Mode::On | Mode::OutOnly);
    at.need(
        "mode",
        !scales || pool.local.is_some(),
        "nothing here can make members; add a `local` section, or write mode = \"paused\"",
    )?;
    at.need(
        "max",
        pool.max.is_some() || pool.local.is_none(),
        "missing; an elastic pool needs an upper limit, as max = 4",
    )?;
    let max = pool.max.unwrap_or(u32::MAX);
    at.need("max", max > 0, "must be 1 or more")?;
    at.need(
        "min",
        pool.min <= max,
        format!("min {} is above max {max}", pool.min),
    )?;
    at.need(
        "min",
        pool.min > 0 || pool.local.is_none(),
        "must be 1 or more: an empty pool shows no load and would never grow again",
    )?;
    at.need(
        "max",
        pool.local.is_none() || max as usize <= limits::MAX_MEMBERS,
        format!("a table has at most {} members", limits::MAX_MEMBERS),
    )
}

fn check_loads(at: &At<'_>, pool: &PoolConfig) -> Checked {
    let (low, high) = (pool.scale_in_load, pool.scale_out_load);
    at.need(
        "scale_out_load",
        high > 0.0 && high <= 1.0,
        format!("{high} is not in 0 to 1"),
    )?;
    at.need(
        "scale_in_load",
        low >= 0.0 && low < high,
        format!("{low} must be below scale_out_load {high}, or the pool would flap"),
    )?;
    at.need(
        "surge_load",
        pool.surge_load >= high && pool.surge_load.is_finite(),
        format!(
            "{} must not be below scale_out_load {high}",
            pool.surge_load
        ),
    )?;
    at.need(
        "surge_step",
        (1.0..=10.0).contains(&pool.surge_step),
        format!("{} is not in 1 to 10", pool.surge_step),
    )
}

fn check_local(name: &str, pool: &PoolConfig, local: &LocalConfig) -> Checked {
    At(&["pools"]).need(
        name,
        name.len() <= MAX_LOCAL_POOL_NAME_BYTES,
        "too long: members are named after it, and a name has at most 63 characters",
    )?;
    let at = At(&["pools", name, "local"]);
    let command = local
        .start
        .first()
        .is_some_and(|command| !command.is_empty());
    at.need(
        "start",
        command,
        "empty; write the command and its arguments as a list",
    )?;
    for part in local.start.iter().chain([&local.uri]) {
        let key = if part == &local.uri { "uri" } else { "start" };
        if let Some(unknown) = crate::actuator::unknown_placeholder(part) {
            return Err(at.fault(
                key,
                format!("unknown placeholder {{{unknown}}}; there are {{name}} {{pool}} {{address}} {{port}}"),
            ));
        }
    }
    let addresses = local
        .addresses
        .all()
        .map_err(|problem| at.fault("addresses", problem))?;
    let max = pool.max.unwrap_or(0) as usize;
    at.need(
        "addresses",
        addresses.len() >= max,
        format!(
            "{} addresses for max = {max} members; add addresses",
            addresses.len()
        ),
    )?;
    at.need("port", local.port > 0, "must be 1 or more")?;
    let uri = local.uri.replace(['{', '}'], "");
    at.need(
        "uri",
        is_uri(&uri),
        "no SIP URI; write \"sip:{address}:{port}\"",
    )?;
    at.need(
        "ready_options",
        local.ready_options > 0,
        "must be 1 or more",
    )?;
    at.seconds("ready_interval_s", local.ready_interval_s, 0.01, 60.0)?;
    at.seconds("boot_timeout_s", local.boot_timeout_s, 0.1, 86_400.0)?;
    at.seconds("stop_timeout_s", local.stop_timeout_s, 0.0, 3_600.0)
}

fn check_members(name: &str, pool: &PoolConfig) -> Checked {
    for (index, member) in pool.members.iter().enumerate() {
        let place = index.to_string();
        let path = ["pools", name, "members", &place];
        let at = At(&path);
        at.need("name", is_name(&member.name), NAME_RULE)?;
        let first = pool
            .members
            .iter()
            .position(|other| other.name == member.name);
        at.need(
            "name",
            first == Some(index),
            format!("\"{}\" is there twice", member.name),
        )?;
        at.need(
            "uri",
            is_uri(&member.uri),
            "no SIP URI; write \"sip:192.0.2.1:5060\"",
        )?;
        at.need(
            "capacity_calls",
            member.capacity_calls != Some(0),
            "0 makes the load unknown",
        )?;
    }
    Ok(())
}
