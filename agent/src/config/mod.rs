//! The configuration: what the operator wrote in agent.toml, checked, with its defaults filled in.
//!
//! It must not touch the network, shared memory or processes: `kamscale check` runs it anywhere.
//! Every error names file, line, key and the remedy.

mod addresses;
mod check;
mod cloud;
mod describe;
mod dns;
mod feature;
mod heat;
mod host;
mod inventory;
mod keys;
mod lease;
mod local;
mod locate;
mod nodes;
mod pool;
mod prometheus;
mod signal;
mod stack;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

pub use addresses::Addresses;
pub use cloud::CloudConfig;
pub use describe::describe;
pub use dns::DnsConfig;
pub use feature::{Admit, FeatureConfig};
pub use heat::{HeatActuator, HeatConfig};
pub use host::HostConfig;
pub use inventory::InventoryConfig;
pub use keys::{FloorConfig, SignalConfig, TargetConfig};
pub use lease::LeaseConfig;
pub use local::{LocalConfig, StopSignal};
pub use nodes::{GnocchiConfig, NodeSource, NodesConfig};
pub use pool::{FixedMember, MemberTemplate, PoolConfig, ProbeConfig};
pub use prometheus::PrometheusConfig;
pub use signal::{GnocchiSignal, SignalSource};
pub use stack::StackConfig;

/// Everything in agent.toml.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The agent itself.
    #[serde(default)]
    pub agent: AgentConfig,
    /// Pools by name.
    #[serde(default)]
    pub pools: BTreeMap<String, PoolConfig>,
    /// Features by name: what is let in of them.
    #[serde(default)]
    pub features: BTreeMap<String, FeatureConfig>,
    /// OpenStack, for actuators of Heat and for Gnocchi.
    #[serde(default)]
    pub cloud: CloudConfig,
    /// With it, what this node sees is sent to Gnocchi.
    pub gnocchi: Option<GnocchiConfig>,
    /// So that one of several nodes decides.
    pub lease: Option<LeaseConfig>,
    /// The Kamailio nodes that share the pools.
    #[serde(default)]
    pub nodes: NodesConfig,
    /// Stacks by name: pools whose machines come and go together.
    #[serde(default)]
    pub stacks: BTreeMap<String, StackConfig>,
    /// The host where the agent runs; it is measured if this section is there.
    pub host: Option<HostConfig>,
    /// Prometheus as a source, if any.
    pub prometheus: Option<PrometheusConfig>,
    /// How host names in members' URIs are looked up.
    #[serde(default)]
    pub dns: DnsConfig,
    /// The file of all pools' members, if any.
    pub inventory: Option<InventoryConfig>,
}

/// Section `[agent]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AgentConfig {
    /// As in `modparam("kamscale", "instance", ...)`.
    pub instance: String,
    /// Directory of the shared memory files.
    pub shm_dir: PathBuf,
    /// Where the agent keeps what it must know after a restart.
    pub state_file: PathBuf,
    /// One JSON line per event, if wanted.
    pub audit_file: Option<PathBuf>,
    /// Where HTTP is served: unix sockets and loopback addresses.
    pub listen: OneOrMany,
    /// Seconds between two rounds of the control loop.
    pub interval_s: f64,
    /// How log lines look.
    pub log_format: LogFormat,
    /// Who decides about pools that do not say it themselves.
    pub decide: Decider,
}

impl Default for AgentConfig {
    fn default() -> Self {
        AgentConfig {
            instance: "default".into(),
            shm_dir: "/run/kamscale".into(),
            state_file: "/var/lib/kamscale/state.json".into(),
            audit_file: None,
            listen: OneOrMany::One("unix:/run/kamscale/agent.sock".into()),
            interval_s: 1.0,
            log_format: LogFormat::Text,
            decide: Decider::Agent,
        }
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// Who decides about capacity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decider {
    /// The plan function in this agent.
    Agent,
    /// Aodh's alarms, by Heat's scaling policies; the agent follows the group, and drains.
    Aodh,
}

/// One value or a list of them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany {
    /// One value.
    One(String),
    /// A list.
    Many(Vec<String>),
}

impl OneOrMany {
    /// All values.
    pub fn values(&self) -> Vec<&str> {
        match self {
            OneOrMany::One(value) => vec![value],
            OneOrMany::Many(values) => values.iter().map(String::as_str).collect(),
        }
    }
}

/// A place where HTTP is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// A unix socket.
    Unix(PathBuf),
    /// A loopback address.
    Tcp(SocketAddr),
}

impl Listen {
    /// Reads `unix:/path` or `127.0.0.1:9130`; anything that others could reach is refused.
    pub fn parse(text: &str) -> Result<Listen, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = PathBuf::from(path);
            return if path.is_absolute() {
                Ok(Listen::Unix(path))
            } else {
                Err(format!(
                    "\"{text}\" needs an absolute path, as unix:/run/kamscale/agent.sock"
                ))
            };
        }
        match text.parse::<SocketAddr>() {
            Ok(address) if address.ip().is_loopback() => Ok(Listen::Tcp(address)),
            Ok(_) => Err(format!(
                "\"{text}\" can be reached by others and the API has no password; \
                 use 127.0.0.1, [::1] or unix:/path"
            )),
            Err(_) => Err(format!(
                "\"{text}\" is no address; use unix:/run/kamscale/agent.sock or 127.0.0.1:9130"
            )),
        }
    }
}

impl AgentConfig {
    /// The places where HTTP is served; checked when the file was loaded.
    pub fn listens(&self) -> Vec<Listen> {
        self.listen
            .values()
            .into_iter()
            .filter_map(|text| Listen::parse(text).ok())
            .collect()
    }
}

/// Why a configuration was refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("{file}: cannot be read: {source}; name another file with --config")]
    Read {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Something in the file is wrong.
    #[error("{file}:{line}: {key}: {problem}")]
    Invalid {
        /// The file.
        file: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Full name of the key, as `pools.conference.max`.
        key: String,
        /// What is wrong, and what would be right.
        problem: String,
    },
}

impl Config {
    /// Reads and checks a file.
    pub fn load(file: &Path) -> Result<Config, ConfigError> {
        let text = std::fs::read_to_string(file).map_err(|source| ConfigError::Read {
            file: file.into(),
            source,
        })?;
        Config::parse(file, &text)
    }

    /// Checks a text; `file` is only named in errors.
    pub fn parse(file: &Path, text: &str) -> Result<Config, ConfigError> {
        let mut config: Config = toml::from_str(text).map_err(|error| {
            let offset = error.span().map_or(0, |span| span.start);
            ConfigError::Invalid {
                file: file.into(),
                line: locate::line_of(text, offset),
                key: locate::key_at(text, offset),
                problem: error.message().trim().replace('\n', " "),
            }
        })?;
        check::check(&config).map_err(|fault| ConfigError::Invalid {
            file: file.into(),
            line: locate::line_of(text, locate::offset_of(text, &fault.path)),
            key: fault.path.join("."),
            problem: fault.problem,
        })?;
        // Lists grow by doubling; that of ten members has room for sixteen.
        for pool in config.pools.values_mut() {
            pool.members.shrink_to_fit();
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests;
