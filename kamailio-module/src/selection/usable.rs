//! Whether a selection may use a member, and how loaded it is. It reads what is known and changes nothing.

use kamscale_shm::layout::PoolRow;
use kamscale_shm::{DesiredState, Member, Observed};

use crate::server::{Server, now};
use crate::sums::{is_below_bound, is_panic};

/// What a selection may use of a member: neither the operator, passive detection, its answers to
/// probes nor an earlier try of the same request speaks against it.
#[derive(Clone, Copy, Debug)]
pub struct Usable<'a> {
    /// The counts.
    pub observed: &'a Observed,
    /// Slots that this request was sent to.
    pub tried: &'a [u16],
    /// What is summed over the pool.
    sums: Option<&'a PoolRow>,
    /// So many of the pool do not answer probes that it is not held against them.
    is_panic: bool,
}

/// What a member carries, and may carry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    calls: u64,
    capacity: u64,
}

impl Load {
    fn new(calls: u32, capacity: u32) -> Self {
        Self {
            calls: u64::from(calls),
            capacity: u64::from(capacity),
        }
    }

    /// Whether a member with this load would be less loaded than another, with one call more on each.
    /// Without a capacity a member counts as one that carries one call at a time: the fewest calls win.
    #[inline]
    pub(super) fn is_below(self, other: Self) -> bool {
        (self.calls + 1) * other.capacity.max(1) < (other.calls + 1) * self.capacity.max(1)
    }
}

impl<'a> Usable<'a> {
    /// For a request to the pool of this slot that was sent to these members before.
    #[inline]
    #[must_use]
    pub fn new(server: &'a Server, pool: usize, tried: &'a [u16]) -> Self {
        let sums = server.observed.pool(pool);
        let threshold = server.settings.panic_threshold;
        let is_probing = server.observed.is_probing();
        Self {
            observed: &server.observed,
            tried,
            sums,
            is_panic: is_probing && sums.is_some_and(|row| is_panic(row, threshold)),
        }
    }
}

impl Usable<'_> {
    /// Whether so many members do not answer probes that it is not held against them.
    #[must_use]
    pub const fn is_panic(&self) -> bool {
        self.is_panic
    }

    /// Whether the member may get this request. Always inlined: calling it costs as much as asking.
    #[inline(always)]
    #[must_use]
    pub fn is(&self, member: &Member<'_>) -> bool {
        let (slot, id) = (member.slot(), member.id());
        let is_usable = match self.is_panic {
            false => self.observed.is_usable(slot, id, now),
            true => self.observed.is_usable_unheard(slot, id, now),
        };
        is_usable && !self.was_tried(member)
    }

    /// Whether a new key may go to the member: it carries no more than 1.25 times its share.
    #[inline]
    pub(super) fn is_below_bound(&self, member: &Member<'_>) -> bool {
        let calls = self.load(member).calls;
        self.sums
            .is_none_or(|row| is_below_bound(row, member.live(), calls))
    }

    /// Whether this request was sent to the member before.
    #[inline]
    #[must_use]
    pub fn was_tried(&self, member: &Member<'_>) -> bool {
        let is = |slot: &u16| usize::from(*slot) == member.slot();
        self.tried.iter().any(is)
    }

    /// Whether the member goes on with what it has: a draining one does, one that is disabled or
    /// down does not.
    #[inline]
    #[must_use]
    pub fn keeps(&self, member: &Member<'_>) -> bool {
        let (slot, id) = (member.slot(), member.id());
        let keeps = match self.is_panic() {
            false => self.observed.keeps(slot, id, now),
            true => self.observed.keeps_unheard(slot, id, now),
        };
        keeps && member.state() != DesiredState::Disabled
    }

    /// Whether the member has room for another call.
    #[inline]
    #[must_use]
    pub fn has_room(&self, member: &Member<'_>) -> bool {
        let load = self.load(member);
        load.capacity == 0 || load.calls < load.capacity
    }

    /// What it carries. A node counts its own calls and those of nodes that share; where members report
    /// theirs, the larger number is nearer to the truth, and the member knows its capacity best.
    #[inline]
    pub(super) fn load(&self, member: &Member<'_>) -> Load {
        let Some(row) = self.observed.member(member.slot()) else {
            return Load::new(0, member.capacity());
        };
        let is_probing = self.observed.is_probing();
        let mut calls = self.observed.carries(member.slot(), member.id());
        let mut capacity = member.capacity();
        if is_probing
            && row.is_of(member.id())
            && let Some(reported) = row.report().capacity
        {
            // Who says that it may carry none is full; a capacity of 0 would be no limit.
            capacity = reported.max(1);
            calls = calls.max(capacity - reported);
        }
        Load::new(calls, capacity)
    }

    /// Per cent of its weight that the member asks for.
    #[inline]
    pub(super) fn asks(&self, member: &Member<'_>) -> u32 {
        if !self.observed.is_probing() {
            return 100;
        }
        let row = self.observed.member(member.slot());
        let row = row.filter(|row| row.is_of(member.id()));
        row.and_then(|row| row.report().weight)
            .map_or(100, |percent| percent.min(100))
    }
}
