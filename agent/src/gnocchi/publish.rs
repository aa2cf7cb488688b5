//! Requests to Gnocchi that publishing needs: which resources it has, new ones, measures.
//!
//! It must not keep anything: the sink does.

use std::collections::HashMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;

use super::names::{Kind, Place, Thing, metrics};
use crate::cloud::{Cloud, CloudError, Request, Service};

/// Resources of one page of a listing.
const PAGE: usize = 1000;

/// A resource that Gnocchi has.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) thing: Thing,
    pub(super) id: String,
    /// Metrics of its kind that it lacks.
    pub(super) lacks: Vec<&'static str>,
}

#[derive(Deserialize)]
struct Listed {
    id: String,
    #[serde(default)]
    metrics: HashMap<String, IgnoredAny>,
    pool: Option<String>,
    member: Option<String>,
    feature: Option<String>,
}

/// What Gnocchi has of a node.
pub(super) async fn list(
    cloud: &dyn Cloud,
    place: &Place,
    kind: Kind,
) -> Result<Vec<Found>, CloudError> {
    let query = json!({"and": [
        {"=": {"instance": place.instance}},
        {"=": {"node": place.node}},
    ]});
    let mut found: Vec<Found> = Vec::new();
    loop {
        let marker = found.last().map(|last| format!("&marker={}", last.id));
        let path = format!(
            "/v1/search/resource/{}?limit={PAGE}{}",
            kind.resource_type(),
            marker.unwrap_or_default()
        );
        let request = Request::post(Service::Metric, path, &query).repeatable();
        let page: Vec<Listed> = cloud.request(request).await?.json()?;
        let last = page.len() < PAGE;
        found.extend(page.into_iter().map(|listed| judge(listed, kind)));
        if last {
            return Ok(found);
        }
    }
}

fn judge(listed: Listed, kind: Kind) -> Found {
    let lacks = kind.metrics().iter().copied();
    let lacks = lacks.filter(|name| !listed.metrics.contains_key(*name));
    let lacks = lacks.collect();
    let (pool, name) = match kind {
        Kind::Node => (None, None),
        Kind::Pool => (None, listed.pool),
        Kind::Feature => (None, listed.feature),
        Kind::Member => (listed.pool, listed.member),
    };
    let thing = Thing {
        kind,
        pool: pool.unwrap_or_default(),
        name: name.unwrap_or_default(),
    };
    Found {
        thing,
        id: listed.id,
        lacks,
    }
}

/// Creates a resource with its metrics; one that is there gets those that it lacks.
pub(super) async fn create(
    cloud: &dyn Cloud,
    place: &Place,
    thing: &Thing,
) -> Result<(), CloudError> {
    let kind = thing.kind.resource_type();
    let path = format!("/v1/resource/{kind}");
    let request = Request::post(Service::Metric, path, &thing.resource(place)).repeatable();
    match cloud.request(request).await {
        Ok(_) => return Ok(()),
        Err(error) if error.is_conflict() => {}
        Err(error) => return Err(error),
    }
    let path = format!("/v1/resource/{kind}/{}", thing.id(place));
    let request = Request::get(Service::Metric, path);
    let listed: Listed = cloud.request(request).await?.json()?;
    let found = judge(listed, thing.kind);
    add_metrics(cloud, &found).await
}

/// Gives a resource the metrics that it lacks.
pub(super) async fn add_metrics(cloud: &dyn Cloud, found: &Found) -> Result<(), CloudError> {
    if found.lacks.is_empty() {
        return Ok(());
    }
    let kind = found.thing.kind.resource_type();
    let path = format!("/v1/resource/{kind}/{}/metric", found.id);
    let request = Request::post(Service::Metric, path, &metrics(&found.lacks)).repeatable();
    match cloud.request(request).await {
        Err(error) if !error.is_conflict() => Err(error),
        _ => Ok(()),
    }
}

/// Deletes a resource with its measures.
pub(super) async fn delete(cloud: &dyn Cloud, kind: Kind, id: &str) -> Result<(), CloudError> {
    let path = format!("/v1/resource/{}/{id}", kind.resource_type());
    match cloud.request(Request::delete(Service::Metric, path)).await {
        Err(error) if !error.is_not_found() => Err(error),
        _ => Ok(()),
    }
}

/// Sends measures. Sent twice, they count once: Gnocchi keeps one per metric and second.
pub(super) async fn send(cloud: &dyn Cloud, body: Vec<u8>) -> Result<(), CloudError> {
    let path = "/v1/batch/resources/metrics/measures";
    let request = Request::post(Service::Metric, path, &()).with_body(body);
    let request = request.repeatable().with_patience(super::sink::PATIENCE);
    cloud.request(request).await.map(|_| ())
}
