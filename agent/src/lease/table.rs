//! The shared table: stored whole by the leader, read whole by everyone. What its values mean is not
//! known here.
//!
//! Every change is one etcd transaction, guarded twice: by the term, so that a node which lost the
//! lease changes nothing, and by the table's revision, so that a request of our own which was given up
//! and arrives late cannot undo a newer one.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::etcd::{Txn, create_revision_is, delete, get, mod_revision_is, put};
use super::{Keys, Lease, LeaseError, Standing};

/// A table as it was at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shared {
    /// The etcd revision of the last change; 0 if there never was one. Later tables have greater ones.
    pub revision: u64,
    /// The values by name.
    pub values: BTreeMap<String, Vec<u8>>,
}

/// etcd's --max-txn-ops is 128 by default. A transaction inside a transaction has what the outer one left.
const MAX_OPERATIONS: usize = 128;
/// So many fit into each of so many inner transactions: 4,032 values beside the mark.
const BATCH: usize = 64;
/// A store meets at most a few earlier ones that came late.
const STORE_TRIES: usize = 3;

impl Lease {
    /// The table, or `None` if it is still the one with `known_revision` (0: none is known).
    ///
    /// # Errors
    /// [`LeaseError`]; the caller goes on with what it has.
    pub async fn load(&self, known_revision: u64) -> Result<Option<Shared>, LeaseError> {
        let deadline = self.deadline();
        let table = &self.keys.table;
        let mark = self.etcd.range(table, None, deadline).await?;
        if mark.first().map_or(0, |mark| mark.mod_revision.0) == known_revision {
            return Ok(None);
        }
        // One request is one moment in etcd: the mark in it belongs to the values in it.
        let end = format!("{}0", table.trim_end_matches('/')); // '0' follows '/'
        let keys = self.etcd.range(table, Some(&end), deadline).await?;
        let mut shared = Shared::default();
        for key in keys {
            let name = key.key.0.strip_prefix(table.as_bytes()).unwrap_or_default();
            match std::str::from_utf8(name) {
                Ok("") => shared.revision = key.mod_revision.0,
                Ok(name) => {
                    shared.values.insert(name.to_owned(), key.value.0);
                }
                Err(_) => tracing::warn!(?name, "a foreign key in the table was passed over"),
            }
        }
        Ok(Some(shared))
    }

    /// Puts and (`None`) removes values, all or nothing, and answers the table's new revision. Without
    /// changes only the revision moves.
    ///
    /// # Errors
    /// [`LeaseError::NotLeader`]: nothing was changed. [`LeaseError::Away`]: unknown; store again.
    pub async fn store(
        &self,
        changes: BTreeMap<String, Option<Vec<u8>>>,
    ) -> Result<u64, LeaseError> {
        if changes.contains_key("") {
            return Err(LeaseError::Nameless);
        }
        let mut revision = self.storing.lock().await;
        let operations = self.operations(&changes);
        let deadline = self.deadline();
        for _ in 0..STORE_TRIES {
            let term = self.term().ok_or(LeaseError::NotLeader)?;
            let answer = self.try_store(term, *revision, &operations, deadline);
            let answer = answer.await.map_err(|error| too_large(error, &changes))?;
            if answer.succeeded {
                *revision = answer.header.revision.0;
                return Ok(*revision);
            }
            let leader = answer.range(0).first();
            if leader.is_none_or(|leader| leader.create_revision.0 != term) {
                self.lost(term);
                return Err(LeaseError::NotLeader);
            }
            *revision = answer
                .range(1)
                .first()
                .map_or(0, |mark| mark.mod_revision.0);
        }
        Err(LeaseError::Unsettled)
    }

    async fn try_store(
        &self,
        term: u64,
        revision: u64,
        operations: &[Value],
        deadline: Instant,
    ) -> Result<Txn, LeaseError> {
        let Keys { leader, table } = &self.keys;
        let compare = [
            create_revision_is(leader, term),
            mod_revision_is(table, revision),
        ];
        let failure = [get(leader), get(table)];
        self.etcd
            .txn(&compare, operations, &failure, deadline)
            .await
    }

    /// The mark and the changes, nested if they are many.
    fn operations(&self, changes: &BTreeMap<String, Option<Vec<u8>>>) -> Vec<Value> {
        let table = &self.keys.table;
        let mut operations = vec![put(table, self.node.as_bytes(), None)];
        let changes = changes.iter().map(|(name, value)| {
            let key = format!("{table}{name}");
            match value {
                Some(value) => put(&key, value, None),
                None => delete(&key),
            }
        });
        let changes: Vec<_> = changes.collect();
        if changes.len() < MAX_OPERATIONS {
            operations.extend(changes);
        } else {
            let batches = changes.chunks(BATCH);
            operations.extend(batches.map(|batch| json!({"request_txn": {"success": batch}})));
        }
        operations
    }

    /// etcd said that the term is over. A later one, won meanwhile, stays.
    fn lost(&self, term: u64) {
        let mut standing = self.standing();
        if standing.term == Some(term) {
            *standing = Standing {
                lease: standing.lease,
                ..Standing::default()
            };
        }
    }
}

fn too_large(error: LeaseError, changes: &BTreeMap<String, Option<Vec<u8>>>) -> LeaseError {
    match error {
        // Three limits on the way, and no code of their own.
        LeaseError::Refused { message, .. }
            if ["too large", "too many operations", "larger than max"]
                .iter()
                .any(|words| message.contains(words)) =>
        {
            LeaseError::TooLarge {
                values: changes.len(),
                bytes: changes.values().flatten().map(Vec::len).sum(),
                message,
            }
        }
        other => other,
    }
}
