//! The ledger of one pool: which members the state claims, which orders still wait for one, and who
//! is to leave. By it a lost answer, a killed agent or a member made by somebody else never leads to a
//! second creation: what is there and belongs to nobody goes to the orders that wait, first.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use tokio::time::Instant;

use super::view::{Row, View};
use crate::actuator::Handle;

/// An order that has no member yet.
#[derive(Debug, Clone)]
pub(super) struct Pending {
    /// The name of the member to be.
    pub(super) name: String,
    /// Whether Heat was asked for it, or may have been.
    pub(super) requested: bool,
    /// That it was refused: whether by a quota, and the words.
    pub(super) refused: Option<(bool, String)>,
}

/// What is known of one pool.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Whether the state's members were told at all: before that nothing can be said to be nobody's.
    pub(super) told: bool,
    /// The members of the state, and their resources.
    pub(super) known: BTreeMap<String, Option<String>>,
    /// Claims that the state may not hold yet.
    claims: BTreeMap<String, String>,
    /// Oldest first.
    pub(super) pending: Vec<Pending>,
    /// Members that are to leave, by name, with their identity once it was seen.
    leaving: BTreeMap<String, Option<String>>,
    /// Members that were shown as nobody's: the state may take them until it is told again.
    pub(super) offered: BTreeSet<String>,
    /// Grows with every order.
    pub(super) version: u64,
    /// The last look that succeeded, and when it began.
    pub(super) view: Option<(Instant, View)>,
}

impl Ledger {
    /// Takes in the members of the state.
    pub(super) fn know(&mut self, members: Vec<(String, Handle)>) {
        let resource = |handle| match handle {
            Handle::Heat { resource, .. } => resource,
            _ => None,
        };
        let members = members.into_iter();
        let known = members
            .map(|(name, handle)| (name, resource(handle)))
            .collect();
        let before = std::mem::replace(&mut self.known, known);
        let forgotten = |name: &String| before.contains_key(name) && !self.known.contains_key(name);
        self.pending.retain(|pending| !forgotten(&pending.name));
        self.claims.retain(|name, resource| {
            !forgotten(name) && self.known.get(name) != Some(&Some(resource.clone()))
        });
        self.offered.clear();
        self.told = true;
    }

    /// Who a member belongs to.
    pub(super) fn owner(&self, resource: &str) -> Option<&String> {
        let known = self.known.iter();
        let known = known.filter_map(|(name, of)| Some((name, of.as_ref()?)));
        let mut all = known.chain(&self.claims);
        all.find(|(_, of)| *of == resource).map(|(name, _)| name)
    }

    /// The member that an order got.
    pub(super) fn resource_of(&self, name: &str) -> Option<&String> {
        let known = self.known.get(name).and_then(Option::as_ref);
        known.or_else(|| self.claims.get(name))
    }

    /// What an order got, as its handle.
    pub(super) fn handle_of(&self, name: &str) -> Option<Handle> {
        let resource = self.resource_of(name)?;
        let address = self.row(resource).and_then(|row| row.address);
        Some(Handle::Heat {
            resource: Some(resource.clone()),
            address,
        })
    }

    /// A member by the last look.
    pub(super) fn row(&self, resource: &str) -> Option<&Row> {
        self.view.as_ref()?.1.row(resource)
    }

    /// Puts an order among those that wait, unless it is there or has its member.
    pub(super) fn order(&mut self, name: &str) {
        self.version += 1;
        let waits = self.pending.iter().any(|pending| pending.name == name);
        if !waits && self.resource_of(name).is_none() {
            self.pending.push(Pending {
                name: name.into(),
                requested: false,
                refused: None,
            });
        }
    }

    /// An order that waits.
    pub(super) fn waiting(&self, name: &str) -> Option<&Pending> {
        self.pending.iter().find(|pending| pending.name == name)
    }

    /// Takes an order off those that wait: nobody waits for it any more.
    pub(super) fn withdraw(&mut self, name: &str) {
        self.pending.retain(|pending| pending.name != name);
    }

