//! The row of one member: whose it is, and whether anything known here keeps the member out. Three
//! things may: the operator's word, passive detection, and probing ([`crate::health`]).

use crate::health::Health;
use crate::layout::MemberRow;
use crate::spec::DesiredState;
use crate::sync::{AtomicU64, Ordering};

/// When failures that a script marks take a member out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailureLimit {
    /// So many of them, over all processes,
    pub failures: u32,
    /// within so many seconds of the first one,
    pub window_s: u32,
    /// for so many seconds.
    pub down_s: u64,
}

impl MemberRow {
    /// Takes the row for the member `id` if it is not its row yet: counts of an earlier owner of
    /// the slot do not apply to it. The agent gives a slot away only when nothing is counted on it.
    #[inline]
    pub fn claim(&self, id: u64) {
        if self.id.load(Ordering::Acquire) != id {
            self.take_over(id);
        }
    }

    #[cold]
    fn take_over(&self, id: u64) {
        let was = self.id.swap(id, Ordering::AcqRel);
        if was != id && was != 0 {
            self.down_until_s.store(0, Ordering::Relaxed);
            self.failures.store(0, Ordering::Relaxed);
            self.failure_window.store(0, Ordering::Relaxed);
            self.used_since_s.store(0, Ordering::Relaxed);
            self.refusals.store(0, Ordering::Relaxed);
            // Only the earlier owner's words: another process may have set the new owner's already.
            clear_foreign(&self.override_word, id);
            clear_foreign(&self.health_word, id);
        }
    }

    /// Whether the row speaks of the member `id`.
    #[must_use]
    #[inline]
    pub fn is_of(&self, id: u64) -> bool {
        self.id.load(Ordering::Relaxed) == id
    }

    /// Whether neither the operator nor passive detection nor (if members are probed) the member's
    /// answers keep the member `id` out. For one of which nothing bad was ever said that is one
    /// load more than finding out whose row it is. `now_s` is asked for only if the member was ever
    /// marked as down.
    #[must_use]
    #[inline]
    pub fn is_usable(&self, id: u64, probing: bool, now_s: impl FnOnce() -> u64) -> bool {
        // Partner: the exchange in `take_over`, before which the prober stores `held`.
        if self.id.load(Ordering::Acquire) != id {
            return !probing;
        }
        self.held.load(Ordering::Relaxed) == 0 || self.is_free(id, probing, now_s)
    }

    /// [`Self::is_usable`] where something was once said: is any of it still in force?
    fn is_free(&self, id: u64, probing: bool, now_s: impl FnOnce() -> u64) -> bool {
        let down_until_s = self.down_until_s.load(Ordering::Relaxed);
        matches!(self.word_of(id), None | Some(DesiredState::Active))
            && (!probing || self.health_of(id).is_some_and(Health::takes))
            && (down_until_s == 0 || down_until_s <= now_s())
    }

    /// Whether nothing takes from the member `id` what it has: as [`Self::is_usable`], but also while
    /// it drains.
    #[must_use]
    #[inline]
    pub fn keeps(&self, id: u64, probing: bool, now_s: impl FnOnce() -> u64) -> bool {
        let is_down = || probing && self.health_of(id) == Some(Health::Down);
        let down_until_s = self.down_until_s.load(Ordering::Relaxed);
        !self.is_of(id)
            || self.held.load(Ordering::Relaxed) == 0
            || (self.word_of(id) != Some(DesiredState::Disabled)
                && !is_down()
                && (down_until_s == 0 || down_until_s <= now_s()))
    }

    /// Calls that the member `id` carries now.
    #[must_use]
    #[inline]
    pub fn calls_of(&self, id: u64) -> u32 {
        if self.is_of(id) {
            u32::try_from(self.calls.load(Ordering::Relaxed).max(0)).unwrap_or(u32::MAX)
        } else {
            0
        }
    }

