//! Section `[prometheus]`: where other nodes and exporters are read, if not in Gnocchi.

use std::path::PathBuf;

use serde::Deserialize;

/// Section `[prometheus]`: a server with Prometheus' HTTP API.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrometheusConfig {
    /// Its base, as `http://127.0.0.1:9090`; what stands before `/api/v1`.
    pub url: String,
    /// Seconds that one answer may take.
    #[serde(default = "default_timeout_s")]
    pub timeout_s: f64,
    /// Further matchers for what nodes report, as `cluster="frankfurt"`: for a server on which nodes
    /// of other systems have the same names.
    #[serde(default)]
    pub matchers: String,
    /// Certificates (PEM) that sign the server's, instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Name for HTTP basic authentication.
    pub user: Option<String>,
    /// File with the password; read again for each connection of the agent to a configuration.
    pub password_file: Option<PathBuf>,
}

fn default_timeout_s() -> f64 {
    5.0
}
