//! Tell: what this node reports of itself, for the other nodes and for alarms.

use super::Agent;
use crate::journal::Event;
use crate::nodes::{Calls, NodeReport, PoolReport};
use crate::state::Stage;

impl Agent {
    /// Says to the other nodes what this one sees.
    pub(super) fn tell(&mut self, now_s: f64) {
        let Some(sink) = self.services.sink.clone() else {
            return;
        };
        if let Some((report, calls)) = self.own_report(now_s) {
            let pools = self.state.pools.iter();
            let members = pools.flat_map(|(pool, state)| {
                let named = state.members.keys().zip(state.members.ids(pool));
                named.map(move |(member, id)| (pool, member, *id))
            });
            let mut members = members.zip(calls).map(|((pool, member, id), calls)| Calls {
                pool,
                member,
                id,
                calls,
            });
            sink.push(&report, &mut members);
        }
        let problem = sink.problem();
        if problem.is_some() != self.together.mute.is_some() {
            let event = match &problem {
                Some(problem) => Event::new("metrics_unsent")
                    .reason(problem.as_str())
                    .with("effect", "they are kept, and sent later"),
                None => Event::new("metrics_sent"),
            };
            self.journal.record(event);
        }
        self.together.mute = problem;
    }

    /// What this node reports of itself, and its calls on each member; nothing without a Kamailio that
    /// can be believed.
    fn own_report(&self, now_s: f64) -> Option<(NodeReport, Vec<u32>)> {
        let snapshot = self.seen.snapshot.as_ref()?;
        if self.seen.problem.is_some() {
            return None;
        }
        let mut report = NodeReport {
            names_all: true,
            node: self.config.nodes.name(),
            at_s: now_s,
            revision: self.together.revision(),
            shares: self.shares,
            pool: self.config.host.as_ref().and_then(|host| host.pool.clone()),
            ..NodeReport::default()
        };
        for feature in &snapshot.features {
            let entry = report.features.entry(feature.name.clone()).or_default();
            entry.offered = feature.requests;
            let is_judged = feature.admitted + feature.refused > 0;
            // Where the script lets everything in, it does not ask.
            entry.admitted = if is_judged {
                feature.admitted
            } else {
                feature.requests
            };
            entry.refused = feature.refused;
        }
        let mut calls = Vec::with_capacity(snapshot.members.len());
        let pools = self.state.pools.iter().map(|(pool, state)| {
            let mut own = PoolReport {
                started: self.counts.started(pool).unwrap_or(0),
                refused: self.counts.refused(pool).unwrap_or(0),
                boot_id: snapshot.boot_id,
                ..PoolReport::default()
            };
            for (member, id) in state.members.values().zip(state.members.ids(pool)) {
                let here = self.seen.calls_here(*id);
                own.calls += u64::from(here);
                if member.stage == Stage::Active {
                    own.capacity += u64::from(member.capacity_calls);
                }
                calls.push(here);
            }
            (pool.clone(), own)
        });
        report.pools = pools.collect();
        Some((report, calls))
    }
}
