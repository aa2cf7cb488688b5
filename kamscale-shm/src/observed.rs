//! Kamailio's side of the observed file: it makes it before the fork and counts into it after.
//! Nothing here waits, and nothing but creation and the timer's look at the desired file calls the
//! system.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::clock;
use crate::files::{self, Layout, ShmError};
use crate::keys::Keys;
use crate::layout::{
    DesiredFile, Header, Line, MemberRow, OBSERVED_MAGIC, ObservedFile, PoolRow, ProcessRow,
    ServerRow,
};
use crate::limits::{MAX_FEATURES, MAX_MEMBERS, MAX_PROCESSES};
use crate::mapping::Mapped;
use crate::nodes::Nodes;
use crate::spec::{SpecError, is_name};
use crate::sync::{AtomicU64, Ordering};

impl Layout for ObservedFile {
    const MAGIC: u64 = OBSERVED_MAGIC;
    const SUFFIX: &'static str = "observed";
    fn header(&self) -> &Header {
        &self.header
    }
}

/// The observed file of the running Kamailio.
#[derive(Debug)]
pub struct Observed {
    file: Mapped<ObservedFile>,
    desired_path: PathBuf,
    /// Whether members are probed: then one that never answered gets no request.
    probing: bool,
    /// Whether other nodes are told, and count.
    sharing: bool,
    /// Held by every process of this Kamailio, by inheritance.
    _lock: File,
}

impl Observed {
    /// Makes the file of this instance. States that an operator set by hand are taken over from
    /// the file of the Kamailio before.
    ///
    /// # Errors
    /// [`ShmError::InUse`] if a Kamailio already runs this instance (its file is left alone).
    pub fn create(dir: &Path, instance: &str, features: &[String]) -> Result<Self, ShmError> {
        let path = files::path_of(dir, instance, ObservedFile::SUFFIX)?;
        let desired_path = files::path_of(dir, instance, DesiredFile::SUFFIX)?;
        let lock = files::lock(dir, instance, "kamailio")?;
        let before = files::open::<ObservedFile>(&path, false).ok();
        let file = files::create::<ObservedFile>(&path, |new| {
            for (row, name) in new.features.iter().zip(features) {
                for (cell, byte) in row.bytes.iter().zip(name.bytes()) {
                    cell.store(byte, Ordering::Relaxed);
                }
            }
            let count = u32::try_from(features.len().min(MAX_FEATURES)).unwrap_or(0);
            new.server.features.store(count, Ordering::Relaxed);
            if let Some(before) = &before {
                keep_overrides(before.get(), new);
                let off = before.get().server.probing_off.load(Ordering::Relaxed);
                new.server.probing_off.store(off, Ordering::Relaxed);
            }
        })?;
        Ok(Self {
            file,
            desired_path,
            probing: false,
            sharing: false,
            _lock: lock,
        })
    }

    /// Whether these names can be declared as features.
    ///
    /// # Errors
    /// The first rule that they break.
    pub fn check_features(features: &[String]) -> Result<(), SpecError> {
        if features.len() > MAX_FEATURES {
            let (limit, is) = (MAX_FEATURES, features.len());
            return Err(SpecError::Limit {
                what: "features",
                limit,
                is,
            });
        }
        for (index, name) in features.iter().enumerate() {
            if !is_name(name) {
                return Err(SpecError::Name(name.clone()));
            }
            if features[..index].contains(name) {
                return Err(SpecError::Duplicate(format!("feature {name}")));
            }
        }
        Ok(())
    }

    /// What concerns all of Kamailio.
    #[must_use]
    #[inline]
    pub fn server(&self) -> &ServerRow {
        &self.file.get().server
    }

    /// The row of a member, `None` for a slot that no table can name.
    #[must_use]
    #[inline]
    pub fn member(&self, slot: usize) -> Option<&MemberRow> {
        self.file.get().members.get(slot)
    }

