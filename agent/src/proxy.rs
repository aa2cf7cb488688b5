//! The proxy, as the agent sees it: what Kamailio counts, and the table that it routes by.
//!
//! The trait lets tests run the loop without Kamailio; [`SharedMemory`] is the real thing. It must
//! not decide anything.

use std::path::{Path, PathBuf};
use std::time::Duration;

use kamscale_shm::bucket::Allowance;
use kamscale_shm::{Observer, PublishError, Publisher, ShmError, Snapshot, TableSpec};

/// Beyond this age of its heartbeat Kamailio is taken as absent.
const STALE_S: f64 = 5.0;

/// What the agent reads from and writes for Kamailio.
pub trait Proxy {
    /// What Kamailio counts now, or why that is not known. Attaches (again) where needed.
    fn look(&mut self) -> Result<Snapshot, String>;
    /// Publishes a table; answers its generation.
    fn publish(&mut self, table: &TableSpec) -> Result<u64, PublishError>;
    /// The table in force.
    fn published(&self) -> Option<&TableSpec>;
    /// Its generation; 0 before the first.
    fn generation(&self) -> u64;
    /// Whether Kamailio can still read it: somebody may have damaged or removed the file.
    fn is_in_force(&self) -> bool;
    /// Where the counts of a member are.
    fn slot(&self, pool: &str, member: &str) -> Option<u32>;
    /// Where the counts of a pool are.
    fn pool_slot(&self, pool: &str) -> Option<u32>;
    /// Sets what is let in of a feature, by its number in the snapshot; `None`: everything. It stands for
    /// so long without another word; without a time, until there is one.
    fn admit(
        &self,
        number: usize,
        feature: &str,
        allowance: Option<Allowance>,
        stands: Option<Duration>,
    );
    /// A sign of life for Kamailio.
    fn beat(&self);
}

/// Kamailio behind shared memory.
#[derive(Debug)]
pub struct SharedMemory {
    dir: PathBuf,
    instance: String,
    publisher: Publisher,
    observer: Option<Observer>,
}

impl SharedMemory {
    /// Takes over the table of an instance.
    ///
    /// # Errors
    /// If another agent runs this instance, or the files cannot be used.
    pub fn open(dir: &Path, instance: &str) -> Result<SharedMemory, ShmError> {
        let publisher = Publisher::open(dir, instance)?;
        Ok(SharedMemory {
            dir: dir.into(),
            instance: instance.into(),
            publisher,
            observer: None,
        })
    }
}

impl Proxy for SharedMemory {
    fn look(&mut self) -> Result<Snapshot, String> {
        if !self.observer.as_ref().is_some_and(Observer::is_current) {
            self.observer = None;
        }
        let observer = match self.observer.take() {
            Some(observer) => observer,
            None => Observer::open(&self.dir, &self.instance)
                .map_err(|error| format!("Kamailio is not attached: {error}"))?,
        };
        let snapshot = self.observer.insert(observer).snapshot();
        self.publisher.learn(&snapshot);
        Ok(snapshot)
    }

    fn publish(&mut self, table: &TableSpec) -> Result<u64, PublishError> {
        self.publisher.publish(table)
    }

    fn published(&self) -> Option<&TableSpec> {
        self.publisher.published()
    }

    fn generation(&self) -> u64 {
        self.publisher.generation()
    }

    fn is_in_force(&self) -> bool {
        self.publisher.is_in_force()
    }

    fn slot(&self, pool: &str, member: &str) -> Option<u32> {
        self.publisher.slot(pool, member)
    }

    fn pool_slot(&self, pool: &str) -> Option<u32> {
        self.publisher.pool_slot(pool)
    }

    fn admit(
        &self,
        number: usize,
        feature: &str,
        allowance: Option<Allowance>,
        stands: Option<Duration>,
    ) {
        self.publisher.admit(number, feature, allowance, stands);
    }

    fn beat(&self) {
        self.publisher.beat();
    }
}

/// Why a snapshot says nothing about the present, if so.
pub fn unusable(snapshot: &Snapshot) -> Option<String> {
    if snapshot.closed {
        return Some("Kamailio has ended".into());
    }
    if snapshot.heartbeat_age_s > STALE_S {
        let age_s = snapshot.heartbeat_age_s;
        return Some(format!("Kamailio gave no sign of life for {age_s:.0} s"));
    }
    if !snapshot.calls_tracked {
        return Some("calls are not counted: load Kamailio's dialog module".into());
    }
    None
}
