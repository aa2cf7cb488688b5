//! The agent's side of the desired file: it owns the file, gives members their slots, keeps the
//! row tables and publishes.

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::bucket::Allowance;
use crate::checksum;
use crate::clock;
use crate::encode::{CHECKED_FROM, Placement, encode};
use crate::files::{self, Layout, ShmError};
use crate::hash::{member_id, xxh3};
use crate::history;
use crate::layout::DesiredFile;
use crate::limits::{MAX_MEMBERS, MAX_POOLS, MAX_TABLE_WORDS};
use crate::mapping::Mapped;
use crate::publication;
use crate::rows::RowTables;
use crate::slots::Slots;
use crate::snapshot::Snapshot;
use crate::spec::{SpecError, TableSpec};
use crate::sync::{AtomicU64, Ordering};
use crate::table::Table;

/// Why a table was not published. The one before stays in force.
#[derive(Debug)]
pub enum PublishError {
    /// The table itself is not acceptable.
    Spec(SpecError),
    /// No slot is free: calls are still counted on those of members that went.
    NoSlot,
    /// The file had to be made anew, and could not be.
    File(ShmError),
}

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spec(error) => error.fmt(f),
            Self::NoSlot => f.write_str(
                "no free slot: removed members still carry calls; publish again when some have ended",
            ),
            Self::File(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for PublishError {}

/// The one writer of an instance's desired file.
#[derive(Debug)]
pub struct Publisher {
    path: PathBuf,
    file: Mapped<DesiredFile>,
    identity: Option<(u64, u64)>,
    generation: u64,
    members: Slots,
    pools: Slots,
    rows: RowTables,
    current: Option<TableSpec>,
    /// The first words of the newest table, the checksum of the rest among them.
    head: [u64; CHECKED_FROM],
    _lock: File,
}

impl Publisher {
    /// Takes over the file that an earlier agent left, if it is whole: its table, generation and
    /// slots go on. Else a new one is put in its place.
    ///
    /// # Errors
    /// [`ShmError::InUse`] if another agent runs this instance; what the system refused.
    pub fn open(dir: &Path, instance: &str) -> Result<Self, ShmError> {
        let path = files::path_of(dir, instance, DesiredFile::SUFFIX)?;
        let lock = files::lock(dir, instance, "agent")?;
        let adopted = files::open::<DesiredFile>(&path, true)
            .ok()
            .filter(|f| f.get().header.closed.load(Ordering::Relaxed) == 0)
            .and_then(|f| newest_table(f.get()).map(|(generation, table)| (f, generation, table)));
        let (file, generation, table) = match adopted {
            Some((file, generation, table)) => (file, generation, Some(table)),
            None => (files::create::<DesiredFile>(&path, |_| ())?, 0, None),
        };
        file.get()
            .header
            .pid
            .store(std::process::id(), Ordering::Relaxed);
        let mut publisher = Self {
            identity: files::identity(&path),
            path,
            file,
            generation,
            members: Slots::new(MAX_MEMBERS),
            pools: Slots::new(MAX_POOLS),
            rows: RowTables::default(),
            current: None,
            head: [0; CHECKED_FROM],
            _lock: lock,
        };
        if let Some(table) = table.filter(|_| generation > 0) {
            publisher.adopt(table);
        }
        publisher.beat();
        Ok(publisher)
    }

    fn adopt(&mut self, table: Table) {
        for pool in table.pools() {
            self.pools
                .adopt(xxh3(pool.name()), u32::try_from(pool.slot()).unwrap_or(0));
            for member in pool.members() {
                self.members
                    .adopt(member.id(), u32::try_from(member.slot()).unwrap_or(0));
            }
        }
        self.current = Some(table.to_spec());
        self.head = head_of(&table.into_words());
    }

    /// The table in force: the one published last, or found in the file.
    #[must_use]
    pub fn published(&self) -> Option<&TableSpec> {
        self.current.as_ref()
    }

    /// The generation in force; 0 before the first.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Notes what Kamailio counts now: slots that carry calls are not given to other members, and
    /// members that Kamailio already knows get their old slots. Call it before publishing.
    pub fn learn(&mut self, snapshot: &Snapshot) {
        let rows = || snapshot.members.iter();
        self.members.learn(
            rows().filter(|m| m.calls > 0).map(|m| m.slot),
            rows()
                .filter(|m| m.calls > 0 || m.override_state.is_some())
                .map(|m| (m.id, m.slot)),
        );
    }

    /// Publishes a table as the next generation, which it returns. All of it becomes visible at
    /// once; rows of keys move only for members that came, went or changed weight.
    ///
    /// # Errors
    /// [`PublishError`]; the table before stays in force.
    pub fn publish(&mut self, spec: &TableSpec) -> Result<u64, PublishError> {
        let ids = spec.checked_ids().map_err(PublishError::Spec)?;
        self.keep_file_in_place().map_err(PublishError::File)?;
        let pool_ids: Vec<u64> = spec.pools.iter().map(|p| xxh3(p.name.as_bytes())).collect();
        let pools = self.pools.assign(&pool_ids).ok_or(PublishError::NoSlot)?;
        let members = self.members.assign(&ids).ok_or(PublishError::NoSlot)?;
        self.rows.update(spec, &ids);
        let mut rest = members.slots.as_slice();
        let mut placements = Vec::with_capacity(spec.pools.len());
        for (pool, slot) in spec.pools.iter().zip(&pools.slots) {
            let (mine, others) = rest.split_at(pool.members.len());
            rest = others;
            let rows = self.rows.of(&pool.name);
            placements.push(Placement {
                slot: *slot,
                member_slots: mine.to_vec(),
                rows,
            });
        }
        let generation = self.generation + 1;
        let words = encode(spec, &placements, generation).map_err(PublishError::Spec)?;
        let empty = TableSpec::default();
        let changes = history::changes(self.current.as_ref().unwrap_or(&empty), spec);
        let file = self.file.get();
        let record = history::encode(clock::wall_s(), &changes);
        publication::fill(&file.history_slot(generation), generation, &record);
        let slot = file.slot(generation);
        publication::publish(&file.generation.0, &slot, generation, &words);
        self.pools.commit(&pools);
        self.members.commit(&members);
        self.generation = generation;
        self.current = Some(spec.clone());
        self.head = head_of(&words);
        self.file.release();
        Ok(generation)
    }

    /// Where the counts of a member are.
    #[must_use]
    pub fn slot(&self, pool: &str, member: &str) -> Option<u32> {
        self.members.get(member_id(pool, member))
    }

    /// Where the counts of a pool are.
    #[must_use]
    pub fn pool_slot(&self, pool: &str) -> Option<u32> {
        self.pools.get(xxh3(pool.as_bytes()))
    }

    /// Whether Kamailio can still read the table that was published last. False if the file was
    /// removed, replaced, cut or written over: publish again, which makes it anew if need be.
    #[must_use]
    pub fn is_in_force(&self) -> bool {
        let in_force = self.is_in_place() && self.is_whole();
        self.file.release();
        in_force
    }

    /// Whether the file holds the table that was published last, word for word.
    fn is_whole(&self) -> bool {
        let file = self.file.get();
        if file.generation.0.load(Ordering::Relaxed) != self.generation {
            return false;
        }
        if self.generation == 0 {
            return true;
        }
        let slot = file.slot(self.generation);
        let length = slot.length.load(Ordering::Relaxed);
        let words = usize::try_from(length).ok();
        let words = words.and_then(|length| slot.words.get(..length));
        let Some((head, rest)) = words.and_then(|words| words.split_at_checked(CHECKED_FROM))
        else {
            return false;
        };
        let checksum = self.head[CHECKED_FROM - 1];
        let is_head = |(word, known): (&AtomicU64, &u64)| word.load(Ordering::Relaxed) == *known;
        slot.stamp.load(Ordering::Relaxed) == self.generation.wrapping_mul(2)
            && head.iter().zip(&self.head).all(is_head)
            && checksum::in_place(rest) == checksum
    }

    /// Sets what is admitted of a feature, by its number in the observed file; `None`: everything.
    /// In force at once, and for so long; without a time for as long as the file stands.
    pub fn admit(
        &self,
        number: usize,
        feature: &str,
        allowance: Option<Allowance>,
        stands: Option<Duration>,
    ) {
        let Some(row) = self.file.get().admission.get(number) else {
            return;
        };
        let id = xxh3(feature.as_bytes());
        let Some(allowance) = allowance else {
            row.feature.store(0, Ordering::Release);
            return;
        };
        if row.feature.load(Ordering::Relaxed) != id {
            row.feature.store(0, Ordering::Release);
        }
        // A request between these two stores sees a rate with the burst of the one before: harmless.
        row.interval_ns
            .store(allowance.interval_ns, Ordering::Relaxed);
        row.ahead_ns.store(allowance.ahead_ns, Ordering::Relaxed);
        let until_ns = stands.map_or(0, |stands| {
            let stands_ns = u64::try_from(stands.as_nanos()).unwrap_or(u64::MAX);
            clock::monotonic_ns().saturating_add(stands_ns)
        });
        row.until_ns.store(until_ns, Ordering::Relaxed);
        // Partner: the Acquire load in `DesiredReader::allowance`: who sees the name sees its rate.
        row.feature.store(id, Ordering::Release);
    }

    /// A sign of life; call it once per loop.
    pub fn beat(&self) {
        self.file
            .get()
            .header
            .heartbeat_ns
            .store(clock::monotonic_ns(), Ordering::Release);
    }

    fn is_in_place(&self) -> bool {
        let whole =
            std::fs::metadata(&self.path).is_ok_and(|m| m.len() >= size_of::<DesiredFile>() as u64);
        whole
            && self.identity == files::identity(&self.path)
            && files::accept(&self.file, &self.path).is_ok()
    }

    /// Makes the file anew if somebody removed, replaced, cut or spoilt it: what is
    /// published must be seen.
    fn keep_file_in_place(&mut self) -> Result<(), ShmError> {
        if self.is_in_place() {
            return Ok(());
        }
        self.file = files::create::<DesiredFile>(&self.path, |_| ())?;
        self.identity = files::identity(&self.path);
        Ok(())
    }
}

/// The words of a table that its checksum does not cover.
fn head_of(words: &[u64]) -> [u64; CHECKED_FROM] {
    let head = words.get(..CHECKED_FROM);
    head.and_then(|head| head.try_into().ok())
        .unwrap_or_default()
}

/// The table that a file's generation names; an empty one for generation 0.
fn newest_table(file: &DesiredFile) -> Option<(u64, Table)> {
    // Partner: the Release store in `publication::publish`, by an earlier agent.
    let generation = file.generation.0.load(Ordering::Acquire);
    if generation == 0 {
        return Some((0, Table::default()));
    }
    let slot = file.slot(generation);
    let length = usize::try_from(slot.length.load(Ordering::Relaxed)).ok()?;
    let mut words = vec![0; length.min(MAX_TABLE_WORDS)];
    let length = publication::copy(&slot, generation, &mut words).ok()?;
    let table = Table::adopt(words, length).ok()?;
    (table.generation() == generation).then_some((generation, table))
}
