//! Nodes: what it means for the loop that several Kamailio share the pools. One node leads: it
//! decides, acts and stores the state of the pools; the others follow what it stored.
//!
//! Where there is only one node, nothing here does anything.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use super::{Agent, start};
use crate::journal::Event;
use crate::nodes::Nodes;
use crate::nodes::lead::{Handed, Standing, Values};
use crate::plan::{Observation, Phase};
use crate::state::{PoolState, StackState, Stage, State};

/// What the loop knows about the other nodes, and about its own place among them.
#[derive(Debug, Default)]
pub(super) struct Together {
    /// Where this node stands, as of this round.
    standing: Standing,
    /// The term whose stored state was taken over.
    term: u64,
    /// What was handed over last.
    handed: Handed,
    /// The revision of the stored state that this node's Kamailio routes by.
    revision: u64,
    /// From which handing over on each member that leaves did so, and its revision once known.
    leaving: BTreeMap<(String, String), Leaving>,
    /// What the nodes report.
    nodes: Option<Arc<Nodes>>,
    /// The others that were asked whether they have heard which members leave.
    asked: BTreeSet<String>,
    /// Why they cannot be read, if so.
    deaf: Option<String>,
    /// Why its own report does not arrive, if so.
    pub(super) mute: Option<String>,
}

/// Since when a member leaves.
#[derive(Debug, Clone, Copy)]
struct Leaving {
    /// Counts what was handed over.
    sequence: u64,
    /// The revision under which that is stored, once it is.
    revision: Option<u64>,
    /// Since when every node has it, in unix seconds.
    heard_s: Option<f64>,
}

impl Together {
    /// The revision of the stored state that this node's Kamailio routes by.
    pub(super) fn revision(&self) -> u64 {
        self.revision
    }

    /// Why its own report does not arrive, if so.
    pub(super) fn unsent(&self) -> Option<String> {
        self.mute.clone()
    }

    /// Why the lease, or the reports of the others, cannot be read, if so.
    pub(super) fn problem(&self) -> Option<String> {
        self.standing.problem.clone().or_else(|| self.deaf.clone())
    }
}

impl Agent {
    /// Takes in what the nodes report.
    pub(super) fn hear(&mut self) -> Option<Arc<Nodes>> {
        let watch = self.services.watch.as_ref()?;
        watch.set_wanted(self.together.standing.leads || self.admits_by_capacity());
        let watched = watch.watched();
        if watched.problem != self.together.deaf {
            let event = match &watched.problem {
                Some(problem) => Event::new("nodes_unheard")
                    .reason(problem.as_str())
                    .with("effect", "nothing is removed"),
                None => Event::new("nodes_heard"),
            };
            self.journal.record(event);
            self.together.deaf = watched.problem;
        }
        self.together.nodes = Some(watched.nodes);
        self.together.nodes.clone()
    }

    /// How many nodes share the pools, as far as known.
    pub(super) fn nodes_known(&self) -> usize {
        let nodes = self.together.nodes.as_ref();
        nodes.map_or(1, |nodes| nodes.names().count() + 1)
    }

    /// Whether this node may change pools now: it is alone, or leads.
    pub(super) fn may_act(&self) -> bool {
        if self.services.lead.is_none() {
            return true;
        }
        let standing = &self.together.standing;
        standing.leads
            && standing.term == self.together.term
            && standing.until.is_some_and(|until| until > Instant::now())
    }

    /// The node that leads, if it is another.
    pub(super) fn leader(&self) -> Option<String> {
        self.together.standing.leader.clone()
    }

    /// News of the lease: a round, if it says who leads or what the leader stored. That this node's own state is stored now
    /// decides nothing: a round would hand over what it decided, which is the next such news, and so on without a pause.
    pub(super) fn hear_of_lease(&mut self, now_s: f64) {
        let Some(lead) = &self.services.lead else {
            return;
        };
        if lead
            .standing()
            .is_only_stored_since(&self.together.standing)
        {
            self.stand(now_s);
            self.publish_and_report(now_s);
        } else {
            self.round(now_s);
        }
    }