    /// Calls that the member `id` carries: those that are counted here and `elsewhere` or, if it is probed
    /// and says that it has more, what it says.
    #[must_use]
    #[inline]
    pub fn carries(&self, id: u64, elsewhere: u32, probing: bool) -> u32 {
        let calls = self.calls_of(id).saturating_add(elsewhere);
        if !probing || !self.is_of(id) {
            return calls;
        }
        calls.max(self.report().calls.unwrap_or(0))
    }

    #[inline]
    fn word_of(&self, id: u64) -> Option<DesiredState> {
        let number = number_in(self.override_word.load(Ordering::Relaxed), id)?;
        DesiredState::from_number(number - 1)
    }

    /// The operator's word on it, if there is one.
    #[must_use]
    pub fn override_of(&self, id: u64) -> Option<DesiredState> {
        self.word_of(id).filter(|_| self.is_of(id))
    }

    /// Sets or (with `None`) takes back the operator's word on the member `id`.
    pub fn set_override(&self, id: u64, state: Option<DesiredState>) {
        self.claim(id);
        self.hold();
        let word = state.map_or(0, |s| word(id, 1 + s as u8));
        self.override_word.store(word, Ordering::Release);
    }

    /// What probing says of the member `id`; `None` if it never was probed.
    #[must_use]
    #[inline]
    pub fn health_of(&self, id: u64) -> Option<Health> {
        let number = number_in(self.health_word.load(Ordering::Acquire), id)?;
        Health::from_number(number).filter(|_| self.is_of(id))
    }

    /// Says what probing found. For the process that probes.
    pub fn set_health(&self, id: u64, health: Health) {
        if !health.takes() {
            self.hold();
        }
        // Partner: the load in `health_of`.
        self.health_word
            .store(word(id, health as u8), Ordering::Release);
        self.claim(id);
    }

    /// Keeps the member `id` out until then.
    pub fn mark_down(&self, id: u64, until_s: u64) {
        self.claim(id);
        self.hold();
        self.down_until_s.store(until_s, Ordering::Relaxed);
    }

    /// Takes a mark back, and forgets the failures before it.
    pub fn mark_up(&self, id: u64) {
        self.claim(id);
        self.failure_window.store(0, Ordering::Relaxed);
        self.down_until_s.store(0, Ordering::Relaxed);
    }

    /// Counts a failure of the member `id`, and takes it out if it is one too many. Whether it did.
    pub fn fail(&self, id: u64, now_s: u64, limit: FailureLimit) -> bool {
        self.claim(id);
        self.failures.fetch_add(1, Ordering::Relaxed);
        let many = limit.failures <= 1 || self.is_one_too_many(now_s, limit);
        if many {
            self.mark_down(id, now_s + limit.down_s);
        }
        many
    }

    /// Counts a failure into the window in which it is, with those of all processes. Whether it is
    /// the last one of enough, which ends the window.
    fn is_one_too_many(&self, now_s: u64, limit: FailureLimit) -> bool {
        let now_s = u32::try_from(now_s).unwrap_or(u32::MAX);
        let mut window = self.failure_window.load(Ordering::Relaxed);
        loop {
            let (since_s, count) = halves(window);
            let is_over = count == 0 || now_s.wrapping_sub(since_s) >= limit.window_s;
            let (since_s, count) = if is_over {
                (now_s, 1)
            } else {
                (since_s, count + 1)
            };
            let many = count >= limit.failures;
            let next = if many {
                0
            } else {
                u64::from(since_s) << 32 | u64::from(count)
            };
            let (order, cell) = (Ordering::Relaxed, &self.failure_window);
            // Who loses knows that another process got on: nobody waits for anybody.
            match cell.compare_exchange_weak(window, next, order, order) {
                Ok(_) => return many,
                Err(other) => window = other,
            }
        }
    }

    /// From now on a selection looks at what is said here.
    fn hold(&self) {
        if self.held.load(Ordering::Relaxed) == 0 {
            self.held.store(1, Ordering::Release);
        }
    }
}

