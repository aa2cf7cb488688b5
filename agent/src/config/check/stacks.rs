//! The rules for stacks and for the pools in them.

use kamscale_shm::limits;
use kamscale_shm::spec::is_name;

use super::policy::{check_policy, check_signals_written};
use super::{At, Checked, NAME_RULE, check_size};
use crate::config::{Config, PoolConfig, StackConfig};

/// Machines of one pool in one stack: more are rather a pool of their own.
const MAX_MACHINES: u32 = 100;

pub(super) fn check_stack(config: &Config, name: &str, stack: &StackConfig) -> Checked {
    At(&["stacks"]).need(name, is_name(name), NAME_RULE)?;
    At(&["stacks"]).need(
        name,
        !config.pools.contains_key(name),
        "a pool has this name, too; give the stack another one",
    )?;
    let path = ["stacks", name];
    let at = At(&path);
    at.need(
        "pools",
        !stack.pools.is_empty(),
        "missing; write how many members of each pool make one stack, as {ccp = 2, presence = 1}",
    )?;
    check_size(&at, stack.min, stack.max, true)?;
    let max = stack.max.unwrap_or(u32::MAX);
    for (pool, count) in &stack.pools {
        let at = At(&["stacks", name, "pools"]);
        at.need(
            pool,
            (1..=MAX_MACHINES).contains(count),
            format!("{count} is not in 1 to {MAX_MACHINES}"),
        )?;
        at.need(
            pool,
            max.saturating_mul(*count) as usize <= limits::MAX_MEMBERS,
            format!("a table has at most {} members", limits::MAX_MEMBERS),
        )?;
        let known = config.pools.get(pool);
        at.need(
            pool,
            known.is_some_and(|known| known.has_actuator() != stack.heat.is_some()),
            match (known, &stack.heat) {
                (Some(_), Some(_)) => {
                    "the stack's `heat` section makes all its machines; a pool in it has none of its own".into()
                }
                _ => format!("there is no pool {pool} that can make members; write a [pools.{pool}] section with a `local` or `heat` section"),
            },
        )?;
        let other = config.stack_of(pool).map(|(other, _)| other.as_str());
        at.need(
            pool,
            other == Some(name),
            format!(
                "{pool} belongs to stack {} already",
                other.unwrap_or_default()
            ),
        )?;
    }
    check_signals_written(config, &path, &stack.signals)?;
    for (index, signal) in stack.signals.iter().enumerate() {
        let place = index.to_string();
        At(&["stacks", name, "signals", &place]).need(
            "of",
            signal
                .of
                .as_ref()
                .is_none_or(|of| stack.pools.contains_key(of)),
            "no pool of this stack",
        )?;
    }
    check_policy(&path, &stack.policy(name, &config.pools))
}

/// The pool's size is the stack's matter.
pub(super) fn check_stacked_pool(at: &At<'_>, pool: &PoolConfig, stack: &str) -> Checked {
    let written = [
        ("mode", pool.mode.is_some()),
        ("min", pool.min.is_some()),
        ("max", pool.max.is_some()),
        ("signals", !pool.signals.is_empty()),
        ("floors", !pool.floors.is_empty()),
    ];
    for (key, is_written) in written {
        at.need(
            key,
            !is_written,
            format!("stack {stack} scales this pool; write it in [stacks.{stack}]"),
        )?;
    }
    at.need(
        "members",
        pool.members.is_empty(),
        format!("stack {stack} scales this pool; fixed members need a pool of their own"),
    )
}
