//! What a pool or member of a table has beside the rest, if it has any of it: one look at a word that a
//! selection has loaded anyway says that most have nothing.

use super::words::{high, low, record, text, u16_at};
use super::{Member, Pool};
use crate::encode::{OPTION_TEXTS, RECORD_WORDS};
use crate::options::{MemberOptions, PoolOptions, ProbeOptions};

/// The word of the header that says where these records are.
pub(super) const SECTION_WORD: usize = 7;

/// One such record.
#[derive(Clone, Copy, Debug)]
struct Options<'a> {
    words: &'a [u64],
    record: &'a [u64; RECORD_WORDS],
}

impl<'a> Options<'a> {
    /// The record of that number, counted from 1.
    #[cold]
    fn of(words: &'a [u64], number: u16) -> Self {
        let from = words.get(SECTION_WORD).map_or(0, |w| low(*w));
        let at = from + RECORD_WORDS * (usize::from(number) - 1);
        let record = record(words, at);
        Self { words, record }
    }

    fn text(self, word: usize) -> &'a [u8] {
        const { assert!(OPTION_TEXTS <= RECORD_WORDS) };
        match self.record[word] {
            0 => &[],
            place => text(self.words, low(place), high(place)),
        }
    }

    fn string(self, word: usize) -> String {
        String::from_utf8_lossy(self.text(word)).into_owned()
    }
}

/// What was encoded as itself plus 1, or as 0 if absent.
fn optional(word: usize) -> Option<u32> {
    u32::try_from(word.checked_sub(1)?).ok()
}

impl<'a> Member<'a> {
    /// Whether it has anything of this page at all.
    #[must_use]
    #[inline]
    pub fn has_options(&self) -> bool {
        u16_at(self.record[2], 48) != 0
    }

    #[inline]
    fn options(&self) -> Option<Options<'a>> {
        let number = u16_at(self.record[2], 48);
        (number != 0).then(|| Options::of(self.words, number))
    }

    /// The local socket that its requests leave by; empty: Kamailio chooses.
    #[must_use]
    #[inline]
    pub fn socket(&self) -> &'a [u8] {
        self.options().map_or(&[], |o| o.text(0))
    }

    /// What scripts may read of it: `key=value;key=value`.
    #[must_use]
    pub fn attributes(&self) -> &'a [u8] {
        self.options().map_or(&[], |o| o.text(1))
    }

    /// The value of one of its attributes.
    #[must_use]
    pub fn attribute(&self, name: &[u8]) -> Option<&'a [u8]> {
        let mut all = crate::options::attributes(self.attributes());
        all.find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// URI of the proxy before it; empty: none.
    #[must_use]
    pub fn proxy(&self) -> &'a [u8] {
        self.options().map_or(&[], |o| o.text(2))
    }

    /// Whether it is probed, if its pool is.
    fn is_probed_itself(&self) -> bool {
        self.options().is_none_or(|o| o.record[5] == 0)
    }

    /// Whether it is probed where members are: neither itself nor its pool says that it is not.
    #[must_use]
    pub fn is_probed(&self) -> bool {
        let pool = Pool {
            words: self.words,
            record: record(self.words, RECORD_WORDS * (1 + self.pool())),
        };
        self.is_probed_itself() && pool.probe_interval_ms() != Some(0)
    }

    /// From of its probes; empty: that of its pool.
    #[must_use]
    pub fn probe_from(&self) -> &'a [u8] {
        self.options().map_or(&[], |o| o.text(3))
    }

    /// Socket that its probes leave by; empty: that of its pool, else its own.
    #[must_use]
    pub fn probe_socket(&self) -> &'a [u8] {
        self.options().map_or(&[], |o| o.text(4))
    }

    pub(super) fn options_spec(&self) -> MemberOptions {
        self.options()
            .map_or_else(MemberOptions::default, |o| MemberOptions {
                socket: o.string(0),
                attributes: o.string(1),
                proxy: o.string(2),
                probe: self.is_probed_itself(),
                probe_from: o.string(3),
                probe_socket: o.string(4),
            })
    }
}

impl<'a> Pool<'a> {
    /// Whether it has anything of this page at all.
    #[must_use]
    #[inline]
    pub fn has_options(&self) -> bool {
        u16_at(self.record[2], 48) != 0
    }

    #[inline]
    fn options(&self) -> Option<Options<'a>> {
        let number = u16_at(self.record[2], 48);
        (number != 0).then(|| Options::of(self.words, number))
    }

    /// Seconds in which the weight of a member that has just come up grows to its whole; 0: at once.
    #[must_use]
    #[inline]
    pub fn slow_start_s(&self) -> u32 {
        let word = self.options().map_or(0, |o| low(o.record[5]));
        u32::try_from(word).unwrap_or(0)
    }

    /// Whether a member that carries its capacity gets nothing more.
    #[must_use]
    #[inline]
    pub fn respects_capacity(&self) -> bool {
        self.options()
            .is_some_and(|o| o.record[7].to_le_bytes()[2] != 0)
    }

    /// The index of the pool that takes what this one cannot. The chain of them ends within
    /// [`crate::limits::MAX_OVERFLOWS`] steps.
    #[must_use]
    #[inline]
    pub fn overflow(&self) -> Option<usize> {
        let number = self.options().map_or(0, |o| u16_at(o.record[7], 48));
        usize::from(number).checked_sub(1)
    }

    /// If more than so many percent of it look down, answers to probes are not believed; `None`: as
    /// the module's parameter has it.
    #[must_use]
    #[inline]
    pub fn panic_threshold(&self) -> Option<u32> {
        let byte = self.options().map_or(0, |o| o.record[7].to_le_bytes()[3]);
        optional(usize::from(byte))
    }

    /// Between two probes of a member, in milliseconds; 0: they are not probed; `None`: as the module's
    /// parameter has it.
    #[must_use]
    pub fn probe_interval_ms(&self) -> Option<u32> {
        self.options().and_then(|o| optional(high(o.record[5])))
    }

    /// How its members are probed.
    #[must_use]
    pub fn probe(&self) -> ProbeOptions {
        self.options()
            .map_or_else(ProbeOptions::default, |o| ProbeOptions {
                interval_ms: self.probe_interval_ms(),
                jitter_percent: optional(usize::from(o.record[7].to_le_bytes()[4]))
                    .and_then(|v| u8::try_from(v).ok()),
                timeout_ms: optional(low(o.record[6])),
                failures: optional(high(o.record[6])),
                successes: optional(usize::from(u16_at(o.record[7], 0))),
                method: o.string(0),
                from: o.string(1),
                socket: o.string(2),
                codes: o.string(3),
            })
    }

    pub(super) fn options_spec(&self) -> PoolOptions {
        let threshold = self.panic_threshold();
        PoolOptions {
            slow_start_s: self.slow_start_s(),
            respect_capacity: self.respects_capacity(),
            overflow: self.overflow_name(),
            panic_threshold: threshold.and_then(|v| u8::try_from(v).ok()),
            probe: self.probe(),
        }
    }

    fn overflow_name(&self) -> String {
        let pool = self.overflow().map(|index| Pool {
            words: self.words,
            record: record(self.words, RECORD_WORDS * (1 + index)),
        });
        pool.map_or_else(String::new, |p| {
            String::from_utf8_lossy(p.name()).into_owned()
        })
    }
}
