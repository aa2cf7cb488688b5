//! One pool of a table: its members, and the answers that the publisher has prepared.

use super::member::Member;
use super::words::{high, low, record, text, u16_at};
use crate::encode::RECORD_WORDS;
use crate::hash::{STEP, mix};
use crate::spec::PoolSpec;

/// Tries of a key before the slow, exact search among the members that take something.
const OWNER_TRIES: u32 = 64;

/// One pool of a table.
#[derive(Clone, Copy, Debug)]
pub struct Pool<'a> {
    pub(super) words: &'a [u64],
    pub(super) record: &'a [u64; RECORD_WORDS],
}

impl<'a> Pool<'a> {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'a [u8] {
        text(self.words, low(self.record[1]), high(self.record[1]))
    }

    /// [`crate::hash::xxh3`] of its name.
    #[must_use]
    #[inline]
    pub fn name_hash(&self) -> u64 {
        self.record[0]
    }

    /// Its row of pool counters.
    #[must_use]
    #[inline]
    pub fn slot(&self) -> usize {
        low(self.record[2])
    }

    /// The bits of its row table.
    #[must_use]
    #[inline]
    pub fn hash_bits(&self) -> u8 {
        self.record[2].to_le_bytes()[4]
    }

    /// How many members it has.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        high(self.record[3])
    }

    /// Whether it has no members.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many of them are active.
    #[must_use]
    #[inline]
    pub fn active_len(&self) -> usize {
        high(self.record[4])
    }

    /// The capacity of the active members together, in calls.
    #[must_use]
    pub fn capacity(&self) -> u64 {
        self.record[6]
    }

    /// The member at an index below [`Self::len`].
    #[must_use]
    #[inline]
    pub fn member(&self, index: usize) -> Option<Member<'a>> {
        let at = low(self.record[7]) + RECORD_WORDS * index;
        (index < self.len()).then(|| Member {
            words: self.words,
            record: record(self.words, at),
        })
    }

    /// All members, in the order of the specification.
    pub fn members(self) -> impl Iterator<Item = Member<'a>> {
        (0..self.len()).filter_map(move |i| self.member(i))
    }

    /// All members of the table: those of the other pools, too.
    pub fn everybody(self) -> impl Iterator<Item = Member<'a>> {
        let (pools, members) = (low(self.words[4]), high(self.words[4]));
        (0..members).map(move |i| Member {
            words: self.words,
            record: record(self.words, RECORD_WORDS * (1 + pools + i)),
        })
    }

    /// The active member at a position below [`Self::active_len`]; by falling priority.
    #[must_use]
    #[inline]
    pub fn active(&self, position: usize) -> Option<Member<'a>> {
        if position >= self.active_len() {
            return None;
        }
        let entry = self.words[low(self.record[4]) + position];
        self.member(usize::from(u16_at(entry, 0)))
    }

    /// The active member that a number evenly spread over all of `u64` picks by weight.
    #[must_use]
    #[inline]
    pub fn weighted(&self, number: u64) -> Option<Member<'a>> {
        let count = self.active_len() as u64;
        if count == 0 {
            return None;
        }
        let wide = u128::from(number) * u128::from(count);
        let position = usize::try_from(wide >> 64).ok()?;
        let fraction = u64::try_from(wide & u128::from(u64::MAX)).ok()?;
        let entry = self.words[low(self.record[4]) + position];
        let shift = if fraction >> 32 < entry >> 32 { 0 } else { 16 };
        self.member(usize::from(u16_at(entry, shift)))
    }

    /// The member that owns a key among those `takes` allows: the owner of the key's row, or the
    /// next try by the key's own sequence. Equal on every host with the same members, and a member
    /// that stops taking moves only its own keys. `key` is [`crate::hash::xxh3`] of the key.
    #[must_use]
    #[inline(always)]
    pub fn owner(&self, key: u64, takes: impl Fn(&Member<'a>) -> bool) -> Option<Member<'a>> {
        match self.row_owner(key) {
            Some(member) if member.takes_share(key) && takes(&member) => Some(member),
            Some(_) => self.later_owner(key, takes),
            None => self.owner_by_score(key, takes),
        }
    }

    /// The owner of the row that a try of a key points to; `None` if the row is nobody's.
    #[inline]
    fn row_owner(&self, x: u64) -> Option<Member<'a>> {
        let row = usize::try_from(x >> (64 - u32::from(self.hash_bits()))).ok()?;
        let word = self.words[low(self.record[5]) + row / 4];
        let owner = u16_at(word, 16 * u32::try_from(row % 4).ok()?);
        // NOBODY is no index of a member.
        self.member(usize::from(owner))
    }

    /// The second try of a key and those after it.
    #[inline(never)]
    fn later_owner(&self, key: u64, takes: impl Fn(&Member<'a>) -> bool) -> Option<Member<'a>> {
        let mut x = key;
        for _ in 1..OWNER_TRIES {
            x = mix(x.wrapping_add(STEP));
            match self.row_owner(x) {
                Some(member) if member.takes_share(x) && takes(&member) => return Some(member),
                Some(_) => {}
                None => break,
            }
        }
        self.owner_by_score(key, takes)
    }

    /// Weighted rendezvous among all members, for a pool of which hardly anything is left.
    #[cold]
    fn owner_by_score(&self, key: u64, takes: impl Fn(&Member<'a>) -> bool) -> Option<Member<'a>> {
        let score = |m: &Member<'a>| (neg_log2(mix(key ^ m.id())), u64::from(m.live()));
        self.members()
            .filter(|m| m.live() > 0 && takes(m))
            .min_by(|a, b| {
                let ((a_log, a_live), (b_log, b_live)) = (score(a), score(b));
                (a_log * b_live)
                    .cmp(&(b_log * a_live))
                    .then(a.id().cmp(&b.id()))
            })
    }

    pub(super) fn to_spec(self) -> PoolSpec {
        PoolSpec {
            name: String::from_utf8_lossy(self.name()).into_owned(),
            hash_bits: self.hash_bits(),
            members: self.members().map(|m| m.to_spec()).collect(),
            options: self.options_spec(),
        }
    }
}

/// -log2(x / 2^64) with 24 fractional bits, within 1 %; integers only, so equal on every host.
fn neg_log2(x: u64) -> u64 {
    let x = x | 1;
    let zeros = u64::from(x.leading_zeros());
    let fraction = (x << zeros << 1) >> 40;
    let curve = ((fraction * ((1 << 24) - fraction)) >> 24) * 5_770_000;
    ((zeros + 1) << 24) - (fraction + (curve >> 24))
}
