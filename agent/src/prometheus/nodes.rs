//! What other nodes report, from the metrics that their agents serve (`http/metrics`).
//!
//! A plain scrape configuration suffices: nodes are told apart by the labels `job` and `instance`
//! that Prometheus adds to everything from one target, and get their names from
//! `kamscale_node_info` of the same target.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;

use super::answer::Sample;
use super::{Prometheus, PrometheusError};
use crate::nodes::{NodeReport, Shares};

/// All that a report is made of, but for the calls of members.
const NAMES: &str = "kamailio_attached|kamailio_info|last_round_timestamp_seconds|shared_revision|\
    requests_total|pool_calls|pool_capacity_calls|pool_started_total|pool_refused_total|\
    host_cpu_ratio|host_memory_ratio|host_network_ratio";

/// The labels that matter. A target whose scrape has a label of its own called `node` or `pool`
/// gives ours as `exported_node` and `exported_pool`.
#[derive(Debug, Default, Deserialize)]
struct Labels<'a> {
    #[serde(borrow, rename = "__name__", default)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    job: Cow<'a, str>,
    #[serde(borrow, default)]
    instance: Cow<'a, str>,
    #[serde(borrow)]
    node: Option<Cow<'a, str>>,
    #[serde(borrow)]
    exported_node: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pool: Option<Cow<'a, str>>,
    #[serde(borrow)]
    exported_pool: Option<Cow<'a, str>>,
    #[serde(borrow)]
    member: Option<Cow<'a, str>>,
    #[serde(borrow)]
    feature: Option<Cow<'a, str>>,
    #[serde(borrow)]
    boot_id: Option<Cow<'a, str>>,
}

impl Labels<'_> {
    fn node(&self) -> Option<&str> {
        self.exported_node.as_deref().or(self.node.as_deref())
    }

    fn pool(&self) -> Option<&str> {
        self.exported_pool.as_deref().or(self.pool.as_deref())
    }

    fn target(&self) -> Target {
        Target {
            job: self.job.clone().into_owned(),
            instance: self.instance.clone().into_owned(),
        }
    }
}

/// Whom Prometheus scrapes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Target {
    job: String,
    instance: String,
}

/// What one target said so far.
#[derive(Debug, Default)]
struct Said {
    report: NodeReport,
    /// When it was scraped, and how long before that the reading is, by Prometheus' clock.
    scraped_s: f64,
    evaluated_s: f64,
    round_s: Option<f64>,
    attached: bool,
    boot_id: u64,
    cpu: Option<f64>,
    memory: Option<f64>,
    network: Option<f64>,
}

impl Prometheus {
    /// What every other node last reported, in two queries however many pools there are. Nodes that
    /// Prometheus cannot scrape are not among them; one whose Kamailio is away names no pools.
    ///
    /// `at_s` is by the clock of this machine: when Prometheus scraped the node, or when the node's
    /// control loop last looked, if that was before. `now_s` is when the question is asked.
    ///
    /// # Errors
    /// [`PrometheusError`]; nothing is known of any node then.
    pub async fn read_nodes(
        &self,
        own: &str,
        now_s: f64,
    ) -> Result<Vec<NodeReport>, PrometheusError> {
        let also = self.config.matchers.trim().trim_matches(',');
        // An instant query says when it was evaluated: only timestamp() tells when it was scraped.
        let query = format!("timestamp(kamscale_node_info{{{also}}})");
        let body = self.ask(&query, None).await?;
        let samples: Vec<Sample<Labels<'_>>> = self.read(&query, &body)?;
        let mut not_own = also.to_owned();
        let mut said: BTreeMap<Target, Said> = BTreeMap::new();
        for sample in &samples {
            let Some(node) = sample.metric.node() else {
                continue;
            };
            let target = sample.metric.target();
            if node == own {
                let instance = serde_json::Value::from(target.instance);
                not_own = format!("{not_own},instance!={instance}");
                continue;
            }
            let known = said.entry(target).or_default();
            known.report.node = node.to_owned();
            // The query leaves out those at 0; a scrape is whole or not there.
            known.report.names_all = true;
            known.report.pool = sample.metric.pool().map(str::to_owned);
            known.scraped_s = sample.value();
            known.evaluated_s = sample.evaluated_s();
        }
        if said.is_empty() {
            return Ok(Vec::new());
        }
        let also = not_own.trim_matches(',');
        // Members without calls are left out: most of them, and they mean the same.
        let query = format!(
            "{{__name__=~\"kamscale_({NAMES})\",{also}}} or kamscale_member_calls{{{also}}} != 0"
        );
        let body = self.ask(&query, None).await?;
        for sample in self.read::<Labels<'_>>(&query, &body)? {
            if let Some(known) = said.get_mut(&sample.metric.target()) {
                known.take(&sample.metric, sample.value());
            }
        }
        unambiguous(said, now_s)
    }
}

