//! The state: what the agent must know after a restart, and nothing else.
//!
//! Members with the stage of their life and their handles, and the plan's memory, per pool. The
//! control loop is its only writer.

mod file;
mod members;
mod options;
mod rebuild;
mod table;

use std::collections::BTreeMap;

use kamscale_shm::MemberOptions;
use serde::{Deserialize, Serialize};

use crate::actuator::Handle;
use crate::dns::is_name;
use crate::plan::Memory;

pub use file::{StateError, load, save, set_aside};
pub use members::Members;
pub(crate) use rebuild::number;
pub use rebuild::rebuild;
pub use table::{Tabled, is_table, table};

/// The version of the state file that this agent writes.
pub const VERSION: u32 = 1;
/// The ends of times without removal are stored to so many seconds.
const COARSE_S: f64 = 10.0;

/// Everything in the state file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// [`VERSION`].
    pub version: u32,
    /// The instance it belongs to.
    pub instance: String,
    /// Pools by name.
    pub pools: BTreeMap<String, PoolState>,
    /// Stacks by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub stacks: BTreeMap<String, StackState>,
}

impl State {
    /// Nothing known yet.
    pub fn new(instance: &str) -> State {
        State {
            version: VERSION,
            instance: instance.into(),
            pools: BTreeMap::new(),
            stacks: BTreeMap::new(),
        }
    }

    /// A member, if it is known.
    pub fn member_mut(&mut self, pool: &str, member: &str) -> Option<&mut Member> {
        self.pools.get_mut(pool)?.members.get_mut(member)
    }

    /// The state without what changes on every round: if this is equal, saving can wait.
    pub fn durable(&self) -> State {
        let pools = self.pools.iter().map(|(name, pool)| {
            let pool = PoolState {
                members: pool.members.clone(),
                memory: lasting(&pool.memory),
                ..*pool
            };
            (name.clone(), pool)
        });
        let stacks = self.stacks.iter().map(|(name, stack)| {
            let memory = lasting(&stack.memory);
            (name.clone(), StackState { memory, ..*stack })
        });
        State {
            version: self.version,
            instance: self.instance.clone(),
            pools: pools.collect(),
            stacks: stacks.collect(),
        }
    }

    /// Whether [`Self::durable`] would be this; every round asks, and members are not copied for the
    /// answer.
    pub fn is_durably(&self, durable: &State) -> bool {
        let same_pool = |pool: &PoolState, other: &PoolState| {
            let known = (pool.next_number, pool.paused_since_s);
            known == (other.next_number, other.paused_since_s)
                && lasts(&pool.memory) == lasts(&other.memory)
                && pool.members == other.members
        };
        let same_stack = |stack: &StackState, other: &StackState| {
            let known = (stack.next_number, stack.paused_since_s);
            known == (other.next_number, other.paused_since_s)
                && lasts(&stack.memory) == lasts(&other.memory)
        };
        (self.version, &self.instance) == (durable.version, &durable.instance)
            && all_same(&self.pools, &durable.pools, same_pool)
            && all_same(&self.stacks, &durable.stacks, same_stack)
    }
}

fn all_same<T>(
    one: &BTreeMap<String, T>,
    other: &BTreeMap<String, T>,
    is_same: impl Fn(&T, &T) -> bool,
) -> bool {
    let mut pairs = one.iter().zip(other);
    one.len() == other.len() && pairs.all(|(a, b)| a.0 == b.0 && is_same(a.1, b.1))
}

/// What is learnt from each look may be some seconds old after a crash; moments and backoffs may not.
fn lasting(memory: &Memory) -> Memory {
    Memory {
        boot_id: memory.boot_id,
        no_removal_before_s: coarse(memory.no_removal_before_s),
        last_out_s: memory.last_out_s,
        last_in_s: memory.last_in_s,
        last_failure_s: memory.last_failure_s,
        failures_in_row: memory.failures_in_row,
        no_create_before_s: memory.no_create_before_s,
        guard_until_s: coarse(memory.guard_until_s),
        ..Memory::default()
    }
}

/// The end of a time in which nothing is removed moves on with every look, as long as its cause lasts; whoever takes over may
/// wait some seconds longer, but what moves on every round must not be stored on every round.
fn coarse(until_s: f64) -> f64 {
    (until_s / COARSE_S).ceil() * COARSE_S
}

/// What [`lasting`] keeps.
fn lasts(memory: &Memory) -> impl PartialEq + use<> {
    (
        (memory.boot_id, coarse(memory.no_removal_before_s)),
        (memory.last_out_s, memory.last_in_s, memory.last_failure_s),
        (memory.failures_in_row, memory.no_create_before_s),
        coarse(memory.guard_until_s),
    )
}

/// One pool.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PoolState {
    /// Members by name.
    pub members: Members,
    /// What the plan remembers.
    pub memory: Memory,
    /// The number of the next member; never used twice, so that keys and counters are its own.
    pub next_number: u64,
    /// Since when an operator has paused it, in unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_since_s: Option<f64>,
}

impl PoolState {
    /// A name for a new member, of the pool's next number.
    pub fn next_name(&mut self, pool: &str) -> String {
        loop {
            self.next_number += 1;
            let name = format!("{pool}-{}", self.next_number);
            if !self.members.contains_key(&name) {
                return name;
            }
        }
    }
}

