//! What all nodes last reported, read in as many requests as there are kinds of things.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::measures::{MOST_S, REFRESH_S, float};
use super::names::Kind;
use crate::cloud::{Cloud, CloudError, Request, Service};
use crate::nodes::{FeatureReport, NodeReport, PoolReport, Shares};

/// What is older is not read: three times what every value is repeated in, as Gnocchi takes a while.
const WINDOW_S: u64 = 3 * REFRESH_S;

/// So much later than it was sent a repeated value may be seen.
const LATE_S: u64 = 2;

#[derive(Deserialize)]
struct Answer {
    measures: HashMap<String, HashMap<String, HashMap<String, Vec<Measure>>>>,
    #[serde(default)]
    references: Vec<Reference>,
}

/// Time, granularity in seconds, value.
type Measure = (String, f64, f64);

#[derive(Deserialize)]
struct Reference {
    id: String,
    node: String,
    pool: Option<String>,
    member: Option<String>,
    feature: Option<String>,
}

/// The newest value of a metric.
#[derive(Debug, Clone, Copy)]
struct Newest {
    at_s: f64,
    value: f64,
    /// Seconds since the one before.
    span_s: f64,
}

/// What every one of these nodes last reported; one that was silent for [`WINDOW_S`] is left out.
/// Of features only what was offered: by it nodes know the whole demand.
///
/// # Errors
/// If Gnocchi cannot be asked, or answers with something else than it documents.
pub async fn read_nodes(
    cloud: &dyn Cloud,
    instance: &str,
    nodes: &[String],
) -> Result<Vec<NodeReport>, CloudError> {
    let mut reports: BTreeMap<String, (NodeReport, Option<u64>)> = BTreeMap::new();
    let of_instance = |kind| {
        let search = json!({"and": [{"=": {"instance": instance}}, {"in": {"node": nodes}}]});
        newest(cloud, kind, search)
    };
    for (of, values) in of_instance(Kind::Node).await? {
        if let Some(report) = node(&of, &values) {
            reports.insert(of.node, report);
        }
    }
    for (of, values) in of_instance(Kind::Pool).await? {
        if let (Some((report, Some(boot_id))), Some(pool)) = (reports.get_mut(&of.node), of.pool)
            && let Some(told) = pool_report(&values, *boot_id)
        {
            report.pools.insert(pool, told);
        }
    }
    for (of, values) in of_instance(Kind::Feature).await? {
        if let (Some((report, _)), Some(feature)) = (reports.get_mut(&of.node), of.feature)
            && let Some(offered) = values.get("kamscale.feature.offered_total")
        {
            let counted = FeatureReport {
                offered: count(offered.value),
                ..FeatureReport::default()
            };
            report.features.insert(feature, counted);
        }
    }
    for (of, values) in of_instance(Kind::Member).await? {
        let report = reports.get_mut(&of.node);
        if let (Some((report, _)), Some(pool), Some(member)) = (report, of.pool, of.member)
            && let Some(calls) = values.get("kamscale.member.calls")
            // Every count is repeated within that time: an older one waits for Gnocchi to take in a newer.
            && calls.at_s + float(REFRESH_S + LATE_S) >= report.at_s
        {
            let calls = u32::try_from(count(calls.value)).unwrap_or(u32::MAX);
            report.members.insert((pool, member), calls);
        }
    }
    Ok(reports.into_values().map(|(report, _)| report).collect())
}

/// What those of these nodes last reported about themselves whose hosts are members of a pool, of whatever
/// instance they are: members of one instance's pool are the nodes of another.
///
/// # Errors
/// As [`read_nodes`].
pub async fn read_hosts(
    cloud: &dyn Cloud,
    pool: &str,
    nodes: &[String],
) -> Result<Vec<NodeReport>, CloudError> {
    let search = json!({"and": [{"=": {"pool": pool}}, {"in": {"node": nodes}}]});
    let found = newest(cloud, Kind::Node, search).await?.into_iter();
    let reports = found.filter_map(|(of, values)| Some(node(&of, &values)?.0));
    Ok(reports.collect())
}

