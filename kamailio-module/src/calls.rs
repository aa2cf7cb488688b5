//! Calls per member. A call is counted in one word that belongs to its dialog: the member's slot
//! and a part of its identity, or 0. Whoever changes the word settles the counts, so a call is
//! counted once however often its end is reported, and failover moves it.

use std::sync::atomic::{AtomicUsize, Ordering};

use kamscale_shm::{Member, Observed};

/// Bits of the word that hold slot + 1.
const SLOT_BITS: u32 = 32;
const SLOT_MASK: usize = (1 << SLOT_BITS) - 1;

/// Where a call is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// The member's slot.
    pub slot: usize,
    /// The upper half of the member's id.
    tag: usize,
}

impl Counted {
    fn of(member: &Member<'_>) -> Self {
        Self {
            slot: member.slot(),
            tag: tag(member.id()),
        }
    }

    /// Whether this is the member on which the call is counted.
    #[must_use]
    pub fn is(&self, member: &Member<'_>) -> bool {
        *self == Self::of(member)
    }

    fn to_word(self) -> usize {
        self.tag << SLOT_BITS | (self.slot + 1)
    }

    fn from_word(word: usize) -> Option<Self> {
        let slot = (word & SLOT_MASK).checked_sub(1)?;
        Some(Self {
            slot,
            tag: word >> SLOT_BITS,
        })
    }
}

fn tag(id: u64) -> usize {
    usize::try_from(id >> 32).unwrap_or(0)
}

/// Where the call with this word is counted now.
#[must_use]
pub fn counted(word: &AtomicUsize) -> Option<Counted> {
    Counted::from_word(word.load(Ordering::Acquire))
}

/// Counts the call on this member from now on, and no longer where it was counted before.
pub fn count(observed: &Observed, word: &AtomicUsize, member: &Member<'_>) {
    if let Some(row) = observed.member(member.slot()) {
        row.claim(member.id());
        row.calls.fetch_add(1, Ordering::Relaxed);
        row.calls_total.fetch_add(1, Ordering::Relaxed);
        let before = word.swap(Counted::of(member).to_word(), Ordering::AcqRel);
        uncount(observed, before);
    }
}

/// The call has ended (or its dialog is destroyed): it is counted nowhere. May be called again.
pub fn end(observed: &Observed, word: &AtomicUsize) {
    uncount(observed, word.swap(0, Ordering::AcqRel));
}

fn uncount(observed: &Observed, word: usize) {
    if let Some(row) = Counted::from_word(word).and_then(|c| observed.member(c.slot)) {
        row.calls.fetch_sub(1, Ordering::Relaxed);
    }
}
