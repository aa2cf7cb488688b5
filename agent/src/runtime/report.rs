//! Report: a sign of life after each round, and the status when somebody looks: API and metrics.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Agent;
use crate::actuator::Handle;
use crate::cloud::Traffic;
use crate::plan::Quality;
use crate::state::{Member, Origin, PoolState, Stage};
use crate::status::{
    CloudStatus, DecisionCounts, FeatureStatus, KamailioStatus, MemberStatus, NodesStatus,
    PoolStatus, Pulse, Status, WorkerStatus,
};

/// So long the last report is kept, for whoever looks while the loop hangs.
const KEPT_S: f64 = 60.0;

impl Agent {
    /// Says that the loop lives. A report that nobody wants any more is forgotten.
    pub(super) fn beat(&mut self, now_s: f64) {
        let generation = self.proxy.generation();
        let attached = self.quality() == Quality::Good;
        self.pulse.send_replace(Pulse {
            now_s,
            ready: attached && generation > 0 && self.last_publish_error.is_none(),
            generation,
            problem: self.seen.problem.clone(),
        });
        let reported_s = self.status.borrow().now_s;
        if reported_s > 0.0 && (now_s - reported_s).abs() > KEPT_S {
            self.status.send_replace(Arc::default());
        }
    }

    /// Reports everything as it is after the last round.
    pub(super) fn report(&mut self) {
        let pulse = self.pulse.borrow().clone();
        let attached = self.quality() == Quality::Good;
        let snapshot = self.seen.snapshot.as_ref();
        let features = snapshot.iter().flat_map(|snapshot| &snapshot.features);
        let status = Status {
            version: env!("CARGO_PKG_VERSION").into(),
            instance: self.config.agent.instance.clone(),
            started_s: self.started_s,
            now_s: pulse.now_s,
            ready: pulse.ready,
            kamailio: self.kamailio_status(attached),
            generation: pulse.generation,
            applied_generation_min: self.applied_min(),
            features: features
                .map(|feature| FeatureStatus {
                    name: feature.name.clone(),
                    requests: feature.requests,
                    admitted: feature.admitted,
                    refused: feature.refused,
                    allowed_per_s: self.allowed.get(&feature.name).copied(),
                    requests_per_s: self.rates.per_s(&feature.name),
                })
                .collect(),
            pools: self.pool_statuses(),
            stacks: self.stack_statuses(),
            node: self.config.nodes.name(),
            revision: self.together.revision(),
            nodes: self.nodes_status(),
            host: self.shares,
            host_pool: self.config.host.as_ref().and_then(|host| host.pool.clone()),
            cloud: self.cloud_status(),
            unsent: self.together.unsent(),
        };
        self.status.send_replace(Arc::new(status));
    }

    fn nodes_status(&self) -> Option<NodesStatus> {
        self.services.lead.as_ref()?;
        Some(NodesStatus {
            leads: self.may_act(),
            leader: self.leader(),
            silent: self.seen.silent(),
            problem: self.together.problem(),
        })
    }

    fn cloud_status(&self) -> Vec<CloudStatus> {
        let traffic = self.services.traffic.as_ref();
        let counts = traffic.map(Traffic::snapshot).unwrap_or_default();
        let counts = counts
            .into_iter()
            .map(|((service, method), count)| CloudStatus {
                service: service.into(),
                method: method.name().into(),
                requests: count.requests,
                errors: count.errors,
                seconds: count.seconds,
            });
        counts.collect()
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
        let pools = self.config.pools.keys().filter_map(|name| {
            let state = self.state.pools.get(name)?;
            Some((name.clone(), self.pool_status(name, state)))
        });
        pools.collect()
    }

    fn pool_status(&self, name: &str, state: &PoolState) -> PoolStatus {
        let members = state.members.iter();
        let members = members
            .map(|(member, known)| (member.clone(), self.member_status(name, member, known)));
        let mut status = self.scaled_status(name, members.collect());
        if let Some((stack, section)) = self.config.stack_of(name) {
            let count = section.pools.get(name).copied().unwrap_or(0);
            let whole = self.scaled_status(stack, BTreeMap::new());
            status = PoolStatus {
                stack: Some(stack.clone()),
                min: whole.min.saturating_mul(count),
                max: whole.max.map(|max| max.saturating_mul(count)),
                want: whole.want.saturating_mul(count),
                mode: whole.mode,
                paused_since_s: whole.paused_since_s,
                cause: whole.cause,
                reason: whole.reason,
                ..status
            };
        }
        let slot = self.proxy.pool_slot(name);
        let row = slot.and_then(|slot| self.seen.pool(slot));
        PoolStatus {
            problem: self.cloud_problems.get(name).cloned(),
            started: self.counts.started(name).unwrap_or(0),
            selected: row.map_or(0, |row| row.selected),
            refused: row.map_or(0, |row| row.refused),
            ..status
        }
    }

