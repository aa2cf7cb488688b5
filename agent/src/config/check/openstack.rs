//! The rules for what stands around the pools: OpenStack, Heat's actuators, the nodes.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;

use kamscale_shm::spec::{is_name, is_uri};

use super::members::MAX_LOCAL_POOL_NAME_BYTES;
use super::{At, Checked, NAME_RULE};
use crate::config::{Config, Decider, HeatActuator, HeatConfig, NodeSource, NodesConfig};

pub(super) fn check_cloud(config: &Config) -> Checked {
    At(&["cloud"]).seconds("timeout_s", config.cloud.timeout_s, 1.0, 600.0)?;
    check_nodes(config, &config.nodes)
}

fn check_nodes(config: &Config, nodes: &NodesConfig) -> Checked {
    let at = At(&["nodes"]);
    at.seconds("max_age_s", nodes.max_age_s, 2.0, 600.0)?;
    if let Some(name) = &nodes.name {
        at.need("name", is_name(name), NAME_RULE)?;
    }
    for (index, name) in nodes.all.iter().enumerate() {
        at.need("all", is_name(name), NAME_RULE)?;
        let twice = nodes.all[..index].contains(name);
        at.need("all", !twice, format!("\"{name}\" is there twice"))?;
    }
    if let Some(pool) = &nodes.pool {
        check_nodes_pool(config, nodes, pool)?;
    } else if nodes.all.is_empty() {
        return Ok(());
    } else {
        let name = nodes.name();
        at.need(
            "all",
            nodes.all.contains(&name),
            format!("this node, \"{name}\", is not among them; add it, or write `name`"),
        )?;
    }
    if !nodes.are_several() {
        return Ok(());
    }
    let named = if nodes.pool.is_some() { "pool" } else { "all" };
    at.need(
        named,
        config.lease.is_some(),
        "several nodes need a [lease] section, so that only one of them decides",
    )?;
    let (source, is_there) = match nodes.source {
        NodeSource::Gnocchi => ("gnocchi", config.gnocchi.is_some()),
        NodeSource::Prometheus => ("prometheus", config.prometheus.is_some()),
    };
    let why = format!("needs a [{source}] section: there the others' calls are read");
    at.need("source", is_there, why)?;
    // Processes on one machine are nothing that another node could go on with.
    for (name, pool) in &config.pools {
        At(&["pools", name]).need(
            "local",
            pool.local.is_none(),
            "members of this machine cannot be shared by several nodes; use `heat`, or fixed members",
        )?;
    }
    Ok(())
}

/// Nodes that are the members of a pool.
fn check_nodes_pool(config: &Config, nodes: &NodesConfig, pool: &str) -> Checked {
    let at = At(&["nodes"]);
    at.need("pool", is_name(pool), NAME_RULE)?;
    let why = "the nodes are the members of `pool`, or those in `all`; leave one of them out";
    at.need("all", nodes.all.is_empty(), why)?;
    // Names have no colons: an IPv6 address has hyphens in their place.
    let is_address = |name: &String| {
        name.parse::<Ipv4Addr>().is_ok() || name.replace('-', ":").parse::<Ipv6Addr>().is_ok()
    };
    at.need(
        "name",
        nodes.name.as_ref().is_some_and(is_address),
        "with `pool` nodes are named by their addresses; write the one that this node has as a member, as \
         \"192.0.2.1\" or \"2001-db8--1\"",
    )?;
    at.need(
        "pool",
        config.inventory.is_some(),
        "the members stand in the inventory; write an [inventory] section, too",
    )
}

/// The rules for a `heat` section; `place` is where it stands.
pub(super) fn check_heat(place: [&str; 2], heat: &HeatConfig, of_several: bool) -> Checked {
    At(&[place[0]]).need(
        place[1],
        place[1].len() <= MAX_LOCAL_POOL_NAME_BYTES,
        "too long: members are named after it, and a name has at most 63 characters",
    )?;
    let path = [place[0], place[1], "heat"];
    let at = At(&path);
    at.need("stack", is_name(&heat.stack), NAME_RULE)?;
    at.need("group", is_name(&heat.group), NAME_RULE)?;
    let per_member = heat.actuator == HeatActuator::StackPerMember;
    at.need(
        "actuator",
        per_member || !of_several,
        "only \"stack_per_member\" makes machines of several pools together",
    )?;
    at.need(
        "template",
        per_member == heat.template.is_some(),
        match per_member {
            true => "missing; write the file of the member's template, as /etc/kamscale/heat/stack-per-member.yaml",
            false => "only for actuator = \"stack_per_member\"; the group's stack has its own, leave it out",
        },
    )?;
    for (key, file) in [
        ("template", &heat.template),
        ("environment", &heat.environment),
    ] {
        let absolute = file.as_deref().is_none_or(Path::is_absolute);
        at.need(key, absolute, "write an absolute path")?;
    }
    at.need(
        "parameters",
        per_member || heat.parameters.is_empty(),
        "only for actuator = \"stack_per_member\"; those of the group's stack stand in Heat",
    )?;
    if let Some(unknown) = crate::actuator::unknown_placeholder(&heat.uri) {
        let known = "there are {name} {pool} {address} {port}";
        return Err(at.fault("uri", format!("unknown placeholder {{{unknown}}}; {known}")));
    }
    at.need("port", heat.port > 0, "must be 1 or more")?;
    let uri = heat.uri.replace(['{', '}'], "");
    let rule = "no SIP URI; write \"sip:{address}:{port}\"";
    at.need("uri", is_uri(&uri), rule)?;
    at.need("ready_options", heat.ready_options > 0, "must be 1 or more")?;
    at.seconds("ready_interval_s", heat.ready_interval_s, 0.01, 60.0)?;
    at.seconds("boot_timeout_s", heat.boot_timeout_s, 0.1, 86_400.0)?;
    at.seconds("delete_timeout_s", heat.delete_timeout_s, 1.0, 86_400.0)?;
    at.seconds("look_interval_s", heat.look_interval_s, 0.5, 600.0)
}

/// Who decides about a pool, and whether that can be.
pub(super) fn check_decide(config: &Config, name: &str) -> Checked {
    if config.decider(name) != Decider::Aodh {
        return Ok(());
    }
    let heat = config.pools.get(name).and_then(|pool| pool.heat.as_ref());
    let is_group = heat.is_some_and(|heat| heat.actuator == HeatActuator::HeatAutoscalingGroup);
    let why =
        "\"aodh\" needs a pool with a `heat` section and actuator = \"heat_autoscaling_group\"";
    let elastic = config
        .pools
        .get(name)
        .is_some_and(super::PoolConfig::has_actuator);
    // A fixed pool has nobody who decides.
    At(&["pools", name]).need("decide", is_group || !elastic, why)
}
