//! A set of small numbers in shared words: whoever has changed something puts its number in, and one
//! process takes all of them out and looks what has become of it. It must not wait, and forgets
//! nothing that is put in while they are taken out.

use crate::sync::{AtomicU64, Ordering};

/// The set; numbers beyond its words are in it never.
#[derive(Clone, Copy, Debug)]
pub struct Bits<'a>(&'a [AtomicU64]);

impl<'a> Bits<'a> {
    /// The set in these words.
    #[must_use]
    pub const fn new(words: &'a [AtomicU64]) -> Self {
        Self(words)
    }

    /// Puts a number in. What the caller changed before is seen by who takes it out.
    #[inline]
    pub fn put(self, number: usize) {
        if let Some(word) = self.0.get(number / 64) {
            // Release: partner of `take_all`. Never skipped because the bit is set already: only a
            // write orders this change before the next taking out.
            word.fetch_or(1 << (number % 64), Ordering::Release);
        }
    }

    /// Takes one number out.
    pub fn remove(self, number: usize) {
        if let Some(word) = self.0.get(number / 64) {
            word.fetch_and(!(1 << (number % 64)), Ordering::Release);
        }
    }

    /// Whether a number is in.
    #[must_use]
    pub fn has(self, number: usize) -> bool {
        let word = self.0.get(number / 64);
        word.is_some_and(|word| word.load(Ordering::Acquire) >> (number % 64) & 1 != 0)
    }

    /// Takes all out, calling `f` for each. What was changed before it was put in is there to be seen.
    pub fn take_all(self, mut f: impl FnMut(usize)) {
        for (at, word) in self.0.iter().enumerate() {
            // Relaxed: what is put in just now is found the next time.
            if word.load(Ordering::Relaxed) == 0 {
                continue;
            }
            // Partner: `put`. From here on its number is put in again.
            let mut bits = word.swap(0, Ordering::AcqRel);
            while bits != 0 {
                f(at * 64 + bits.trailing_zeros() as usize);
                bits &= bits - 1;
            }
        }
    }

    /// How many numbers are in.
    #[must_use]
    pub fn count(self) -> u64 {
        let ones = |word: &AtomicU64| u64::from(word.load(Ordering::Relaxed).count_ones());
        self.0.iter().map(ones).sum()
    }
}
