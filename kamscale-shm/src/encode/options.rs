//! The records of what pools and members may have beside the rest. Who has none of it has no record; the
//! others point to theirs by its number, from 1.

use super::{Encoder, RECORD_WORDS, pair};
use crate::options::{MemberOptions, PoolOptions};

/// Words of such a record that are texts; they come first.
pub(crate) const OPTION_TEXTS: usize = 5;

/// A number that may be absent, as that number plus 1; 0: it is.
fn optional(value: Option<impl Into<u64>>) -> u64 {
    value.map_or(0, |v| v.into() + 1)
}

impl Encoder {
    /// A text, as its first byte (relative to the texts) and its length; an empty one is nowhere.
    fn text(&mut self, text: &str) -> u64 {
        if text.is_empty() {
            0
        } else {
            pair(self.string(text), text.len() as u64)
        }
    }

    fn record(&mut self, record: [u64; RECORD_WORDS]) -> u64 {
        self.options.extend_from_slice(&record);
        (self.options.len() / RECORD_WORDS) as u64
    }

    /// The number of a member's record; 0 if it needs none.
    pub(super) fn member_options(&mut self, options: &MemberOptions) -> u64 {
        if *options == MemberOptions::default() {
            return 0;
        }
        let record = [
            self.text(&options.socket),
            self.text(&options.attributes),
            self.text(&options.proxy),
            self.text(&options.probe_from),
            self.text(&options.probe_socket),
            u64::from(!options.probe),
            0,
            0,
        ];
        self.record(record)
    }

    /// The number of a pool's record; 0 if it needs none. `overflow` is the index of that pool.
    pub(super) fn pool_options(&mut self, options: &PoolOptions, overflow: Option<usize>) -> u64 {
        if *options == PoolOptions::default() {
            return 0;
        }
        let probe = &options.probe;
        let record = [
            self.text(&probe.method),
            self.text(&probe.from),
            self.text(&probe.socket),
            self.text(&probe.codes),
            0,
            pair(u64::from(options.slow_start_s), optional(probe.interval_ms)),
            pair(optional(probe.timeout_ms), optional(probe.failures)),
            optional(probe.successes)
                | u64::from(options.respect_capacity) << 16
                | optional(options.panic_threshold) << 24
                | optional(probe.jitter_percent) << 32
                | optional(overflow.map(|i| i as u64)) << 48,
        ];
        self.record(record)
    }

    /// Makes what is relative to the texts an offset in the table.
    pub(super) fn place_option_texts(&mut self, texts_at: u64) {
        for record in self.options.chunks_exact_mut(RECORD_WORDS) {
            let texts = record[..OPTION_TEXTS].iter_mut();
            // An empty one stays nowhere.
            texts
                .filter(|word| **word != 0)
                .for_each(|word| *word += texts_at);
        }
    }
}