    fn stack_statuses(&self) -> BTreeMap<String, PoolStatus> {
        let stacks = self.config.stacks.iter().map(|(name, config)| {
            let pools = config.pools.keys();
            let machines = pools.filter_map(|pool| Some((pool, self.state.pools.get(pool)?)));
            let machines = machines.flat_map(|(pool, state)| {
                let members = state.members.iter();
                members.map(move |(member, known)| {
                    let status = self.member_status(pool, member, known);
                    (format!("{pool}/{member}"), status)
                })
            });
            (name.clone(), self.scaled_status(name, machines.collect()))
        });
        stacks.collect()
    }

    /// What is said of a pool or stack with these members.
    fn scaled_status(&self, name: &str, members: BTreeMap<String, MemberStatus>) -> PoolStatus {
        let active = || {
            let members = members.values();
            members.filter(|member| member.state == Stage::Active.name())
        };
        let calls = active()
            .map(|member| u64::from(member.calls.unwrap_or(0)))
            .sum::<u64>();
        let capacity = active()
            .map(|member| u64::from(member.capacity_calls))
            .sum::<u64>();
        let decision = self.journal.newest_decision(name);
        let plan = decision.as_ref().map(|decision| &decision.plan);
        let policy = self.policy(name).unwrap_or_default();
        #[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
        let load =
            (capacity > 0 && self.seen.problem.is_none()).then(|| calls as f64 / capacity as f64);
        PoolStatus {
            mode: serde_name(&policy.mode),
            paused_since_s: self.paused_since_s(name),
            min: policy.min,
            max: Some(policy.max).filter(|max| *max < u32::MAX),
            want: plan.map_or(0, |plan| plan.want),
            calls,
            calls_here: active()
                .map(|member| u64::from(member.calls_here.unwrap_or(0)))
                .sum(),
            capacity_calls: capacity,
            load,
            cause: plan.map_or("", |plan| plan.cause.name()).into(),
            actions: plan.map_or(Vec::new(), |plan| plan.actions.clone()),
            reason: plan.map_or(String::new(), |plan| plan.reason.clone()),
            decisions: self.decision_counts(name),
            members,
            ..PoolStatus::default()
        }
    }

    fn decision_counts(&self, name: &str) -> DecisionCounts {
        let mut counts = DecisionCounts::default();
        for ((action, cause), count) in self.decisions.get(name).into_iter().flatten() {
            let by_cause = counts.entry((*action).to_owned()).or_default();
            by_cause.insert(cause.name().to_owned(), *count);
        }
        counts
    }

    fn member_status(&self, pool: &str, name: &str, member: &Member) -> MemberStatus {
        let row = self.seen.member(pool, name);
        let overridden = row.and_then(|row| row.override_state);
        let stage = match member.destination() {
            // Kamailio does not know it yet.
            None if member.stage != Stage::Stopping => Stage::Booting,
            _ => member.stage,
        };
        MemberStatus {
            uri: member.uri.clone(),
            name: self.name_status(member),
            state: overridden.map_or(stage.name(), |state| state.name()).into(),
            origin: match member.origin {
                Origin::Plan => "plan".into(),
                Origin::Config => "config".into(),
                Origin::Command => "command".into(),
            },
            leaving: member.stage == Stage::Leaving,
            held: overridden.is_some() || matches!(member.stage, Stage::Held | Stage::Leaving),
            calls: self.seen.calls(pool, name),
            calls_here: self.seen.own_calls(pool, name),
            capacity_calls: member.capacity_calls,
            weight: member.weight,
            priority: member.priority,
            down: row.is_some_and(|row| row.down),
            failures: row.map_or(0, |row| row.failures),
            since_s: member.since_s,
            pid: match &member.handle {
                Handle::Process { process, .. } => process.map(|process| process.pid),
                Handle::Manual | Handle::Heat { .. } => None,
            },
        }
    }
}

fn serde_name(value: &impl serde::Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}
