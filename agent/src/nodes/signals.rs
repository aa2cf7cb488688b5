//! Signals from reports: what agents, Prometheus or Gnocchi measured, as the plan wants it.
//!
//! Nothing is guessed: what is not measured is no signal, and without a signal nothing is removed.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;

use super::{NodeReport, Shares};
use crate::cloud::{Cloud, CloudError, Request, Service};
use crate::config::{GnocchiSignal, SignalSource};
use crate::plan::{Signal, SignalKind};
use crate::prometheus::{Prometheus, PrometheusError, Values};

/// Ceilometer's measures of a period arrive after its end, and its next poll is a period later.
const PERIODS: f64 = 3.0;

/// Why there is no signal.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SignalError {
    /// Prometheus gave no answer to use.
    #[error(transparent)]
    Prometheus(#[from] PrometheusError),
    /// Gnocchi gave none.
    #[error(transparent)]
    Cloud(#[from] CloudError),
    /// What it is read from is not configured, or its answer is of another kind.
    #[error("{0}")]
    Unfit(String),
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The pool; of a stack the pool in it.
    pub pool: &'a str,
    /// What of it.
    pub kind: SignalKind,
    /// As [`Signal::of`].
    pub of: Option<&'a str>,
    /// Older than this it is of no use.
    pub max_age_s: f64,
}

impl Wanted<'_> {
    fn signal(&self, used: f64, reported: Option<u32>, age_s: f64) -> Signal {
        Signal {
            kind: self.kind,
            of: self.of.map(str::to_owned),
            used,
            reported,
            age_s: age_s.max(0.0),
        }
    }
}

/// Asks Prometheus or Gnocchi for a signal. Those that are pushed or that nodes report are not asked
/// for: `None`, as when nobody reported.
///
/// # Errors
/// [`SignalError`]; the signal is missing then.
pub async fn ask(
    wanted: Wanted<'_>,
    source: &SignalSource,
    prometheus: Option<&Prometheus>,
    cloud: Option<&dyn Cloud>,
    now_s: f64,
) -> Result<Option<Signal>, SignalError> {
    match source {
        SignalSource::Pushed | SignalSource::Nodes => Ok(None),
        SignalSource::Prometheus(query) => {
            let prometheus = prometheus.ok_or_else(|| {
                SignalError::Unfit("there is no section [prometheus] to ask".into())
            })?;
            let values = prometheus.query(query, wanted.max_age_s).await?;
            from_values(wanted, &values)
        }
        SignalSource::Gnocchi(gnocchi) => {
            let cloud = cloud.ok_or_else(|| {
                SignalError::Unfit("there is no cloud to ask; see section [cloud]".into())
            })?;
            let answer = cloud.request(measures_request(wanted, gnocchi)).await?;
            Ok(from_measures(wanted, gnocchi, &answer.json()?, now_s))
        }
    }
}

/// What agents on the hosts of members report. `serves_since_s` says by a node's name since when its
/// member shares the load; `None` for one that does not, as it drains. What a host said before was of
/// its boot.
pub fn from_nodes<'a>(
    wanted: Wanted<'_>,
    reports: impl IntoIterator<Item = &'a NodeReport>,
    serves_since_s: impl Fn(&str) -> Option<f64>,
    now_s: f64,
) -> Option<Signal> {
    let of_kind = |shares: Shares| match wanted.kind {
        SignalKind::Cpu => Some(shares.cpu),
        SignalKind::Memory => Some(shares.memory),
        SignalKind::Network => shares.network,
        _ => None,
    };
    let mut sum = Sum::default();
    for report in reports {
        let age_s = now_s - report.at_s;
        if report.pool.as_deref() == Some(wanted.pool)
            && age_s.abs() <= wanted.max_age_s
            && serves_since_s(&report.node).is_some_and(|since_s| report.at_s >= since_s)
            && let Some(share) = report.shares.and_then(of_kind)
        {
            sum.add(share, age_s);
        }
    }
    sum.signal(wanted)
}

