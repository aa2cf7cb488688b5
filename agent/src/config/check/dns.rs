//! The rules for looking up names.

use super::{At, Checked};
use crate::config::DnsConfig;
use crate::config::dns::parse_server;

pub(super) fn check_dns(dns: &DnsConfig) -> Checked {
    let at = At(&["dns"]);
    for server in &dns.servers {
        let problem =
            format!("\"{server}\" is no address of a server; write 192.0.2.53 or 192.0.2.53:53");
        at.need("servers", parse_server(server).is_some(), problem)?;
    }
    at.seconds("timeout_s", dns.timeout_s, 0.1, 60.0)?;
    at.seconds("min_ttl_s", dns.min_ttl_s, 1.0, 86_400.0)?;
    at.seconds("max_ttl_s", dns.max_ttl_s, 1.0, 86_400.0)?;
    let (min, max) = (dns.min_ttl_s, dns.max_ttl_s);
    let problem = format!("min_ttl_s {min} is above max_ttl_s {max}; lower it, or raise max_ttl_s");
    at.need("min_ttl_s", min <= max, problem)
}
