//! What the agent sees against what the model says.

use std::collections::BTreeMap;

use kamscale_shm::{Health, Snapshot};
use proptest::prelude::*;

use crate::model::{Model, ProcessModel};

pub(crate) fn check_members(model: &Model, seen: &Snapshot) -> Result<(), TestCaseError> {
    let known: Vec<_> = model.members.iter().filter(|(_, m)| m.id != 0).collect();
    prop_assert_eq!(seen.members.len(), known.len(), "rows that somebody used");
    for (row, (slot, m)) in seen.members.iter().zip(known) {
        prop_assert_eq!(
            (row.slot as usize, row.id),
            (*slot, m.id),
            "whose row it is"
        );
        let calls = u32::try_from(m.calls.max(0)).unwrap();
        prop_assert_eq!(
            (row.calls, row.calls_total),
            (calls, m.total),
            "calls of {:?}",
            m
        );
        prop_assert_eq!(row.failures, m.failures, "failures of {:?}", m);
        prop_assert_eq!(
            row.down,
            m.down_until_s > model.now_s || m.health == Some(Health::Down),
            "detection of {:?}",
            m
        );
        prop_assert_eq!(row.probed.map(|p| p.health), m.health, "health of {:?}", m);
        prop_assert_eq!(row.override_state, m.word, "the operator's word on {:?}", m);
    }
    Ok(())
}

pub(crate) fn check_processes(model: &Model, seen: &Snapshot) -> Result<(), TestCaseError> {
    let none = ProcessModel::default();
    let rows: Vec<_> = model
        .entered
        .keys()
        .map(|p| (*p, model.processes.get(p).unwrap_or(&none)))
        .collect();
    let mut pools: BTreeMap<usize, (u64, u64)> = BTreeMap::new();
    for (pool, (found, refused)) in rows.iter().flat_map(|(_, r)| &r.pools) {
        let sum = pools.entry(*pool).or_default();
        *sum = (sum.0 + found, sum.1 + refused);
    }
    for (feature, count) in seen.features.iter().enumerate() {
        let sum: u64 = rows.iter().map(|(_, r)| r.features[feature]).sum();
        prop_assert_eq!(count.requests, sum, "requests of feature {}", feature);
    }
    let seen_pools: BTreeMap<usize, (u64, u64)> = seen
        .pools
        .iter()
        .map(|p| (p.slot as usize, (p.selected, p.refused)))
        .collect();
    prop_assert_eq!(seen_pools, pools, "selections per pool");
    prop_assert_eq!(seen.workers.len(), rows.len(), "processes that entered");
    for (worker, (process, row)) in seen.workers.iter().zip(rows) {
        prop_assert_eq!(worker.process as usize, process);
        prop_assert_eq!(worker.generation, row.generation, "the generation in use");
        let outcomes = [worker.applied, worker.rejected, worker.torn];
        prop_assert_eq!(outcomes, row.outcomes, "tables applied, rejected, torn");
    }
    Ok(())
}
