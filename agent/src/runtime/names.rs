//! Names: what the loop makes of look-ups: which members go to another address, and what is told of
//! names that cannot be found. A look-up that fails changes nothing of a member.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use kamscale_shm::member_id;
use kamscale_shm::spec::is_uri;

use super::Agent;
use crate::dns::{Destination, Finding, Target, choose, is_name};
use crate::journal::Event;
use crate::state::{Member, Stage};
use crate::status::NameStatus;

/// A new agent publishes nothing for so long while names of members were not looked up once: what is
/// in force meanwhile (`pools_file`) may have them.
const FIRST_WAIT_S: f64 = 5.0;
/// So many names stand in one event.
const NAMED_IN_EVENT: usize = 5;

/// What is known of the names in members' URIs.
#[derive(Debug, Default)]
pub(super) struct NameBook {
    wanted: BTreeSet<String>,
    known: BTreeMap<String, Known>,
}

/// What is known of one.
#[derive(Debug, Default)]
struct Known {
    /// Where it led when it was found last.
    destinations: Vec<Destination>,
    found_s: Option<f64>,
    /// Why it cannot be found now, if so.
    problem: Option<String>,
}

/// Where a member goes.
struct Move {
    pool: String,
    name: String,
    to: String,
}

impl NameBook {
    /// What came of look-ups; answers which were found, and the events of what changed for the worse
    /// or the better.
    fn take(&mut self, findings: Vec<Finding>) -> (HashSet<String>, Vec<Event>) {
        let (mut fresh, mut lost, mut back) = (HashSet::new(), Vec::new(), Vec::new());
        for finding in findings {
            if !self.wanted.contains(&finding.uri) {
                continue;
            }
            let known = self.known.entry(finding.uri.clone()).or_default();
            match finding.located {
                Ok(located) => {
                    if known.problem.take().is_some() {
                        back.push(finding.uri.clone());
                    }
                    known.found_s = Some(finding.at_s);
                    known.destinations = located.destinations;
                    fresh.insert(finding.uri);
                }
                Err(error) => {
                    let problem = error.to_string();
                    if known.problem.replace(problem.clone()).is_none() {
                        lost.push(format!("{}: {problem}", finding.uri));
                    }
                }
            }
        }
        let event = |kind, names: &[String]| {
            let some = names.iter().take(NAMED_IN_EVENT).map(String::as_str);
            let event = Event::new(kind).with("names", names.len());
            event.reason(some.collect::<Vec<_>>().join("; "))
        };
        let mut events = Vec::new();
        if !lost.is_empty() {
            let effect = "members keep the address that they have; without one they are not used";
            events.push(event("names_lost", &lost).with("effect", effect));
        }
        if !back.is_empty() {
            events.push(event("names_found", &back));
        }
        (fresh, events)
    }
}

impl Agent {
    /// Takes in what was found, and says which names shall be looked up.
    pub(super) fn follow_names(&mut self) {
        let Some(names) = self.services.names.as_mut() else {
            return;
        };
        let (fresh, events) = self.name_book.take(names.found());
        for event in events {
            self.journal.record(event);
        }
        let acts = self.may_act();
        if acts {
            for to in self.moves(&fresh) {
                self.go(to);
            }
        }
        // Where another node leads, that one looks them up for all.
        let wanted = if acts {
            self.named_uris()
        } else {
            BTreeSet::new()
        };
        if wanted != self.name_book.wanted {
            self.name_book.known.retain(|uri, _| wanted.contains(uri));
            self.name_book.wanted.clone_from(&wanted);
            if let Some(names) = &self.services.names {
                names.want(wanted);
            }
        }
    }

    fn named_uris(&self) -> BTreeSet<String> {
        let members = self
            .state
            .pools
            .values()
            .flat_map(|pool| pool.members.values());
        let named = members.filter(|member| is_named(member));
        named.map(|member| member.uri.clone()).collect()
    }

    /// Members whose name leads elsewhere now.
    fn moves(&self, fresh: &HashSet<String>) -> Vec<Move> {
        let mut moves = Vec::new();
        for (pool, state) in &self.state.pools {
            let due = |member: &Member| {
                let due = member.located.is_none() || fresh.contains(&member.uri);
                due && self.name_book.wanted.contains(&member.uri)
            };
            let mut due = state
                .members
                .iter()
                .filter(|(_, member)| due(member))
                .peekable();
            if due.peek().is_none() {
                continue;
            }
            let located = state.members.values().filter_map(|m| m.located.clone());
            let mut taken: HashSet<String> = located.collect();
            for (name, member) in due {
                let known = self.name_book.known.get(&member.uri);
                let (Some(known), Ok(target)) = (known, Target::parse(&member.uri)) else {
                    continue;
                };
                let current = member.located.as_deref();
                let id = member_id(pool, name);
                let is_taken = |uri: &str| taken.contains(uri);
                let to = choose(&target, &known.destinations, id, current, is_taken);
                let Some(to) = to.filter(|to| Some(to.as_str()) != current && is_uri(to)) else {
                    continue;
                };
                taken.insert(to.clone());
                let (pool, name) = (pool.clone(), name.clone());
                moves.push(Move { pool, name, to });
            }
        }
        moves
    }

    /// A member's identity stays, and with it its calls, rooms and keys; requests go to the new address.
    fn go(&mut self, to: Move) {
        let Some(member) = self.state.member_mut(&to.pool, &to.name) else {
            return;
        };
        let before = member.located.replace(to.to.clone());
        let event = Event::new("member_located")
            .member(&to.pool, &to.name)
            .with("uri", member.uri.as_str())
            .with("address", to.to)
            .with("previous_address", before);
        self.journal.record(event);
    }

    /// Whether the first table waits for the first look-ups.
    pub(super) fn waits_for_names(&self, now_s: f64) -> bool {
        if self.proxy.generation() > 0
            || self.services.names.is_none()
            || now_s - self.started_s > FIRST_WAIT_S
        {
            return false;
        }
        let mut members = self
            .state
            .pools
            .values()
            .flat_map(|pool| pool.members.values());
        members.any(|member| {
            is_named(member)
                && member.destination().is_none()
                && !self.name_book.known.contains_key(&member.uri)
        })
    }

    /// What is told of a member's name, if it has one.
    pub(super) fn name_status(&self, member: &Member) -> Option<NameStatus> {
        is_named(member).then(|| {
            let known = self.name_book.known.get(&member.uri);
            NameStatus {
                address: member.located.clone(),
                found_s: known.and_then(|known| known.found_s),
                problem: known.and_then(|known| known.problem.clone()),
            }
        })
    }
}

/// Whether the member's name is looked up.
fn is_named(member: &Member) -> bool {
    member.stage != Stage::Stopping && !member.uri.is_empty() && is_name(&member.uri)
}
