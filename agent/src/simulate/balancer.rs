//! The load balancers: each chooses a member by what it knows, which may be out of date.
//!
//! A balancer knows at once which calls it placed and when they end; of the others' calls it learns
//! every `share_s`. It must not decide whether a member takes a call: a full one says so itself.

use super::random::Stream;
use super::scenario::{Balancing, Placement};

/// Members by their calls, as one balancer knows them: the least loaded is found without a search.
#[derive(Debug, Default)]
struct Knowledge {
    /// Calls that this balancer believes on each slot.
    calls: Vec<u32>,
    /// Where each slot lies in its level; `NOWHERE` if it takes no calls.
    place: Vec<u32>,
    /// Slots that take calls, by their calls.
    levels: Vec<Vec<u32>>,
    /// No level below this holds a slot.
    least: usize,
    /// Whose turn it is, for round robin.
    turn: usize,
    /// Slots whose calls changed by others since the last share.
    changed: Vec<u32>,
    is_changed: Vec<bool>,
}

const NOWHERE: u32 = u32::MAX;

impl Knowledge {
    fn make_room(&mut self, slot: u32) {
        let needed = slot as usize + 1;
        if self.calls.len() < needed {
            self.calls.resize(needed, 0);
            self.place.resize(needed, NOWHERE);
            self.is_changed.resize(needed, false);
        }
    }

    fn insert(&mut self, slot: u32) {
        let level = self.calls[slot as usize] as usize;
        if self.levels.len() <= level {
            self.levels.resize_with(level + 1, Vec::new);
        }
        let place = self.levels[level].len();
        self.levels[level].push(slot);
        self.place[slot as usize] = u32::try_from(place).unwrap_or(NOWHERE);
        self.least = self.least.min(level);
    }

    fn take_out(&mut self, slot: u32) {
        let level = self.calls[slot as usize] as usize;
        let place = self.place[slot as usize] as usize;
        self.place[slot as usize] = NOWHERE;
        self.levels[level].swap_remove(place);
        if let Some(moved) = self.levels[level].get(place) {
            self.place[*moved as usize] = u32::try_from(place).unwrap_or(NOWHERE);
        }
    }

    fn set_calls(&mut self, slot: u32, calls: u32) {
        if self.place[slot as usize] == NOWHERE {
            self.calls[slot as usize] = calls;
        } else {
            self.take_out(slot);
            self.calls[slot as usize] = calls;
            self.insert(slot);
        }
    }

    fn note_change(&mut self, slot: u32) {
        if !self.is_changed[slot as usize] {
            self.is_changed[slot as usize] = true;
            self.changed.push(slot);
        }
    }

    /// The least loaded slot that was not tried; ties by lot.
    fn least_loaded(&mut self, tried: &[u32], random: &mut Stream) -> Option<u32> {
        while self.levels.get(self.least).is_some_and(Vec::is_empty) {
            self.least += 1;
        }
        for level in self.levels.get(self.least..)? {
            let start = random.below(level.len());
            let (before, after) = level.split_at(start.min(level.len()));
            let found = after
                .iter()
                .chain(before)
                .find(|slot| !tried.contains(slot));
            if found.is_some() {
                return found.copied();
            }
        }
        None
    }
}

/// All balancers of a pool.
#[derive(Debug)]
pub(super) struct Balancers {
    placement: Placement,
    /// One each; only one if they share at once, since then all know the same.
    known: Vec<Knowledge>,
    /// How many there are.
    count: u8,
    /// Slots that take calls, in the order in which they began to.
    serving: Vec<u32>,
    random: Stream,
}

impl Balancers {
    pub(super) fn new(balancing: &Balancing, random: Stream) -> Balancers {
        let views = if balancing.share_s > 0.0 {
            balancing.count
        } else {
            1
        };
        Balancers {
            placement: balancing.placement,
            known: (0..views).map(|_| Knowledge::default()).collect(),
            count: balancing.count,
            serving: Vec::new(),
            random,
        }
    }

    /// How many have to be told of the others' calls; 0 if all know everything at once.
    pub(super) fn to_share(&self) -> u8 {
        if self.known.len() > 1 { self.count } else { 0 }
    }

    /// The balancer that the next call meets.
    pub(super) fn meet(&mut self) -> u8 {
        let met = self.random.below(self.known.len());
        u8::try_from(met).unwrap_or(0)
    }

    /// A member takes calls from now on; it carries so many already.
    pub(super) fn add(&mut self, slot: u32, calls: u32) {
        self.serving.push(slot);
        for known in &mut self.known {
            known.make_room(slot);
            known.calls[slot as usize] = calls;
            known.insert(slot);
        }
    }

    /// A member takes no calls any more.
    pub(super) fn remove(&mut self, slot: u32) {
        self.serving.retain(|serving| *serving != slot);
        for known in &mut self.known {
            known.take_out(slot);
        }
    }

    /// All calls of a member are gone, and everybody knows.
    pub(super) fn clear(&mut self, slot: u32) {
        for known in &mut self.known {
            known.make_room(slot);
            known.set_calls(slot, 0);
        }
    }

    /// A call that this balancer placed began or ended; the others do not know until they share.
    pub(super) fn note(&mut self, balancer: u8, slot: u32, began: bool) {
        for (number, known) in self.known.iter_mut().enumerate() {
            if number == usize::from(balancer) {
                let calls = known.calls[slot as usize];
                let calls = if began {
                    calls + 1
                } else {
                    calls.saturating_sub(1)
                };
                known.set_calls(slot, calls);
            } else {
                known.note_change(slot);
            }
        }
    }

    /// This balancer learns of the others' calls.
    pub(super) fn share(&mut self, balancer: u8, calls_of: impl Fn(u32) -> u32) {
        let known = &mut self.known[usize::from(balancer)];
        let mut changed = std::mem::take(&mut known.changed);
        for slot in changed.drain(..) {
            known.is_changed[slot as usize] = false;
            known.set_calls(slot, calls_of(slot));
        }
        known.changed = changed;
    }

    /// The member that a balancer tries next; `None` if there is none that it did not try.
    pub(super) fn choose(&mut self, balancer: u8, tried: &[u32]) -> Option<u32> {
        let known = &mut self.known[usize::from(balancer)];
        match self.placement {
            Placement::LeastCalls => known.least_loaded(tried, &mut self.random),
            Placement::RoundRobin => {
                let start = known.turn;
                let count = self.serving.len();
                let step = (0..count)
                    .find(|step| !tried.contains(&self.serving[(start + step) % count]))?;
                known.turn = (start + step + 1) % count;
                Some(self.serving[(start + step) % count])
            }
            Placement::TwoChoices => {
                let untried = |slot: &&u32| !tried.contains(slot);
                let count = self.serving.len();
                let drawn = [self.random.below(count), self.random.below(count)];
                let fewer = drawn
                    .iter()
                    .filter_map(|place| self.serving.get(*place))
                    .filter(untried)
                    .min_by_key(|slot| known.calls[**slot as usize]);
                fewer.or_else(|| self.serving.iter().find(untried)).copied()
            }
        }
    }
}

#[cfg(test)]
mod tests;
