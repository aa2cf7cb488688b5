//! Metrics in the text format of Prometheus, made from the last status at each scrape, so that
//! what is gone from the status is gone from the metrics.

use std::sync::atomic::AtomicU64;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::Shared;
use crate::status::{PoolStatus, Status};

type FloatGauge = Gauge<f64, AtomicU64>;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Feature {
    feature: String,
}

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

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/metrics", get(metrics))
}

async fn metrics(State(shared): State<Shared>) -> Response {
    match render(&shared.status()) {
        Ok(text) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// The whole exposition.
fn render(status: &Status) -> Result<String, std::fmt::Error> {
    let mut registry = Registry::with_prefix("kamscale");
    let build = Info::new(vec![("version", status.version.clone())]);
    registry.register("build", "The agent's version", build);
    add_loop(&mut registry, status);
    add_features(&mut registry, status);
    let pools = PoolMetrics::register(&mut registry);
    for (name, pool) in &status.pools {
        pools.set(name, pool);
    }
    for (name, stack) in &status.stacks {
        pools.set_decided(name, stack);
    }
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

fn add_loop(registry: &mut Registry, status: &Status) {
    let mut gauge = |name: &str, help: &str, value: f64| {
        let gauge = FloatGauge::default();
        gauge.set(value);
        registry.register(name, help, gauge);
    };
    gauge("agent_up", "1 while the agent serves this page", 1.0);
    gauge(
        "kamailio_attached",
        "1 if Kamailio is attached and its data can be used",
        f64::from(u8::from(status.kamailio.attached)),
    );
    gauge(
        "generation",
        "Generation of the pool table in force",
        float(status.generation),
    );
    if let Some(applied) = status.applied_generation_min {
        let help = "Smallest generation among workers that serve requests";
        gauge("applied_generation_min", help, float(applied));
    }
    if let Some(age_s) = status.kamailio.heartbeat_age_s {
        let age_s = age_s + (crate::journal::now_s() - status.now_s).max(0.0);
        gauge(
            "observation_age_seconds",
            "Age of Kamailio's last sign of life",
            age_s,
        );
    }
    let help = "When the control loop last finished a round, in unix seconds";
    gauge("last_round_timestamp_seconds", help, status.now_s);
}

fn add_features(registry: &mut Registry, status: &Status) {
    let requests = Family::<Feature, Counter>::default();
    let rates = Family::<Feature, FloatGauge>::default();
    for feature in &status.features {
        let label = Feature {
            feature: feature.name.clone(),
        };
        requests.get_or_create(&label).inc_by(feature.requests);
        if let Some(rate) = feature.requests_per_s {
            rates.get_or_create(&label).set(rate);
        }
    }
    registry.register("requests", "Requests since Kamailio's start", requests);
    registry.register(
        "requests_per_second",
        "Requests per second, 30 s mean",
        rates,
    );
}

#[derive(Default)]
struct PoolMetrics {
    load: Family<Pool, FloatGauge>,
    members: Family<PoolState, Gauge>,
    desired: Family<Pool, Gauge>,
    calls: Family<Pool, Gauge>,
    selected: Family<Pool, Counter>,
    refused: Family<Pool, Counter>,
    decisions: Family<PoolDecision, Counter>,
    paused: Family<Pool, Gauge>,
    member_calls: Family<Member, Gauge>,
    member_failures: Family<Member, Counter>,
}

impl PoolMetrics {
    fn register(registry: &mut Registry) -> PoolMetrics {
        let m = PoolMetrics::default();
        registry.register("pool_load_ratio", "Calls per capacity", m.load.clone());
        registry.register("pool_members", "Members by state", m.members.clone());
        registry.register("pool_desired_members", "Members wanted", m.desired.clone());
        registry.register("pool_calls", "Calls on active members", m.calls.clone());
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
        m
    }

    fn set(&self, name: &str, pool: &PoolStatus) {
        let label = Pool { pool: name.into() };
        if let Some(load) = pool.load {
            self.load.get_or_create(&label).set(load);
        }
        self.set_decided(name, pool);
        self.calls
            .get_or_create(&label)
            .set(i64::try_from(pool.calls).unwrap_or(i64::MAX));
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
            if let Some(calls) = status.calls {
                self.member_calls.get_or_create(&label).set(calls.into());
            }
            self.member_failures
                .get_or_create(&label)
                .inc_by(status.failures);
        }
    }

    /// What was decided about a pool or stack. Calls and members of a stack are those of its pools.
    fn set_decided(&self, name: &str, pool: &PoolStatus) {
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

#[expect(
    clippy::cast_precision_loss,
    reason = "generations stay far below 2^53"
)]
fn float(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::FeatureStatus;

    #[test]
    fn the_exposition_has_the_documented_names() {
        let mut status = Status {
            version: "1.2.3".into(),
            generation: 7,
            ..Status::default()
        };
        status.kamailio.heartbeat_age_s = Some(0.5);
        status.applied_generation_min = Some(6);
        status.features.push(FeatureStatus {
            name: "calls".into(),
            requests: 5,
            requests_per_s: Some(0.5),
        });
        let pool = PoolStatus {
            paused_since_s: Some(1.0),
            decisions: [("boot".into(), [("calls".into(), 3)].into())].into(),
            want: 2,
            load: Some(0.5),
            ..PoolStatus::default()
        };
        status.pools.insert("conference".into(), pool);
        let text = render(&status).unwrap();
        for line in [
            "kamscale_build_info{version=\"1.2.3\"} 1",
            "kamscale_generation 7",
            "kamscale_applied_generation_min 6",
            "kamscale_requests_total{feature=\"calls\"} 5",
            "kamscale_pool_load_ratio{pool=\"conference\"} 0.5",
            "kamscale_pool_members{pool=\"conference\",state=\"active\"} 0",
            "kamscale_pool_desired_members{pool=\"conference\"} 2",
            "kamscale_pool_paused{pool=\"conference\"} 1",
            "kamscale_scale_decisions_total{pool=\"conference\",action=\"boot\",reason=\"calls\"} 3",
            "kamscale_observation_age_seconds ",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }
}
