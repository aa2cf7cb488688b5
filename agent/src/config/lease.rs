//! Section `[lease]`: the etcd whose lease says which one of several agents decides and acts.

use std::path::PathBuf;

use serde::Deserialize;

/// Section `[lease]`. Without it, this agent is the only one and always acts.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeaseConfig {
    /// The etcd servers of one cluster, as `https://etcd1.example.net:2379`. They are asked one after
    /// the other, the one that answered last first.
    pub endpoints: Vec<String>,
    /// Seconds after which a silent leader leads no more. Another agent takes over a little later:
    /// after this time, one second and a third of this time at most.
    #[serde(default = "default_ttl_s")]
    pub ttl_s: f64,
    /// Where all keys begin; agents of the same `agent.instance` below the same prefix share one lease.
    #[serde(default = "default_prefix")]
    pub prefix: String,
    /// The etcd user, if etcd asks for one. It needs reading and writing below the prefix.
    pub user: Option<String>,
    /// The file with the user's password and nothing else; read whenever a token is needed.
    pub password_file: Option<PathBuf>,
    /// The certificate authority of the endpoints, in PEM; without it, those of the system.
    pub ca_file: Option<PathBuf>,
    /// The agent's own certificate, in PEM, if etcd asks for one.
    pub certificate_file: Option<PathBuf>,
    /// The key of `certificate_file`, in PEM.
    pub key_file: Option<PathBuf>,
}

impl Default for LeaseConfig {
    /// Names no server yet.
    fn default() -> Self {
        LeaseConfig {
            endpoints: Vec::new(),
            ttl_s: default_ttl_s(),
            prefix: default_prefix(),
            user: None,
            password_file: None,
            ca_file: None,
            certificate_file: None,
            key_file: None,
        }
    }
}

impl LeaseConfig {
    /// Checks one that stands in no file.
    ///
    /// # Errors
    /// What is wrong, and what would be right.
    pub fn check(&self) -> Result<(), String> {
        let checked = super::check::check_lease(self);
        checked.map_err(|fault| match fault.path.last() {
            Some(key) => format!("{key}: {}", fault.problem),
            None => fault.problem,
        })
    }
}

fn default_ttl_s() -> f64 {
    10.0
}

fn default_prefix() -> String {
    "/kamscale".into()
}
