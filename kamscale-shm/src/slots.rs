//! Which row of counters belongs to which pool or member. A slot is kept for life and given away
//! again only when nothing is counted on it any more, and then as late as possible.

use std::collections::{HashMap, HashSet};

/// Slots by identity.
#[derive(Debug)]
pub(crate) struct Slots {
    limit: u32,
    by_id: HashMap<u64, u32>,
    taken: HashSet<u32>,
    /// Slots on which Kamailio still counts something: not to be given away.
    counted: HashSet<u32>,
    /// Whom Kamailio knows already, and where: an agent that lost its own memory finds them again.
    known: HashMap<u64, u32>,
    /// Where the search for a free one goes on: freed slots rest for a whole round.
    next: u32,
}

impl Slots {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit: u32::try_from(limit).unwrap_or(u32::MAX),
            by_id: HashMap::new(),
            taken: HashSet::new(),
            counted: HashSet::new(),
            known: HashMap::new(),
            next: 0,
        }
    }

    /// Where an identity is, if it is known.
    pub(crate) fn get(&self, id: u64) -> Option<u32> {
        self.by_id.get(&id).copied()
    }

    /// Notes that an identity has this slot already (an adopted table).
    pub(crate) fn adopt(&mut self, id: u64, slot: u32) {
        if self.taken.insert(slot) {
            self.by_id.insert(id, slot);
        }
        self.next = self.next.max((slot + 1) % self.limit);
    }

    /// Notes on which slots something is counted now, and whom Kamailio knows where.
    pub(crate) fn learn(
        &mut self,
        counted: impl Iterator<Item = u32>,
        known: impl Iterator<Item = (u64, u32)>,
    ) {
        self.counted = counted.collect();
        self.known = known.collect();
    }

    /// Gives every identity its slot and takes back those of all others. `None` if there are not
    /// enough: then nothing has changed.
    pub(crate) fn assign(&mut self, ids: &[u64]) -> Option<Vec<u32>> {
        let wanted: HashSet<u64> = ids.iter().copied().collect();
        let before = (self.by_id.clone(), self.taken.clone(), self.next);
        self.by_id.retain(|id, _| wanted.contains(id));
        self.taken = self.by_id.values().copied().collect();
        let mut slots = Vec::with_capacity(ids.len());
        for id in ids {
            let mine = self.by_id.get(id).copied();
            let known = || {
                self.known
                    .get(id)
                    .copied()
                    .filter(|s| !self.taken.contains(s))
            };
            let Some(slot) = mine.or_else(known).or_else(|| self.free()) else {
                (self.by_id, self.taken, self.next) = before;
                return None;
            };
            self.by_id.insert(*id, slot);
            self.taken.insert(slot);
            slots.push(slot);
        }
        Some(slots)
    }

    fn free(&mut self) -> Option<u32> {
        for _ in 0..self.limit {
            let slot = self.next;
            self.next = (self.next + 1) % self.limit;
            if !self.taken.contains(&slot) && !self.counted.contains(&slot) {
                return Some(slot);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_slot_with_calls_on_it_is_not_given_away() {
        let mut slots = Slots::new(3);
        assert_eq!(slots.assign(&[10, 11, 12]), Some(vec![0, 1, 2]));
        slots.learn([1].into_iter(), [(11, 1)].into_iter());
        assert_eq!(
            slots.assign(&[10, 12, 13]),
            None,
            "11 still has calls on slot 1"
        );
        slots.learn(std::iter::empty(), std::iter::empty());
        assert_eq!(slots.assign(&[10, 12, 13]), Some(vec![0, 2, 1]));
    }

    #[test]
    fn a_member_gets_back_the_slot_on_which_kamailio_knows_it() {
        let mut slots = Slots::new(8);
        slots.learn([5].into_iter(), [(77, 5), (78, 6)].into_iter());
        assert_eq!(slots.assign(&[76, 77, 78]), Some(vec![0, 5, 6]));
    }

    proptest! {
        #[test]
        fn slots_are_stable_and_never_shared(
            steps in proptest::collection::vec(proptest::collection::btree_set(0_u64..20, 0..12), 1..20)
        ) {
            let mut slots = Slots::new(16);
            let mut before: HashMap<u64, u32> = HashMap::new();
            for ids in steps {
                let ids: Vec<u64> = ids.into_iter().collect();
                let given = slots.assign(&ids).unwrap();
                let now: HashMap<u64, u32> = ids.iter().copied().zip(given.iter().copied()).collect();
                prop_assert_eq!(given.iter().collect::<HashSet<_>>().len(), ids.len());
                for (id, slot) in &now {
                    prop_assert_eq!(before.get(id).unwrap_or(slot), slot, "a slot moved");
                }
                before = now;
            }
        }
    }
}
