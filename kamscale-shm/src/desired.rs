//! A Kamailio process's view of the desired file: a private, validated copy of the newest table.
//! Two loads tell a request that nothing changed; all memory is there before the first request.

use std::path::PathBuf;

use crate::bucket::Allowance;
use crate::files::{self, Layout};
use crate::history::{self, Publication};
use crate::layout::{DESIRED_MAGIC, DesiredFile, Header};
use crate::limits::{HISTORY_SLOTS, HISTORY_WORDS, MAX_TABLE_WORDS, TABLE_SLOTS};
use crate::mapping::Mapped;
use crate::publication::{self, Slot, slot_of};
use crate::sync::Ordering;
use crate::table::{Table, TableError};

/// Copies a request tries before it goes on with the table it has.
const COPY_TRIES: u32 = 3;

impl Layout for DesiredFile {
    const MAGIC: u64 = DESIRED_MAGIC;
    const SUFFIX: &'static str = "desired";
    fn header(&self) -> &Header {
        &self.header
    }
}

impl DesiredFile {
    /// The slot of a generation.
    #[must_use]
    pub fn slot(&self, generation: u64) -> Slot<'_> {
        let slot = &self.slots[slot_of(generation, TABLE_SLOTS)];
        Slot {
            stamp: &slot.stamp,
            length: &slot.length,
            words: &slot.words,
        }
    }

    /// The slot of what a generation changed.
    #[must_use]
    pub fn history_slot(&self, generation: u64) -> Slot<'_> {
        let slot = &self.history[slot_of(generation, HISTORY_SLOTS)];
        Slot {
            stamp: &slot.stamp,
            length: &slot.length,
            words: &slot.words,
        }
    }
}

/// What a look at the desired file came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresh {
    /// Nothing new.
    Unchanged,
    /// The table of this generation is in use from now on.
    Applied(u64),
    /// The publisher overtook every try; the old table stays until the next request tries again.
    Torn,
    /// The new table is not valid; the old one stays until another generation comes.
    Rejected(TableError),
}

/// The desired file as one process sees it.
#[derive(Debug)]
pub struct DesiredReader {
    path: PathBuf,
    file: Option<Mapped<DesiredFile>>,
    /// The epoch and generation that were looked at last.
    seen_epoch: u64,
    seen_generation: u64,
    table: Table,
    /// Where the next table is copied; the old one's memory afterwards.
    spare: Vec<u64>,
}

