//! Report: the status after a round, for the API, metrics and systemd.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Agent;
use crate::actuator::Handle;
use crate::config::PoolConfig;
use crate::plan::Quality;
use crate::state::{Member, Origin, PoolState, Stage};
use crate::status::{
    FeatureStatus, KamailioStatus, MemberStatus, PoolStatus, Status, WorkerStatus,
};

impl Agent {
    pub(super) fn report(&mut self, now_s: f64) {
        let attached = self.quality() == Quality::Good;
        let generation = self.proxy.generation();
        let snapshot = self.seen.snapshot.as_ref();
        let features = snapshot.iter().flat_map(|snapshot| &snapshot.features);
        let status = Status {
            version: env!("CARGO_PKG_VERSION").into(),
            instance: self.config.agent.instance.clone(),
            started_s: self.started_s,
            now_s,
            ready: attached && generation > 0 && self.last_publish_error.is_none(),
            kamailio: self.kamailio_status(attached),
            generation,
            applied_generation_min: self.applied_min(),
            features: features
                .map(|feature| FeatureStatus {
                    name: feature.name.clone(),
                    requests: feature.requests,
                    requests_per_s: self.rates.per_s(&feature.name),
                })
                .collect(),
            pools: self.pool_statuses(),
        };
        self.status.send_replace(Arc::new(status));
    }

    fn kamailio_status(&self, attached: bool) -> KamailioStatus {
        let snapshot = self.seen.snapshot.as_ref();
        let workers = snapshot.iter().flat_map(|snapshot| &snapshot.workers);
        KamailioStatus {
            attached,
            problem: self.seen.problem.clone(),
            pid: snapshot.map(|snapshot| snapshot.pid),
            boot_id: snapshot.map(|snapshot| snapshot.boot_id),
            heartbeat_age_s: snapshot.map(|snapshot| snapshot.heartbeat_age_s),
            workers: workers
                .filter(|worker| worker.rank > 0)
                .map(|worker| WorkerStatus {
                    pid: worker.pid,
                    generation: worker.generation,
                    applied: worker.applied,
                    rejected: worker.rejected,
                })
                .collect(),
        }
    }

    fn pool_statuses(&self) -> BTreeMap<String, PoolStatus> {
        let pools = self.config.pools.iter().filter_map(|(name, config)| {
            Some((
                name.clone(),
                self.pool_status(name, config, self.state.pools.get(name)?),
            ))
        });
        pools.collect()
    }

    fn pool_status(&self, name: &str, config: &PoolConfig, state: &PoolState) -> PoolStatus {
        let members: BTreeMap<String, MemberStatus> = state
            .members
            .iter()
            .map(|(member, known)| (member.clone(), self.member_status(name, member, known)))
            .collect();
        let active = || {
            members
                .values()
                .filter(|member| member.state == Stage::Active.name())
        };
        let calls = active()
            .map(|member| u64::from(member.calls.unwrap_or(0)))
            .sum::<u64>();
        let capacity = active()
            .map(|member| u64::from(member.capacity_calls))
            .sum::<u64>();
        let plan = self.plans.get(name).map(|decision| &decision.plan);
        let policy = self.policy(name).unwrap_or_else(|| config.policy(name));
        let slot = self.proxy.pool_slot(name);
        let snapshot = self.seen.snapshot.as_ref();
        let row = snapshot
            .and_then(|snapshot| snapshot.pools.iter().find(|pool| Some(pool.slot) == slot));
        #[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
        let load =
            (capacity > 0 && self.seen.problem.is_none()).then(|| calls as f64 / capacity as f64);
        PoolStatus {
            mode: serde_name(&policy.mode),
            paused_since_s: state.paused_since_s,
            min: policy.min,
            max: config.max,
            want: plan.map_or(0, |plan| plan.want),
            calls,
            capacity_calls: capacity,
            load,
            selected: row.map_or(0, |row| row.selected),
            refused: row.map_or(0, |row| row.refused),
            cause: plan.map_or("", |plan| plan.cause.name()).into(),
            actions: plan.map_or(Vec::new(), |plan| plan.actions.clone()),
            reason: plan.map_or(String::new(), |plan| plan.reason.clone()),
            decisions: self.decisions.get(name).cloned().unwrap_or_default(),
            members,
        }
    }

    fn member_status(&self, pool: &str, name: &str, member: &Member) -> MemberStatus {
        let row = self.seen.member(pool, name);
        let overridden = row.and_then(|row| row.override_state);
        MemberStatus {
            uri: member.uri.clone(),
            state: overridden
                .map_or(member.stage.name(), |state| state.name())
                .into(),
            origin: match member.origin {
                Origin::Plan => "plan".into(),
                Origin::Config => "config".into(),
                Origin::Command => "command".into(),
            },
            held: overridden.is_some() || matches!(member.stage, Stage::Held | Stage::Leaving),
            calls: self.seen.calls(pool, name),
            capacity_calls: member.capacity_calls,
            weight: member.weight,
            priority: member.priority,
            down: row.is_some_and(|row| row.down),
            failures: row.map_or(0, |row| row.failures),
            since_s: member.since_s,
            pid: match &member.handle {
                Handle::Process { process, .. } => process.map(|process| process.pid),
                Handle::Manual => None,
            },
        }
    }
}

fn serde_name(value: &impl serde::Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}
