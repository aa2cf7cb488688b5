//! The row tables of all pools, in bounded memory.

use std::collections::{HashMap, HashSet, VecDeque};

use super::{RowTable, Weighted};
use crate::limits::DEFAULT_HASH_BITS;
use crate::spec::TableSpec;

/// Rows, over all pools, of which more than the owners is remembered, at 8 bytes each. The pool
/// that changed last is always remembered, and as many before it as go into this.
const REMEMBERED_ROWS: usize = 64 << DEFAULT_HASH_BITS;

/// The rows of all pools of a table.
#[derive(Debug, Default)]
pub struct RowTables {
    tables: HashMap<String, RowTable>,
    /// Pools whose rows are remembered, the one that changed last at the end.
    recent: VecDeque<String>,
}

impl RowTables {
    /// The rows of a pool.
    ///
    /// # Panics
    /// If the pool is not in the table of the last [`Self::update`].
    #[must_use]
    pub fn of(&self, pool: &str) -> &RowTable {
        &self.tables[pool]
    }

    /// Brings all of them to this table, whose members have these ids.
    pub fn update(&mut self, spec: &TableSpec, ids: &[u64]) {
        let named: HashSet<&str> = spec.pools.iter().map(|p| p.name.as_str()).collect();
        self.tables.retain(|name, _| named.contains(name.as_str()));
        self.recent.retain(|name| named.contains(name.as_str()));
        let mut ids = ids.iter();
        for pool in &spec.pools {
            let members: Vec<Weighted> = pool
                .members
                .iter()
                .zip(ids.by_ref())
                .map(|(member, id)| Weighted {
                    id: *id,
                    weight: member.weight,
                })
                .collect();
            match self.tables.get_mut(&pool.name) {
                Some(table) if table.is_of(pool.hash_bits, &members) => continue,
                Some(table) if table.bits() == pool.hash_bits => table.change(&members),
                _ => {
                    let table = RowTable::new(pool.hash_bits, &members);
                    self.tables.insert(pool.name.clone(), table);
                }
            }
            self.remember(&pool.name);
        }
    }

    /// Notes that a pool's rows changed. Pools that did not change for long are forgotten then:
    /// they are made anew when they do.
    fn remember(&mut self, changed: &str) {
        self.recent.retain(|name| name != changed);
        self.recent.push_back(changed.to_owned());
        let of = |name: &String| self.tables.get(name).map_or(0, RowTable::remembered);
        let mut remembered: usize = self.recent.iter().map(of).sum();
        while remembered > REMEMBERED_ROWS && self.recent.len() > 1 {
            let oldest = self.recent.pop_front();
            if let Some(table) = oldest.and_then(|name| self.tables.get_mut(&name)) {
                remembered -= table.remembered();
                table.forget();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{DesiredState, MemberSpec, PoolSpec};

    #[test]
    fn with_very_many_pools_only_those_that_changed_last_are_remembered() {
        let pool = |name: String| PoolSpec {
            hash_bits: DEFAULT_HASH_BITS,
            members: vec![MemberSpec {
                name: "a".into(),
                uri: "sip:127.0.0.1".into(),
                state: DesiredState::Active,
                weight: 100,
                priority: 0,
                capacity: 10,
                options: Default::default(),
            }],
            name,
            options: Default::default(),
        };
        let mut spec = TableSpec {
            pools: (0..100).map(|n| pool(format!("p{n:02}"))).collect(),
        };
        let ids: Vec<u64> = (0..100).collect();
        let mut tables = RowTables::default();
        tables.update(&spec, &ids);
        let remembered = |tables: &RowTables| -> usize {
            tables.tables.values().map(RowTable::remembered).sum()
        };
        assert_eq!(remembered(&tables), REMEMBERED_ROWS);
        assert_eq!(tables.of("p00").remembered(), 0);
        assert!(tables.of("p00").owners().all(|owner| owner == 0));
        spec.pools[0].members[0].weight = 50;
        tables.update(&spec, &ids);
        assert_eq!(tables.of("p00").remembered(), 1 << DEFAULT_HASH_BITS);
        spec.pools.truncate(1);
        tables.update(&spec, &ids[..1]);
        assert_eq!(remembered(&tables), 1 << DEFAULT_HASH_BITS);
    }
}
