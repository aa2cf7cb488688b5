//! Section `[pools.NAME.local]`: members as processes on this machine.

use serde::Deserialize;

use super::Addresses;

/// Section `[pools.NAME.local]`: members as processes on this machine.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocalConfig {
    /// Command and arguments with `{name} {pool} {address} {port}`.
    pub start: Vec<String>,
    /// Asks the process to end.
    #[serde(default)]
    pub stop_signal: StopSignal,
    /// SIGKILL follows after so long.
    #[serde(default = "defaults::stop_timeout_s")]
    pub stop_timeout_s: f64,
    /// Addresses, one per member.
    pub addresses: Addresses,
    /// Port of every member.
    #[serde(default = "defaults::port")]
    pub port: u16,
    /// SIP URI with `{name} {pool} {address} {port}`.
    #[serde(default = "defaults::uri")]
    pub uri: String,
    /// So many OPTIONS answered with 2xx in a row make a member ready.
    #[serde(default = "defaults::ready_options")]
    pub ready_options: u32,
    /// Seconds between two OPTIONS, and how long an answer may take.
    #[serde(default = "defaults::ready_interval_s")]
    pub ready_interval_s: f64,
    /// A member that is not ready after so long has failed.
    #[serde(default = "defaults::boot_timeout_s")]
    pub boot_timeout_s: f64,
}

mod defaults {
    pub(super) fn stop_timeout_s() -> f64 {
        5.0
    }
    pub(super) fn port() -> u16 {
        5060
    }
    pub(super) fn uri() -> String {
        "sip:{address}:{port}".into()
    }
    pub(super) fn ready_options() -> u32 {
        3
    }
    pub(super) fn ready_interval_s() -> f64 {
        0.5
    }
    pub(super) fn boot_timeout_s() -> f64 {
        600.0
    }
}

/// The signal that asks a member process to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum StopSignal {
    /// The usual one.
    #[default]
    #[serde(rename = "SIGTERM")]
    Term,
    /// Interrupt.
    #[serde(rename = "SIGINT")]
    Int,
    /// Quit.
    #[serde(rename = "SIGQUIT")]
    Quit,
    /// Hang-up.
    #[serde(rename = "SIGHUP")]
    Hup,
    /// SIPp ends gracefully on it.
    #[serde(rename = "SIGUSR1")]
    Usr1,
    /// For programs with their own meaning of it.
    #[serde(rename = "SIGUSR2")]
    Usr2,
    /// Without asking.
    #[serde(rename = "SIGKILL")]
    Kill,
}
