//! The few parts of a member's URI that routing needs: its host and port, and its address when the
//! host is one. The full grammar (RFC 3261, 25.1) is Kamailio's; the text has passed
//! [`crate::spec::is_uri`].

use std::net::{IpAddr, Ipv6Addr};
use std::ops::Range;

/// Where `host[:port]` stands in the URI.
pub(crate) fn host_port(uri: &str) -> Range<usize> {
    let bytes = uri.as_bytes();
    let find = |from: usize, wanted: &[u8]| {
        bytes[from..]
            .iter()
            .position(|b| wanted.contains(b))
            .map(|i| from + i)
    };
    let after_scheme = find(0, b":").map_or(0, |i| i + 1);
    let end = find(after_scheme, b";?").unwrap_or(uri.len());
    let at = bytes[after_scheme..end].iter().rposition(|b| *b == b'@');
    at.map_or(after_scheme, |i| after_scheme + i + 1)..end
}

/// The address and port that a URI names; `None` if its host is a name, or it is no URI.
#[must_use]
pub fn address_of(uri: &str) -> Option<(IpAddr, u16)> {
    crate::spec::is_uri(uri)
        .then(|| address(uri, host_port(uri)))
        .flatten()
}

/// The transport that a URI names, in lower case: `udp` where it names none, `tls` for `sips:`.
#[must_use]
pub fn transport_of(uri: &[u8]) -> String {
    let text = String::from_utf8_lossy(uri).to_ascii_lowercase();
    let named = text.split(';').find_map(|p| p.strip_prefix("transport="));
    let named = named.map(|transport| transport.split('?').next().unwrap_or(transport).to_owned());
    let usual = if text.starts_with("sips:") {
        "tls"
    } else {
        "udp"
    };
    named.unwrap_or_else(|| usual.to_owned())
}

/// The address and port, if the host is an address. The port is 5060, or 5061 for `sips:` and TLS.
pub(crate) fn address(uri: &str, host: Range<usize>) -> Option<(IpAddr, u16)> {
    let mut parameters = uri[host.end..].split(';');
    let is_tls = |p: &str| p.eq_ignore_ascii_case("transport=tls");
    let secure = uri.starts_with("sips:") || parameters.any(is_tls);
    let default_port = if secure { 5061 } else { 5060 };
    let text = &uri[host];
    if let Some(rest) = text.strip_prefix('[') {
        let (host, port) = rest.split_once(']')?;
        let port = port
            .strip_prefix(':')
            .map_or(Some(default_port), |p| p.parse().ok())?;
        return Some((IpAddr::V6(host.parse::<Ipv6Addr>().ok()?), port));
    }
    let (host, port) = match text.split_once(':') {
        Some((host, port)) => (host, port.parse().ok()?),
        None => (text, default_port),
    };
    // A name is no address: the cheap look saves parsing it.
    let first = host.bytes().next().filter(u8::is_ascii_digit);
    first.and_then(|_| host.parse().ok()).map(|ip| (ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_and_port_are_found_in_every_form() {
        for (uri, host, address_text) in [
            ("sip:10.0.0.1", "10.0.0.1", Some("10.0.0.1:5060")),
            (
                "sip:u@10.0.0.1:5070;transport=tcp",
                "10.0.0.1:5070",
                Some("10.0.0.1:5070"),
            ),
            (
                "sips:[2001:db8::1];lr",
                "[2001:db8::1]",
                Some("[2001:db8::1]:5061"),
            ),
            ("sip:conf.example.net:5080", "conf.example.net:5080", None),
            ("sip:10.0.0.1:notaport", "10.0.0.1:notaport", None),
        ] {
            assert_eq!(&uri[host_port(uri)], host);
            let found =
                address(uri, host_port(uri)).map(|(ip, port)| std::net::SocketAddr::new(ip, port));
            assert_eq!(found, address_text.map(|a| a.parse().unwrap()), "{uri}");
        }
    }
}
