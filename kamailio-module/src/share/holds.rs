//! The keys of all nodes in this node's table of sticky keys: which of them live here, which are held
//! for others, and at which member.

use std::collections::{BTreeMap, BTreeSet};

use kamscale_shm::hash::mix;
use kamscale_shm::keys::{Holder, LiveKey, May, Moved, Taken};
use kamscale_shm::limits::{KEY_GROUPS, MAX_MEMBERS};
use kamscale_shm::{ById, Table};

use super::message::Hold;
use super::node::Node;
use super::told::Told;
use crate::server::Server;

/// Keys and members.
#[derive(Debug)]
pub(super) struct Holds {
    /// Generation, and how many tables this process applied: together they tell tables apart.
    table: Option<(u64, u64)>,
    slots: ById<usize>,
    /// Members by slot; 0: none.
    ids: Box<[u64]>,
    /// The keys that have calls here, for the others.
    pub(super) told: Told<Hold>,
    /// The same by their entries.
    here: ById<u64>,
    /// And their entries by key.
    entries: ById<usize>,
    /// Keys of which one call is counted for the others, with their entries.
    elsewhere: BTreeMap<u64, usize>,
    /// Keys of which anybody has said something new.
    changed: BTreeSet<u64>,
    /// Keys of others that have no entry: no room, or a member that is not in the table.
    unplaced: BTreeSet<u64>,
    /// All groups are to be looked at: members may be others.
    look_at_all: bool,
}

/// Of two places of one key the one that all nodes take.
fn better(key: u64, a: Hold, b: Hold) -> Hold {
    let rank = |hold: Hold| (hold.version, u64::MAX - mix(key ^ hold.member));
    if rank(b) > rank(a) { b } else { a }
}

/// Where the other nodes want a key.
fn wanted(key: u64, nodes: &[Node]) -> Option<Hold> {
    let said = nodes.iter().filter_map(|node| node.keys.get(key));
    said.reduce(|a, b| better(key, a, b))
}

impl Holds {
    pub(super) fn new() -> Self {
        Self {
            table: None,
            slots: ById::default(),
            ids: vec![0; MAX_MEMBERS].into(),
            told: Told::new(),
            here: ById::default(),
            entries: ById::default(),
            elsewhere: BTreeMap::new(),
            changed: BTreeSet::new(),
            unplaced: BTreeSet::new(),
            look_at_all: false,
        }
    }

    /// Takes another table, if it is one. Whether it was.
    pub(super) fn adopt(&mut self, table: &Table, applied: u64) -> bool {
        let current = Some((table.generation(), applied));
        if self.table == current {
            return false;
        }
        self.table = current;
        self.slots.clear();
        self.ids.fill(0);
        for member in table.pools().flat_map(|pool| pool.members()) {
            self.slots.insert(member.id(), member.slot());
            if let Some(id) = self.ids.get_mut(member.slot()) {
                *id = member.id();
            }
        }
        self.changed.append(&mut self.unplaced);
        self.changed.extend(self.elsewhere.keys());
        self.look_at_all = true;
        true
    }

    /// Where a member of the table is.
    pub(super) fn slot(&self, id: u64) -> Option<usize> {
        self.slots.get(&id).copied()
    }

    /// The members of the table, and where they are.
    pub(super) fn members(&self) -> impl Iterator<Item = (u64, usize)> {
        self.slots.iter().map(|(id, slot)| (*id, *slot))
    }

    /// Keys of which something is new.
    pub(super) fn changed(&mut self) -> &mut BTreeSet<u64> {
        &mut self.changed
    }

    pub(super) fn unplaced(&self) -> usize {
        self.unplaced.len()
    }

    /// Looks at what has changed in this node's table of keys.
    pub(super) fn look(&mut self, server: &Server, nodes: &[Node]) {
        let all = std::mem::take(&mut self.look_at_all);
        server.observed.nodes().changed().take_all(|group| {
            if !all {
                self.look_at(server, nodes, group);
            }
        });
        if all {
            (0..KEY_GROUPS).for_each(|group| self.look_at(server, nodes, group));
        }
    }