/// One stack; its machines are members of their pools.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StackState {
    /// What the plan remembers.
    pub memory: Memory,
    /// The number of the next stack; never used twice.
    pub next_number: u64,
    /// Since when an operator has paused it, in unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_since_s: Option<f64>,
}

/// Who brought a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The plan: it may be drained again.
    Plan,
    /// The configuration: it stays as long as it stands there.
    Config,
    /// An operator, by command.
    Command,
}

/// The stage of a member's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Being created; not ready.
    Booting,
    /// Takes requests.
    Active,
    /// Takes no new requests: the plan said so.
    Draining,
    /// Takes no new requests and goes when it is empty: an operator said so.
    Leaving,
    /// Takes no new requests and stays: an operator said so.
    Held,
    /// Out of the table; being stopped.
    Stopping,
}

impl Stage {
    /// The name in status and metrics, in the words of the pool table.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Booting => "joining",
            Stage::Active => "active",
            Stage::Draining | Stage::Leaving | Stage::Held => "draining",
            Stage::Stopping => "stopping",
        }
    }
}

/// One member.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// Where requests go; empty until its address is known. It may have a host name.
    pub uri: String,
    /// The same with the address that its host name was found to have, if it has a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub located: Option<String>,
    /// Calls that it may carry.
    pub capacity_calls: u32,
    /// Share of requests against its siblings.
    pub weight: u16,
    /// For the algorithm `serial`.
    pub priority: u16,
    /// What else Kamailio needs of it.
    #[serde(default, skip_serializing_if = "options::is_default", with = "options")]
    pub options: MemberOptions,
    /// Whether an operator has set its values: those of the configuration are not taken meanwhile.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_set: bool,
    /// Who brought it.
    pub origin: Origin,
    /// The stage of its life.
    pub stage: Stage,
    /// When that stage began, in unix seconds.
    pub since_s: f64,
    /// When it became active first, in unix seconds.
    pub active_since_s: Option<f64>,
    /// What its actuator knows it by.
    pub handle: Handle,
    /// The number of the stack to which it belongs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack: Option<u64>,
}

impl Member {
    /// Where requests go, with an address in it; `None` while that is not known.
    pub fn destination(&self) -> Option<&str> {
        match &self.located {
            Some(located) => Some(located),
            None if self.uri.is_empty() || is_name(&self.uri) => None,
            None => Some(&self.uri),
        }
    }

    /// Gives it another URI. If that has a name, the old address serves until the name is found.
    pub fn set_uri(&mut self, uri: String) {
        if self.uri == uri {
            return;
        }
        let before = self.destination().map(str::to_owned);
        self.located = before.filter(|_| is_name(&uri));
        self.uri = uri;
    }

    /// Goes to another stage.
    pub fn enter(&mut self, stage: Stage, now_s: f64) {
        self.stage = stage;
        self.since_s = now_s;
        if stage == Stage::Active {
            self.active_since_s.get_or_insert(now_s);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Change = fn(&mut State);

    fn ccp(state: &mut State) -> &mut PoolState {
        state.pools.get_mut("ccp").unwrap()
    }

    fn tier(state: &mut State) -> &mut StackState {
        state.stacks.get_mut("tier").unwrap()
    }

    #[test]
    fn a_guard_that_every_look_renews_is_stored_seldom_and_never_ends_early() {
        let mut state = State::new("default");
        state.pools.insert("ccp".into(), PoolState::default());
        let mut stored: Vec<State> = Vec::new();
        for look in 0..300 {
            let until_s = 1000.0 + f64::from(look) / 10.0;
            ccp(&mut state).memory.guard_until_s = until_s;
            ccp(&mut state).memory.no_removal_before_s = until_s;
            if stored.last().is_none_or(|last| !state.is_durably(last)) {
                stored.push(state.durable());
            }
            let memory = &stored.last().unwrap().pools["ccp"].memory;
            assert!(memory.guard_until_s >= until_s && memory.no_removal_before_s >= until_s);
            assert!(memory.guard_until_s < until_s + COARSE_S);
        }
        assert_eq!(stored.len(), 4, "in 30 s");
    }

    #[test]
    fn a_state_is_durably_another_exactly_if_its_durable_form_is() {
        let mut state = State::new("default");
        let pool = state.pools.entry("ccp".into()).or_default();
        let name = pool.next_name("ccp");
        pool.members
            .insert(name.clone(), crate::observe::tests::member(Stage::Active));
        state.stacks.entry("tier".into()).or_default().next_number = 3;
        let saved = state.durable();
        let changes: [(&str, Change); 6] = [
            ("a look", |s| ccp(s).memory.last_now_s = Some(9.0)),
            ("a backoff", |s| ccp(s).memory.no_create_before_s = 7.0),
            ("a stage", |s| {
                let members = ccp(s).members.values_mut();
                members.for_each(|m| m.enter(Stage::Draining, 5.0));
            }),
            ("a number", |s| tier(s).next_number = 4),
            ("a pause", |s| tier(s).paused_since_s = Some(1.0)),
            ("a pool", |s| {
                drop(s.pools.insert("queue".into(), PoolState::default()))
            }),
        ];
        for (what, change) in changes {
            let mut other = state.clone();
            change(&mut other);
            assert_eq!(other.is_durably(&saved), other.durable() == saved, "{what}");
            assert_eq!(other.is_durably(&saved), what == "a look", "{what}");
        }
    }
}
