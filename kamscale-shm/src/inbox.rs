//! A queue of short messages in shared memory, from any process of Kamailio to one of them. Nobody
//! waits: a message for which there is no room is refused, and whoever sent it has to live with that.
//! All zeros are an empty queue.
//!
//! A place in it is used again and again. Its `turn` says for whom it is: 2n for who writes the message
//! of its n-th use, 2n + 1 for who reads it. `tests/loom_inbox.rs` runs this file under the model
//! checker.

use crate::limits::INBOX_WORDS;
use crate::sync::{AtomicU64, Ordering};

/// Bytes of the longest message.
pub const MAX_MESSAGE_BYTES: usize = INBOX_WORDS * 8;

/// One place for a message.
#[derive(Debug)]
#[repr(C)]
pub struct InboxSlot {
    /// Whose turn it is.
    pub turn: AtomicU64,
    /// Bytes of the message.
    pub length: AtomicU64,
    /// The message.
    pub words: [AtomicU64; INBOX_WORDS],
}

/// The queue.
#[derive(Clone, Copy, Debug)]
pub struct Inbox<'a> {
    /// Messages that were ever put in.
    put: &'a AtomicU64,
    /// Messages that were ever taken out.
    taken: &'a AtomicU64,
    slots: &'a [InboxSlot],
}

impl<'a> Inbox<'a> {
    /// The queue in these places.
    #[must_use]
    pub const fn new(put: &'a AtomicU64, taken: &'a AtomicU64, slots: &'a [InboxSlot]) -> Self {
        Self { put, taken, slots }
    }

    /// Puts a message in. False if it is too long, or there is no room.
    #[must_use]
    pub fn put(self, message: &[u8]) -> bool {
        if message.len() > MAX_MESSAGE_BYTES {
            return false;
        }
        loop {
            let number = self.put.load(Ordering::Relaxed);
            let Some((slot, mine)) = self.slot(number) else {
                return false;
            };
            // Partner: the Release store in `take`: the last message of this place has been read.
            let turn = slot.turn.load(Ordering::Acquire);
            if turn < mine {
                return false;
            }
            let next = number + 1;
            let (won, lost) = (Ordering::Relaxed, Ordering::Relaxed);
            if turn > mine || self.put.compare_exchange(number, next, won, lost).is_err() {
                continue;
            }
            slot.length.store(message.len() as u64, Ordering::Relaxed);
            for (word, bytes) in slot.words.iter().zip(message.chunks(8)) {
                let mut whole = [0; 8];
                whole[..bytes.len()].copy_from_slice(bytes);
                word.store(u64::from_le_bytes(whole), Ordering::Relaxed);
            }
            // Partner: the Acquire load in `take`.
            slot.turn.store(mine + 1, Ordering::Release);
            return true;
        }
    }

    /// Takes the next message out, into `into`. False if there is none. For one process alone.
    #[must_use]
    pub fn take(self, into: &mut Vec<u8>) -> bool {
        let number = self.taken.load(Ordering::Relaxed);
        let Some((slot, mine)) = self.slot(number) else {
            return false;
        };
        // Partner: the Release store in `put`: the message is whole.
        if slot.turn.load(Ordering::Acquire) != mine + 1 {
            return false;
        }
        let length = usize::try_from(slot.length.load(Ordering::Relaxed)).unwrap_or(0);
        into.clear();
        for word in &slot.words {
            if into.len() >= length {
                break;
            }
            into.extend_from_slice(&word.load(Ordering::Relaxed).to_le_bytes());
        }
        into.truncate(length);
        self.taken.store(number + 1, Ordering::Relaxed);
        // Partner: the Acquire load in `put`.
        slot.turn.store(mine + 2, Ordering::Release);
        true
    }

    /// The place of the message of this number, and its turn for who writes it.
    fn slot(self, number: u64) -> Option<(&'a InboxSlot, u64)> {
        let uses = number.checked_div(self.slots.len() as u64)?;
        let at = usize::try_from(number % self.slots.len() as u64).ok()?;
        Some((self.slots.get(at)?, 2 * uses))
    }
}
