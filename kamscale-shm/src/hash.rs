//! The hashes that place keys on members. Every host must compute the same, so they are fixed for
//! ever: a change would be a new algorithm name.
//!
//! XXH3-64 with seed 0 (values final since xxHash 0.8.0) over the exact bytes; [`mix`] is the
//! murmur-like finaliser that derives further values from one.

use std::hash::{BuildHasherDefault, Hasher};

use crate::limits::MAX_NAME_BYTES;

/// Odd constant added between derived values (2^64 / golden ratio).
pub const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
const MULTIPLIER: u64 = 0xd6e8_feb8_6659_fd93;

/// XXH3-64, seed 0, of the exact bytes.
#[must_use]
pub fn xxh3(bytes: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(bytes)
}

/// Spreads every bit of `x` over all bits; a bijection.
#[must_use]
#[inline]
pub const fn mix(mut x: u64) -> u64 {
    x ^= x >> 32;
    x = x.wrapping_mul(MULTIPLIER);
    x ^= x >> 32;
    x = x.wrapping_mul(MULTIPLIER);
    x ^ (x >> 32)
}

/// What identifies a member in counters and in the placement of keys: its pool and its name, so
/// that a member keeps its keys when its URI changes, and two pools may use one name.
#[must_use]
pub fn member_id(pool: &str, member: &str) -> u64 {
    // Names hold no NUL, so no two pairs give the same bytes.
    let parts = [pool.as_bytes(), &[0], member.as_bytes()];
    let length = pool.len() + 1 + member.len();
    let mut bytes = [0; 2 * MAX_NAME_BYTES + 1];
    match bytes.get_mut(..length) {
        Some(place) => {
            place[..pool.len()].copy_from_slice(parts[0]);
            place[pool.len() + 1..].copy_from_slice(parts[2]);
            xxh3(place)
        }
        None => xxh3(&parts.concat()), // longer than names may be, but still an identity
    }
}

/// Maps and sets over identities, which are hashes already: hashing them again would be the largest
/// part of a publication. Whoever names members must be trusted not to make them collide.
pub type ById<T> = std::collections::HashMap<u64, T, BuildHasherDefault<AsItIs>>;

/// The hasher of [`ById`].
#[derive(Debug, Default)]
pub struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, id: u64) {
        self.0 = id;
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_have_their_published_values() {
        assert_eq!(xxh3(b""), 0x2d06_8005_38d3_94c2);
        assert_eq!(xxh3(b"sip:10.0.0.1:5060"), 0x57bf_2da5_edc2_0dc8);
        assert_eq!(mix(0), 0);
        assert_ne!(member_id("a", "bc"), member_id("ab", "c"));
    }
}
