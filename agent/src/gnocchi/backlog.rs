//! What is measured and not yet sent: bounded in memory, the oldest dropped and counted.
//!
//! It keeps order: what is sent is always the oldest part.

use std::collections::VecDeque;
use std::io::Write;

use uuid::Uuid;
use uuid::fmt::Hyphenated;

use super::names::BACK_WINDOW_S;
use super::registry::{Known, Registry};

/// Of all that waits so much is kept. One second of 10 pools and 100 members takes about 1 KiB.
const MOST_BYTES: usize = 8 << 20;
/// Measures of one request at most: about 1 MiB.
pub(super) const MOST_MEASURES: usize = 10_000;

/// What was measured in one second.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Second {
    pub(super) at_s: u64,
    pub(super) series: Vec<u32>,
    pub(super) values: Vec<f64>,
}

impl Second {
    /// With room for so many values.
    pub(super) fn new(at_s: u64, values: usize) -> Second {
        Second {
            at_s,
            series: Vec::with_capacity(values),
            values: Vec::with_capacity(values),
        }
    }

    pub(super) fn add(&mut self, series: u32, value: f64) {
        self.series.push(series);
        self.values.push(value);
    }

    fn bytes(&self) -> usize {
        size_of::<Second>() + self.series.capacity() * 4 + self.values.capacity() * 8
    }
}

/// All that waits, oldest first.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    seconds: VecDeque<Second>,
    bytes: usize,
    /// Measures that were never sent.
    pub(super) dropped: u64,
}

/// The oldest part, as one request.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) body: Vec<u8>,
    /// All seconds up to this one are in it.
    pub(super) until_s: u64,
    /// So many measures.
    pub(super) measures: u64,
}

impl Backlog {
    pub(super) fn push(&mut self, mut second: Second) {
        second.series.shrink_to_fit();
        second.values.shrink_to_fit();
        let oldest_s = second.at_s.saturating_sub(BACK_WINDOW_S);
        self.bytes += second.bytes();
        self.seconds.push_back(second);
        // Gnocchi would not take what is older than its back window.
        while let Some(first) = self.seconds.front() {
            if self.bytes <= MOST_BYTES && first.at_s >= oldest_s {
                break;
            }
            self.drop_first();
        }
    }

    fn drop_first(&mut self) {
        if let Some(first) = self.seconds.pop_front() {
            self.bytes -= first.bytes();
            self.dropped += u64::try_from(first.series.len()).unwrap_or(u64::MAX);
        }
    }

    /// The second of the oldest measure that waits.
    pub(super) fn oldest_s(&self) -> Option<u64> {
        self.seconds.front().map(|second| second.at_s)
    }

    /// The oldest part as a request's body, for resources that are there. Measures of others are
    /// left out: those of members come again, and others are created before.
    pub(super) fn batch(&self, registry: &Registry) -> Option<Batch> {
        let mut entries: Vec<(u32, u64, f64)> = Vec::new();
        let mut until_s = 0;
        for second in &self.seconds {
            let full = entries.len() + second.series.len() > MOST_MEASURES;
            if full && !entries.is_empty() {
                break;
            }
            until_s = second.at_s;
            let values = second.series.iter().zip(&second.values);
            entries.extend(values.map(|(series, value)| (*series, second.at_s, *value)));
        }
        if until_s == 0 {
            return None;
        }
        entries.sort_unstable_by_key(|(series, at_s, _)| (*series, *at_s));
        let (body, measures) = body(&entries, registry);
        Some(Batch {
            body,
            until_s,
            measures,
        })
    }

    /// A batch was accepted.
    pub(super) fn sent(&mut self, until_s: u64) {
        while self.oldest_s().is_some_and(|at_s| at_s <= until_s) {
            if let Some(first) = self.seconds.pop_front() {
                self.bytes -= first.bytes();
            }
        }
    }

    /// A batch will never be accepted.
    pub(super) fn give_up(&mut self, until_s: u64) {
        while self.oldest_s().is_some_and(|at_s| at_s <= until_s) {
            self.drop_first();
        }
    }
}

/// `{"<resource>": {"<metric>": [{"timestamp": .., "value": ..}]}}`, written by hand: it is written
/// every second, and for 10,000 members a tree of values would cost more than all the rest.
fn body(entries: &[(u32, u64, f64)], registry: &Registry) -> (Vec<u8>, u64) {
    let mut body = Vec::with_capacity(entries.len() * 64 + 2);
    let mut measures = 0;
    let (mut open_resource, mut open_series): (Option<Uuid>, Option<u32>) = (None, None);
    body.push(b'{');
    for (series, at_s, value) in entries {
        if open_series != Some(*series) {
            let Some((resource, metric)) = registry.of_series(*series) else {
                continue;
            };
            if resource.known != Known::There {
                continue;
            }
            let same = open_resource == Some(resource.id);
            body.extend_from_slice(match (open_series, same) {
                (None, _) => b"\"",
                (Some(_), true) => b"],\"",
                (Some(_), false) => b"]},\"",
            });
            if !same {
                let mut id = [0; Hyphenated::LENGTH];
                let id = resource.id.hyphenated().encode_lower(&mut id);
                body.extend_from_slice(id.as_bytes());
                body.extend_from_slice(b"\":{\"");
                open_resource = Some(resource.id);
            }
            body.extend_from_slice(metric.as_bytes());
            body.extend_from_slice(b"\":[");
            open_series = Some(*series);
        } else {
            body.push(b',');
        }
        measures += 1;
        // Writing to memory does not fail.
        let _ = write!(body, "{{\"timestamp\":{at_s},\"value\":{value}}}");
    }
    if open_series.is_some() {
        body.extend_from_slice(b"]}");
    }
    body.push(b'}');
    (body, measures)
}
