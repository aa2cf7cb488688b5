//! The agent's view of the observed file: plain values, read at one moment. Counters only grow;
//! whoever wants rates takes differences, and starts again when the boot id is another.

use std::path::{Path, PathBuf};

use crate::clock;
use crate::files::{self, Layout, ShmError};
use crate::health::Health;
use crate::layout::{MemberRow, NameRow, ObservedFile, ProcessRow};
use crate::limits::{MAX_FEATURES, MAX_POOLS, MAX_PROCESSES};
use crate::mapping::Mapped;
use crate::spec::DesiredState;
use crate::sync::Ordering;

/// What Kamailio had counted at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// Another one after each start of Kamailio: counters start again.
    pub boot_id: u64,
    /// Kamailio's main process.
    pub pid: u32,
    /// Seconds since Kamailio's last sign of life (it gives one every second).
    pub heartbeat_age_s: f64,
    /// Kamailio ended in order, or was replaced.
    pub closed: bool,
    /// Whether calls are counted at all (Kamailio's dialog module is loaded).
    pub calls_tracked: bool,
    /// Requests per feature since Kamailio's start.
    pub features: Vec<FeatureCount>,
    /// Members that were ever counted, marked or overridden, by slot.
    pub members: Vec<MemberObserved>,
    /// Pools from which something was selected, by slot.
    pub pools: Vec<PoolObserved>,
    /// Kamailio's processes.
    pub workers: Vec<WorkerObserved>,
}

/// Requests of one feature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeatureCount {
    /// Its name, as `modparam("kamscale", "feature", ...)` declared it.
    pub name: String,
    /// Requests since Kamailio's start.
    pub requests: u64,
    /// Those of them that `ks_admit()` let in.
    pub admitted: u64,
    /// Those of them that `ks_admit()` refused.
    pub refused: u64,
}

/// What is known of one member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberObserved {
    /// Its slot.
    pub slot: u32,
    /// Its identity ([`crate::hash::member_id`]).
    pub id: u64,
    /// Calls that it carries now.
    pub calls: u32,
    /// Calls that it ever carried.
    pub calls_total: u64,
    /// Times that a script marked it as failed.
    pub failures: u64,
    /// Whether passive detection or probing keeps it out now.
    pub down: bool,
    /// What probing found; `None` if it never was probed.
    pub probed: Option<Probed>,
    /// What an operator set by `kamscale.set_state`.
    pub override_state: Option<DesiredState>,
}

/// What probing found out about a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probed {
    /// Its health.
    pub health: Health,
    /// Status of the last answer; 408 if none came in time, 0 before the first.
    pub last_code: u32,
    /// Time to an answer, smoothed, in microseconds; 0: none came yet.
    pub latency_us: u32,
    /// Calls that it says it carries.
    pub calls: Option<u32>,
    /// Calls that it says it may carry.
    pub capacity: Option<u32>,
}

/// Selections from one pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolObserved {
    /// Its slot.
    pub slot: u32,
    /// Times a member was found.
    pub selected: u64,
    /// Times none was to be had.
    pub refused: u64,
}

/// What one process of Kamailio did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerObserved {
    /// Its `process_no`.
    pub process: u32,
    /// Its process id.
    pub pid: u32,
    /// Kamailio's rank: above 0 it serves requests.
    pub rank: i32,
    /// The generation it uses; an idle worker applies the newest before its next request.
    pub generation: u64,
    /// Tables it applied.
    pub applied: u64,
    /// Tables it refused.
    pub rejected: u64,
    /// Copies it gave up.
    pub torn: u64,
    /// Panics its guard caught.
    pub panics: u64,
    /// When it applied its generation ([`clock::monotonic_ns`]).
    pub applied_ns: u64,
}

/// The observed file, read-only.
#[derive(Debug)]
pub struct Observer {
    path: PathBuf,
    identity: Option<(u64, u64)>,
    file: Mapped<ObservedFile>,
}

impl Observer {
    /// Attaches to the file of the Kamailio that runs this instance.
    ///
    /// # Errors
    /// [`ShmError::Missing`] as long as no Kamailio ever ran it; what else is wrong with the file.
    pub fn open(dir: &Path, instance: &str) -> Result<Self, ShmError> {
        let path = files::path_of(dir, instance, ObservedFile::SUFFIX)?;
        let identity = files::identity(&path);
        let file = files::open::<ObservedFile>(&path, false)?;
        Ok(Self {
            path,
            identity,
            file,
        })
    }