impl DesiredReader {
    /// Not attached yet, with an empty table.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self {
            path,
            file: None,
            seen_epoch: 0,
            seen_generation: 0,
            table: Table::default(),
            spare: Vec::new(),
        }
    }

    /// Uses this table until an agent publishes one (the `pools_file`).
    pub fn start_with(&mut self, table: Table) {
        self.table = table;
    }

    /// Reserves the memory for the largest possible table, twice. It costs address space only:
    /// pages are taken when a table of that size comes.
    pub fn reserve(&mut self) {
        self.spare = vec![0; MAX_TABLE_WORDS];
        self.table = std::mem::take(&mut self.table).moved_into(vec![0; MAX_TABLE_WORDS]);
    }

    /// The table in use.
    #[must_use]
    #[inline]
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// The agent's process and nanoseconds since its last sign of life; `None` without its file.
    #[must_use]
    pub fn agent(&self) -> Option<(u32, u64)> {
        let header = &self.file.as_ref()?.get().header;
        let beat = header.heartbeat_ns.load(Ordering::Acquire);
        let age_ns = crate::clock::monotonic_ns().saturating_sub(beat);
        Some((header.pid.load(Ordering::Relaxed), age_ns))
    }

    /// What is admitted of a feature, by its number and [`crate::hash::xxh3`] of its name; `None`:
    /// everything. When the agent is gone it stands for as long as the agent said.
    #[must_use]
    #[inline]
    pub fn allowance(&self, number: usize, feature: u64, now_ns: u64) -> Option<Allowance> {
        let row = self.file.as_ref()?.get().admission.get(number)?;
        // Partner: the Release store in `Publisher::admit`.
        let is_its = row.feature.load(Ordering::Acquire) == feature;
        let until_ns = row.until_ns.load(Ordering::Relaxed);
        (is_its && (until_ns == 0 || now_ns < until_ns)).then(|| Allowance {
            interval_ns: row.interval_ns.load(Ordering::Relaxed),
            ahead_ns: row.ahead_ns.load(Ordering::Relaxed),
        })
    }

    /// What the last publications changed, at most `count`, newest first. One that is not whole is
    /// left out: the publisher came round to its slot, or the file was made anew since.
    #[must_use]
    pub fn publications(&self, count: usize) -> Vec<Publication> {
        let Some(file) = &self.file else {
            return Vec::new();
        };
        // Partner: the Release store of the generation in `publication::publish`.
        let newest = file.get().generation.0.load(Ordering::Acquire);
        let count = count.min(HISTORY_SLOTS) as u64;
        let mut words = vec![0; HISTORY_WORDS];
        let record = |generation| {
            let slot = file.get().history_slot(generation);
            let length = publication::copy(&slot, generation, &mut words).ok()?;
            history::decode(generation, words.get(..length)?)
        };
        let oldest = newest.saturating_sub(count);
        (oldest + 1..=newest).rev().filter_map(record).collect()
    }

    /// Gives up the view and keeps the table.
    #[must_use]
    pub fn into_table(self) -> Table {
        self.table
    }

    /// Applies what is new. `epoch` is [`crate::layout::ServerRow::desired_epoch`].
    #[inline]
    pub fn refresh(&mut self, epoch: u64) -> Refresh {
        let generation = match &self.file {
            // Partner: the Release store of the generation in `publication::publish`.
            Some(file) => file.get().generation.0.load(Ordering::Acquire),
            None => 0,
        };
        if epoch == self.seen_epoch && generation == self.seen_generation {
            return Refresh::Unchanged;
        }
        self.apply(epoch)
    }

    #[cold]
    fn apply(&mut self, epoch: u64) -> Refresh {
        if epoch != self.seen_epoch {
            // The one time that a request calls the system: the agent's file was replaced.
            self.seen_epoch = epoch;
            self.seen_generation = 0;
            self.file = files::open::<DesiredFile>(&self.path, false).ok();
        }
        if self.spare.len() < MAX_TABLE_WORDS {
            self.spare.resize(MAX_TABLE_WORDS, 0);
        }
        let Some(file) = &self.file else {
            return Refresh::Unchanged;
        };
        for _ in 0..COPY_TRIES {
            let generation = file.get().generation.0.load(Ordering::Acquire);
            if generation == self.seen_generation || generation == 0 {
                return Refresh::Unchanged;
            }
            let slot = file.get().slot(generation);
            let Ok(length) = publication::copy(&slot, generation, &mut self.spare) else {
                continue;
            };
            self.seen_generation = generation;
            let copied = std::mem::take(&mut self.spare);
            return match Table::adopt(copied, length) {
                Ok(new) => {
                    self.spare = std::mem::replace(&mut self.table, new).into_words();
                    Refresh::Applied(generation)
                }
                Err((why, words)) => {
                    self.spare = words;
                    Refresh::Rejected(why)
                }
            };
        }
        Refresh::Torn
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publisher::Publisher;
    use crate::spec::{PoolSpec, TableSpec};

    fn pool(name: &str) -> TableSpec {
        let (name, members) = (name.to_owned(), Vec::new());
        TableSpec {
            pools: vec![PoolSpec {
                name,
                hash_bits: 10,
                members,
                options: Default::default(),
            }],
        }
    }

    #[test]
    fn a_reader_that_reserved_has_the_memory_of_both_copies_even_without_a_first_table() {
        let dir = tempfile::tempdir().unwrap();
        let mut publisher = Publisher::open(dir.path(), "t").unwrap();
        let mut reader = DesiredReader::new(dir.path().join("t.desired"));
        reader.reserve();
        for generation in 1..=4 {
            publisher.publish(&pool("p")).unwrap();
            assert_eq!(reader.refresh(1), Refresh::Applied(generation));
            assert_eq!(
                reader.spare.len(),
                MAX_TABLE_WORDS,
                "generation {}: the next request allocates",
                generation + 1
            );
        }
    }

    #[test]
    fn reserving_keeps_a_table_that_was_copied_into_more_memory_than_it_needs() {
        let dir = tempfile::tempdir().unwrap();
        let mut publisher = Publisher::open(dir.path(), "t").unwrap();
        publisher.publish(&pool("p")).unwrap();
        let mut first = DesiredReader::new(dir.path().join("t.desired"));
        first.refresh(1);
        let mut reader = DesiredReader::new(dir.path().join("another.desired"));
        reader.start_with(first.into_table());
        reader.reserve();
        assert_eq!(
            reader.table().to_spec(),
            pool("p"),
            "the first table is gone"
        );
        reader.reserve();
        assert_eq!(
            reader.table().to_spec(),
            pool("p"),
            "reserving twice lost it"
        );
    }
}
