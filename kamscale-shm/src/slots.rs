//! Which row of counters belongs to which pool or member. A slot is kept for life and given away
//! again only when nothing is counted on it any more, and then as late as possible.

use std::collections::HashSet;

use crate::hash::ById;

/// Slots by identity.
#[derive(Debug)]
pub(crate) struct Slots {
    by_id: ById<u32>,
    /// By slot: whether somebody has it.
    taken: Vec<bool>,
    /// Slots on which Kamailio still counts something: not to be given away.
    counted: HashSet<u32>,
    /// Whom Kamailio knows already, and where: an agent that lost its own memory finds them again.
    known: ById<u32>,
    /// Where the search for a free one goes on: freed slots rest for a whole round.
    next: u32,
}

/// Slots for a table, which are taken only when it is published ([`Slots::commit`]).
#[derive(Debug)]
pub(crate) struct Assignment {
    /// In the order of the identities.
    pub(crate) slots: Vec<u32>,
    came: Vec<(u64, u32)>,
    gone: Vec<u64>,
    next: u32,
}

impl Slots {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            by_id: ById::default(),
            taken: vec![false; limit],
            counted: HashSet::new(),
            known: ById::default(),
            next: 0,
        }
    }

    /// Where an identity is, if it is known.
    pub(crate) fn get(&self, id: u64) -> Option<u32> {
        self.by_id.get(&id).copied()
    }

    /// Notes that an identity has this slot already (an adopted table).
    pub(crate) fn adopt(&mut self, id: u64, slot: u32) {
        if self.is_free(slot) {
            self.taken[slot as usize] = true;
            self.by_id.insert(id, slot);
        }
        self.next = self.next.max(slot + 1) % self.limit();
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

    /// A slot for every identity: its own, or a free one; those of all others become free. `None`
    /// if there are not enough. Nothing is changed yet.
    pub(crate) fn assign(&self, ids: &[u64]) -> Option<Assignment> {
        let mut slots: Vec<Option<u32>> = ids.iter().map(|id| self.get(*id)).collect();
        let kept = slots.iter().flatten().count();
        let gone = if kept == self.by_id.len() {
            Vec::new()
        } else {
            self.all_but(ids)
        };
        let freed: HashSet<u32> = gone.iter().filter_map(|id| self.get(*id)).collect();
        let mut came: Vec<(u64, u32)> = Vec::new();
        let mut given: HashSet<u32> = HashSet::new();
        let mut next = self.next;
        for (slot, id) in slots.iter_mut().zip(ids).filter(|(slot, _)| slot.is_none()) {
            let is_free = |s: u32| (self.is_free(s) || freed.contains(&s)) && !given.contains(&s);
            let known = self.known.get(id).copied().filter(|s| is_free(*s));
            let new = known.or_else(|| self.search(&mut next, is_free))?;
            given.insert(new);
            came.push((*id, new));
            *slot = Some(new);
        }
        Some(Assignment {
            slots: slots.into_iter().flatten().collect(),
            came,
            gone,
            next,
        })
    }

    /// Takes what was assigned.
    pub(crate) fn commit(&mut self, assignment: &Assignment) {
        for id in &assignment.gone {
            if let Some(slot) = self.by_id.remove(id) {
                self.taken[slot as usize] = false;
            }
        }
        for (id, slot) in &assignment.came {
            self.by_id.insert(*id, *slot);
            self.taken[*slot as usize] = true;
        }
        self.next = assignment.next;
    }

    fn all_but(&self, ids: &[u64]) -> Vec<u64> {
        let wanted: ById<()> = ids.iter().map(|id| (*id, ())).collect();
        self.by_id
            .keys()
            .filter(|id| !wanted.contains_key(id))
            .copied()
            .collect()
    }

    fn is_free(&self, slot: u32) -> bool {
        self.taken.get(slot as usize) == Some(&false)
    }

    fn limit(&self) -> u32 {
        u32::try_from(self.taken.len()).unwrap_or(u32::MAX)
    }

    fn search(&self, next: &mut u32, is_free: impl Fn(u32) -> bool) -> Option<u32> {
        for _ in 0..self.limit() {
            let slot = *next;
            *next = (slot + 1) % self.limit();
            if is_free(slot) && !self.counted.contains(&slot) {
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
    use std::collections::HashMap;

    fn take(slots: &mut Slots, ids: &[u64]) -> Option<Vec<u32>> {
        let assignment = slots.assign(ids)?;
        slots.commit(&assignment);
        Some(assignment.slots)
    }

    #[test]
    fn a_slot_with_calls_on_it_is_not_given_away() {
        let mut slots = Slots::new(3);
        assert_eq!(take(&mut slots, &[10, 11, 12]), Some(vec![0, 1, 2]));
        slots.learn([1].into_iter(), [(11, 1)].into_iter());
        assert_eq!(
            take(&mut slots, &[10, 12, 13]),
            None,
            "11 still has calls on slot 1"
        );
        slots.learn(std::iter::empty(), std::iter::empty());
        assert_eq!(take(&mut slots, &[10, 12, 13]), Some(vec![0, 2, 1]));
    }

    #[test]
    fn a_member_gets_back_the_slot_on_which_kamailio_knows_it() {
        let mut slots = Slots::new(8);
        slots.learn([5].into_iter(), [(77, 5), (78, 6)].into_iter());
        assert_eq!(take(&mut slots, &[76, 77, 78]), Some(vec![0, 5, 6]));
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
                let given = take(&mut slots, &ids).unwrap();
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
