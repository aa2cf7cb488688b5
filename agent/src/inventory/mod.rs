//! The inventory: which members all pools have, whoever scales them, for those who must know it beside
//! Kamailio: name servers, databases, and nodes that are members of a pool themselves.
//!
//! It follows from the tables that the leading agents store beside their leases; nothing else is stored
//! for it. It must never forget for lack of data: what nobody speaks of stays as it was.
//!
//! ```text
//! etcd: PREFIX/INSTANCE/table/pool/POOL --+
//!                                         +--> Inventory --> file (Hiera data), nodes of an instance
//! an agent without a lease: its own pools-+
//! ```

mod entry;
mod file;
mod follow;
mod stored;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use entry::{Entries, Entry, MemberState, Pools, entries};
pub use file::{FileError, read};
pub use follow::{Keeper, Known};

/// Pools by the instance that speaks of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inventory {
    instances: BTreeMap<String, Pools>,
    /// Of whom nobody knows who brought them: a file of an earlier release, or of a human being.
    unclaimed: Pools,
}

impl Inventory {
    /// Takes in all that an instance says now. What it does not say any more is gone.
    pub fn hear(&mut self, instance: &str, pools: Pools) {
        self.unclaimed.retain(|pool, _| !pools.contains_key(pool));
        self.instances.insert(instance.to_owned(), pools);
    }

    /// All pools. A member that two instances name is as the first of them says, by their names.
    pub fn pools(&self) -> Pools {
        let mut all = Pools::new();
        for pools in self.instances.values().chain([&self.unclaimed]) {
            for (pool, entries) in pools {
                let known = all.entry(pool.clone()).or_default();
                for (name, entry) in entries {
                    known.entry(name.clone()).or_insert_with(|| entry.clone());
                }
            }
        }
        all
    }

    /// The members of one pool; `None` if nobody ever spoke of it.
    pub fn pool(&self, pool: &str) -> Option<Entries> {
        let mut of_pool = self.instances.values().filter_map(|pools| pools.get(pool));
        let first = of_pool.next().or_else(|| self.unclaimed.get(pool))?;
        let mut entries = first.clone();
        for more in of_pool {
            for (name, entry) in more {
                entries.entry(name.clone()).or_insert_with(|| entry.clone());
            }
        }
        Some(entries)
    }
}

/// The file: valid Hiera data, in an order that depends on nothing but what is in it.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Written {
    #[serde(rename = "kamscale::inventory")]
    pools: Pools,
    /// Who speaks of which member: so whoever reads it again knows what is whose.
    #[serde(rename = "kamscale::inventory_instances", default)]
    instances: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
}

impl From<&Inventory> for Written {
    fn from(inventory: &Inventory) -> Written {
        let names = |pools: &Pools| {
            let pools = pools.iter();
            pools
                .map(|(pool, entries)| (pool.clone(), entries.keys().cloned().collect()))
                .collect()
        };
        let instances = inventory.instances.iter();
        Written {
            pools: inventory.pools(),
            instances: instances
                .map(|(instance, pools)| (instance.clone(), names(pools)))
                .collect(),
        }
    }
}

impl From<Written> for Inventory {
    fn from(written: Written) -> Inventory {
        let mut inventory = Inventory::default();
        let mut unclaimed = written.pools.clone();
        for (instance, pools) in written.instances {
            let of_instance = inventory.instances.entry(instance).or_default();
            for (pool, names) in pools {
                let known = written.pools.get(&pool);
                let entries = names.into_iter().filter_map(|name| {
                    let entry = known?.get(&name)?.clone();
                    Some((name, entry))
                });
                of_instance.insert(pool.clone(), entries.collect());
                unclaimed.remove(&pool);
            }
        }
        inventory.unclaimed = unclaimed;
        inventory
    }
}

#[cfg(test)]
mod tests;