    /// Takes in where this node stands: takes over what the last leader stored, or follows.
    pub(super) fn stand(&mut self, now_s: f64) {
        let Some(lead) = &self.services.lead else {
            return;
        };
        lead.set_able(self.seen.problem.is_none());
        let before = std::mem::replace(&mut self.together.standing, lead.standing());
        self.note_standing(&before);
        let standing = &self.together.standing;
        if before.leads && !standing.leads {
            // What was begun is the next leader's; an order that waits here must not be carried out.
            self.tasks.abort();
            self.actuators = start::actuators(&self.config, self.services.cloud.as_ref());
            self.unconfirmed.clear();
        }
        let takes_over = standing.leads && standing.term != self.together.term;
        let Some(shared) = standing.shared.clone() else {
            if takes_over {
                self.together.term = standing.term;
            }
            return;
        };
        if takes_over {
            self.together.term = standing.term;
            self.fresh = self.config.subjects().into_iter().collect();
            self.together.leaving.clear();
        } else if standing.leads || shared.revision == self.together.revision {
            return;
        }
        match adopt(&mut self.state, &shared.values) {
            Ok(()) => self.together.revision = shared.revision,
            Err(problem) => tracing::error!(
                "what the leader stored cannot be read: {problem}; run the same version on all nodes"
            ),
        }
        let config = self.config.clone();
        if let Err(problem) = self.reconcile(&config, now_s) {
            tracing::error!("{problem}");
        }
    }

    fn note_standing(&mut self, before: &Standing) {
        let standing = &self.together.standing;
        if standing.problem != before.problem {
            let event = match &standing.problem {
                Some(problem) => Event::new("lease_lost").reason(problem.as_str()),
                None => Event::new("lease_reached"),
            };
            self.journal.record(event);
        }
        if standing.leads && standing.term != before.term {
            let event = Event::new("leading").with("term", standing.term);
            self.journal
                .record(event.reason("this node decides; the others follow"));
        } else if !standing.leads && (before.leads || standing.leader != before.leader) {
            let leader = standing.leader.clone().unwrap_or_default();
            self.journal
                .record(Event::new("following").with("leader", leader));
        }
    }

    /// After publishing: hands the state over to be stored, if this node leads and it changed.
    pub(super) fn share(&mut self, now_s: f64) {
        let Some(lead) = &self.services.lead else {
            return;
        };
        if !self.may_act() {
            return;
        }
        let together = &mut self.together;
        let values = values(&self.state.durable());
        if *together.handed.values != values || together.handed.term != together.term {
            together.handed = Handed {
                term: together.term,
                sequence: together.handed.sequence + 1,
                values: Arc::new(values),
            };
            lead.hand(together.handed.clone());
        }
        let (sequence, revision) = together.standing.stored;
        let leaves = |stage| {
            matches!(
                stage,
                Stage::Draining | Stage::Leaving | Stage::Held | Stage::Stopping
            )
        };
        let mut known = std::mem::take(&mut together.leaving);
        let nodes = together.nodes.as_ref();
        let names: BTreeSet<String> = nodes.iter().flat_map(|it| it.names().cloned()).collect();
        if !names.is_subset(&together.asked) {
            // What all had heard one that is new may not have.
            known
                .values_mut()
                .for_each(|leaving| leaving.heard_s = None);
        }
        together.asked = names;
        let heard = nodes.and_then(|nodes| nodes.min_revision(together.revision, now_s));
        for (pool, state) in &self.state.pools {
            for (name, _) in state
                .members
                .iter()
                .filter(|(_, member)| leaves(member.stage))
            {
                let key = (pool.clone(), name.clone());
                let mut leaving = known.get(&key).copied().unwrap_or(Leaving {
                    sequence: together.handed.sequence,
                    revision: None,
                    heard_s: None,
                });
                let stored = (leaving.sequence <= sequence).then_some(revision);
                leaving.revision = leaving.revision.or(stored);
                if leaving
                    .revision
                    .zip(heard)
                    .is_some_and(|(stored, heard)| heard >= stored)
                {
                    leaving.heard_s.get_or_insert(now_s);
                }
                together.leaving.insert(key, leaving);
            }
        }
        if sequence == together.handed.sequence {
            together.revision = revision;
        }
    }

