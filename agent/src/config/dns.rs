//! Section `[dns]`: how the host names in members' URIs are looked up.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::Deserialize;

use crate::dns::{Family, Pace};

/// Where DNS is served, unless a server says another port.
const PORT: u16 = 53;

/// Section `[dns]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DnsConfig {
    /// Whom to ask; without any, those that /etc/resolv.conf names.
    pub servers: Vec<String>,
    /// One look-up, with all that it leads over, may take so long.
    pub timeout_s: f64,
    /// A name is looked up again when its records run out, but not sooner than this ...
    pub min_ttl_s: f64,
    /// ... and not later than this.
    pub max_ttl_s: f64,
    /// Which addresses are taken.
    pub family: Family,
}

impl Default for DnsConfig {
    fn default() -> Self {
        DnsConfig {
            servers: Vec::new(),
            timeout_s: 10.0,
            min_ttl_s: 5.0,
            max_ttl_s: 300.0,
            family: Family::default(),
        }
    }
}

impl DnsConfig {
    /// The servers; checked when the file was loaded.
    pub fn servers(&self) -> Vec<SocketAddr> {
        let servers = self.servers.iter();
        servers.filter_map(|text| parse_server(text)).collect()
    }

    /// How often and how long names are looked up.
    pub fn pace(&self) -> Pace {
        Pace {
            timeout: Duration::from_secs_f64(self.timeout_s),
            min_ttl: Duration::from_secs_f64(self.min_ttl_s),
            max_ttl: Duration::from_secs_f64(self.max_ttl_s),
            family: self.family,
        }
    }
}

/// Reads `192.0.2.53` or `192.0.2.53:5353`.
pub(super) fn parse_server(text: &str) -> Option<SocketAddr> {
    let alone = || Some(SocketAddr::new(text.parse::<IpAddr>().ok()?, PORT));
    text.parse().ok().or_else(alone)
}
