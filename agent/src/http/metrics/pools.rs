//! Metrics of pools and their members. Counts of calls are those of this node alone: who adds up
//! nodes must be able to rely on it.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::FloatGauge;
use crate::status::PoolStatus;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Pool {
    pool: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PoolState {
    pool: String,
    state: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PoolDecision {
    pool: String,
    action: String,
    reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Member {
    pool: String,
    member: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NameState {
    state: &'static str,
}

#[derive(Debug, Default)]
pub(super) struct PoolMetrics {
    load: Family<Pool, FloatGauge>,
    members: Family<PoolState, Gauge>,
    desired: Family<Pool, Gauge>,
    calls: Family<Pool, Gauge>,
    capacity: Family<Pool, Gauge>,
    started: Family<Pool, Counter>,
    selected: Family<Pool, Counter>,
    refused: Family<Pool, Counter>,
    decisions: Family<PoolDecision, Counter>,
    paused: Family<Pool, Gauge>,
    member_calls: Family<Member, Gauge>,
    member_failures: Family<Member, Counter>,
    names: Family<NameState, Gauge>,
    name_age: Family<Member, FloatGauge>,
}

impl PoolMetrics {
    pub(super) fn register(registry: &mut Registry) -> PoolMetrics {
        let m = PoolMetrics::default();
        registry.register("pool_load_ratio", "Calls per capacity", m.load.clone());
        registry.register("pool_members", "Members by state", m.members.clone());
        registry.register("pool_desired_members", "Members wanted", m.desired.clone());
        registry.register("pool_calls", "Calls on active members", m.calls.clone());
        let help = "Calls that active members may carry";
        registry.register("pool_capacity_calls", help, m.capacity.clone());
        let help = "Calls begun by this node since Kamailio's start";
        registry.register("pool_started", help, m.started.clone());
        registry.register(
            "pool_selected",
            "Times a member was found",
            m.selected.clone(),
        );
        registry.register(
            "pool_refused",
            "Times no member was to be had",
            m.refused.clone(),
        );
        registry.register(
            "scale_decisions",
            "Decisions by action and cause",
            m.decisions.clone(),
        );
        let help = "1 while an operator has paused the pool";
        registry.register("pool_paused", help, m.paused.clone());
        registry.register(
            "member_calls",
            "Calls that a member carries",
            m.member_calls.clone(),
        );
        registry.register(
            "member_failures",
            "Failures by scripts",
            m.member_failures.clone(),
        );
        let help = "Members with a host name: found, kept (at the address that it had), unknown";
        registry.register("member_names", help, m.names.clone());
        let help = "Since a member's host name was found last";
        registry.register("member_name_age_seconds", help, m.name_age.clone());
        m
    }

    pub(super) fn set(&self, name: &str, pool: &PoolStatus, now_s: f64) {
        let label = Pool { pool: name.into() };
        if let Some(load) = pool.load {
            self.load.get_or_create(&label).set(load);
        }
        self.set_decided(name, pool);
        let gauge = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        self.calls.get_or_create(&label).set(gauge(pool.calls_here));
        let capacity = gauge(pool.capacity_calls);
        self.capacity.get_or_create(&label).set(capacity);
        self.started.get_or_create(&label).inc_by(pool.started);
        self.selected.get_or_create(&label).inc_by(pool.selected);
        self.refused.get_or_create(&label).inc_by(pool.refused);
        for state in ["joining", "active", "draining", "disabled", "stopping"] {
            let count = pool
                .members
                .values()
                .filter(|member| member.state == state)
                .count();
            let label = PoolState {
                pool: name.into(),
                state: state.into(),
            };
            self.members
                .get_or_create(&label)
                .set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        for (member, status) in &pool.members {
            let label = Member {
                pool: name.into(),
                member: member.clone(),
            };
            if let Some(calls) = status.calls_here {
                self.member_calls.get_or_create(&label).set(calls.into());
            }
            self.member_failures
                .get_or_create(&label)
                .inc_by(status.failures);
            if let Some(name) = &status.name {
                let state = name.state();
                self.names.get_or_create(&NameState { state }).inc();
                if let Some(found_s) = name.found_s {
                    let age_s = (now_s - found_s).max(0.0);
                    self.name_age.get_or_create(&label).set(age_s);
                }
            }
        }
    }

    /// What was decided about a pool or stack. Calls and members of a stack are those of its pools.
    pub(super) fn set_decided(&self, name: &str, pool: &PoolStatus) {
        let label = Pool { pool: name.into() };
        self.desired.get_or_create(&label).set(pool.want.into());
        let paused = i64::from(pool.paused_since_s.is_some());
        self.paused.get_or_create(&label).set(paused);
        for (action, reasons) in &pool.decisions {
            for (reason, count) in reasons {
                let label = PoolDecision {
                    pool: name.into(),
                    action: action.clone(),
                    reason: reason.clone(),
                };
                self.decisions.get_or_create(&label).inc_by(*count);
            }
        }
    }
}
