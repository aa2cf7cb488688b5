//! When the next probe of a member is due: spread, so that a thousand members that came together are
//! not asked together.

/// The intervals between probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The usual one.
    pub interval_ms: u64,
    /// An interval is up to so many percent longer or shorter.
    pub jitter_percent: u64,
}

/// The shorter interval is this part of the usual one, between these two.
const HURRY: u64 = 4;
const SHORTEST_MS: u64 = 200;
const LONGEST_MS: u64 = 1000;

impl Pace {
    /// Until the next probe of a member; `random` is any number.
    #[must_use]
    pub fn next_ms(self, in_a_hurry: bool, random: u64) -> u64 {
        let usual = if in_a_hurry {
            (self.interval_ms / HURRY).clamp(SHORTEST_MS, LONGEST_MS)
        } else {
            self.interval_ms
        };
        let usual = usual.min(self.interval_ms);
        let play = usual * self.jitter_percent.min(100) / 100;
        usual - play + part(2 * play, random)
    }

    /// Until the first of the usual probes: anywhere in the interval.
    #[must_use]
    pub fn first_ms(self, random: u64) -> u64 {
        part(self.interval_ms, random)
    }
}

/// From 0 to `whole`, in proportion to a number spread over `u64`.
fn part(whole: u64, random: u64) -> u64 {
    let wide = u128::from(random) * (u128::from(whole) + 1);
    u64::try_from(wide >> 64).unwrap_or(whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_interval_is_never_far_from_what_was_asked_for(
            interval_ms in 1_u64..3_600_000,
            jitter_percent in 0_u64..=100,
            random in any::<u64>(),
        ) {
            let pace = Pace { interval_ms, jitter_percent };
            let (least, most) = (100 - jitter_percent, 100 + jitter_percent);
            let usual = pace.next_ms(false, random);
            prop_assert!(usual >= interval_ms * least / 100 && usual <= interval_ms * most / 100);
            let soon = pace.next_ms(true, random);
            prop_assert!(soon <= interval_ms * most / 100, "a hurry is not slower");
            prop_assert!(soon >= (interval_ms / 4).clamp(200, 1000).min(interval_ms) * least / 100);
            prop_assert!(soon <= 10 * most);
            prop_assert!(pace.first_ms(random) <= interval_ms);
        }
    }
}