    /// Members are probed: from now on one is used only while its answers speak for it. Before the
    /// fork.
    pub fn begin_probing(&mut self) {
        self.probing = true;
    }

    /// Lets members be probed, or nobody until it is taken back, also by the next Kamailio.
    pub fn let_probe(&self, on: bool) {
        let off = &self.file.get().server.probing_off;
        off.store(u32::from(!on), Ordering::Relaxed);
    }

    /// Whether members may be probed, as the operator has it.
    #[must_use]
    pub fn may_probe(&self) -> bool {
        self.file.get().server.probing_off.load(Ordering::Relaxed) == 0
    }

    /// Whether members are probed.
    #[must_use]
    #[inline]
    pub fn is_probing(&self) -> bool {
        self.probing
    }

    /// Calls and keys are shared with other nodes: from now on changes of keys are noted, and the calls
    /// of others count. Before the fork.
    pub fn begin_sharing(&mut self) {
        self.sharing = true;
    }

    /// Whether calls and keys are shared.
    #[must_use]
    #[inline]
    pub fn is_sharing(&self) -> bool {
        self.sharing
    }

    /// What concerns other nodes.
    #[must_use]
    #[inline]
    pub fn nodes(&self) -> &Nodes {
        &self.file.get().nodes
    }

    /// Calls that other nodes have on a member.
    #[must_use]
    #[inline]
    pub fn calls_elsewhere(&self, slot: usize, id: u64) -> u32 {
        if self.sharing {
            self.nodes().calls_of(slot, id)
        } else {
            0
        }
    }

    /// Calls that a member carries, as far as it is known ([`MemberRow::carries`]).
    #[must_use]
    #[inline]
    pub fn carries(&self, slot: usize, id: u64) -> u32 {
        let elsewhere = self.calls_elsewhere(slot, id);
        self.member(slot)
            .map_or(elsewhere, |row| row.carries(id, elsewhere, self.probing))
    }

    /// Whether nothing known here keeps the member out ([`MemberRow::is_usable`]).
    #[must_use]
    #[inline]
    pub fn is_usable(&self, slot: usize, id: u64, now_s: impl FnOnce() -> u64) -> bool {
        self.member(slot)
            .is_none_or(|row| row.is_usable(id, self.probing, now_s))
    }

    /// The same for a pool in which nobody is taken for down because nothing is heard of it. What a
    /// member does answer is believed.
    #[must_use]
    pub fn is_usable_unheard(&self, slot: usize, id: u64, now_s: impl FnOnce() -> u64) -> bool {
        self.member(slot)
            .is_none_or(|row| row.is_usable(id, self.probing && !row.is_silent(), now_s))
    }

    /// What is summed over a pool.
    #[must_use]
    #[inline]
    pub fn pool(&self, slot: usize) -> Option<&PoolRow> {
        self.file.get().pools.get(slot)
    }

    /// Whether nothing known here takes from the member what it has ([`MemberRow::keeps`]).
    #[must_use]
    #[inline]
    pub fn keeps(&self, slot: usize, id: u64, now_s: impl FnOnce() -> u64) -> bool {
        self.member(slot)
            .is_none_or(|row| row.keeps(id, self.probing, now_s))
    }

    /// The same for a pool in which nobody is taken for down because nothing is heard of it.
    #[must_use]
    pub fn keeps_unheard(&self, slot: usize, id: u64, now_s: impl FnOnce() -> u64) -> bool {
        self.member(slot)
            .is_none_or(|row| row.keeps(id, self.probing && !row.is_silent(), now_s))
    }

    /// The row of a process.
    #[must_use]
    #[inline]
    pub fn process(&self, number: usize) -> Option<&ProcessRow> {
        self.file.get().processes.get(number)
    }

    /// The token bucket of a feature.
    #[must_use]
    #[inline]
    pub fn bucket(&self, feature: usize) -> Option<&AtomicU64> {
        self.file.get().buckets.get(feature).map(|line| &line.0)
    }

