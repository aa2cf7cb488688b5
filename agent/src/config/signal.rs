//! Where a signal comes from: key `from` of `[[pools.NAME.signals]]`.

use serde::Deserialize;

/// Who measures a signal.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SignalSource {
    /// Scripts and exporters bring it: `kamscale signal`.
    #[default]
    Pushed,
    /// Agents on the members' hosts report it: cpu, memory, network.
    Nodes,
    /// A query in PromQL. Of cpu, memory and network it gives one sample per member, each a share
    /// from 0 to 1; of other signals the sum of all samples counts.
    Prometheus(String),
    /// A metric of Gnocchi, of one resource per member.
    Gnocchi(GnocchiSignal),
}

/// A metric of Gnocchi; Ceilometer's own ones are meant, of resources that are members.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GnocchiSignal {
    /// Its name, as `cpu`, `memory.usage`, `network.incoming.bytes.rate`.
    pub metric: String,
    /// The type of the resources.
    #[serde(default = "default_resource_type")]
    pub resource_type: String,
    /// One of those that its archive policy keeps, as `mean`, `rate:mean` (for counters: `cpu`).
    #[serde(default = "default_aggregation")]
    pub aggregation: String,
    /// One of the granularities of its archive policy.
    #[serde(default = "default_granularity_s")]
    pub granularity_s: f64,
    /// Which resources, in Gnocchi's words. Default: `server_group = 'POOL'`, those that are
    /// not ended.
    pub search: Option<String>,
    /// The value of a member that is fully used; needed for cpu, memory and network.
    pub full: Option<f64>,
}

fn default_resource_type() -> String {
    "instance".into()
}

fn default_aggregation() -> String {
    "mean".into()
}

/// Ceilometer measures every 300 s unless told otherwise.
fn default_granularity_s() -> f64 {
    300.0
}
