//! Metrics in the text format of Prometheus, made from a report at each scrape, so that
//! what is gone from the status is gone from the metrics.

mod pools;

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
use crate::status::Status;
use pools::PoolMetrics;

type FloatGauge = Gauge<f64, AtomicU64>;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Feature {
    feature: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Exchange {
    service: String,
    method: String,
}

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/metrics", get(metrics))
}

async fn metrics(State(shared): State<Shared>) -> Response {
    match render(shared.status().await.as_ref()) {
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
    add_node(&mut registry, status);
    add_features(&mut registry, status);
    add_cloud(&mut registry, status);
    let pools = PoolMetrics::register(&mut registry);
    for (name, pool) in &status.pools {
        pools.set(name, pool, status.now_s);
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

/// What tells this node from others, and how much of its host is used.
fn add_node(registry: &mut Registry, status: &Status) {
    if !status.node.is_empty() {
        let mut labels = vec![("node", status.node.clone())];
        labels.extend(status.host_pool.iter().map(|pool| ("pool", pool.clone())));
        let help = "The node's name, and the pool that its host is a member of";
        registry.register("node", help, Info::new(labels));
    }
    if let Some(boot_id) = status.kamailio.boot_id {
        let help = "Another boot_id after each start of Kamailio: counters start again";
        let labels = vec![("boot_id", boot_id.to_string())];
        registry.register("kamailio", help, Info::new(labels));
    }
    let mut gauge = |name: &str, help: &str, value: f64| {
        let gauge = FloatGauge::default();
        gauge.set(value);
        registry.register(name, help, gauge);
    };
    let help = "Revision of the shared table that this node applied";
    gauge("shared_revision", help, float(status.revision));
    let Some(shares) = status.host else { return };
    gauge("host_cpu_ratio", "Processors in use", shares.cpu);
    gauge("host_memory_ratio", "Memory in use", shares.memory);
    if let Some(network) = shares.network {
        gauge("host_network_ratio", "Network in use", network);
    }
}

/// What OpenStack was asked for, and where this node stands among several.
fn add_cloud(registry: &mut Registry, status: &Status) {
    let requests = Family::<Exchange, Counter>::default();
    let errors = Family::<Exchange, Counter>::default();
    let seconds = Family::<Exchange, Counter<f64, AtomicU64>>::default();
    for exchange in &status.cloud {
        let label = Exchange {
            service: exchange.service.clone(),
            method: exchange.method.clone(),
        };
        requests.get_or_create(&label).inc_by(exchange.requests);
        errors.get_or_create(&label).inc_by(exchange.errors);
        seconds.get_or_create(&label).inc_by(exchange.seconds);
    }
    registry.register("cloud_requests", "Requests to OpenStack", requests);
    registry.register("cloud_errors", "Of those, failed", errors);
    let help = "How long they took in sum";
    registry.register("cloud_request_seconds", help, seconds);
    if let Some(nodes) = &status.nodes {
        let leads = Gauge::<i64>::default();
        leads.set(i64::from(nodes.leads));
        registry.register("leads", "1 on the node that decides", leads);
    }
    let unsent = Gauge::<i64>::default();
    unsent.set(i64::from(status.unsent.is_some()));
    registry.register("measurements_unsent", "1 while they do not arrive", unsent);
}

fn add_features(registry: &mut Registry, status: &Status) {
    let requests = Family::<Feature, Counter>::default();
    let (admitted, refused) = (Family::<Feature, Counter>::default(), Family::default());
    let (rates, allowed) = (Family::<Feature, FloatGauge>::default(), Family::default());
    for feature in &status.features {
        let label = Feature {
            feature: feature.name.clone(),
        };
        requests.get_or_create(&label).inc_by(feature.requests);
        admitted.get_or_create(&label).inc_by(feature.admitted);
        let counter: &Family<Feature, Counter> = &refused;
        counter.get_or_create(&label).inc_by(feature.refused);
        let gauge: &Family<Feature, FloatGauge> = &allowed;
        if let Some(rate) = feature.allowed_per_s {
            gauge.get_or_create(&label).set(rate);
        }
        if let Some(rate) = feature.requests_per_s {
            rates.get_or_create(&label).set(rate);
        }
    }
    registry.register("requests", "Requests since Kamailio's start", requests);
    registry.register(
        "requests_admitted",
        "Those that ks_admit() let in",
        admitted,
    );
    registry.register("requests_refused", "Those that ks_admit() refused", refused);
    let help = "Requests per second that ks_admit() lets in now; absent: all";
    registry.register("requests_allowed_per_second", help, allowed);
    registry.register(
        "requests_per_second",
        "Requests per second, 30 s mean",
        rates,
    );
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
    use crate::nodes::Shares;
    use crate::status::{FeatureStatus, PoolStatus};

    #[test]
    fn the_exposition_has_the_documented_names() {
        let mut status = Status {
            version: "1.2.3".into(),
            generation: 7,
            ..Status::default()
        };
        status.node = "lb1".into();
        status.host_pool = Some("proxies".into());
        status.revision = 9;
        status.host = Some(Shares {
            cpu: 0.25,
            memory: 0.5,
            network: None,
        });
        status.kamailio.boot_id = Some(u64::MAX);
        status.kamailio.heartbeat_age_s = Some(0.5);
        status.applied_generation_min = Some(6);
        status.features.push(FeatureStatus {
            name: "calls".into(),
            requests: 5,
            requests_per_s: Some(0.5),
            admitted: 4,
            refused: 1,
            allowed_per_s: Some(2.5),
        });
        let pool = PoolStatus {
            paused_since_s: Some(1.0),
            decisions: [("boot".into(), [("calls".into(), 3)].into())].into(),
            want: 2,
            load: Some(0.5),
            capacity_calls: 40,
            started: 11,
            ..PoolStatus::default()
        };
        status.pools.insert("conference".into(), pool);
        let text = render(&status).unwrap();
        for line in [
            "kamscale_build_info{version=\"1.2.3\"} 1",
            "kamscale_generation 7",
            "kamscale_applied_generation_min 6",
            "kamscale_requests_total{feature=\"calls\"} 5",
            "kamscale_requests_admitted_total{feature=\"calls\"} 4",
            "kamscale_requests_refused_total{feature=\"calls\"} 1",
            "kamscale_requests_allowed_per_second{feature=\"calls\"} 2.5",
            "kamscale_pool_load_ratio{pool=\"conference\"} 0.5",
            "kamscale_pool_members{pool=\"conference\",state=\"active\"} 0",
            "kamscale_pool_desired_members{pool=\"conference\"} 2",
            "kamscale_pool_paused{pool=\"conference\"} 1",
            "kamscale_scale_decisions_total{pool=\"conference\",action=\"boot\",reason=\"calls\"} 3",
            "kamscale_observation_age_seconds ",
            "kamscale_node_info{node=\"lb1\",pool=\"proxies\"} 1",
            "kamscale_kamailio_info{boot_id=\"18446744073709551615\"} 1",
            "kamscale_shared_revision 9",
            "kamscale_host_cpu_ratio 0.25",
            "kamscale_host_memory_ratio 0.5",
            "kamscale_pool_capacity_calls{pool=\"conference\"} 40",
            "kamscale_pool_started_total{pool=\"conference\"} 11",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
        assert!(!text.contains("network"), "what is not known is not zero");
    }
}
