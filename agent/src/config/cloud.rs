//! Section `[cloud]`: which OpenStack cloud, and how long it may take to answer.

use serde::Deserialize;

/// Section `[cloud]`. Credentials stand in clouds.yaml, secure.yaml or `OS_*`, never here.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CloudConfig {
    /// The cloud's name in clouds.yaml. Without one: `OS_CLOUD`, else the `OS_*` variables alone.
    pub name: Option<String>,
    /// Seconds that one request may take, its connection and whole answer included.
    pub timeout_s: f64,
}

impl Default for CloudConfig {
    fn default() -> Self {
        CloudConfig {
            name: None,
            timeout_s: 30.0,
        }
    }
}
