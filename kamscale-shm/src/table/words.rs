//! How the words of a table are taken apart. Every offset was validated before ([`super::check`]).

use crate::encode::RECORD_WORDS;

#[expect(
    clippy::cast_possible_truncation,
    reason = "the low half is what is asked for"
)]
#[inline]
pub(super) const fn low(word: u64) -> usize {
    word as u32 as usize
}

#[inline]
pub(super) const fn high(word: u64) -> usize {
    low(word >> 32)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "16 bits at a place are what is asked for"
)]
#[inline]
pub(super) const fn u16_at(word: u64, shift: u32) -> u16 {
    (word >> shift) as u16
}

#[inline]
pub(super) fn record(words: &[u64], at: usize) -> &[u64; RECORD_WORDS] {
    const NONE: [u64; RECORD_WORDS] = [0; RECORD_WORDS];
    words[at..].first_chunk().unwrap_or(&NONE)
}

/// `length` bytes of the table from a byte on: a text.
#[inline]
pub(super) fn text(words: &[u64], from: usize, length: usize) -> &[u8] {
    let bytes: &[u8] = bytemuck::cast_slice(words);
    &bytes[from..][..length]
}
