//! The rules for members: those of a `local` section, and fixed ones.

use kamscale_shm::spec::{is_name, is_uri};

use super::options::check_member_options;
use super::{At, Checked, NAME_RULE};
use crate::config::{LocalConfig, PoolConfig};

/// Leaves room for `-` and a number in the names of members.
pub(super) const MAX_LOCAL_POOL_NAME_BYTES: usize = 48;

pub(super) fn check_local(name: &str, max: usize, local: &LocalConfig) -> Checked {
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

pub(super) fn check_members(name: &str, pool: &PoolConfig) -> Checked {
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
        check_member_options(&path, &member.options(&pool.member))?;
    }
    Ok(())
}
