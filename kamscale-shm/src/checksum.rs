//! The checksum of an encoded table. It finds accidents (a foreign file, a bad disk), not intent:
//! every offset is validated besides.

/// Checksum of the words behind the first [`crate::encode::CHECKED_FROM`].
#[must_use]
pub fn of(words: &[u64]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(bytemuck::cast_slice(words))
}
