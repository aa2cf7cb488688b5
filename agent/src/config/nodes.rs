//! Sections `[nodes]` and `[gnocchi]`: several Kamailio that share the pools, and where each says what it sees.

use serde::Deserialize;

use super::SignalSource;

/// Section `[nodes]`: the Kamailio nodes that share the pools. Without it this one is alone.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NodesConfig {
    /// The name of this node; the host's name if absent.
    pub name: Option<String>,
    /// The names of all nodes, this one included. One that does not report blocks removals.
    pub all: Vec<String>,
    /// Instead of `all`: the nodes are the members of this pool, which another instance has, by their
    /// addresses. They come and go as the inventory says.
    pub pool: Option<String>,
    /// Where the reports of the others are read.
    pub source: NodeSource,
    /// A node whose last report is older is silent.
    pub max_age_s: f64,
}

impl Default for NodesConfig {
    fn default() -> Self {
        NodesConfig {
            name: None,
            all: Vec::new(),
            pool: None,
            source: NodeSource::Gnocchi,
            // Two lost seconds and Gnocchi's own delay are no silence.
            max_age_s: 15.0,
        }
    }
}

impl NodesConfig {
    /// The name of this node.
    pub fn name(&self) -> String {
        self.name.clone().unwrap_or_else(|| {
            let uname = rustix::system::uname();
            uname.nodename().to_string_lossy().into_owned()
        })
    }

    /// Whether there are others.
    pub fn are_several(&self) -> bool {
        self.all.len() > 1 || self.pool.is_some()
    }
}

/// Where the reports of other nodes are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeSource {
    /// Gnocchi, to which each agent sends (section `[gnocchi]`).
    Gnocchi,
    /// Prometheus, which scrapes each agent (section `[prometheus]`).
    Prometheus,
}

/// Section `[gnocchi]`: with it, what this node sees is sent to Gnocchi once a second.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GnocchiConfig {
    /// Whether anything is sent; if not, reports of others are read there all the same.
    pub publish: bool,
}

impl Default for GnocchiConfig {
    fn default() -> Self {
        GnocchiConfig { publish: true }
    }
}

impl super::Config {
    /// Whether anything here asks OpenStack.
    pub fn needs_cloud(&self) -> bool {
        let heat = self.pools.keys().any(|pool| self.heat_of(pool).is_some());
        let of_pools = self.pools.values().flat_map(|pool| &pool.signals);
        let of_stacks = self.stacks.values().flat_map(|stack| &stack.signals);
        let mut signals = of_pools.chain(of_stacks);
        let asked = signals.any(|signal| matches!(signal.from, SignalSource::Gnocchi(_)));
        heat || asked || self.gnocchi.is_some()
    }

    /// Whether what is reached beyond this machine is the same in another configuration.
    pub fn reaches_as(&self, other: &super::Config) -> bool {
        (&self.cloud, &self.gnocchi, &self.nodes) == (&other.cloud, &other.gnocchi, &other.nodes)
            && (&self.lease, &self.prometheus, &self.host, &self.dns)
                == (&other.lease, &other.prometheus, &other.host, &other.dns)
            && self.inventory == other.inventory
            && self.needs_cloud() == other.needs_cloud()
    }
}
