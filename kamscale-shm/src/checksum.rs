//! The checksum of an encoded table. It finds accidents (a foreign file, a bad disk), not intent:
//! every offset is validated besides.

use xxhash_rust::xxh3::{Xxh3Default, xxh3_64};

use crate::sync::{AtomicU64, Ordering};

/// Checksum of the words behind the first [`crate::encode::CHECKED_FROM`].
#[must_use]
pub fn of(words: &[u64]) -> u64 {
    xxh3_64(bytemuck::cast_slice(words))
}

/// The same of words where they lie, for their only writer: nothing orders these loads.
#[must_use]
pub fn in_place(words: &[AtomicU64]) -> u64 {
    let mut sum = Xxh3Default::new();
    for part in words.chunks(128) {
        let mut copy = [0; 128];
        for (value, word) in copy.iter_mut().zip(part) {
            *value = word.load(Ordering::Relaxed);
        }
        sum.update(bytemuck::cast_slice(&copy[..part.len()]));
    }
    sum.digest()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_the_same_sum_wherever_they_lie() {
        for length in [0, 1, 127, 128, 129, 1000] {
            let words: Vec<u64> = (0..length)
                .map(|n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15))
                .collect();
            let shared: Vec<AtomicU64> = words.iter().map(|w| AtomicU64::new(*w)).collect();
            assert_eq!(in_place(&shared), of(&words), "{length} words");
        }
    }
}