    fn look_at(&mut self, server: &Server, nodes: &[Node], group: usize) {
        let held = server.observed.nodes().held();
        for (entry, live) in server.observed.keys().of_group(group) {
            // Without the one call that stands for the others.
            let live = live.filter(|live| live.calls > u64::from(held.has(entry)));
            self.look_at_entry(entry, live, nodes);
        }
    }

    fn look_at_entry(&mut self, entry: usize, live: Option<LiveKey>, nodes: &[Node]) {
        let number = entry as u64;
        let before = self.here.get(&number).copied();
        if let Some(gone) = before.filter(|key| live.is_none_or(|live| live.key != *key)) {
            self.here.remove(&number);
            // It may be in another entry already.
            if self.entries.get(&gone) == Some(&entry) {
                self.entries.remove(&gone);
                self.told.set(gone, None);
            }
        }
        let Some(LiveKey { key, holder, .. }) = live else {
            return;
        };
        self.here.insert(number, key);
        self.entries.insert(key, entry);
        let id = self.ids.get(holder.slot()).copied().unwrap_or(0);
        let known = self.told.get(key);
        // A member that has left the table has no identity: nobody could follow the key there.
        let is_member = id != 0 && Holder::new(holder.slot(), id) == holder;
        if !is_member || known.is_some_and(|hold| hold.member == id) {
            return;
        }
        // Who was told where the key is, and has it elsewhere now, has moved it.
        let by_others = self.elsewhere.contains_key(&key);
        let known = known.or_else(|| wanted(key, nodes).filter(|_| by_others));
        let version = match known {
            None => 0,
            Some(hold) if hold.member == id => hold.version,
            Some(hold) => hold.version.saturating_add(1),
        };
        let member = id;
        self.told.set(key, Some(Hold { member, version }));
        self.changed.insert(key);
    }

    /// Tries again to find room for keys that have none.
    pub(super) fn retry(&mut self) {
        self.changed.append(&mut self.unplaced);
    }

    /// Puts keys of which something is new to where they belong.
    pub(super) fn settle(&mut self, server: &Server, nodes: &[Node]) {
        while let Some(key) = self.changed.pop_first() {
            self.place(server, nodes, key);
        }
    }

    fn place(&mut self, server: &Server, nodes: &[Node], key: u64) {
        self.unplaced.remove(&key);
        let Some(wanted) = wanted(key, nodes) else {
            self.give_back(server, key);
            return;
        };
        let Some((entry, holder)) = self.hold(server, key, wanted.member) else {
            self.unplaced.insert(key);
            return;
        };
        let mine = self.told.get(key);
        if mine.is_some_and(|mine| better(key, mine, wanted) == mine) {
            return;
        }
        // A worker that moves it meanwhile is heard of in the next turn.
        let keys = server.observed.keys();
        let at = keys.taken(entry).map_or(holder, |(_, at)| at);
        let is_there = at == holder || keys.move_to(entry, at, holder, May::Always) == Moved::Done;
        if is_there && mine.is_some() {
            self.told.set(key, Some(wanted));
        }
    }

    /// Counts a call on the key for the others, at this member if it is not live yet: its entry, and
    /// how the table of keys calls the member.
    fn hold(&mut self, server: &Server, key: u64, member: u64) -> Option<(usize, Holder)> {
        let holder = Holder::new(self.slot(member)?, member);
        if let Some(entry) = self.elsewhere.get(&key) {
            return Some((*entry, holder));
        }
        match server.observed.keys().take(key, || Some(holder)) {
            Taken::Held { entry, .. } => {
                server.observed.nodes().held().put(entry);
                self.elsewhere.insert(key, entry);
                Some((entry, holder))
            }
            Taken::Nowhere | Taken::Full => None,
        }
    }

    /// No other node holds the key any more.
    fn give_back(&mut self, server: &Server, key: u64) {
        if let Some(entry) = self.elsewhere.remove(&key) {
            server.observed.nodes().held().remove(entry);
            server.observed.keys().give_back(entry);
        }
    }
}
