//! One member of a table.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::words::{high, low, text, u16_at};
use crate::encode::RECORD_WORDS;
use crate::spec::{DesiredState, MemberSpec};

/// One member of a table.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    pub(super) words: &'a [u64],
    pub(super) record: &'a [u64; RECORD_WORDS],
}

impl<'a> Member<'a> {
    /// What identifies it in counters ([`crate::hash::member_id`]).
    #[must_use]
    #[inline]
    pub fn id(&self) -> u64 {
        self.record[0]
    }

    /// Its row of member counters.
    #[must_use]
    #[inline]
    pub fn slot(&self) -> usize {
        low(self.record[1])
    }

    /// What the agent wants of it.
    #[must_use]
    pub fn state(&self) -> DesiredState {
        DesiredState::from_number(self.record[1].to_le_bytes()[4]).unwrap_or(DesiredState::Disabled)
    }

    /// Whether it may get new requests, as far as the table says.
    #[must_use]
    #[inline]
    pub fn is_active(&self) -> bool {
        self.record[1].to_le_bytes()[4] == DesiredState::Active as u8
    }

    /// The address and port its URI names, if the host is an address.
    #[must_use]
    pub fn address(&self) -> Option<(IpAddr, u16)> {
        let port = u16_at(self.record[1], 48);
        let bits = u128::from(self.record[6]) << 64 | u128::from(self.record[7]);
        match self.record[1].to_le_bytes()[5] {
            4 => Some((
                Ipv4Addr::from_bits(u32::try_from(bits & 0xffff_ffff).ok()?).into(),
                port,
            )),
            6 => Some((Ipv6Addr::from_bits(bits).into(), port)),
            _ => None,
        }
    }

    /// Its configured weight.
    #[must_use]
    pub fn weight(&self) -> u16 {
        u16_at(self.record[2], 0)
    }

    /// How much of its weight takes part now.
    #[must_use]
    #[inline]
    pub fn live(&self) -> u16 {
        u16_at(self.record[2], 16)
    }

    /// Its priority for `serial`.
    #[must_use]
    pub fn priority(&self) -> u16 {
        u16_at(self.record[2], 32)
    }

    /// Calls it may carry; 0 means not limited.
    #[must_use]
    #[inline]
    pub fn capacity(&self) -> u32 {
        u32::try_from(low(self.record[3])).unwrap_or(0)
    }

    /// The index of its pool.
    #[must_use]
    pub fn pool(&self) -> usize {
        high(self.record[3])
    }

    /// Its URI.
    #[must_use]
    #[inline]
    pub fn uri(&self) -> &'a [u8] {
        let length = usize::from(u16_at(self.record[4], 32));
        text(self.words, low(self.record[4]), length)
    }

    /// `host[:port]` of its URI.
    #[must_use]
    pub fn host_port(&self) -> &'a [u8] {
        let start = usize::from(u16_at(self.record[4], 48));
        &self.uri()[start..start + usize::from(u16_at(self.record[5], 48))]
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'a [u8] {
        let length = usize::from(u16_at(self.record[5], 32));
        text(self.words, low(self.record[5]), length)
    }

    /// Whether this try of a key (spread over `u64`) falls into the part of its weight that is live.
    #[inline]
    pub(super) fn takes_share(&self, x: u64) -> bool {
        ((x & 0xffff_ffff) >> 1) * u64::from(self.weight()) < u64::from(self.live()) << 31
    }

    pub(super) fn to_spec(self) -> MemberSpec {
        MemberSpec {
            name: String::from_utf8_lossy(self.name()).into_owned(),
            uri: String::from_utf8_lossy(self.uri()).into_owned(),
            state: self.state(),
            weight: self.weight(),
            priority: self.priority(),
            capacity: self.capacity(),
            options: self.options_spec(),
        }
    }
}
