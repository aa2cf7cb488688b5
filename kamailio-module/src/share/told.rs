//! What this node tells of itself: what is true now, what the others do not know yet, and how far it
//! has come with telling all.

use std::collections::{BTreeMap, BTreeSet};

use super::message::{Draft, Said};

/// What is told, by identity.
#[derive(Debug)]
pub(super) struct Told<V> {
    now: BTreeMap<u64, V>,
    due: BTreeSet<u64>,
}

impl<V: Said> Told<V> {
    pub(super) fn new() -> Self {
        let (now, due) = (BTreeMap::new(), BTreeSet::new());
        Self { now, due }
    }

    pub(super) fn get(&self, id: u64) -> Option<V> {
        self.now.get(&id).copied()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (u64, V)> {
        self.now.iter().map(|(id, value)| (*id, *value))
    }

    /// From now on it is so; the others are told if that is new.
    pub(super) fn set(&mut self, id: u64, value: Option<V>) {
        let before = match value {
            Some(value) => self.now.insert(id, value),
            None => self.now.remove(&id),
        };
        if before != value {
            self.due.insert(id);
        }
    }

    pub(super) fn is_due(&self) -> bool {
        !self.due.is_empty()
    }

    /// Says as much of what is new as has room.
    pub(super) fn tell(&mut self, draft: &mut Draft) {
        while draft.has_room() {
            let Some(id) = self.due.pop_first() else {
                return;
            };
            draft.item(id, self.get(id));
        }
    }

    /// Says all that there is from `from` on, as far as there is room. Where to go on; `None`: that
    /// was the last.
    pub(super) fn tell_all(&self, from: u64, draft: &mut Draft) -> Option<u64> {
        let mut all = self.now.range(from..).peekable();
        while draft.has_room()
            && let Some((id, value)) = all.next()
        {
            draft.item(*id, Some(*value));
        }
        let next = all.peek().map(|(id, _)| **id);
        // Nothing was said if there was no room for even one.
        if next != Some(from) {
            draft.whole::<V>(&(from..=next.map_or(u64::MAX, |next| next - 1)));
        }
        next
    }
}