    /// Takes an order back for good; whether Heat may have been asked for it. One that is not known
    /// here may be of an earlier agent.
    pub(super) fn cancel(&mut self, name: &str) -> bool {
        self.version += 1;
        let requested = self.waiting(name).is_none_or(|pending| pending.requested);
        self.withdraw(name);
        if let Some(resource) = self.known.get_mut(name).filter(|of| of.is_none()) {
            // It waits for nothing any more; it is not to be counted as such.
            *resource = Some(String::new());
        }
        requested
    }

    /// Says that a member is to leave. If another has its address now, it is gone already.
    pub(super) fn leave(&mut self, resource: &str, address: Option<IpAddr>) {
        self.version += 1;
        let row = self.row(resource);
        let same = |row: &&Row| {
            let pair = row.address.zip(address);
            pair.is_none_or(|(now, then)| now == then)
        };
        let identity = row.filter(same).map(|row| row.identity.clone());
        let gone = row.is_some() && identity.is_none();
        let entry = self.leaving.entry(resource.into()).or_default();
        if entry.is_none() {
            *entry = if gone { Some(String::new()) } else { identity };
        }
    }

    /// Whether a member that was to leave is gone, by a look that began after `since`.
    pub(super) fn is_gone(&self, resource: &str, since: Instant) -> bool {
        let fresh = self.view.as_ref().is_some_and(|(at, _)| *at >= since);
        let of = self.leaving.get(resource).and_then(Option::as_ref);
        fresh
            && self
                .row(resource)
                .is_none_or(|row| of.is_some_and(|id| *id != row.identity))
    }

    /// Nobody waits any more for a member to leave.
    pub(super) fn stop_leaving(&mut self, resource: &str) {
        self.leaving.remove(resource);
    }

    /// Forgets a member that is gone.
    pub(super) fn forget(&mut self, resource: &str) {
        self.claims.retain(|_, of| of != resource);
    }

    /// Whether this actuator was asked to remove exactly this member.
    pub(super) fn leaves(&self, row: &Row) -> bool {
        let of = self.leaving.get(&row.name);
        of.is_some_and(|id| id.as_ref().is_none_or(|id| *id == row.identity))
    }

    /// Takes in a look, and gives members that belong to nobody to the orders that wait.
    pub(super) fn see(&mut self, began: Instant, view: View) {
        for (name, identity) in &mut self.leaving {
            if let (None, Some(row)) = (&identity, view.row(name)) {
                *identity = Some(row.identity.clone());
            }
        }
        // Who is gone leaves no more.
        self.leaving.retain(|name, _| view.row(name).is_some());
        self.view = Some((began, view));
        if !self.told {
            return;
        }
        let free = self.free(|row| !row.is_failed());
        let mut free: Vec<String> = free
            .into_iter()
            .filter(|of| !self.offered.contains(of))
            .collect();
        // What could not be made goes to those for whom it was: they report it and clean it up.
        let stillborn = self.free(|row| row.is_stillborn());
        let all = std::mem::take(&mut self.pending);
        for pending in all {
            let next = if free.is_empty() {
                None
            } else {
                Some(free.remove(0))
            };
            let next = next.or_else(|| {
                let mut stillborn = stillborn.iter().filter(|_| pending.requested);
                stillborn.find(|of| self.owner(of).is_none()).cloned()
            });
            match next {
                Some(resource) => {
                    self.claims.insert(pending.name, resource);
                }
                None => self.pending.push(pending),
            }
        }
    }

    /// Members that stay, that nobody claims and that are as asked, oldest first.
    pub(super) fn free(&self, fits: impl Fn(&Row) -> bool) -> Vec<String> {
        let rows = self.view.iter().flat_map(|(_, view)| &view.rows);
        rows.filter(|row| !row.status.is_leaving() && !self.leaves(row))
            .filter(|row| fits(row) && self.owner(&row.name).is_none())
            .map(|row| row.name.clone())
            .collect()
    }

    /// Orders that will claim a member, also those of which the state knows and that were not asked
    /// for again since the agent started.
    pub(super) fn expected(&self) -> usize {
        let of_state = self.known.iter().filter(|(name, of)| {
            of.is_none() && !self.claims.contains_key(*name) && self.waiting(name).is_none()
        });
        of_state.count() + self.pending.len()
    }
}