/// The newest values of all resources of a kind that a search finds.
async fn newest(
    cloud: &dyn Cloud,
    kind: Kind,
    search: serde_json::Value,
) -> Result<Vec<(Reference, HashMap<String, Newest>)>, CloudError> {
    let series: Vec<_> = kind
        .metrics()
        .iter()
        .map(|name| json!([name, "last"]))
        .collect();
    let operations: Vec<_> = std::iter::once(json!("metric")).chain(series).collect();
    let body = json!({
        "operations": operations,
        "resource_type": kind.resource_type(),
        "search": search,
    });
    let path = format!("/v1/aggregates?granularity=1&details=true&start=-{WINDOW_S}s");
    let request = Request::post(Service::Metric, path, &body).repeatable();
    let answer: Answer = match cloud.request(request).await {
        Ok(answer) => answer.json()?,
        Err(error) if is_empty(&error) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut measures = answer.measures;
    let found = answer.references.into_iter().map(|of| {
        let metrics = measures.remove(&of.id).unwrap_or_default();
        let values = metrics.into_iter().filter_map(|(name, mut kept)| {
            let last = last(&kept.remove("last")?)?;
            Some((name, last))
        });
        let values = values.collect();
        (of, values)
    });
    Ok(found.collect())
}

/// No resource matches, or none has a metric yet: Gnocchi calls that a wrong request.
fn is_empty(error: &CloudError) -> bool {
    match error {
        CloudError::Refused {
            status: 400 | 404,
            message,
            ..
        } => message.contains("Metric") || message.contains("metrics"),
        _ => false,
    }
}

fn last(measures: &[Measure]) -> Option<Newest> {
    let time = |measure: &Measure| {
        let at: Timestamp = measure.0.parse().ok()?;
        Some(at.as_duration().as_secs_f64())
    };
    let (newest, before) = measures.split_last()?;
    let at_s = time(newest)?;
    let before_s = before.last().and_then(time);
    Some(Newest {
        at_s,
        value: newest.2,
        span_s: before_s.map_or(1.0, |before_s| at_s - before_s),
    })
}

/// A node that gave a sign of life, and which start of Kamailio it counts from, if that is known.
fn node(of: &Reference, values: &HashMap<String, Newest>) -> Option<(NodeReport, Option<u64>)> {
    let alive = values.get("kamscale.node.revision")?;
    let share = |name: &str| values.get(name).map(|it| it.value);
    let shares = share("kamscale.node.cpu").zip(share("kamscale.node.memory"));
    let report = NodeReport {
        node: of.node.clone(),
        at_s: alive.at_s,
        revision: count(alive.value),
        shares: shares.map(|(cpu, memory)| Shares {
            cpu,
            memory,
            network: share("kamscale.node.network"),
        }),
        pool: of.pool.clone(),
        ..NodeReport::default()
    };
    let boot_id = values.get("kamscale.node.boot");
    Some((report, boot_id.map(|it| count(it.value))))
}

/// What a node told of a pool; nothing if a part has not arrived yet, as Gnocchi takes in one metric after the other: a
/// counter that is missing is not one that begins anew.
fn pool_report(values: &HashMap<String, Newest>, boot_id: u64) -> Option<PoolReport> {
    let value = |name: &str| values.get(name).map(|it| count(it.value));
    // Calls are sent times the seconds that they stand for.
    let calls = values.get("kamscale.pool.calls")?;
    Some(PoolReport {
        started: value("kamscale.pool.started")?,
        refused: value("kamscale.pool.refused_total")?,
        calls: count(calls.value / calls.span_s.clamp(1.0, float(MOST_S))),
        capacity: value("kamscale.pool.capacity")?,
        boot_id,
    })
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts; what is negative or no number becomes 0"
)]
fn count(value: f64) -> u64 {
    value.round() as u64
}
