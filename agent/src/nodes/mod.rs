//! What a node reports about itself: the load balancers of one instance, as others see them.
//!
//! A node is one Kamailio and the agent beside it. This owns the words in which nodes are told
//! apart and summed; it must not fetch or send anything.

mod expected;
pub mod host;
pub mod lead;
pub mod roster;
pub mod signals;
mod sum;
pub mod survey;
pub mod watch;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use expected::{Expected, Waited};
pub use sum::{Nodes, PoolSum};

/// The name of a node that is named by its address; names have no colons.
pub fn node_at(address: std::net::IpAddr) -> String {
    address.to_string().replace(':', "-")
}

/// How much of the host is used: shares from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Shares {
    /// Of the processors.
    pub cpu: f64,
    /// Of the memory.
    pub memory: f64,
    /// Of the network's speed; virtual lines often do not say theirs, and what is not known is not 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<f64>,
}

/// Requests of a feature since Kamailio's start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FeatureReport {
    /// Asked for.
    pub offered: u64,
    /// Let in.
    pub admitted: u64,
    /// Turned away.
    pub refused: u64,
}

/// What a node says about a pool.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PoolReport {
    /// Calls begun by this node since its Kamailio's start.
    pub started: u64,
    /// Requests refused by this node since its Kamailio's start.
    pub refused: u64,
    /// Calls that this node has in the pool now.
    pub calls: u64,
    /// Calls that the whole pool may carry: the same from every node, never to be summed.
    pub capacity: u64,
    /// Which start of Kamailio `started` and `refused` count from.
    pub boot_id: u64,
}

/// A node's calls on each member.
pub type MemberCalls<'a> = dyn Iterator<Item = Calls<'a>> + 'a;

/// A node's calls on one member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calls<'a> {
    /// The member's pool.
    pub pool: &'a str,
    /// Its name.
    pub member: &'a str,
    /// Its identity ([`kamscale_shm::member_id`]).
    pub id: u64,
    /// How many.
    pub calls: u32,
}

/// What a node says at one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NodeReport {
    /// The node's name.
    pub node: String,
    /// When, in seconds since 1970.
    pub at_s: f64,
    /// The revision of the shared table that the node applied.
    pub revision: u64,
    /// How much of its host is used, if measured.
    pub shares: Option<Shares>,
    /// The pool that the host itself is a member of, if any.
    pub pool: Option<String>,
    /// Features by name.
    pub features: BTreeMap<String, FeatureReport>,
    /// Pools by name.
    pub pools: BTreeMap<String, PoolReport>,
    /// Whether a member that is not named here, of a pool that is, carries no call of this node. If not,
    /// nothing is known of it.
    pub names_all: bool,
    /// This node's calls by pool and member.
    pub members: BTreeMap<(String, String), u32>,
}

impl NodeReport {
    /// Its calls by pool and member.
    pub fn calls(&self) -> impl Iterator<Item = Calls<'_>> {
        let members = self.members.iter();
        members.map(|((pool, member), calls)| Calls {
            pool,
            member,
            id: kamscale_shm::member_id(pool, member),
            calls: *calls,
        })
    }
}
