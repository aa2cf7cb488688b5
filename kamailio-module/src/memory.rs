//! What a transaction remembers for failover: how the member was chosen, and which were tried.
//! Members are remembered by slot, not by place: the table may have changed meanwhile.

use std::ffi::CStr;

use kamailio::message::MEMORY_LEN;

use crate::algorithm::Algorithm;

/// The name under which it is kept, hence `$xavp(_ks)` in the script.
pub const NAME: &CStr = c"_ks";
/// Members that one request may be sent to.
pub const MAX_TRIED: usize = 20;

/// The local socket.
pub const SOCKET: u8 = 1;
/// `$du`, as a proxy before the member.
pub const PROXY: u8 = 2;

const VERSION: u8 = 2;
const TRIED_AT: usize = 24;
const _: () = assert!(TRIED_AT + 2 * MAX_TRIED <= MEMORY_LEN);

/// The course of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// How the first member was chosen; the next ones are chosen likewise.
    pub algorithm: Algorithm,
    /// The pool of the last try ([`kamscale_shm::xxh3`] of its name).
    pub pool: u64,
    /// The hash of the key, for [`Algorithm::Hash`].
    pub key: u64,
    /// Where `pool` stands in the request's [`crate::pool_list`]; `None`: it was given one pool.
    pub place: Option<u8>,
    /// Places of that list at which nobody is left, as bits.
    pub passed: u8,
    /// What the last try set beside `$du` or the R-URI, as bits: [`SOCKET`], [`PROXY`].
    pub extras: u8,
    tried: [u16; MAX_TRIED],
    tried_len: u8,
}

impl Memory {
    /// Nothing tried yet.
    #[must_use]
    #[inline(always)]
    pub const fn new(algorithm: Algorithm, pool: u64, key: u64) -> Self {
        Self {
            algorithm,
            pool,
            key,
            place: None,
            passed: 0,
            extras: 0,
            tried: [0; MAX_TRIED],
            tried_len: 0,
        }
    }

    /// The slots that were tried, the last one last.
    #[must_use]
    #[inline]
    pub fn tried(&self) -> &[u16] {
        &self.tried[..usize::from(self.tried_len)]
    }

    /// Whether the request was sent to as many as it may be.
    #[must_use]
    #[inline]
    pub fn is_full(&self) -> bool {
        self.tried().len() == MAX_TRIED
    }

    /// Notes a try. False if there were too many: the request should be given up.
    #[inline(always)]
    pub fn add(&mut self, slot: usize) -> bool {
        let (Ok(slot), Some(place)) = (
            u16::try_from(slot),
            self.tried.get_mut(usize::from(self.tried_len)),
        ) else {
            return false;
        };
        *place = slot;
        self.tried_len += 1;
        true
    }

    /// The bytes to remember.
    #[must_use]
    #[inline(always)]
    pub fn to_bytes(self) -> [u8; MEMORY_LEN] {
        let mut bytes = [0; MEMORY_LEN];
        bytes[0] = VERSION;
        bytes[1] = self.algorithm as u8;
        bytes[2] = self.tried_len;
        bytes[3] = self.place.map_or(0, |place| place + 1);
        bytes[4] = self.passed;
        bytes[5] = self.extras;
        bytes[8..16].copy_from_slice(&self.pool.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.key.to_le_bytes());
        for (place, slot) in bytes[TRIED_AT..].chunks_exact_mut(2).zip(self.tried) {
            place.copy_from_slice(&slot.to_le_bytes());
        }
        bytes
    }

    /// What [`Self::to_bytes`] made; `None` for anything else (a script may write there).
    #[must_use]
    pub fn from_bytes(bytes: &[u8; MEMORY_LEN]) -> Option<Self> {
        let algorithm = Algorithm::from_number(usize::from(bytes[1]))?;
        let word = |at: usize| Some(u64::from_le_bytes(bytes[at..at + 8].try_into().ok()?));
        if bytes[0] != VERSION || usize::from(bytes[2]) > MAX_TRIED {
            return None;
        }
        let mut memory = Self::new(algorithm, word(8)?, word(16)?);
        memory.tried_len = bytes[2];
        memory.place = bytes[3].checked_sub(1);
        memory.passed = bytes[4];
        memory.extras = bytes[5];
        for (slot, place) in memory
            .tried
            .iter_mut()
            .zip(bytes[TRIED_AT..].chunks_exact(2))
        {
            *slot = u16::from_le_bytes(place.try_into().ok()?);
        }
        Some(memory)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_comes_back_as_it_was_and_has_an_end() {
        let mut memory = Memory::new(Algorithm::Hash, 7, u64::MAX);
        assert_eq!(Memory::from_bytes(&memory.to_bytes()), Some(memory));
        (memory.place, memory.passed) = (Some(6), 0b100_0001);
        memory.extras = SOCKET | PROXY;
        for slot in 0..MAX_TRIED {
            assert_eq!(Memory::from_bytes(&memory.to_bytes()), Some(memory));
            assert!(memory.add(slot * 800));
        }
        assert!(!memory.add(1), "a request would wander for ever");
        assert_eq!(Memory::from_bytes(&memory.to_bytes()), Some(memory));
    }

    #[test]
    fn what_a_script_wrote_there_is_no_memory() {
        assert_eq!(Memory::from_bytes(&[0xff; MEMORY_LEN]), None);
        assert_eq!(Memory::from_bytes(&[0; MEMORY_LEN]), None);
    }
}
