//! What another node has said: of each key or member the last word, whatever the order in which the
//! words came. Bounded; it must not know what a word means.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::message::{Part, Said};

/// The last word on each identity, with the time at which it was said.
#[derive(Debug)]
pub(super) struct Registers<V> {
    of: BTreeMap<u64, (u64, Option<V>)>,
    /// Ranges of which not everything was told yet.
    missing: Vec<RangeInclusive<u64>>,
    live: usize,
    limit: usize,
}

impl<V: Said> Registers<V> {
    /// Knows nothing, and never of more than `limit` identities.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            of: BTreeMap::new(),
            missing: vec![0..=u64::MAX],
            live: 0,
            limit,
        }
    }

    /// What there is under an identity.
    pub(super) fn get(&self, id: u64) -> Option<V> {
        self.of.get(&id).and_then(|(_, said)| *said)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.live
    }

    /// All that there are.
    pub(super) fn live(&self) -> impl Iterator<Item = (u64, V)> {
        let live = |(id, (_, said)): (&u64, &(u64, Option<V>))| Some((*id, (*said)?));
        self.of.iter().filter_map(live)
    }

    /// Whether everything was told once.
    pub(super) fn is_complete(&self) -> bool {
        self.missing.is_empty()
    }

    /// Takes what was said at a time; `changed` hears of each identity that has another word now.
    pub(super) fn take(&mut self, time: u64, part: &Part<V>, mut changed: impl FnMut(u64)) {
        for (id, said) in &part.items {
            if self.set(*id, time, *said) {
                changed(*id);
            }
        }
        let Some(range) = &part.whole else { return };
        // Those that were said are of this time; what is older and there was not said any more.
        for (id, (since, said)) in self.of.range_mut(range.clone()) {
            if *since < time && said.take().is_some() {
                *since = time;
                self.live -= 1;
                changed(*id);
            }
        }
        self.missing = self
            .missing
            .iter()
            .flat_map(|m| outside(m, range))
            .collect();
    }

    fn set(&mut self, id: u64, time: u64, said: Option<V>) -> bool {
        let is_full = self.of.len() >= self.limit;
        match self.of.get_mut(&id) {
            Some((since, _)) if *since >= time => false,
            Some((since, old)) => {
                *since = time;
                let before = std::mem::replace(old, said);
                self.live += usize::from(said.is_some());
                self.live -= usize::from(before.is_some());
                before != said
            }
            None if is_full => false,
            None => {
                self.of.insert(id, (time, said));
                self.live += usize::from(said.is_some());
                said.is_some()
            }
        }
    }

    /// Forgets what is gone since before a time: no word from before it comes any more.
    pub(super) fn forget_gone(&mut self, before: u64) {
        self.of
            .retain(|_, (since, said)| said.is_some() || *since >= before);
    }
}

/// What of a range is not in another one.
fn outside(
    range: &RangeInclusive<u64>,
    cut: &RangeInclusive<u64>,
) -> impl Iterator<Item = RangeInclusive<u64>> + use<> {
    let below = cut.start().checked_sub(1);
    let below = below.map(|end| *range.start()..=end.min(*range.end()));
    let above = cut.end().checked_add(1);
    let above = above.map(|start| start.max(*range.start())..=*range.end());
    [below, above]
        .into_iter()
        .flatten()
        .filter(|r| !r.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(items: &[(u64, Option<u32>)], whole: Option<RangeInclusive<u64>>) -> Part<u32> {
        let items = items.to_vec();
        Part { whole, items }
    }

    fn all(registers: &Registers<u32>) -> Vec<(u64, u32)> {
        registers.live().collect()
    }

    #[test]
    fn the_last_word_holds_in_whatever_order_words_come() {
        let words = [
            (1, part(&[(1, Some(1)), (2, Some(1)), (9, Some(4))], None)),
            (2, part(&[(2, None), (3, Some(2))], None)),
            (3, part(&[(3, Some(3))], Some(2..=8))),
            (4, part(&[(4, Some(4)), (1, None)], None)),
        ];
        let orders = [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1], [1, 3, 0, 2]];
        for order in orders {
            let mut registers = Registers::new(100);
            for twice in [order, order] {
                for at in twice {
                    registers.take(words[at].0, &words[at].1, |_| {});
                }
            }
            let expected = [(3, 3), (4, 4), (9, 4)];
            assert_eq!(all(&registers), expected, "{order:?}");
            assert_eq!(registers.len(), 3);
        }
    }

    #[test]
    fn all_is_told_when_the_ranges_cover_all() {
        let mut registers = Registers::<u32>::new(9);
        for (time, range) in [(1, 100..=u64::MAX), (2, 0..=50), (3, 20..=98)] {
            registers.take(time, &part(&[], Some(range)), |_| {});
            assert!(!registers.is_complete());
        }
        registers.take(4, &part(&[], Some(99..=99)), |_| {});
        assert!(registers.is_complete());
    }

    #[test]
    fn it_is_bounded_and_has_room_again() {
        let mut registers = Registers::new(2);
        let many = part(&[(1, Some(1)), (2, Some(1)), (3, Some(1))], None);
        registers.take(1, &many, |_| {});
        assert_eq!(all(&registers), [(1, 1), (2, 1)]);
        registers.take(2, &part(&[(1, None)], None), |_| {});
        let third = part(&[(3, Some(1))], None);
        registers.take(3, &third, |_| {});
        assert_eq!(
            registers.get(3),
            None,
            "what is gone may still be overtaken"
        );
        registers.forget_gone(3);
        registers.take(4, &third, |_| {});
        assert_eq!(all(&registers), [(2, 1), (3, 1)]);
    }
}
