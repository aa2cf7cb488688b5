//! The tables of all instances below the prefix, for whoever wants to know and never acts. It holds no
//! lease and changes nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use super::etcd::{Etcd, KeyValue};
use super::{LeaseError, Shared, TABLE, http};
use crate::config::LeaseConfig;

/// One reading may take so long.
const PATIENCE: Duration = Duration::from_secs(5);

/// The way to all tables.
#[derive(Debug)]
pub struct Tables {
    etcd: Etcd,
    /// Ends in `/`.
    prefix: String,
}

/// All tables as they were at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllTables {
    /// Another one: something may be another.
    pub revision: u64,
    /// By instance: each that ever stored one.
    pub tables: BTreeMap<String, Shared>,
}

impl Tables {
    /// Prepares everything and asks nothing.
    ///
    /// # Errors
    /// [`LeaseError::Config`] if a certificate cannot be read.
    pub fn new(config: &LeaseConfig) -> Result<Tables, LeaseError> {
        let transport = Box::new(http::Http::new(config)?);
        Ok(Tables {
            etcd: Etcd::new(transport),
            prefix: format!("{}/", config.prefix.trim_end_matches('/')),
        })
    }

    /// All tables, or `None` if nothing changed since `known_revision` (0: nothing is known).
    ///
    /// # Errors
    /// [`LeaseError`]; the caller goes on with what it has.
    pub async fn load(&self, known_revision: u64) -> Result<Option<AllTables>, LeaseError> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let end = format!("{}0", self.prefix.trim_end_matches('/')); // '0' follows '/'
        // A removal from a table is one of its changes, too: it moves the table's mark.
        let newest = self.etcd.newest(&self.prefix, &end, deadline).await?;
        if newest == known_revision {
            return Ok(None);
        }
        // One request is one moment in etcd, of all instances.
        let keys = self.etcd.range(&self.prefix, Some(&end), deadline).await?;
        let newest = keys.iter().map(|key| key.mod_revision.0).max();
        let mut all = AllTables {
            revision: newest.unwrap_or(0),
            ..AllTables::default()
        };
        for key in keys {
            self.sort_in(key, &mut all.tables);
        }
        // Values without their mark are no table: nobody stored them as one.
        all.tables.retain(|_, table| table.revision > 0);
        Ok(Some(all))
    }

    fn sort_in(&self, key: KeyValue, tables: &mut BTreeMap<String, Shared>) {
        let name = std::str::from_utf8(&key.key.0).ok();
        let name = name.and_then(|name| name.strip_prefix(&self.prefix));
        let Some((instance, rest)) = name.and_then(|name| name.split_once('/')) else {
            return;
        };
        let Some(name) = rest.strip_prefix(TABLE) else {
            return;
        };
        let table = tables.entry(instance.to_owned()).or_default();
        if name.is_empty() {
            table.revision = key.mod_revision.0;
        } else {
            table.values.insert(name.to_owned(), key.value.0);
        }
    }
}
