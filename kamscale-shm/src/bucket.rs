//! A token bucket in one word, shared by all processes: the generic cell rate algorithm (ITU-T
//! I.371, annex A). The word is the moment at which the bucket would be full again; a request moves
//! it by one interval, with one compare-and-swap, and is refused if it would move too far ahead.
//! No lock, no timer that fills; who dies in between has taken nothing or one token.

use crate::sync::{AtomicU64, Ordering};

/// How fast a bucket fills, and how much it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Nanoseconds for one request; [`Self::NOTHING`] admits none.
    pub interval_ns: u64,
    /// How far requests may run ahead of their interval: `(burst - 1) x interval_ns`.
    pub ahead_ns: u64,
}

impl Allowance {
    /// The interval of a bucket that never fills.
    pub const NOTHING: u64 = u64::MAX;
    /// The longest interval that is told apart from none at all: one request in an hour.
    const LONGEST_NS: u64 = 3_600_000_000_000;

    /// So many requests a second, in bursts of at most so many; `burst` below 1 is 1.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "clamped before; casts of floating point saturate"
    )]
    pub fn new(per_s: f64, burst: f64) -> Self {
        let interval_ns = 1e9 / per_s;
        if !(interval_ns > 0.0 && interval_ns <= Self::LONGEST_NS as f64) {
            return Self {
                interval_ns: Self::NOTHING,
                ahead_ns: 0,
            };
        }
        let interval_ns = interval_ns.max(1.0);
        let ahead_ns = (burst.max(1.0) - 1.0) * interval_ns;
        Self {
            interval_ns: interval_ns as u64,
            ahead_ns: ahead_ns.min(Self::LONGEST_NS as f64) as u64,
        }
    }

    /// How far the word is ahead, as far as this allowance made it so. At one rate it is never further
    /// ahead than a burst and one request; what lies beyond is the debt of a slower rate that is over,
    /// and would hold up everybody for as long as one of its requests took.
    #[inline]
    const fn at_most_ahead(&self, ahead_ns: u64) -> u64 {
        if ahead_ns > self.ahead_ns.saturating_add(self.interval_ns) {
            self.ahead_ns
        } else {
            ahead_ns
        }
    }

    /// Requests a second.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    pub fn per_s(&self) -> f64 {
        match self.interval_ns {
            Self::NOTHING => 0.0,
            interval_ns => 1e9 / interval_ns as f64,
        }
    }
}