/// Bits of a word that hold the number; those above them are of the member's id.
const NUMBER_BITS: u32 = 3;

/// What is said of the member `id`, as a number from 1 to 7.
fn word(id: u64, number: u8) -> u64 {
    id << NUMBER_BITS | u64::from(number)
}

/// What a word says of the member `id`; `None` if it says nothing, or speaks of another.
///
/// The word names its member, as identity and word are two stores and a process may die, or be
/// overtaken, between them: else a member could inherit the word of its slot's earlier owner.
#[inline]
fn number_in(word: u64, id: u64) -> Option<u8> {
    let number = word.to_le_bytes()[0] & ((1 << NUMBER_BITS) - 1);
    let speaks = number != 0 && word >> NUMBER_BITS << NUMBER_BITS == id << NUMBER_BITS;
    speaks.then_some(number)
}

fn clear_foreign(cell: &AtomicU64, id: u64) {
    let word = cell.load(Ordering::Relaxed);
    if number_in(word, id).is_none() {
        let order = Ordering::Relaxed;
        let _ = cell.compare_exchange(word, 0, order, order);
    }
}

fn halves(word: u64) -> (u32, u32) {
    let [high, low] = [word >> 32, word & 0xffff_ffff];
    (
        u32::try_from(high).unwrap_or(0),
        u32::try_from(low).unwrap_or(0),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observed::Observed;
    use proptest::prelude::*;

    fn limit(failures: u32, window_s: u32) -> FailureLimit {
        FailureLimit {
            failures,
            window_s,
            down_s: 5,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(50))]

        /// In other words: a failure that is not within the window of an earlier one begins a new
        /// window, and the last of enough in one window takes the member out and ends it.
        #[test]
        fn a_member_is_out_after_enough_failures_in_one_window(
            pauses in prop::collection::vec(0_u64..8, 1..60),
            failures in 1_u32..5,
            window_s in 1_u32..12,
        ) {
            let dir = tempfile::tempdir().unwrap();
            let observed = Observed::create(dir.path(), "t", &[]).unwrap();
            let row = observed.member(3).unwrap();
            let mut now_s = 1000;
            let mut window: Vec<u64> = Vec::new();
            for (n, pause_s) in (1_u64..).zip(pauses) {
                now_s += pause_s;
                if window.first().is_some_and(|since| now_s - since >= u64::from(window_s)) {
                    window.clear();
                }
                window.push(now_s);
                let many = window.len() >= failures as usize;
                prop_assert_eq!(row.fail(9, now_s, limit(failures, window_s)), many);
                prop_assert_eq!(row.failures.load(Ordering::Relaxed), n);
                if many {
                    window.clear();
                    prop_assert!(!row.is_usable(9, false, || now_s + 4));
                    prop_assert!(row.is_usable(9, false, || now_s + 5), "it comes back by itself");
                }
            }
            row.fail(9, now_s, limit(1, 1));
            row.mark_up(9);
            prop_assert!(row.is_usable(9, false, || now_s));
            prop_assert!(failures == 1 || !row.fail(9, now_s, limit(failures, window_s)), "forgotten");
        }
    }

    #[test]
    fn failures_of_many_processes_at_once_are_all_counted() {
        let dir = tempfile::tempdir().unwrap();
        let observed = Observed::create(dir.path(), "t", &[]).unwrap();
        let row = observed.member(0).unwrap();
        const EACH: u32 = 20_000;
        let outs: u32 = std::thread::scope(|scope| {
            let one = || (0..EACH).filter(|_| row.fail(9, 7, limit(100, 60))).count();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(one)).collect();
            let counts = threads.into_iter().map(|t| t.join().unwrap());
            u32::try_from(counts.sum::<usize>()).unwrap()
        });
        assert_eq!(row.failures.load(Ordering::Relaxed), u64::from(4 * EACH));
        assert_eq!(outs, 4 * EACH / 100, "times that it was one too many");
    }
}
