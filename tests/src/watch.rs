//! Watching both shared memory files from outside, read-only: who is in which pool, in what state,
//! with how many calls. Neither Kamailio nor the agent notices.

use std::collections::BTreeMap;
use std::path::Path;

use kamscale_shm::{DesiredReader, Observer, Refresh};
use serde::Serialize;

/// One member at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MemberSample {
    /// Its state in the published table.
    pub state: &'static str,
    /// Calls that it carries.
    pub calls: u32,
    /// Calls that it ever carried.
    pub calls_total: u64,
    /// Everything else that the table says of it: id, slot, URI, weight, priority, capacity.
    #[serde(skip)]
    pub entry: String,
}

/// Everything at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Sample {
    /// Seconds since the watching began.
    pub t: f64,
    /// The published table's generation.
    pub generation: u64,
    /// Requests per feature since Kamailio's start.
    pub requests: BTreeMap<String, u64>,
    /// Members by pool and name.
    pub pools: BTreeMap<String, BTreeMap<String, MemberSample>>,
}

/// A reader of one instance.
#[derive(Debug)]
pub struct Watch {
    observer: Observer,
    desired: DesiredReader,
    epoch: u64,
}

impl Watch {
    /// Attaches to a Kamailio that runs and an agent that has published.
    ///
    /// # Panics
    /// If there is no Kamailio of this instance.
    #[must_use]
    #[track_caller]
    pub fn new(shm_dir: &Path, instance: &str) -> Self {
        let watch = Self::try_new(shm_dir, instance);
        watch.unwrap_or_else(|e| panic!("watching instance {instance}: {e}"))
    }

    /// The same, where a Kamailio may be away.
    ///
    /// # Errors
    /// If there is none of this instance now.
    pub fn try_new(shm_dir: &Path, instance: &str) -> Result<Self, String> {
        Ok(Self {
            observer: Observer::open(shm_dir, instance).map_err(|e| e.to_string())?,
            desired: DesiredReader::new(shm_dir.join(format!("{instance}.desired"))),
            epoch: 0,
        })
    }

    /// Which start of Kamailio this is.
    #[must_use]
    pub fn boot_id(&self) -> u64 {
        self.observer.snapshot().boot_id
    }

    /// Whether Kamailio still uses the file that was opened.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.observer.is_current()
    }

    /// Looks now; `t` is the caller's clock.
    pub fn sample(&mut self, t: f64) -> Sample {
        // Attaches until there is a table; afterwards only a new generation is copied.
        if self.desired.table().generation() == 0 {
            self.epoch += 1;
        }
        while self.desired.refresh(self.epoch) == Refresh::Torn {}
        let seen = self.observer.snapshot();
        let counts: BTreeMap<u64, (u32, u64)> = seen
            .members
            .iter()
            .map(|m| (m.id, (m.calls, m.calls_total)))
            .collect();
        let table = self.desired.table();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let member = |m: kamscale_shm::Member<'_>| {
            let (calls, calls_total) = counts.get(&m.id()).copied().unwrap_or_default();
            let entry = format!(
                "{:x} {} {} {} {} {}",
                m.id(),
                m.slot(),
                text(m.uri()),
                m.weight(),
                m.priority(),
                m.capacity()
            );
            let sample = MemberSample {
                state: m.state().name(),
                calls,
                calls_total,
                entry,
            };
            (text(m.name()), sample)
        };
        let pools = table.pools();
        let pools = pools.map(|p| (text(p.name()), p.members().map(member).collect()));
        Sample {
            t,
            generation: table.generation(),
            requests: seen
                .features
                .into_iter()
                .map(|f| (f.name, f.requests))
                .collect(),
            pools: pools.collect(),
        }
    }
}

impl Sample {
    /// The members of a pool.
    pub fn members(&self, pool: &str) -> impl Iterator<Item = (&String, &MemberSample)> {
        self.pools.get(pool).into_iter().flatten()
    }

    /// Members of a pool in a state.
    #[must_use]
    pub fn count(&self, pool: &str, state: &str) -> usize {
        self.members(pool).filter(|(_, m)| m.state == state).count()
    }

    /// Calls on all members of a pool.
    #[must_use]
    pub fn calls(&self, pool: &str) -> u32 {
        self.members(pool).map(|(_, m)| m.calls).sum()
    }
}
