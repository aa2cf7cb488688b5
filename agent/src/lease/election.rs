//! Who leads: campaign, keep, resign. It must not touch the table.
//!
//! A node without an etcd lease looks first, and takes one only when nobody leads. What it holds is
//! known by the number of its etcd lease, so an answer that was lost costs nothing: the next
//! campaign finds the own number at the leader key.

use std::time::Duration;

use tokio::time::Instant;

use super::etcd::{KeyValue, Txn, create_revision_is, get, put};
use super::{Lease, LeaseError, Role, Standing};

/// So much longer etcd keeps a lease than its holder believes in it: for clocks that do not run
/// alike, and for an action that was already on its way.
const MARGIN: Duration = Duration::from_secs(1);

impl Lease {
    /// Campaigns, or keeps what it has; to be called about every `ttl_s / 3`. At most `ttl_s` after
    /// the begin of the last call that answered [`Role::Leader`], this node leads no more.
    ///
    /// # Errors
    /// [`LeaseError`]; the right to act then ends when it would have ended anyway, or at once if etcd
    /// said that the lease is gone.
    pub async fn keep(&self) -> Result<Role, LeaseError> {
        let _one = self.keeping.lock().await;
        let asked = self.clock.now();
        let deadline = self.deadline();
        let renewed = self.renew(deadline).await?;
        let lease = match renewed {
            Some(lease) => lease,
            None => {
                let keys = self.etcd.range(&self.keys.leader, None, deadline).await?;
                if let Some(key) = keys.first() {
                    return Ok(follower(key));
                }
                self.grant(deadline).await?
            }
        };
        let answer = self.campaign(lease, deadline).await?;
        if answer.succeeded {
            return Ok(self.lead(lease, answer.header.revision.0, asked));
        }
        match answer.range(0).first() {
            Some(key) if key.lease.0 == lease => Ok(self.lead(lease, key.create_revision.0, asked)),
            Some(key) => {
                *self.standing() = Standing::default();
                // It only saves etcd the waiting for its end.
                let _ = self.etcd.revoke(lease, deadline).await;
                Ok(follower(key))
            }
            None => Ok(Role::Follower { leader: None }),
        }
    }

    /// Gives the lease back, so that another one takes over at once. It never fails: what cannot be
    /// given back ends by itself.
    pub async fn resign(&self) {
        let _one = self.keeping.lock().await;
        // First: between etcd's word and ours another may already act.
        let Standing { lease, .. } = std::mem::take(&mut *self.standing());
        if let Some(lease) = lease
            && let Err(error) = self.etcd.revoke(lease, self.deadline()).await
        {
            tracing::warn!(%error, "the lease was not given back; it ends by itself");
        }
    }

    /// Renews the etcd lease, if there is one that etcd still knows.
    async fn renew(&self, deadline: Instant) -> Result<Option<u64>, LeaseError> {
        let Some(lease) = self.standing().lease else {
            return Ok(None);
        };
        let left_s = self.etcd.keep_alive(lease, deadline).await?;
        if left_s >= self.etcd_ttl_s() {
            return Ok(Some(lease));
        }
        *self.standing() = Standing::default();
        Ok(None)
    }

    async fn grant(&self, deadline: Instant) -> Result<u64, LeaseError> {
        let lease = self.etcd.grant(self.etcd_ttl_s(), deadline).await?;
        *self.standing() = Standing {
            lease: Some(lease),
            ..Standing::default()
        };
        Ok(lease)
    }

    /// Puts the own name at the leader key if nothing is there; else tells what is.
    async fn campaign(&self, lease: u64, deadline: Instant) -> Result<Txn, LeaseError> {
        let leader = &self.keys.leader;
        let compare = [create_revision_is(leader, 0)];
        let success = [put(leader, self.node.as_bytes(), Some(lease))];
        let failure = [get(leader)];
        self.etcd.txn(&compare, &success, &failure, deadline).await
    }

    fn lead(&self, lease: u64, term: u64, asked: Duration) -> Role {
        *self.standing() = Standing {
            lease: Some(lease),
            term: Some(term),
            until: asked.saturating_add(self.ttl),
        };
        Role::Leader
    }

    /// etcd takes whole seconds.
    fn etcd_ttl_s(&self) -> u64 {
        let ttl = self.ttl + MARGIN;
        ttl.as_secs() + u64::from(ttl.subsec_nanos() > 0)
    }
}

fn follower(key: &KeyValue) -> Role {
    Role::Follower {
        leader: Some(String::from_utf8_lossy(&key.value.0).into_owned()),
    }
}
