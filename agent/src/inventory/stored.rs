//! From the tables that instances store beside their leases to pools of the inventory.

use crate::lease::{LeaseError, Shared, Tables};
use crate::state::PoolState;

use super::{Inventory, Pools, entries};

/// Where a stored table has its pools.
const POOL: &str = "pool/";

/// What all instances store, read again and again.
#[derive(Debug)]
pub(super) struct Stored {
    tables: Tables,
    /// Those that count; without any all do.
    instances: Vec<String>,
    known: u64,
}

impl Stored {
    pub(super) fn new(tables: Tables, instances: Vec<String>) -> Stored {
        Stored {
            tables,
            instances,
            known: 0,
        }
    }

    /// Takes in what is stored now, if that is something else than before. An instance of which
    /// nothing is stored, or something that cannot be read, keeps what it said last.
    ///
    /// # Errors
    /// [`LeaseError`]; nothing was taken in.
    pub(super) async fn take(&mut self, inventory: &mut Inventory) -> Result<(), LeaseError> {
        let Some(all) = self.tables.load(self.known).await? else {
            return Ok(());
        };
        self.known = all.revision;
        for (instance, table) in &all.tables {
            if !self.instances.is_empty() && !self.instances.contains(instance) {
                continue;
            }
            match pools(table) {
                Ok(pools) => inventory.hear(instance, pools),
                Err(problem) => tracing::error!(
                    "what instance {instance} stored cannot be read, so its pools stay as they were in \
                     the inventory: {problem}; run the same version everywhere"
                ),
            }
        }
        Ok(())
    }
}

/// All pools of a table, or none: half of it would look like a removal.
fn pools(table: &Shared) -> Result<Pools, serde_json::Error> {
    let pools = table.values.iter();
    let pools = pools.filter_map(|(key, value)| Some((key.strip_prefix(POOL)?, value)));
    pools
        .map(|(pool, value)| {
            let state: PoolState = serde_json::from_slice(value)?;
            Ok((pool.to_owned(), entries(&state)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_whole_or_not_at_all() {
        let mut table = Shared::default();
        let pool = br#"{"members": {}, "memory": {}, "next_number": 3}"#;
        table.values.insert("pool/ccp".into(), pool.to_vec());
        table.values.insert("stack/tier".into(), b"{}".to_vec());
        let known = pools(&table).unwrap();
        assert_eq!(known.keys().collect::<Vec<_>>(), ["ccp"]);
        table.values.insert("pool/queue".into(), b"half".to_vec());
        pools(&table).unwrap_err();
    }
}
