//! Boot: orders new members and stacks. It gives them their names, numbers and addresses.

use std::net::IpAddr;
use std::sync::Arc;

use super::Agent;
use crate::actuator::{Actuator, Order};
use crate::journal::Event;
use crate::state::{Member, Origin, PoolState, Stage};

const NO_ADDRESS: &str =
    "no address is free: add some to `addresses` in the pool's `local` section";

impl Agent {
    /// Orders a new member of a pool, or all machines of a new stack.
    pub(super) fn boot(&mut self, subject: &str, now_s: f64) {
        if self.config.stacks.contains_key(subject) {
            self.boot_stack(subject, now_s);
            return;
        }
        let state = self.state.pools.entry(subject.to_owned()).or_default();
        let name = state.next_name(subject);
        if !self.order(subject, &name, None, now_s) {
            self.count_no_address(subject, subject, &name);
        }
    }

    /// A stack is whole or not at all: without an address for each machine nothing is ordered.
    fn boot_stack(&mut self, stack: &str, now_s: f64) {
        let pools = self.config.stacks[stack].pools.clone();
        let known = pools.keys().filter_map(|pool| self.state.pools.get(pool));
        let used = known.map(|pool| pool.next_number).max().unwrap_or(0);
        let state = self.state.stacks.entry(stack.to_owned()).or_default();
        // A pool may have counted further before it came into the stack: no name comes twice.
        state.next_number = state.next_number.max(used) + 1;
        let number = state.next_number;
        for (pool, count) in &pools {
            let members = self.state.pools.entry(pool.clone()).or_default();
            members.next_number = number;
            let short = self.actuators.get(pool).is_some_and(|actuator| {
                let addresses = actuator.addresses();
                let free = addresses.iter();
                let free = free.filter(|address| !is_taken(members, **address));
                !addresses.is_empty() && free.count() < *count as usize
            });
            if short {
                self.count_no_address(stack, pool, &format!("{pool}-{number}"));
                return;
            }
        }
        for (pool, count) in &pools {
            for machine in 1..=*count {
                let name = match count {
                    1 => format!("{pool}-{number}"),
                    _ => format!("{pool}-{number}-{machine}"),
                };
                self.order(pool, &name, Some(number), now_s);
            }
        }
    }

    fn count_no_address(&mut self, subject: &str, pool: &str, name: &str) {
        let creations = self.creations.entry(subject.to_owned()).or_default();
        creations.failed += 1;
        creations.quota_reached = true;
        let event = Event::new("member_failed").member(pool, name);
        self.journal.record(event.reason(NO_ADDRESS));
    }

    /// Orders a member: first noted, then started, so that a crash between loses nothing. False if
    /// there is no address for it.
    fn order(&mut self, pool: &str, name: &str, stack: Option<u64>, now_s: f64) -> bool {
        let (Some(config), Some(actuator)) =
            (self.config.pools.get(pool), self.actuators.get(pool))
        else {
            return false;
        };
        let state = self.state.pools.entry(pool.to_owned()).or_default();
        let unit = self.config.stack_of(pool).zip(stack);
        let order = Order {
            pool: pool.into(),
            name: name.into(),
            address: free_address(actuator, state),
            unit: unit.map(|((stack, _), number)| format!("{stack}-{number}")),
        };
        let Some(handle) = actuator.plan(&order) else {
            return false;
        };
        // Without an address yet it stays empty, and the member out of the table.
        let uri = actuator.uri(&order).unwrap_or_default();
        let member = Member {
            uri: uri.clone(),
            located: None,
            capacity_calls: config.member.capacity_calls,
            weight: config.member.weight,
            options: config.member.options(),
            priority: config.member.priority,
            is_set: false,
            origin: Origin::Plan,
            stage: Stage::Booting,
            since_s: now_s,
            active_since_s: None,
            handle,
            stack,
        };
        state.members.insert(name.into(), member);
        let actuator = actuator.clone();
        self.save(now_s, false);
        self.journal.record(
            Event::new("member_booting")
                .member(pool, name)
                .with("uri", uri),
        );
        self.tasks.boot(actuator, order, None);
        true
    }
}

fn free_address(actuator: &Arc<dyn Actuator>, state: &PoolState) -> Option<IpAddr> {
    let mut addresses = actuator.addresses().iter();
    addresses
        .find(|address| !is_taken(state, **address))
        .copied()
}

fn is_taken(state: &PoolState, address: IpAddr) -> bool {
    let mut taken = state.members.values();
    taken.any(|member| member.handle.address() == Some(address))
}