/// Takes a token at `now_ns`.
///
/// # Errors
/// In how many nanoseconds there will be one, if nobody else takes it; `u64::MAX` if never.
#[inline]
pub fn take(full_ns: &AtomicU64, allowance: Allowance, now_ns: u64) -> Result<(), u64> {
    if allowance.interval_ns == Allowance::NOTHING {
        return Err(u64::MAX);
    }
    // Relaxed: the word stands for itself, and says nothing about other memory.
    let mut seen_ns = full_ns.load(Ordering::Relaxed);
    loop {
        let ahead_ns = seen_ns.saturating_sub(now_ns);
        let ahead_ns = allowance.at_most_ahead(ahead_ns);
        if ahead_ns > allowance.ahead_ns {
            return Err(ahead_ns - allowance.ahead_ns);
        }
        let next_ns = (now_ns + ahead_ns).saturating_add(allowance.interval_ns);
        let order = Ordering::Relaxed;
        match full_ns.compare_exchange_weak(seen_ns, next_ns, order, order) {
            Ok(_) => return Ok(()),
            // Somebody else took one: each turn of this loop is a request of another process.
            Err(now_there) => seen_ns = now_there,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Admitted requests of a stream with these gaps.
    fn admitted(allowance: Allowance, gaps_ns: &[u64]) -> Vec<u64> {
        let full_ns = AtomicU64::new(0);
        let mut now_ns = 1_000_000_000;
        let moments = gaps_ns.iter().map(|gap_ns| {
            now_ns += gap_ns;
            now_ns
        });
        moments
            .filter(|now_ns| take(&full_ns, allowance, *now_ns).is_ok())
            .collect()
    }

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let allowance = Allowance::new(100.0, 10.0);
        assert_eq!(admitted(allowance, &[0; 50]).len(), 10);
        // A second at 400 requests a second: 100, and what the bucket held.
        assert_eq!(admitted(allowance, &[2_500_000; 400]).len(), 109);
    }

    #[test]
    fn who_is_refused_learns_when_there_is_room() {
        let full_ns = AtomicU64::new(0);
        let allowance = Allowance::new(10.0, 1.0);
        assert_eq!(take(&full_ns, allowance, 5), Ok(()));
        assert_eq!(take(&full_ns, allowance, 5), Err(100_000_000));
        assert_eq!(take(&full_ns, allowance, 40_000_005), Err(60_000_000));
        assert_eq!(take(&full_ns, allowance, 100_000_005), Ok(()));
    }

    #[test]
    fn a_rate_of_nothing_or_nonsense_admits_nothing() {
        for per_s in [0.0, -1.0, f64::NAN, 1e-9] {
            let allowance = Allowance::new(per_s, 100.0);
            assert_eq!(
                take(&AtomicU64::new(0), allowance, 1),
                Err(u64::MAX),
                "{per_s}"
            );
        }
        assert_eq!(Allowance::new(f64::INFINITY, 1.0).interval_ns, u64::MAX);
        assert_eq!(Allowance::new(1e12, f64::NAN).interval_ns, 1);
    }

    #[test]
    fn a_faster_rate_is_in_force_at_once() {
        let full_ns = AtomicU64::new(0);
        let (slow, fast) = (Allowance::new(0.001, 1.0), Allowance::new(100.0, 1.0));
        assert_eq!(take(&full_ns, slow, 5), Ok(()));
        assert_eq!(take(&full_ns, slow, 1_000), Err(999_999_999_005));
        let second = (0..1000).map(|n| 2_000 + n * 1_000_000);
        let passed = second.filter(|now_ns| take(&full_ns, fast, *now_ns).is_ok());
        assert_eq!(passed.count(), 100);
    }

    proptest! {
        /// However the rate changes: a stretch of one rate has no more than that and one burst, and at
        /// demand above the rate no fewer than that, less one request.
        #[test]
        fn each_stretch_keeps_to_its_own_rate(
            // With a burst of 1 a request that comes between two ticks of the demand waits for the next.
            stretches in proptest::collection::vec((1_u32..500, 2_u32..40), 1..8),
        ) {
            let full_ns = AtomicU64::new(0);
            let mut now_ns = 1_000_000_000;
            for (per_s, burst) in stretches {
                let allowance = Allowance::new(per_s.into(), burst.into());
                let mut passed = 0;
                for _ in 0..2_000 {
                    now_ns += 1_000_000;
                    passed += u32::from(take(&full_ns, allowance, now_ns).is_ok());
                }
                prop_assert!(passed <= 2 * per_s + burst + 1, "{passed} of {per_s}/s, {burst}");
                prop_assert!(passed + 1 >= 2 * per_s, "{passed} of {per_s}/s, {burst}");
            }
        }

        #[test]
        fn no_stretch_of_time_has_more_than_its_rate_and_one_burst(
            gaps_ns in proptest::collection::vec(0_u64..30_000_000, 1..300),
            per_s in 20_u32..500,
            burst in 1_u32..40,
        ) {
            let allowance = Allowance::new(per_s.into(), burst.into());
            let moments = admitted(allowance, &gaps_ns);
            for (i, from_ns) in moments.iter().enumerate() {
                for (n, to_ns) in moments[i..].iter().enumerate() {
                    let room = (to_ns - from_ns) / allowance.interval_ns + u64::from(burst);
                    prop_assert!(n as u64 <= room, "{n} in {} ns", to_ns - from_ns);
                }
            }
            // And demand below the rate is never refused.
            let slow = vec![allowance.interval_ns; 50];
            prop_assert_eq!(admitted(allowance, &slow).len(), 50);
        }
    }
}
