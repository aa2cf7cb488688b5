//! Records: what is asked of DNS, as far as SIP needs it. Whoever answers is behind a trait, so that
//! faults can be played that no server makes on demand.

use std::fmt::Debug;
use std::net::IpAddr;

use async_trait::async_trait;
use serde::Deserialize;

use super::LookUpError;

/// Records, and for how many seconds they may be used. There may be none of that type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<T> {
    /// The records.
    pub records: Vec<T>,
    /// The shortest time of all that led to them.
    pub ttl_s: u32,
}

impl<T> Answer<T> {
    /// There are none.
    pub fn none() -> Answer<T> {
        Answer {
            records: Vec::new(),
            ttl_s: u32::MAX,
        }
    }
}

/// A NAPTR record (RFC 3403) as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Naptr {
    /// The lowest first.
    pub order: u16,
    /// Within an order: the lowest first.
    pub preference: u16,
    /// `S` where the replacement is the name of SRV records.
    pub flags: String,
    /// As `SIP+D2U`.
    pub service: String,
    /// The name to go on with.
    pub replacement: String,
}

/// An SRV record (RFC 2782).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Srv {
    /// The lowest first.
    pub priority: u16,
    /// The share within a priority.
    pub weight: u16,
    /// The port.
    pub port: u16,
    /// The host, or `.` for a service that is not there.
    pub target: String,
}

/// Which addresses are looked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// IPv4; IPv6 where a host has no IPv4.
    #[default]
    Ipv4First,
    /// IPv6; IPv4 where a host has no IPv6.
    Ipv6First,
    /// IPv4 alone.
    Ipv4,
    /// IPv6 alone.
    Ipv6,
}

/// Who answers. That there is no such name, or no such record of it, is an answer; no answer is an
/// error.
#[async_trait]
pub trait Records: Send + Sync + Debug {
    /// What the host's own file says of a name, if anything: it goes before DNS.
    fn hosts(&self, name: &str) -> Option<Vec<IpAddr>>;
    /// NAPTR records.
    async fn naptr(&self, name: &str) -> Result<Answer<Naptr>, LookUpError>;
    /// SRV records.
    async fn srv(&self, name: &str) -> Result<Answer<Srv>, LookUpError>;
    /// A records.
    async fn ipv4(&self, name: &str) -> Result<Answer<IpAddr>, LookUpError>;
    /// AAAA records.
    async fn ipv6(&self, name: &str) -> Result<Answer<IpAddr>, LookUpError>;
}
