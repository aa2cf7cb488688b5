//! The lease: which one of several agents decides and acts, and the table that it leaves for the others.
//!
//! The consensus is etcd's; here is only the talk with it. This must not decide about pools, and must
//! not believe longer than etcd does: the right to act ends by our own clock, counted from before the
//! request that won it, while etcd counts from later and one second more.
//!
//! etcd is asked through its JSON gateway with reqwest, which the agent has for OpenStack anyway. The
//! maintained crate, etcd-client 0.21, is good; but it brings a second HTTP stack (tonic, prost: 139
//! packages alone, where reqwest has 124 that are shared) and needs `protoc` to build, which Debian's
//! toolchain and ours lack, for six small requests of an API that is stable since etcd 3.4.
//!
//! ```text
//! PREFIX/INSTANCE/leader        the node that acts; bound to its lease. Its create_revision is the term
//! PREFIX/INSTANCE/table/        who stored last; its mod_revision is the revision of the whole table
//! PREFIX/INSTANCE/table/NAME    one value of the table
//! ```

mod clock;
mod election;
mod error;
mod etcd;
mod http;
mod table;
mod tables;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::config::LeaseConfig;
use clock::Clock;
pub use error::LeaseError;
use etcd::Etcd;
pub use table::Shared;
pub use tables::{AllTables, Tables};

/// What a node is for now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// It decides and acts, until [`Lease::leads_until`].
    Leader,
    /// It follows the stored table.
    Follower {
        /// The node that leads, if one does.
        leader: Option<String>,
    },
}

/// Where the table of an instance begins, below the instance's own key.
const TABLE: &str = "table/";

/// Of `ttl_s`, what all requests of one call may take together: below a third, so that a node that
/// keeps its lease every `ttl_s / 3` asks three times before it must stop.
const BUDGET: f64 = 0.3;

/// This node's part in the election, and its way to the shared table.
#[derive(Debug)]
pub struct Lease {
    etcd: Etcd,
    clock: Clock,
    keys: Keys,
    node: String,
    ttl: Duration,
    standing: Mutex<Standing>,
    /// One campaign at a time.
    keeping: tokio::sync::Mutex<()>,
    /// One store at a time; the revision of the table as this node knows it.
    storing: tokio::sync::Mutex<u64>,
}

/// The names under which this instance's things stand in etcd.
#[derive(Debug)]
struct Keys {
    leader: String,
    /// Ends in `/`: a key of its own, and the beginning of all values.
    table: String,
}

/// What this node has in etcd, as far as it knows.
#[derive(Debug, Default, Clone, Copy)]
struct Standing {
    /// An etcd lease that may be alive.
    lease: Option<u64>,
    /// While it leads: the create_revision of the leader key.
    term: Option<u64>,
    /// When its right to act ends, by [`Clock`].
    until: Duration,
}

impl Standing {
    /// How much of the right to act is left.
    fn left(self, now: Duration) -> Option<Duration> {
        self.term?;
        self.until.checked_sub(now).filter(|left| !left.is_zero())
    }
}

impl Lease {
    /// Prepares everything and asks nothing. Agents of the same `instance` compete; `node` is told to
    /// the others.
    ///
    /// # Errors
    /// [`LeaseError::Config`] if a certificate cannot be read or a value cannot be used.
    pub fn new(config: &LeaseConfig, node: &str, instance: &str) -> Result<Lease, LeaseError> {
        let transport = Box::new(http::Http::new(config)?);
        Lease::over(transport, Clock::boottime(), config, node, instance)
    }

    fn over(
        transport: Box<dyn etcd::Transport>,
        clock: Clock,
        config: &LeaseConfig,
        node: &str,
        instance: &str,
    ) -> Result<Lease, LeaseError> {
        let ttl = Duration::try_from_secs_f64(config.ttl_s)
            .ok()
            .filter(|ttl| (Duration::from_secs(1)..=Duration::from_secs(3600)).contains(ttl))
            .ok_or_else(|| LeaseError::Config("ttl_s: must be 1 to 3600 seconds".into()))?;
        let base = format!("{}/{instance}", config.prefix.trim_end_matches('/'));
        Ok(Lease {
            etcd: Etcd::new(transport),
            clock,
            keys: Keys {
                leader: format!("{base}/leader"),
                table: format!("{base}/{TABLE}"),
            },
            node: node.into(),
            ttl,
            standing: Mutex::default(),
            keeping: tokio::sync::Mutex::default(),
            storing: tokio::sync::Mutex::default(),
        })
    }

    /// Until when this node may act; `None` if it may not. To be read right before every action.
    ///
    /// The end is safe also if the machine slept; not if a hypervisor stopped the whole machine with
    /// its clocks: then an action that was just begun may come late, and only [`Lease::store`] is
    /// refused by etcd itself.
    pub fn leads_until(&self) -> Option<Instant> {
        // In this order: what passes between the two makes the answer earlier.
        let now = Instant::now();
        now.checked_add(self.leads_for()?)
    }

    /// The number of the etcd lease that is held. If it is another than before, the lead was won anew, and what etcd has may be
    /// another's, or nothing.
    pub fn held(&self) -> Option<u64> {
        self.standing().lease
    }

    /// For how long this node may still act.
    fn leads_for(&self) -> Option<Duration> {
        self.standing().left(self.clock.now())
    }

    /// The term in which this node may still act.
    fn term(&self) -> Option<u64> {
        let standing = *self.standing();
        standing.left(self.clock.now()).and(standing.term)
    }

    /// When the requests of a call that begins now must have ended.
    fn deadline(&self) -> tokio::time::Instant {
        tokio::time::Instant::now() + self.ttl.mul_f64(BUDGET)
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
