//! What lessens a member's share of new calls for a while: that it has just come up, and that it refused calls
//! of late. Any process notes a refusal; the timer process alone notes who is in use, and lets refusals fade.

use crate::layout::MemberRow;
use crate::sync::Ordering;

/// Parts of a call in which refusals are counted, so that they can fade.
pub const PARTS: u16 = 16;
/// Seconds for which many refused calls weigh, each; a few weigh shorter.
const FADE_S: u16 = 64;
/// `used_since_s` of a member that was in use when the timer process looked first.
const ALWAYS: u32 = 1;
/// The least share of a member that has just come up, in percent: with less it would not be tried at all.
const LEAST_SHARE: u32 = 10;

impl MemberRow {
    /// How much of its weight the member `id` gets, in percent, where this grows to 100 within so many
    /// seconds. Whoever is used and was not seen yet by the timer process has come this second.
    #[must_use]
    pub fn share(&self, id: u64, now_s: u32, slow_start_s: u32) -> u32 {
        let since_s = match self.is_of(id) {
            true => self.used_since_s.load(Ordering::Relaxed),
            false => 0,
        };
        match since_s {
            0 => LEAST_SHARE,
            ALWAYS => 100,
            since_s => {
                let grown = u64::from(now_s.saturating_sub(since_s)) * u64::from(100 - LEAST_SHARE);
                let grown = grown / u64::from(slow_start_s.max(1));
                u32::try_from(grown).map_or(100, |grown| (LEAST_SHARE + grown).min(100))
            }
        }
    }

    /// Says whether the member of this row is in use. For the timer process. `always`: it was before
    /// anybody looked.
    pub fn note_use(&self, is_used: bool, always: bool, now_s: u32) {
        let known = self.used_since_s.load(Ordering::Relaxed);
        let since_s = match (is_used, always) {
            (false, _) => 0,
            (true, true) => ALWAYS,
            (true, false) if known == 0 => now_s.max(ALWAYS + 1),
            (true, false) => return,
        };
        self.used_since_s.store(since_s, Ordering::Relaxed);
    }

    /// The member of this row refused a call.
    pub fn note_refusal(&self) {
        if self.refusals.load(Ordering::Relaxed) < u16::MAX / 2 {
            self.refusals.fetch_add(PARTS, Ordering::Relaxed);
        }
    }

    /// Calls that the member `id` refused of late, in [`PARTS`].
    #[must_use]
    #[inline]
    pub fn refusals_of(&self, id: u64) -> u16 {
        match self.is_of(id) {
            true => self.refusals.load(Ordering::Relaxed),
            false => 0,
        }
    }

    /// Lets a part of the refusals fade; whether some are left. For the timer process, once a second. A refused
    /// call weighs as much as one of about a minute: with less, a member that refuses everything would need
    /// many more calls than its share to look as loaded as the others.
    pub fn fade(&self) -> bool {
        let refusals = self.refusals.load(Ordering::Relaxed);
        if refusals == 0 {
            return false;
        }
        let faded = (refusals / FADE_S).max(1);
        // Nobody else takes away, so it cannot fall below 0.
        self.refusals.fetch_sub(faded, Ordering::Relaxed);
        refusals > faded
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observed::Observed;

    #[test]
    fn a_share_grows_from_a_tenth_to_the_whole_within_its_time() {
        let dir = tempfile::tempdir().unwrap();
        let observed = Observed::create(dir.path(), "t", &[]).unwrap();
        let row = observed.member(3).unwrap();
        let share = |now_s| row.share(9, now_s, 60);
        assert_eq!(share(1000), 10, "nobody has seen it yet");
        row.claim(9);
        assert_eq!(share(1000), 10);
        row.note_use(true, false, 1000);
        let shares = [999, 1000, 1020, 1040, 1059, 1060, 9000].map(share);
        assert_eq!(shares, [10, 10, 40, 70, 98, 100, 100]);
        row.note_use(true, false, 1030);
        assert_eq!(share(1040), 70, "it was in use all the time");
        row.note_use(false, false, 1041);
        row.note_use(true, false, 1050);
        assert_eq!(share(1050), 10, "it was away");
        row.note_use(true, true, 1051);
        assert_eq!(share(1051), 100, "in use from the start");
        row.claim(8);
        assert_eq!(
            row.share(8, 1051, 60),
            10,
            "another member in the same slot"
        );
        assert_eq!(row.share(8, 1051, 0), 10);
    }

    #[test]
    fn refusals_add_up_fade_and_end() {
        let dir = tempfile::tempdir().unwrap();
        let observed = Observed::create(dir.path(), "t", &[]).unwrap();
        let row = observed.member(3).unwrap();
        row.claim(9);
        assert!(!row.fade());
        row.note_refusal();
        row.note_refusal();
        assert_eq!((row.refusals_of(9), row.refusals_of(8)), (2 * PARTS, 0));
        let mut weight = 0;
        let mut seconds = 0;
        loop {
            weight += u32::from(row.refusals_of(9));
            seconds += 1;
            if !row.fade() {
                break;
            }
        }
        assert_eq!(row.refusals_of(9), 0);
        assert_eq!(seconds, 2 * u32::from(PARTS), "a few are forgiven soon");
        assert_eq!(weight, 528, "as two calls of 16 seconds, in parts");
        for _ in 0..10_000 {
            row.note_refusal();
        }
        let many = row.refusals_of(9);
        assert!(many >= u16::MAX / 2, "and never more than fits");
        for _ in 0..64 {
            row.fade();
        }
        let left = u32::from(row.refusals_of(9)) * 100 / u32::from(many);
        assert!((30..45).contains(&left), "{left} % after a minute");
    }
}