    /// The sticky keys.
    #[must_use]
    #[inline]
    pub fn keys(&self) -> Keys<'_> {
        let file = self.file.get();
        let changed = self.sharing.then(|| file.nodes.changed());
        Keys::new(&file.keys, changed)
    }

    /// How often no room was left for a sticky key.
    #[must_use]
    #[inline]
    pub fn keys_refused(&self) -> &AtomicU64 {
        &self.file.get().keys_refused.0
    }

    /// The rows of all processes that there were.
    pub fn processes(&self) -> impl Iterator<Item = (usize, &ProcessRow)> {
        let rows = self
            .file
            .get()
            .processes
            .iter()
            .take(MAX_PROCESSES)
            .enumerate();
        rows.filter(|(_, row)| row.pid.load(Ordering::Relaxed) != 0)
    }

    /// (offered, admitted, refused) of a feature, over all processes.
    #[must_use]
    pub fn requests(&self, feature: usize) -> (u64, u64, u64) {
        let one = |counts: &Line<[AtomicU64; MAX_FEATURES]>| {
            let count = counts.0.get(feature);
            count.map_or(0, |c| c.load(Ordering::Relaxed))
        };
        self.processes().fold((0, 0, 0), |sum, (_, row)| {
            (
                sum.0 + one(&row.features),
                sum.1 + one(&row.admitted),
                sum.2 + one(&row.refused),
            )
        })
    }

    /// (selected, refused) of a pool slot, over all processes.
    #[must_use]
    pub fn selections(&self, pool_slot: usize) -> (u64, u64) {
        self.processes()
            .filter_map(|(_, row)| row.pools.get(pool_slot))
            .fold((0, 0), |sum, c| {
                (
                    sum.0 + c.selected.load(Ordering::Relaxed),
                    sum.1 + c.refused.load(Ordering::Relaxed),
                )
            })
    }

    /// A sign of life, and Kamailio's own clock. The timer process calls it every second.
    pub fn beat(&self, now_s: u64) {
        self.server().now_s.store(now_s, Ordering::Relaxed);
        self.file
            .get()
            .header
            .heartbeat_ns
            .store(clock::monotonic_ns(), Ordering::Release);
    }

    /// Looks whether another desired file than `known` is there, and if so tells all processes.
    /// Returns what is there now. For the timer process: it calls the system.
    #[must_use]
    pub fn look_for_desired(&self, known: Option<(u64, u64)>) -> Option<(u64, u64)> {
        let now = files::identity(&self.desired_path)
            .filter(|_| files::open::<DesiredFile>(&self.desired_path, false).is_ok());
        if now != known {
            // Partner: the load in `DesiredReader::refresh`.
            self.server().desired_epoch.fetch_add(1, Ordering::Release);
        }
        now
    }

    /// Why the desired file that is there cannot be used; `None` if it can, or if there is none.
    #[must_use]
    pub fn desired_problem(&self) -> Option<ShmError> {
        let problem = files::open::<DesiredFile>(&self.desired_path, false).err();
        problem.filter(|why| !matches!(why, ShmError::Missing(_)))
    }

    /// Where the agent's file is.
    #[must_use]
    pub fn desired_path(&self) -> &Path {
        &self.desired_path
    }

    /// Says that this Kamailio ends in order.
    pub fn close(&self) {
        self.file.get().header.closed.store(1, Ordering::Release);
    }
}

/// Adds to a counter that only the calling process writes.
#[inline]
pub fn add(counter: &AtomicU64, by: u64) {
    counter.store(
        counter.load(Ordering::Relaxed).wrapping_add(by),
        Ordering::Relaxed,
    );
}

fn keep_overrides(before: &ObservedFile, new: &ObservedFile) {
    for (from, to) in before.members.iter().zip(&new.members).take(MAX_MEMBERS) {
        let id = from.id.load(Ordering::Relaxed);
        if let Some(state) = from.override_of(id) {
            to.set_override(id, Some(state));
        }
    }
}
