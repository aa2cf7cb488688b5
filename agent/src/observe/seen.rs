//! Seen: what this node's Kamailio counts, and what the other nodes report, at one moment.

use std::sync::Arc;

use kamscale_shm::{ById, MemberObserved, PoolObserved, Snapshot, member_id};

use crate::nodes::{Nodes, PoolSum};
use crate::proxy;

/// What was seen in one round.
#[derive(Debug)]
pub struct Seen {
    /// The snapshot, if Kamailio is attached.
    pub snapshot: Option<Snapshot>,
    /// Why nothing can be concluded from it, if so.
    pub problem: Option<String>,
    /// Members of the snapshot, by id.
    pub(super) by_id: ById<MemberObserved>,
    /// What the other nodes report, and the moment of this look.
    pub(super) elsewhere: Option<(Arc<Nodes>, f64)>,
}

impl Seen {
    /// Judges a look at the proxy.
    pub fn new(look: Result<Snapshot, String>) -> Seen {
        match look {
            Ok(snapshot) => {
                let problem = proxy::unusable(&snapshot);
                let by_id = snapshot
                    .members
                    .iter()
                    .map(|row| (row.id, row.clone()))
                    .collect();
                Seen {
                    snapshot: Some(snapshot),
                    problem,
                    by_id,
                    elsewhere: None,
                }
            }
            Err(problem) => Seen {
                snapshot: None,
                problem: Some(problem),
                by_id: ById::default(),
                elsewhere: None,
            },
        }
    }

    /// The same, with what other nodes report.
    #[must_use]
    pub fn together(self, nodes: Option<Arc<Nodes>>, now_s: f64) -> Seen {
        Seen {
            elsewhere: nodes.map(|nodes| (nodes, now_s)),
            ..self
        }
    }

    /// The nodes that do not report at all, if any, in words.
    pub fn silent(&self) -> Option<String> {
        let (nodes, now_s) = self.elsewhere.as_ref()?;
        in_words(nodes.unknown(), nodes.silent(*now_s))
    }

    /// The nodes that do not say what calls they have in a pool, if any, in words.
    pub fn silent_about(&self, pool: &str) -> Option<String> {
        let (nodes, now_s) = self.elsewhere.as_ref()?;
        in_words(nodes.unknown(), nodes.silent_about(pool, *now_s))
    }

    /// What was counted of the pool in this slot; nothing if that is all 0.
    pub fn pool(&self, slot: u32) -> Option<&PoolObserved> {
        let pools = &self.snapshot.as_ref()?.pools;
        let at = pools.binary_search_by_key(&slot, |row| row.slot).ok()?;
        pools.get(at)
    }

    /// What was seen of a member.
    pub fn member(&self, pool: &str, member: &str) -> Option<&MemberObserved> {
        self.by_id.get(&member_id(pool, member))
    }

    /// Its calls on all nodes; of a silent one those that it reported last.
    pub fn calls(&self, pool: &str, member: &str) -> Option<u32> {
        self.look(member_id(pool, member), pool, member).1
    }

    /// [`Self::member`] and [`Self::calls`] in one, of a member whose identity is known.
    pub fn look(
        &self,
        id: u64,
        pool: &str,
        member: &str,
    ) -> (Option<&MemberObserved>, Option<u32>) {
        let row = self.by_id.get(&id);
        let own = self.problem.is_none().then(|| calls_of(row));
        let elsewhere = self.elsewhere.as_ref();
        let elsewhere = elsewhere.map_or(0, |(nodes, _)| nodes.calls_last_known(pool, member));
        (row, own.map(|own| own.saturating_add(elsewhere)))
    }

    /// What all other nodes count of a pool.
    pub fn elsewhere(&self, pool: &str) -> PoolSum {
        let elsewhere = self.elsewhere.as_ref();
        elsewhere.map_or_else(PoolSum::default, |(nodes, _)| nodes.pool(pool))
    }

    /// Requests of a feature at all other nodes.
    pub fn requests_elsewhere(&self, feature: &str) -> u64 {
        let elsewhere = self.elsewhere.as_ref();
        elsewhere.map_or(0, |(nodes, _)| nodes.feature(feature).offered)
    }

    /// The calls of the member with this identity by this node; 0 without usable data.
    pub fn calls_here(&self, id: u64) -> u32 {
        let usable = self.problem.is_none();
        calls_of(self.by_id.get(&id).filter(|_| usable))
    }

    /// Its calls by this node; without usable data nobody knows.
    pub fn own_calls(&self, pool: &str, member: &str) -> Option<u32> {
        match self.problem {
            None => Some(calls_of(self.member(pool, member))),
            Some(_) => None,
        }
    }

    /// Which Kamailio was seen, if it is usable.
    pub fn boot_id(&self) -> Option<u64> {
        let snapshot = self.snapshot.as_ref().filter(|_| self.problem.is_none());
        snapshot.map(|snapshot| snapshot.boot_id)
    }
}

/// A member without a row never carried a call.
fn calls_of(row: Option<&MemberObserved>) -> u32 {
    row.map_or(0, |row| row.calls)
}

fn in_words(unknown: Option<&str>, silent: Vec<(String, Option<f64>)>) -> Option<String> {
    let words = silent.into_iter().map(|(node, age_s)| match age_s {
        Some(age_s) => format!("node {node} has not reported for {age_s:.0} s"),
        None => format!("node {node} has never reported"),
    });
    let words: Vec<String> = unknown
        .map(str::to_owned)
        .into_iter()
        .chain(words)
        .collect();
    (!words.is_empty()).then(|| words.join(", "))
}