/// What a query gave. Shares need one value per member: from a mean or sum over all of them nobody
/// could tell whether a member is missing in it.
///
/// # Errors
/// [`SignalError::Unfit`] if it is a share of nobody in particular.
pub fn from_values(wanted: Wanted<'_>, values: &Values) -> Result<Option<Signal>, SignalError> {
    if wanted.kind.is_share() && values.values.iter().any(|value| value.labels.is_empty()) {
        let kind = wanted.kind.name();
        return Err(SignalError::Unfit(format!(
            "the query for {kind} of {} gives one value for all; write one that gives a share from \
             0 to 1 for each member, as avg by (instance) (...)",
            wanted.pool
        )));
    }
    let mut sum = Sum::default();
    for value in &values.values {
        sum.add(value.value, values.age_s);
    }
    Ok(sum.signal(wanted))
}

/// Values that were measured, each of one member.
#[derive(Debug, Default)]
struct Sum {
    used: f64,
    reported: u32,
    oldest_s: f64,
}

impl Sum {
    /// What cannot be measured is not: no number, infinity, less than nothing.
    fn add(&mut self, used: f64, age_s: f64) {
        if used.is_finite() && used >= 0.0 {
            self.used += used;
            self.reported = self.reported.saturating_add(1);
            self.oldest_s = self.oldest_s.max(age_s);
        }
    }

    fn signal(&self, wanted: Wanted<'_>) -> Option<Signal> {
        // Values of other kinds are of queues or nodes, and together of the pool as a whole.
        let reported = Some(self.reported).filter(|_| wanted.kind.is_share());
        (self.reported > 0).then(|| wanted.signal(self.used, reported, self.oldest_s))
    }
}

/// The measures of one metric: of each resource, by metric and aggregation, `[when, period, value]`
/// (Gnocchi's REST reference, "Dynamic Aggregates" without an aggregation over resources).
#[derive(Debug, Default, Deserialize)]
pub struct Measures {
    measures: BTreeMap<String, BTreeMap<String, BTreeMap<String, Vec<Measure>>>>,
}

type Measure = (String, f64, f64);

/// Asks for the last periods of all resources that are members.
fn measures_request(wanted: Wanted<'_>, gnocchi: &GnocchiSignal) -> Request {
    let back_s = wanted.max_age_s + PERIODS * gnocchi.granularity_s;
    let GnocchiSignal {
        metric,
        aggregation,
        granularity_s,
        ..
    } = gnocchi;
    let path = format!("/v1/aggregates?granularity={granularity_s}&start=-{back_s}s");
    let search = match &gnocchi.search {
        Some(search) => json!(search),
        None => json!({"and": [{"=": {"server_group": wanted.pool}}, {"=": {"ended_at": null}}]}),
    };
    let body = json!({
        "operations": ["metric", metric, aggregation],
        "search": search,
        "resource_type": gnocchi.resource_type,
    });
    // It only reads, although it is a POST.
    Request::post(Service::Metric, path, &body).repeatable()
}

/// The newest measure of each resource that is not too old; `now_s` is the time here.
pub fn from_measures(
    wanted: Wanted<'_>,
    gnocchi: &GnocchiSignal,
    answer: &Measures,
    now_s: f64,
) -> Option<Signal> {
    let full = gnocchi.full.unwrap_or(1.0);
    let mut sum = Sum::default();
    for by_metric in answer.measures.values() {
        let of_metric = by_metric.get(&gnocchi.metric);
        let series = of_metric.and_then(|by_way| by_way.get(&gnocchi.aggregation));
        let timed = series
            .into_iter()
            .flatten()
            .filter_map(|(at, period_s, value)| {
                let at: jiff::Timestamp = at.parse().ok()?;
                Some((at, period_s, value))
            });
        let Some((at, period_s, value)) = timed.max_by_key(|(at, ..)| *at) else {
            continue;
        };
        // A measure stands for the period that begins at its time.
        let age_s = now_s - (at.as_duration().as_secs_f64() + period_s);
        if age_s <= wanted.max_age_s && age_s >= -(wanted.max_age_s + period_s) {
            sum.add(value / full, age_s.max(0.0));
        }
    }
    sum.signal(wanted)
}

#[cfg(test)]
mod tests;
