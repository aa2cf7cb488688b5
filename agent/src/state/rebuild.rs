//! A state from what is left when the state file is not: the table in force and what runs.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use kamscale_shm::{DesiredState, TableSpec};

use super::{Member, Origin, PoolState, Stage, State};
use crate::actuator::{Actuator, Handle, Order};
use crate::config::Config;
use crate::dns::is_name;
use crate::plan::Memory;

/// Takes over the members of the table; processes are found by their names.
pub fn rebuild(
    config: &Config,
    published: Option<&TableSpec>,
    actuators: &BTreeMap<String, Arc<dyn Actuator>>,
    now_s: f64,
) -> State {
    let mut state = State::new(&config.agent.instance);
    for pool in published.map_or(&[][..], |table| &table.pools) {
        let (Some(pool_config), Some(actuator)) =
            (config.pools.get(&pool.name), actuators.get(&pool.name))
        else {
            continue;
        };
        let mut rebuilt = PoolState {
            memory: Memory::default(),
            ..PoolState::default()
        };
        for spec in &pool.members {
            let process = actuator.addresses().iter().find_map(|address| {
                let order = order(&pool.name, &spec.name, *address);
                (actuator.uri(&order).as_deref() == Some(&spec.uri))
                    .then(|| actuator.find(&order))
                    .flatten()
            });
            let mut fixed = pool_config.members.iter();
            let fixed = fixed.find(|member| member.name == spec.name);
            let origin = match (&process, fixed) {
                (Some(_), _) => Origin::Plan,
                (None, Some(_)) => Origin::Config,
                (None, None) => Origin::Command,
            };
            // What stands in the table is the address of its name.
            let name = fixed.filter(|member| is_name(&member.uri));
            let stage = match (spec.state, origin) {
                (DesiredState::Joining, Origin::Plan) => Stage::Booting,
                (DesiredState::Joining | DesiredState::Active, _) => Stage::Active,
                (DesiredState::Draining, Origin::Plan) => Stage::Draining,
                (DesiredState::Draining | DesiredState::Disabled, _) => Stage::Held,
            };
            let number = number(&pool.name, &spec.name);
            rebuilt.next_number = rebuilt.next_number.max(number);
            let stack = config.stack_of(&pool.name);
            let in_stack = stack.filter(|_| origin == Origin::Plan && number > 0);
            if let Some((stack, _)) = in_stack {
                let stack = state.stacks.entry(stack.clone()).or_default();
                stack.next_number = stack.next_number.max(number);
            }
            rebuilt.members.insert(
                spec.name.clone(),
                Member {
                    uri: name.map_or(&spec.uri, |member| &member.uri).clone(),
                    located: name.map(|_| spec.uri.clone()),
                    capacity_calls: spec.capacity,
                    weight: spec.weight,
                    options: spec.options.clone(),
                    priority: spec.priority,
                    is_set: false,
                    origin,
                    stage,
                    since_s: now_s,
                    active_since_s: (stage != Stage::Booting).then_some(now_s),
                    handle: process.unwrap_or(Handle::Manual),
                    stack: in_stack.map(|_| number),
                },
            );
        }
        state.pools.insert(pool.name.clone(), rebuilt);
    }
    state
}

fn order(pool: &str, name: &str, address: IpAddr) -> Order {
    Order {
        pool: pool.into(),
        name: name.into(),
        address: Some(address),
        unit: None,
    }
}

/// The number in a name that the plan gave, as 7 in `conference-7` and in `ccp-7-2`; 0 for others.
pub(crate) fn number(pool: &str, name: &str) -> u64 {
    let rest = name
        .strip_prefix(pool)
        .and_then(|rest| rest.strip_prefix('-'));
    let number = rest.and_then(|rest| rest.split('-').next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}
