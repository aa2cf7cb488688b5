//! How a table reaches readers that never wait: a few stamped slots and one generation number.
//!
//! Writer (one): stamp odd, words, stamp even, then the generation. Reader (any number): load the
//! generation, check the slot's stamp, copy, check the stamp again; adopt the copy or keep the old.
//! A writer killed half-way leaves an odd stamp on a slot to which no generation points.
//! Readers write nothing here. The protocol is generic over its atomics, so loom checks this code.

use crate::sync::{AtomicU64, Ordering, fence};

/// One slot: where one generation's words live.
#[derive(Debug)]
pub struct Slot<'a> {
    /// 2 x generation when whole, odd while it is being written, 0 when never written.
    pub stamp: &'a AtomicU64,
    /// How many of the words belong to the table.
    pub length: &'a AtomicU64,
    /// The words.
    pub words: &'a [AtomicU64],
}

/// The copy was not whole: the writer came round to this slot, or died in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Torn;

/// The slot of a generation.
#[must_use]
pub fn slot_of(generation: u64, slots: usize) -> usize {
    usize::try_from(generation % slots as u64).unwrap_or(0)
}

/// Publishes `table` as `generation`. The caller is the only writer, and generations only grow.
///
/// # Panics
/// If the table is longer than the slot: the encoder has checked that before.
pub fn publish(generation_word: &AtomicU64, slot: &Slot<'_>, generation: u64, table: &[u64]) {
    fill(slot, generation, table);
    // Partner: the Acquire load of the generation by readers (`DesiredReader::refresh`).
    generation_word.store(generation, Ordering::Release);
}

/// Fills the slot of `generation` without announcing it.
///
/// # Panics
/// If the words are more than the slot holds.
pub fn fill(slot: &Slot<'_>, generation: u64, table: &[u64]) {
    assert!(
        table.len() <= slot.words.len(),
        "a table longer than its slot"
    );
    // Relaxed: the fence below orders it before the words.
    slot.stamp.store(
        generation.wrapping_mul(2).wrapping_sub(1),
        Ordering::Relaxed,
    );
    // Partner: the Acquire fence in `copy`. Who sees one of the new words also sees the odd stamp.
    fence(Ordering::Release);
    slot.length.store(table.len() as u64, Ordering::Relaxed);
    for (word, value) in slot.words.iter().zip(table) {
        word.store(*value, Ordering::Relaxed);
    }
    // Partner: the Acquire load of the stamp in `copy`. Who sees it even sees every word.
    slot.stamp
        .store(generation.wrapping_mul(2), Ordering::Release);
}

/// Copies the table of `generation` into `into` and says how many words it has. `generation` is
/// what the reader found by an Acquire load of the generation word.
///
/// # Errors
/// [`Torn`] if the slot does not hold just this generation from the first word to the last, or is
/// longer than `into`. `into` then holds rubbish.
pub fn copy(slot: &Slot<'_>, generation: u64, into: &mut [u64]) -> Result<usize, Torn> {
    let whole = generation.wrapping_mul(2);
    // Partner: the Release store of the even stamp in `publish`.
    if slot.stamp.load(Ordering::Acquire) != whole {
        return Err(Torn);
    }
    let length = usize::try_from(slot.length.load(Ordering::Relaxed)).map_err(|_| Torn)?;
    if length > slot.words.len() || length > into.len() {
        return Err(Torn);
    }
    for (value, word) in into.iter_mut().zip(&slot.words[..length]) {
        *value = word.load(Ordering::Relaxed);
    }
    // Partner: the Release fence in `publish`. A word of a later table was seen: so is its stamp.
    fence(Ordering::Acquire);
    if slot.stamp.load(Ordering::Relaxed) == whole {
        Ok(length)
    } else {
        Err(Torn)
    }
}
