//! What is seen of the platform: one moment, and the course of a whole story. Nothing is asked for here; that does the watcher.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use crate::ledger::Totals;

/// One member of a pool, as the nodes that serve it see it together.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Seen {
    pub(crate) state: String,
    pub(crate) calls: u32,
    pub(crate) calls_total: u64,
    pub(crate) capacity: u32,
    pub(crate) address: String,
    pub(crate) host: String,
}

/// Everything at one moment.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Moment {
    pub(crate) t: f64,
    pub(crate) pools: BTreeMap<String, BTreeMap<String, Seen>>,
    /// Share of its processors that each host uses.
    pub(crate) processors: BTreeMap<String, f64>,
    pub(crate) calls: Totals,
    pub(crate) talking: usize,
    pub(crate) registered: usize,
    /// Rooms open now, by server.
    pub(crate) rooms: BTreeMap<String, usize>,
    pub(crate) memory_mb: f64,
}

impl Moment {
    /// Members of a pool.
    pub(crate) fn members(&self, pool: &str) -> impl Iterator<Item = (&String, &Seen)> {
        self.pools.get(pool).into_iter().flatten()
    }

    /// Those that take new calls.
    pub(crate) fn active(&self, pool: &str) -> usize {
        self.members(pool)
            .filter(|(_, m)| m.state == "active")
            .count()
    }

    /// Mean share of the processors over a pool's active members.
    pub(crate) fn processor(&self, pool: &str) -> Option<f64> {
        let active = self.members(pool).filter(|(_, m)| m.state == "active");
        let shares: Vec<f64> = active
            .filter_map(|(_, m)| self.processors.get(&m.host).copied())
            .collect();
        let count = f64::from(u32::try_from(shares.len()).ok().filter(|n| *n > 0)?);
        Some(shares.iter().sum::<f64>() / count)
    }

    /// Calls of a pool by the capacity of its active members.
    pub(crate) fn load(&self, pool: &str) -> Option<f64> {
        let calls: u32 = self.members(pool).map(|(_, m)| m.calls).sum();
        let active = self.members(pool).filter(|(_, m)| m.state == "active");
        let capacity: u32 = active.map(|(_, m)| m.capacity).sum();
        (capacity > 0).then(|| f64::from(calls) / f64::from(capacity))
    }
}

/// What happened, from beginning to end.
#[derive(Debug, Default)]
pub(crate) struct Course {
    pub(crate) moments: Vec<Moment>,
    /// The agents' events, with `t` in seconds of the story and the `host` that told them.
    pub(crate) events: Vec<Value>,
    /// Rooms that were seen open on two servers at once.
    pub(crate) split: BTreeSet<String>,
    /// Rooms that were seen at all, by server.
    pub(crate) rooms: BTreeMap<String, BTreeSet<String>>,
}

impl Course {
    /// The newest look.
    pub(crate) fn now(&self) -> Moment {
        self.moments.last().cloned().unwrap_or_default()
    }

    /// The first event of a kind about a pool after a moment that is as wanted.
    pub(crate) fn first(
        &self,
        kind: &str,
        pool: &str,
        after_s: f64,
        is_meant: impl Fn(&Value) -> bool,
    ) -> Option<f64> {
        let of = self
            .events
            .iter()
            .filter(|e| e["event"] == kind && e["pool"] == pool && is_meant(e));
        let times = of.filter_map(|e| e["t"].as_f64()).filter(|t| *t >= after_s);
        times.reduce(f64::min)
    }
}

/// One line for who watches.
pub(crate) fn line(now: &Moment) -> String {
    let share = |share: Option<f64>| share.map_or("  - ".into(), |s| format!("{:3.0}%", s * 100.0));
    let pool = |pool: &str| -> String {
        let members = now
            .members(pool)
            .map(|(_, m)| format!("{}{}", m.calls, &m.state[..1.min(m.state.len())]));
        members.collect::<Vec<_>>().join(" ")
    };
    let rooms: Vec<String> = now.rooms.values().map(usize::to_string).collect();
    format!(
        "{:6.1} s | ccp {} [{}] | conference {} [{}] rooms {} | queue [{}] | {} registered, {} calls offered, {} talking, {} lost, {} cut",
        now.t,
        share(now.processor("ccp")),
        pool("ccp"),
        share(now.load("conference")),
        pool("conference"),
        rooms.join("+"),
        pool("queue"),
        now.registered,
        now.calls.offered,
        now.talking,
        now.calls.lost,
        now.calls.cut,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn load_is_of_the_active_members() {
        let seen = |state: &str, calls| Seen {
            state: state.into(),
            calls,
            capacity: 10,
            ..Seen::default()
        };
        let members = BTreeMap::from([
            ("a".into(), seen("active", 6)),
            ("b".into(), seen("draining", 1)),
        ]);
        let moment = Moment {
            pools: BTreeMap::from([("conference".into(), members)]),
            ..Moment::default()
        };
        assert_eq!(
            (moment.load("conference"), moment.active("conference")),
            (Some(0.7), 1)
        );
        assert_eq!(moment.load("queue"), None);
    }
}
