//! Whether a selection may use a member, and how loaded it is. It reads what is known and changes nothing.

use std::sync::atomic::Ordering::Relaxed;

use kamscale_shm::hash::mix;
use kamscale_shm::layout::PoolRow;
use kamscale_shm::{DesiredState, Member, Observed, Pool};

use super::load::{Load, Pressure};
use crate::server::{Server, now};
use crate::sums::{is_below_bound, is_panic};

/// So many of the pool do not answer probes that it is not held against them.
const PANIC: u64 = 1;
/// Who carries its capacity gets nothing more.
const CAPACITY: u64 = 2;
/// Somebody has just come up, and others have not.
const RAMP: u64 = 4;
/// Bits above which stand the seconds within which the share of a member grows that has just come up.
const SLOW_START_AT: u32 = 32;

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
    /// What is special about the pool now, as bits; most have nothing, and look no further.
    special: u64,
}

impl<'a> Usable<'a> {
    /// For a request to this pool that was sent to these members before.
    #[inline]
    #[must_use]
    pub fn new(server: &'a Server, pool: &Pool<'_>, tried: &'a [u16]) -> Self {
        let observed = &server.observed;
        let is_special = pool.has_options() || observed.is_probing();
        Self {
            observed,
            tried,
            sums: observed.pool(pool.slot()),
            special: if is_special { special(server, pool) } else { 0 },
        }
    }
}

/// By value: who has nothing special is then never written to memory.
#[inline(never)]
fn special(server: &Server, pool: &Pool<'_>) -> u64 {
    let observed = &server.observed;
    let Some(sums) = observed.pool(pool.slot()) else {
        return 0;
    };
    let threshold = pool.panic_threshold();
    let threshold = threshold.unwrap_or(server.settings.panic_threshold);
    let slow_start_s = pool.slow_start_s();
    // Where everybody has just come up nobody is spared for them.
    let is_ramping = slow_start_s > 0 && sums.steady.load(Relaxed) > 0;
    [
        (PANIC, observed.is_probing() && is_panic(sums, threshold)),
        (CAPACITY, pool.respects_capacity()),
        (RAMP, is_ramping),
    ]
    .into_iter()
    .filter(|(_, is)| *is)
    .fold(u64::from(slow_start_s) << SLOW_START_AT, |all, (bit, _)| {
        all | bit
    })
}

impl Usable<'_> {
    /// Whether so many members do not answer probes that it is not held against them.
    #[must_use]
    pub const fn is_panic(&self) -> bool {
        self.special & PANIC != 0
    }

    /// Whether somebody refused calls of late.
    #[inline]
    pub(super) fn is_refusing(&self) -> bool {
        // Relaxed: one number that stands for itself.
        self.sums
            .is_some_and(|sums| sums.refusing.load(Relaxed) != 0)
    }

    /// Whether somebody has just come up, and others have not.
    #[inline]
    pub(crate) const fn is_ramping(&self) -> bool {
        self.special & RAMP != 0
    }

    /// Whether the member may get this request. Always inlined: calling it costs as much as asking.
    #[inline(always)]
    #[must_use]
    pub fn is(&self, member: &Member<'_>) -> bool {
        let is_usable = match self.special & (PANIC | CAPACITY) {
            0 => self.observed.is_usable(member.slot(), member.id(), now),
            _ => self.is_special(member),
        };
        (is_usable || self.is_believed(member)) && !self.was_tried(member)
    }

    #[inline(never)]
    fn is_special(&self, member: &Member<'_>) -> bool {
        let (slot, id) = (member.slot(), member.id());
        let is_usable = match self.is_panic() {
            false => self.observed.is_usable(slot, id, now),
            true => self.observed.is_usable_unheard(slot, id, now),
        };
        is_usable && !self.is_full(member)
    }

    /// Whether the member carries its capacity, in a pool in which it then gets nothing more.
    #[must_use]
    pub fn is_full(&self, member: &Member<'_>) -> bool {
        self.special & CAPACITY != 0 && !self.has_room(member)
    }

    /// How much of its weight the member gets now, in percent.
    #[must_use]
    pub fn share(&self, member: &Member<'_>) -> u32 {
        if !self.is_ramping() {
            return 100;
        }
        let now_s = u32::try_from(now()).unwrap_or(u32::MAX);
        let slow_start_s = u32::try_from(self.special >> SLOW_START_AT).unwrap_or(0);
        let row = self.observed.member(member.slot());
        row.map_or(100, |row| row.share(member.id(), now_s, slow_start_s))
    }

    /// Whether the member may have this new key already: its share of them grows, and each goes to it
    /// once.
    pub(crate) fn takes_key(&self, member: &Member<'_>, key: u64) -> bool {
        // Another mixture than that which places keys.
        let place = mix(key.rotate_left(21) ^ member.id()) >> 32;
        !self.is_ramping() || place * 100 < u64::from(self.share(member)) << 32
    }

    /// A member that is not probed needs no answer, from its first moment on.
    #[cold]
    fn is_believed(&self, member: &Member<'_>) -> bool {
        let row = self.observed.member(member.slot());
        !member.is_probed() && row.is_some_and(|row| !row.is_of(member.id()))
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

    /// What it carries with what lessens its share now.
    pub(super) fn pressure(&self, member: &Member<'_>) -> Pressure {
        let row = self.observed.member(member.slot());
        let row = row.filter(|row| row.is_of(member.id()));
        let refusals = row.map_or(0, |row| row.refusals_of(member.id()));
        // Relaxed: a number that stands for itself.
        let latency_us = row.map_or(0, |row| row.latency_us.load(Relaxed));
        Pressure::new(self.load(member), refusals, self.share(member), latency_us)
    }

    /// What it carries. A node counts its own calls and those of nodes that share; where members report
    /// theirs, the larger number is nearer to the truth, and the member knows its capacity best.
    #[inline]
    pub(crate) fn load(&self, member: &Member<'_>) -> Load {
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
