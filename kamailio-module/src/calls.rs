//! Calls per member. A call is counted in one word that belongs to its dialog: the member's slot
//! and a part of its identity, with the entry of its sticky key if it has one; or 0. Whoever changes
//! the word settles the counts, so a call is counted once however often its end is reported, and
//! failover moves it.

use std::sync::atomic::{AtomicUsize, Ordering};

use kamscale_shm::limits::{KEY_GROUPS, KEYS_PER_GROUP, MAX_MEMBERS};
use kamscale_shm::{Member, Observed};

/// Bits of the word that hold slot + 1.
const SLOT_BITS: u32 = 15;
/// Bits above them that hold the entry of the call's sticky key + 1.
const ENTRY_BITS: u32 = 18;
const TAG_AT: u32 = SLOT_BITS + ENTRY_BITS;
const _: () = assert!(MAX_MEMBERS < 1 << SLOT_BITS);
const _: () = assert!(KEY_GROUPS * KEYS_PER_GROUP < 1 << ENTRY_BITS);

/// Where a call is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// The member's slot.
    pub slot: usize,
    /// The upper part of the member's id.
    tag: usize,
    /// The entry of the sticky key on which it is counted.
    entry: Option<usize>,
}

impl Counted {
    fn of(member: &Member<'_>) -> Self {
        Self {
            slot: member.slot(),
            tag: tag(member.id()),
            entry: None,
        }
    }

    /// Whether this is the member on which the call is counted.
    #[must_use]
    pub fn is(&self, member: &Member<'_>) -> bool {
        (self.slot, self.tag) == (member.slot(), tag(member.id()))
    }

    fn to_word(self) -> usize {
        let entry = self.entry.map_or(0, |entry| entry + 1);
        self.tag << TAG_AT | entry << SLOT_BITS | (self.slot + 1)
    }

    /// What a word says; `None` if it counts nowhere.
    #[must_use]
    pub fn from_word(word: usize) -> Option<Self> {
        let part = |at: u32, bits: u32| (word >> at & ((1 << bits) - 1)).checked_sub(1);
        Some(Self {
            slot: part(0, SLOT_BITS)?,
            tag: word >> TAG_AT,
            entry: part(SLOT_BITS, ENTRY_BITS),
        })
    }
}

fn tag(id: u64) -> usize {
    usize::try_from(id >> TAG_AT).unwrap_or(0)
}

/// Where the call with this word is counted now.
#[must_use]
pub fn counted(word: &AtomicUsize) -> Option<Counted> {
    Counted::from_word(word.load(Ordering::Acquire))
}

/// Counts the call on this member from now on, and no longer where it was counted before. With the
/// call goes what it took of a sticky key: `entry` is given back when the call ends or moves.
pub fn count(observed: &Observed, word: &AtomicUsize, member: &Member<'_>, entry: Option<usize>) {
    if let Some(row) = observed.member(member.slot()) {
        row.claim(member.id());
        row.calls.fetch_add(1, Ordering::Relaxed);
        row.calls_total.fetch_add(1, Ordering::Relaxed);
        let counted = Counted {
            entry,
            ..Counted::of(member)
        };
        let before = word.swap(counted.to_word(), Ordering::AcqRel);
        uncount(observed, before);
    }
}

/// Takes what the call has of a sticky key out of its word: the caller gives it back, or to another
/// word. The call stays counted where it is.
#[must_use]
pub fn take_entry(word: &AtomicUsize) -> Option<usize> {
    let without = |word| Counted::from_word(word).map(|c| Counted { entry: None, ..c }.to_word());
    let order = (Ordering::AcqRel, Ordering::Acquire);
    let before = word.fetch_update(order.0, order.1, without).ok()?;
    Counted::from_word(before)?.entry
}

/// The call came to nothing with this status: a member that has no room, or is broken, must not look idle
/// because it says so quickly. What concerns the callee or the caller alone is no refusal of the member.
pub fn failed(observed: &Observed, word: &AtomicUsize, status: u16) {
    if matches!(status, 408 | 480 | 486 | 500..=600)
        && let Some(counted) = counted(word)
        && let Some(row) = observed.member(counted.slot)
    {
        row.note_refusal();
    }
}

/// The call has ended (or its dialog is destroyed): it is counted nowhere. May be called again.
pub fn end(observed: &Observed, word: &AtomicUsize) {
    uncount(observed, word.swap(0, Ordering::AcqRel));
}

fn uncount(observed: &Observed, word: usize) {
    let Some(counted) = Counted::from_word(word) else {
        return;
    };
    if let Some(row) = observed.member(counted.slot) {
        row.calls.fetch_sub(1, Ordering::Relaxed);
    }
    if let Some(entry) = counted.entry {
        observed.keys().give_back(entry);
    }
}
