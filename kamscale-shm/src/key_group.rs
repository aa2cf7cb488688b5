//! Where the entries of sticky keys are: groups of a fixed size, two of which a key may be in.
//! [`crate::keys`] has what happens to an entry.

use crate::key_word::State;
use crate::limits::KEYS_PER_GROUP;
use crate::sync::{AtomicU64, Ordering};

/// Free entries of its home below which a key goes to its second group, if that has more. With 2 most
/// keys are at home and the first is refused at half of the room, with 7 at 72 %, with 5 at 67 %.
const SPARE: usize = 5;

/// One group: two cache lines, which are fetched together.
#[derive(Debug)]
#[repr(C, align(128))]
pub struct KeyGroup {
    /// Which key that has its home here was published last.
    pub published: AtomicU64,
    /// Entries, of keys that have their home here or elsewhere.
    pub entries: [KeyEntry; KEYS_PER_GROUP],
}

/// One key.
#[derive(Debug)]
#[repr(C)]
pub struct KeyEntry {
    /// Calls, member and phase.
    pub state: AtomicU64,
    /// The key; says nothing while the entry is free.
    pub key: AtomicU64,
}

/// All groups. Entries are numbered through them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Groups<'a>(pub(crate) &'a [KeyGroup]);

impl<'a> Groups<'a> {
    /// The group in which it is decided who opens a key.
    pub(crate) fn home(self, key: u64) -> Option<&'a KeyGroup> {
        self.0.get(self.of(key)?[0])
    }

    /// Asks `look` about every entry that may be a key's, by number, until it has an answer. No entry
    /// is passed over that was published before the caller acquired its home's `published`.
    #[inline]
    pub(crate) fn search<R>(
        self,
        key: u64,
        mut look: impl FnMut(usize, &'a KeyEntry) -> Option<R>,
    ) -> Option<R> {
        for group in self.of(key)? {
            for (place, entry) in self.0.get(group)?.entries.iter().enumerate() {
                if entry.key.load(Ordering::Relaxed) != key {
                    continue;
                }
                let found = look(group * KEYS_PER_GROUP + place, entry);
                if found.is_some() {
                    return found;
                }
            }
        }
        None
    }

    /// Where a key's entry may be, those to be used first for a new key first.
    pub(crate) fn by_room(self, key: u64) -> impl Iterator<Item = (usize, &'a KeyEntry)> {
        let order = self.of(key).map(|[home, second]| {
            let at_home = self.free(home);
            let second_first = at_home < SPARE && self.free(second) > at_home;
            if second_first {
                [second, home]
            } else {
                [home, second]
            }
        });
        let groups = order.into_iter().flatten();
        groups.flat_map(move |group| self.group(group))
    }

    /// The entry of a number.
    pub(crate) fn entry(self, number: usize) -> Option<&'a KeyEntry> {
        let group = self.0.get(number / KEYS_PER_GROUP)?;
        group.entries.get(number % KEYS_PER_GROUP)
    }

    /// All entries.
    pub(crate) fn all(self) -> impl Iterator<Item = (usize, &'a KeyEntry)> {
        (0..).zip(self.0.iter().flat_map(|group| &group.entries))
    }

    /// A key's home and its second group; the same one only if there is no other.
    fn of(self, key: u64) -> Option<[usize; 2]> {
        let count = self.0.len();
        let spread = |x: u64| usize::try_from((u128::from(x) * count as u128) >> 64).ok();
        let (home, second) = (spread(key)?, spread(key.rotate_left(32))?);
        let next = (home + 1).checked_rem(count)?;
        Some([home, if second == home { next } else { second }])
    }

    /// The entries of one group, by number.
    pub(crate) fn group(self, group: usize) -> impl Iterator<Item = (usize, &'a KeyEntry)> {
        let entries = self.0.get(group).into_iter().flat_map(|g| &g.entries);
        (group * KEYS_PER_GROUP..).zip(entries)
    }

    fn free(self, group: usize) -> usize {
        let is_free = |e: &&KeyEntry| State(e.state.load(Ordering::Relaxed)).is_free();
        let entries = self.0.get(group).into_iter().flat_map(|g| &g.entries);
        entries.filter(is_free).count()
    }
}