    /// False once another file stands at the path: Kamailio was started again. Open it anew.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.identity.is_some() && files::identity(&self.path) == self.identity
    }

    /// Reads everything.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let file = self.file.get();
        let heartbeat = file.header.heartbeat_ns.load(Ordering::Acquire);
        let age_ns = clock::monotonic_ns().saturating_sub(heartbeat);
        let now_s = file.server.now_s.load(Ordering::Relaxed);
        let features = file.server.features.load(Ordering::Relaxed) as usize;
        let processes = file.server.processes.load(Ordering::Relaxed) as usize;
        // Rows that can have no process are not looked at: each is more than a page.
        let used = Some(processes).filter(|n| *n > 0).unwrap_or(MAX_PROCESSES);
        let rows: Vec<(u32, &ProcessRow)> = (0_u32..)
            .zip(&file.processes)
            .take(used)
            .filter(|(_, row)| row.pid.load(Ordering::Relaxed) != 0)
            .collect();
        let snapshot = Snapshot {
            boot_id: file.header.boot_id.load(Ordering::Relaxed),
            pid: file.header.pid.load(Ordering::Relaxed),
            heartbeat_age_s: std::time::Duration::from_nanos(age_ns).as_secs_f64(),
            closed: file.header.closed.load(Ordering::Acquire) != 0,
            calls_tracked: file.server.calls_tracked.load(Ordering::Relaxed) != 0,
            features: (0..features.min(MAX_FEATURES))
                .map(|i| FeatureCount {
                    name: name(&file.features[i]),
                    requests: sum(&rows, |r| r.features.0[i].load(Ordering::Relaxed)),
                    admitted: sum(&rows, |r| r.admitted.0[i].load(Ordering::Relaxed)),
                    refused: sum(&rows, |r| r.refused.0[i].load(Ordering::Relaxed)),
                })
                .collect(),
            members: (0_u32..)
                .zip(&file.members)
                .filter_map(|(slot, row)| member(slot, row, now_s))
                .collect(),
            pools: pools(&rows),
            workers: rows
                .iter()
                .map(|(process, row)| worker(*process, row))
                .collect(),
        };
        self.file.release();
        snapshot
    }
}

fn sum(rows: &[(u32, &ProcessRow)], of: impl Fn(&ProcessRow) -> u64) -> u64 {
    rows.iter()
        .map(|(_, row)| of(row))
        .fold(0, u64::wrapping_add)
}

fn name(row: &NameRow) -> String {
    let bytes: Vec<u8> = row
        .bytes
        .iter()
        .map(|b| b.load(Ordering::Relaxed))
        .take_while(|b| *b != 0)
        .collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn member(slot: u32, row: &MemberRow, now_s: u64) -> Option<MemberObserved> {
    let id = row.id.load(Ordering::Acquire);
    if id == 0 {
        return None;
    }
    let probed = probed(row, id);
    let answers_badly = probed.is_some_and(|p| p.health == Health::Down);
    Some(MemberObserved {
        slot,
        id,
        calls: row.calls_of(id),
        calls_total: row.calls_total.load(Ordering::Relaxed),
        failures: row.failures.load(Ordering::Relaxed),
        down: answers_badly || row.down_until_s.load(Ordering::Relaxed) > now_s,
        probed,
        override_state: row.override_of(id),
    })
}

fn probed(row: &MemberRow, id: u64) -> Option<Probed> {
    let health = row.health_of(id)?;
    let report = row.report();
    Some(Probed {
        health,
        last_code: row.last_code.load(Ordering::Relaxed),
        latency_us: row.latency_us.load(Ordering::Relaxed),
        calls: report.calls,
        capacity: report.capacity,
    })
}

fn pools(rows: &[(u32, &ProcessRow)]) -> Vec<PoolObserved> {
    (0_u32..)
        .zip(0..MAX_POOLS)
        .map(|(slot, i)| PoolObserved {
            slot,
            selected: sum(rows, |r| r.pools[i].selected.load(Ordering::Relaxed)),
            refused: sum(rows, |r| r.pools[i].refused.load(Ordering::Relaxed)),
        })
        .filter(|p| p.selected + p.refused > 0)
        .collect()
}

fn worker(process: u32, row: &ProcessRow) -> WorkerObserved {
    let load = |c: &crate::sync::AtomicU64| c.load(Ordering::Relaxed);
    WorkerObserved {
        process,
        pid: row.pid.load(Ordering::Relaxed),
        rank: i32::try_from(row.rank.load(Ordering::Relaxed)).unwrap_or(0) - RANK_OFFSET,
        // Partner: the Release store in the module, after it has put the table into use.
        generation: row.generation.load(Ordering::Acquire),
        applied: load(&row.applied),
        rejected: load(&row.rejected),
        torn: load(&row.torn),
        panics: load(&row.panics),
        applied_ns: load(&row.applied_ns),
    }
}

/// Kamailio's ranks begin at -127; the row holds them without a sign.
pub const RANK_OFFSET: i32 = 128;
