//! The observed file from outside: what an agent sees over many lives of Kamailio, and what must
//! hold of it.

use std::collections::HashSet;
use std::path::Path;

use kamscale_shm::spec::DesiredState;
use kamscale_shm::{Observer, ShmError, Snapshot};

use crate::INSTANCE;
use crate::generation::{RESIDENTS, resident_id};
use crate::kamailio::{COUNTERS, changing_ids};
use crate::moments::await_some;

/// What an agent sees over many lives of Kamailio.
#[derive(Default)]
pub(crate) struct Watcher {
    pub(crate) boots: HashSet<u64>,
    observer: Option<Observer>,
    pub(crate) last: Option<Snapshot>,
    overrides: Vec<(u32, Option<DesiredState>)>,
    pub(crate) snapshots: u64,
}

impl Watcher {
    /// Looks at the file as an agent does: reopens it if it was replaced, and checks the growth.
    pub(crate) fn look(&mut self, dir: &Path) -> Option<&Snapshot> {
        if !self.observer.as_ref().is_some_and(Observer::is_current) {
            if let Some(old) = self.observer.take() {
                assert!(old.snapshot().closed, "a replaced file does not say so");
            }
            self.observer = match Observer::open(dir, INSTANCE) {
                Ok(new) => Some(new),
                Err(ShmError::Missing(_)) => None,
                Err(other) => panic!("a file in place is not whole: {other}"),
            };
        }
        let now = self.observer.as_ref()?.snapshot();
        if let Some(last) = self.last.as_ref().filter(|l| l.boot_id == now.boot_id) {
            assert_grown(last, &now);
        } else {
            assert!(self.boots.insert(now.boot_id), "a boot id came again");
        }
        let (_, without) = changing_ids();
        let wrong = now
            .members
            .iter()
            .find(|m| m.id == without && m.override_state.is_some());
        assert_eq!(
            wrong, None,
            "an override passed to the next member of its slot"
        );
        self.snapshots += 1;
        self.last = Some(now);
        self.last.as_ref()
    }

    /// The dead one's file: its counters agree with each other; its overrides are to be kept.
    pub(crate) fn after_death(&mut self, dir: &Path) {
        let Some(dead) = self.look(dir).cloned() else {
            return;
        };
        let counters = COUNTERS as u64;
        let begun: u64 = dead.workers.iter().map(|w| w.applied).sum();
        let total: u64 = dead.members.iter().map(|m| m.calls_total).sum();
        let selected = dead.pools.first().map_or(0, |p| p.selected);
        for (what, is) in [
            ("features[0]", dead.features[0].requests),
            ("features[1]", dead.features[1].requests.div_ceil(2)),
            ("pools[0]", selected),
            ("calls_total", total),
        ] {
            assert!(
                is <= begun && is + counters >= begun,
                "{what}: {is} of {begun} rounds"
            );
        }
        let calls: u64 = dead.members.iter().map(|m| u64::from(m.calls)).sum();
        assert!(calls <= counters, "{calls} calls, more than there can be");
        self.overrides = overrides_of(&dead);
    }

    /// A new life has the overrides of the one before, and no counts.
    pub(crate) fn after_birth(&mut self, dir: &Path) {
        let old = self.last.as_ref().map(|s| s.boot_id);
        await_some("a file of the new Kamailio", || {
            self.look(dir)
                .filter(|now| Some(now.boot_id) != old)
                .map(|_| ())
        });
        let born = self.last.as_ref().unwrap();
        assert!(!born.closed, "a new file that says it is old");
        assert_eq!(
            overrides_of(born),
            self.overrides,
            "the operator's word was lost"
        );
        assert!(born.features.iter().all(|f| f.requests == 0) && born.workers.is_empty());
    }
}

fn overrides_of(snapshot: &Snapshot) -> Vec<(u32, Option<DesiredState>)> {
    let set = snapshot
        .members
        .iter()
        .filter(|m| m.override_state.is_some());
    set.map(|m| (m.slot, m.override_state)).collect()
}

fn assert_grown(before: &Snapshot, after: &Snapshot) {
    for (old, new) in before.features.iter().zip(&after.features) {
        assert!(
            old.requests <= new.requests,
            "requests went back: {old:?}, {new:?}"
        );
    }
    for (old, new) in before.pools.iter().zip(&after.pools) {
        assert!(
            old.selected <= new.selected,
            "selections went back: {old:?}, {new:?}"
        );
    }
    for old in &before.members {
        let new = after.members.iter().find(|m| m.slot == old.slot).unwrap();
        assert!(
            old.calls_total <= new.calls_total,
            "calls went back: {old:?}, {new:?}"
        );
    }
}

/// Counts of a member stand in the slot that the agent gave it, whoever was killed.
pub(crate) fn assert_resident_rows(dead: &Snapshot) {
    for row in dead
        .members
        .iter()
        .filter(|m| (m.slot as usize) < RESIDENTS)
    {
        assert_eq!(
            row.id,
            resident_id(row.slot as usize),
            "slot {} changed hands",
            row.slot
        );
    }
}
