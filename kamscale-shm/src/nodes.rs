//! The part of the observed file that concerns other nodes: who they are, what they carry, which keys
//! live because of them, and their messages on the way to the process that reads them. Only Kamailio
//! uses it; an agent reads its own node's numbers elsewhere, because agents are summed over nodes.

use core::mem::{offset_of, size_of};

use crate::bits::Bits;
use crate::inbox::{Inbox, InboxSlot};
use crate::limits::{INBOX_SLOTS, KEY_GROUPS, KEYS_PER_GROUP, MAX_MEMBERS, MAX_NODES};
use crate::sync::{AtomicU8, AtomicU32, AtomicU64, Ordering};

/// Words with a bit for each group of sticky keys.
const GROUP_WORDS: usize = KEY_GROUPS.div_ceil(64);
/// Words with a bit for each entry of a sticky key.
const ENTRY_WORDS: usize = (KEY_GROUPS * KEYS_PER_GROUP).div_ceil(64);

/// What is known of and from other nodes. All but `lost`, `changed` and the inbox is written by the
/// process that shares.
#[derive(Debug)]
#[repr(C, align(128))]
pub struct Nodes {
    /// Messages that this node sent.
    pub sent: AtomicU64,
    /// Messages of others that were understood.
    pub received: AtomicU64,
    /// Messages of others that were not: garbage, another version, too many nodes.
    pub refused: AtomicU64,
    /// Messages of others for which the inbox had no room; written by whoever receives.
    pub lost: AtomicU64,
    /// Messages that dmq did not take.
    pub not_sent: AtomicU64,
    /// Keys that other nodes hold and for which there is no room, or no member, here.
    pub unplaced: AtomicU64,
    /// Messages ever put into the inbox.
    pub put: AtomicU64,
    /// Messages ever taken out of it.
    pub taken: AtomicU64,
    /// The other nodes; a row without name is free.
    pub rows: [NodeRow; MAX_NODES],
    /// Calls that other nodes have on a member, by slot: the low half; above it the upper half of the
    /// member's id, as the slot may later be another's.
    pub calls: [AtomicU64; MAX_MEMBERS],
    /// Groups of sticky keys that changed since the sharing process looked ([`Bits`]).
    pub changed: [AtomicU64; GROUP_WORDS],
    /// Entries on which one call is counted for all other nodes that hold the key ([`Bits`]).
    pub held: [AtomicU64; ENTRY_WORDS],
    /// Messages on their way from dmq's processes.
    pub inbox: [InboxSlot; INBOX_SLOTS],
}

/// One other node.
#[derive(Debug)]
#[repr(C, align(128))]
pub struct NodeRow {
    /// Where its messages come from, `ADDRESS:PORT`; then zeros.
    pub name: [AtomicU8; 64],
    /// When it was heard last ([`crate::clock::monotonic_ns`]); 0: nobody is in this row.
    pub heard_ns: AtomicU64,
    /// When it started, by its own clock: milliseconds since 1970.
    pub boot: AtomicU64,
    /// Messages of it that were understood.
    pub received: AtomicU64,
    /// Sticky keys that it holds.
    pub keys: AtomicU32,
    /// Calls that it has, on all members.
    pub calls: AtomicU32,
    /// 1 once it has told all that it has.
    pub complete: AtomicU32,
}

const _: () = {
    assert!(size_of::<NodeRow>() == 128 && offset_of!(NodeRow, heard_ns) == 64);
    assert!(offset_of!(Nodes, rows) == 128);
};

impl Nodes {
    /// Calls that other nodes have on a member.
    #[must_use]
    #[inline]
    pub fn calls_of(&self, slot: usize, id: u64) -> u32 {
        let word = self
            .calls
            .get(slot)
            .map_or(0, |w| w.load(Ordering::Relaxed));
        if word >> 32 == id >> 32 {
            u32::try_from(word & u64::from(u32::MAX)).unwrap_or(0)
        } else {
            0
        }
    }

    /// Sets them. For the process that shares.
    pub fn set_calls(&self, slot: usize, id: u64, calls: u32) {
        if let Some(word) = self.calls.get(slot) {
            word.store(id >> 32 << 32 | u64::from(calls), Ordering::Relaxed);
        }
    }

    /// Groups of keys that changed.
    #[must_use]
    pub const fn changed(&self) -> Bits<'_> {
        Bits::new(&self.changed)
    }

    /// Entries of keys that other nodes hold.
    #[must_use]
    pub const fn held(&self) -> Bits<'_> {
        Bits::new(&self.held)
    }

    /// Messages on their way.
    #[must_use]
    pub const fn inbox(&self) -> Inbox<'_> {
        Inbox::new(&self.put, &self.taken, &self.inbox)
    }
}

impl NodeRow {
    /// Its name; empty if nobody is in this row.
    #[must_use]
    pub fn name(&self) -> String {
        let bytes = self.name.iter().map(|b| b.load(Ordering::Relaxed));
        let bytes: Vec<u8> = bytes.take_while(|b| *b != 0).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Sets it; 63 bytes of it are kept.
    pub fn set_name(&self, name: &str) {
        let bytes = name.bytes().take(63).chain(core::iter::repeat(0));
        for (cell, byte) in self.name.iter().zip(bytes) {
            cell.store(byte, Ordering::Relaxed);
        }
    }
}