    /// Whether every node has heard that a member takes no new calls, and has told its calls since.
    pub(super) fn all_heard(&self, pool: &str, name: &str, now_s: f64) -> bool {
        let Some(nodes) = &self.together.nodes else {
            return true;
        };
        let key = (pool.to_owned(), name.to_owned());
        let leaving = self.together.leaving.get(&key);
        let heard_s = leaving.and_then(|leaving| leaving.heard_s);
        heard_s.is_some_and(|heard_s| now_s - heard_s >= TOLD_ANEW_S)
            && nodes.calls_elsewhere(pool, name, now_s).is_some()
    }

    /// Forgets the calls of members that leave while a node may not have heard that yet.
    pub(super) fn doubt(&self, subject: &str, observation: &mut Observation, now_s: f64) {
        if self.together.nodes.is_none() {
            return;
        }
        for view in &mut observation.members {
            let leaves = matches!(view.phase, Phase::Draining | Phase::Leaving);
            let heard = || {
                let machines = self.machines(subject, &view.name);
                machines
                    .iter()
                    .all(|(pool, name)| self.all_heard(pool, name, now_s))
            };
            if leaves && !heard() {
                view.calls = None;
            }
        }
    }
}

/// Within this time a node tells anew the calls of a member that it told before, and that has arrived.
const TOLD_ANEW_S: f64 = 12.0;

const POOL: &str = "pool/";
const STACK: &str = "stack/";

/// The state as it is stored: one value for each pool and stack.
fn values(state: &State) -> Values {
    let pools = state.pools.iter();
    let pools = pools.map(|(name, pool)| (format!("{POOL}{name}"), serde_json::to_vec(pool)));
    let stacks = state.stacks.iter();
    let stacks = stacks.map(|(name, stack)| (format!("{STACK}{name}"), serde_json::to_vec(stack)));
    let values = pools.chain(stacks);
    values
        .filter_map(|(key, value)| Some((key, value.ok()?)))
        .collect()
}

/// Takes over what was stored. Nothing is changed if any of it cannot be read.
fn adopt(state: &mut State, values: &Values) -> Result<(), serde_json::Error> {
    let mut pools: BTreeMap<String, PoolState> = BTreeMap::new();
    let mut stacks: BTreeMap<String, StackState> = BTreeMap::new();
    for (key, value) in values {
        if let Some(name) = key.strip_prefix(POOL) {
            pools.insert(name.to_owned(), serde_json::from_slice(value)?);
        } else if let Some(name) = key.strip_prefix(STACK) {
            stacks.insert(name.to_owned(), serde_json::from_slice(value)?);
        }
    }
    // What nobody has stored yet is as this node knows it.
    state.pools.extend(pools);
    state.stacks.extend(stacks);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Memory;

    #[test]
    fn what_is_stored_is_taken_over_whole_or_not_at_all() {
        let mut state = State::new("default");
        let pool = PoolState {
            next_number: 7,
            memory: Memory {
                last_out_s: Some(5.0),
                ..Memory::default()
            },
            ..PoolState::default()
        };
        state.pools.insert("conference".into(), pool);
        let mut stored = values(&state.durable());
        let mut follower = State::new("default");
        adopt(&mut follower, &stored).unwrap();
        assert_eq!(follower.pools, state.pools);
        stored.insert("pool/conference".into(), b"{\"next_number\": 9}".to_vec());
        stored.insert("pool/queue".into(), b"garbage".to_vec());
        adopt(&mut follower, &stored).unwrap_err();
        assert_eq!(follower.pools, state.pools);
    }
}
