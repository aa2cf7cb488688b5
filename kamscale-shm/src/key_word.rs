//! The words of the table of sticky keys, packed so that every step of its protocol is one
//! compare-and-swap. Values only: [`crate::keys`] has the atomics and the protocol.

use crate::limits::{KEY_GROUPS, KEYS_PER_GROUP, MAX_MEMBERS};

const COUNT_BITS: u32 = 18;
const SLOT_BITS: u32 = 14;
const TAG_BITS: u32 = 12;
const PHASE_BITS: u32 = 2;
const CLAIM_BITS: u32 = 18;
const ENTRY_BITS: u32 = 18;

const HOLDER_AT: u32 = COUNT_BITS;
const PHASE_AT: u32 = HOLDER_AT + SLOT_BITS + TAG_BITS;
const CLAIM_AT: u32 = PHASE_AT + PHASE_BITS;
const TURN_AT: u32 = ENTRY_BITS + CLAIM_BITS;

const _: () = {
    assert!(CLAIM_AT + CLAIM_BITS == 64, "a state fills its word");
    assert!(MAX_MEMBERS == 1 << SLOT_BITS, "every slot has a number");
    assert!(
        KEY_GROUPS * KEYS_PER_GROUP < 1 << ENTRY_BITS,
        "so has every entry, and 0 is none"
    );
};

const fn mask(bits: u32) -> u64 {
    (1 << bits) - 1
}

/// The calls that one key can have at a time.
pub const MAX_KEY_CALLS: u64 = mask(COUNT_BITS);

/// Which member holds a key: its slot, and a part of its id, as the slot may later be another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder(u64);

impl Holder {
    /// The member with this slot and id ([`crate::hash::member_id`]).
    #[must_use]
    pub fn new(slot: usize, id: u64) -> Self {
        let tag = id >> (64 - TAG_BITS);
        Self(slot as u64 & mask(SLOT_BITS) | tag << SLOT_BITS)
    }

    /// The member's slot.
    #[must_use]
    pub fn slot(self) -> usize {
        usize::try_from(self.0 & mask(SLOT_BITS)).unwrap_or(0)
    }
}

/// What an entry is. Zero is a free one that was never used.
///
/// | bits | holds |
/// |---:|---|
/// | 0..18 | calls of the key |
/// | 18..44 | the member ([`Holder`]) |
/// | 44..46 | phase: 0 free, 1 claimed and not published yet, 2 live |
/// | 46..64 | how often the entry was given back: who saw it before cannot change it after |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State(pub(crate) u64);

const CLAIMED: u64 = 1;
const LIVE: u64 = 2;

impl State {
    const fn phase(self) -> u64 {
        self.0 >> PHASE_AT & mask(PHASE_BITS)
    }

    pub(crate) const fn is_free(self) -> bool {
        self.phase() == 0
    }

    pub(crate) const fn is_claimed(self) -> bool {
        self.phase() == CLAIMED
    }

    pub(crate) const fn is_live(self) -> bool {
        self.phase() == LIVE
    }

    /// The number of the claim: another one after the entry was given back.
    pub(crate) const fn claim(self) -> u64 {
        self.0 >> CLAIM_AT
    }

    pub(crate) const fn count(self) -> u64 {
        self.0 & MAX_KEY_CALLS
    }

    pub(crate) const fn holder(self) -> Holder {
        Holder(self.0 >> HOLDER_AT & mask(SLOT_BITS + TAG_BITS))
    }

    /// A free entry, claimed for a key of this member with one call.
    pub(crate) const fn claimed(self, holder: Holder) -> Self {
        Self(self.claim() << CLAIM_AT | CLAIMED << PHASE_AT | holder.0 << HOLDER_AT | 1)
    }

    /// The same, now live.
    pub(crate) const fn live(self) -> Self {
        Self(self.0 & !(mask(PHASE_BITS) << PHASE_AT) | LIVE << PHASE_AT)
    }

    /// Given back.
    pub(crate) const fn freed(self) -> Self {
        // Shifting drops the carry: after the last number comes 0.
        Self((self.claim() + 1) << CLAIM_AT)
    }

    /// With another call; the caller has seen that there is room for its count.
    pub(crate) const fn one_more(self) -> Self {
        Self(self.0 + 1)
    }

    /// With one call less, free after the last.
    pub(crate) const fn one_less(self) -> Self {
        if self.count() > 1 {
            Self(self.0 - 1)
        } else {
            self.freed()
        }
    }

    /// Held by another member.
    pub(crate) const fn moved(self, to: Holder) -> Self {
        Self(self.0 & !(mask(SLOT_BITS + TAG_BITS) << HOLDER_AT) | to.0 << HOLDER_AT)
    }
}

/// Which key of a home group was published last.
///
/// | bits | holds |
/// |---:|---|
/// | 0..18 | 1 + the entry; 0 before the first |
/// | 18..36 | the number of its claim |
/// | 36..64 | how many there were: no two publications give the same word |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Published(pub(crate) u64);

impl Published {
    pub(crate) fn entry(self) -> Option<usize> {
        usize::try_from(self.0 & mask(ENTRY_BITS))
            .ok()?
            .checked_sub(1)
    }

    /// The number of the entry's claim that was published.
    pub(crate) const fn claim(self) -> u64 {
        self.0 >> ENTRY_BITS & mask(CLAIM_BITS)
    }

    /// The word after this one.
    pub(crate) const fn then(self, entry: usize, claim: u64) -> Self {
        let turn = (self.0 >> TURN_AT) + 1;
        Self(turn << TURN_AT | claim << ENTRY_BITS | (entry as u64 + 1))
    }
}