impl Said {
    fn take(&mut self, labels: &Labels<'_>, value: f64) {
        let count = count(value);
        let name = labels.name.strip_prefix("kamscale_").unwrap_or_default();
        let pools = &mut self.report.pools;
        match (name, labels.pool(), labels.feature.as_deref()) {
            ("kamailio_attached", ..) => self.attached = value == 1.0,
            ("kamailio_info", ..) => {
                let boot_id = labels.boot_id.as_ref().and_then(|id| id.parse().ok());
                self.boot_id = boot_id.unwrap_or(0);
            }
            ("last_round_timestamp_seconds", ..) => self.round_s = Some(value),
            ("shared_revision", ..) => self.report.revision = count,
            ("host_cpu_ratio", ..) => self.cpu = Some(value),
            ("host_memory_ratio", ..) => self.memory = Some(value),
            ("host_network_ratio", ..) => self.network = Some(value),
            ("requests_total", _, Some(feature)) => {
                let features = &mut self.report.features;
                features.entry(feature.to_owned()).or_default().offered = count;
            }
            ("pool_calls", Some(pool), _) => {
                pools.entry(pool.to_owned()).or_default().calls = count
            }
            ("pool_capacity_calls", Some(pool), _) => {
                pools.entry(pool.to_owned()).or_default().capacity = count;
            }
            ("pool_started_total", Some(pool), _) => {
                pools.entry(pool.to_owned()).or_default().started = count;
            }
            ("pool_refused_total", Some(pool), _) => {
                pools.entry(pool.to_owned()).or_default().refused = count;
            }
            ("member_calls", Some(pool), _) => {
                let Some(member) = labels.member.as_deref() else {
                    return;
                };
                let calls = u32::try_from(count).unwrap_or(u32::MAX);
                let member = (pool.to_owned(), member.to_owned());
                self.report.members.insert(member, calls);
            }
            _ => {}
        }
    }

    /// The report; none if the target vanished between the two queries.
    fn report(mut self, now_s: f64) -> Option<NodeReport> {
        // A page is served while the loop behind it hangs: then it is as old as the last round.
        let seen_s = self.scraped_s.min(self.round_s?);
        self.report.at_s = now_s - (self.evaluated_s - seen_s).max(0.0);
        self.report.shares = self.cpu.zip(self.memory).map(|(cpu, memory)| Shares {
            cpu,
            memory,
            network: self.network,
        });
        if self.attached {
            let pools = self.report.pools.values_mut();
            pools.for_each(|pool| pool.boot_id = self.boot_id);
        } else {
            self.report.features.clear();
            self.report.pools.clear();
            self.report.members.clear();
        }
        Some(self.report)
    }
}

/// One report per node. Two jobs may scrape the same agent, but two agents must not have one name.
fn unambiguous(
    said: BTreeMap<Target, Said>,
    now_s: f64,
) -> Result<Vec<NodeReport>, PrometheusError> {
    let mut by_node: BTreeMap<String, (Target, u64, NodeReport)> = BTreeMap::new();
    for (target, known) in said {
        let boot_id = known.boot_id;
        let Some(report) = known.report(now_s) else {
            continue;
        };
        match by_node.get(&report.node) {
            Some((other, other_boot_id, _)) if *other_boot_id != boot_id => {
                return Err(PrometheusError::Ambiguous {
                    node: report.node,
                    one: other.instance.clone(),
                    other: target.instance,
                });
            }
            Some((.., newer)) if newer.at_s >= report.at_s => {}
            _ => {
                by_node.insert(report.node.clone(), (target, boot_id, report));
            }
        }
    }
    Ok(by_node.into_values().map(|(.., report)| report).collect())
}

/// A count, as Prometheus keeps it; garbage is none.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast from f64 saturates, and no number becomes 0"
)]
fn count(value: f64) -> u64 {
    value as u64
}
