//! Section `[host]`: the host where the agent runs, measured as a member of a pool.

use serde::Deserialize;

/// Section `[host]`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HostConfig {
    /// The pool that this host is a member of: its shares are those of one member.
    pub pool: Option<String>,
    /// The interfaces that count; without any, all that have hardware behind them.
    pub interfaces: Vec<String>,
    /// What each of them can carry in each direction; without it, as fast as the interface says.
    pub network_bytes_per_s: Option<f64>,
}
