//! Target: what of a SIP URI decides where it leads, and the same URI with an address in it. It asks
//! nobody; the full grammar is Kamailio's.

use std::net::IpAddr;

use super::LookUpError;

/// How SIP travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
    /// TLS over TCP.
    Tls,
    /// SCTP.
    Sctp,
}

impl Transport {
    /// The value of a URI's `transport`.
    pub fn name(self) -> &'static str {
        match self {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
            Transport::Tls => "tls",
            Transport::Sctp => "sctp",
        }
    }

    fn from_name(name: &str) -> Option<Transport> {
        let all = [
            Transport::Udp,
            Transport::Tcp,
            Transport::Tls,
            Transport::Sctp,
        ];
        all.into_iter()
            .find(|transport| transport.name().eq_ignore_ascii_case(name))
    }

    /// The port without SRV records (RFC 3261, 19.1.2).
    pub(super) fn port(self) -> u16 {
        match self {
            Transport::Tls => 5061,
            Transport::Udp | Transport::Tcp | Transport::Sctp => 5060,
        }
    }

    /// What stands before the name in SRV records (RFC 3263, 4.1).
    pub(super) fn service(self) -> &'static str {
        match self {
            Transport::Udp => "_sip._udp",
            Transport::Tcp => "_sip._tcp",
            Transport::Tls => "_sips._tcp",
            Transport::Sctp => "_sip._sctp",
        }
    }
}

/// One place where a name leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Destination {
    /// Its address.
    pub ip: IpAddr,
    /// Its port.
    pub port: u16,
    /// How it is reached.
    pub transport: Transport,
    /// The lowest comes first, as in SRV records.
    pub priority: u16,
    /// Its share among those of its priority.
    pub weight: u16,
}

/// A URI with a host name, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target<'u> {
    /// `sip:` or `sips:`, and what stands before the host.
    before: &'u str,
    /// The host name.
    pub name: &'u str,
    /// Its port, if it says one.
    pub port: Option<u16>,
    /// Parameters and headers.
    after: &'u str,
    /// Its transport, if it says one.
    pub transport: Option<Transport>,
    /// Whether it is `sips:`.
    pub secure: bool,
}

/// Whether a URI has a host name, so that its address must be looked up.
pub fn is_name(uri: &str) -> bool {
    let (_, host, _) = split(uri);
    let host = host.split_once(':').map_or(host, |(host, _)| host);
    !host.starts_with('[') && host.parse::<IpAddr>().is_err()
}

/// What stands before `host[:port]`, that, and what follows it.
fn split(uri: &str) -> (&str, &str, &str) {
    let scheme = uri.find(':').map_or(0, |at| at + 1);
    let end = uri[scheme..]
        .find([';', '?'])
        .map_or(uri.len(), |at| scheme + at);
    let host = uri[scheme..end]
        .rfind('@')
        .map_or(scheme, |at| scheme + at + 1);
    (&uri[..host], &uri[host..end], &uri[end..])
}

impl<'u> Target<'u> {
    /// Takes a URI apart that [`is_name`].
    ///
    /// # Errors
    /// [`LookUpError::Unfit`]: its port is no number, or its transport cannot be looked up.
    pub fn parse(uri: &'u str) -> Result<Target<'u>, LookUpError> {
        let unfit = |problem: String| LookUpError::Unfit(format!("{uri}: {problem}"));
        let (before, host, after) = split(uri);
        let (name, port) = match host.split_once(':') {
            Some((name, port)) => {
                let number = port.parse().ok().filter(|port| *port > 0);
                let problem = || unfit(format!("\"{port}\" is no port; write 1 to 65535"));
                (name, Some(number.ok_or_else(problem)?))
            }
            None => (host, None),
        };
        let parameters = after.split('?').next().unwrap_or_default().split(';');
        let transport = parameters
            .filter_map(|parameter| parameter.split_once('='))
            .find(|(key, _)| key.eq_ignore_ascii_case("transport"));
        let transport = transport.map(|(_, value)| {
            Transport::from_name(value).ok_or_else(|| {
                unfit(format!(
                    "transport {value} is not looked up; write udp, tcp, tls or sctp, or an address"
                ))
            })
        });
        let secure = before.starts_with("sips:");
        Ok(Target {
            before,
            name,
            port,
            after,
            transport: transport.transpose()?,
            secure,
        })
    }

    /// The transport where neither the URI nor DNS says one.
    pub(super) fn default_transport(&self) -> Transport {
        match self.transport {
            // Secure means TLS, whatever carries it (RFC 3261, 26.2.2).
            Some(Transport::Tcp) | None if self.secure => Transport::Tls,
            Some(transport) => transport,
            None => Transport::Udp,
        }
    }

    /// The URI with this address and port in place of the name: nobody who sends there asks DNS.
    pub fn at(&self, destination: &Destination) -> String {
        let Destination { port, .. } = destination;
        let host = match destination.ip {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        // What everybody takes for granted is not said.
        let said =
            self.transport.is_some() || self.secure || destination.transport == Transport::Udp;
        let transport = if said {
            String::new()
        } else {
            format!(";transport={}", destination.transport.name())
        };
        format!("{}{host}:{port}{transport}{}", self.before, self.after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_are_looked_up() {
        for (uri, expected) in [
            ("sip:10.0.0.1", false),
            ("sip:u@10.0.0.1:5070;transport=tcp", false),
            ("sips:[2001:db8::1]:5061", false),
            ("sip:conf.example.net", true),
            ("sip:10.example.net:5060", true),
            ("sips:u@conf;lr", true),
        ] {
            assert_eq!(is_name(uri), expected, "{uri}");
        }
    }

    #[test]
    fn a_uri_keeps_all_but_its_name() {
        let four = Destination {
            ip: "10.0.0.1".parse().unwrap(),
            port: 5080,
            transport: Transport::Udp,
            priority: 0,
            weight: 0,
        };
        let six = Destination {
            ip: "2001:db8::1".parse().unwrap(),
            transport: Transport::Tls,
            ..four
        };
        for (uri, at, expected) in [
            ("sip:conf.example.net", four, "sip:10.0.0.1:5080"),
            ("sip:u@conf:9;lr?X=y", four, "sip:u@10.0.0.1:5080;lr?X=y"),
            (
                "sip:conf;lr",
                six,
                "sip:[2001:db8::1]:5080;transport=tls;lr",
            ),
            (
                "sip:conf;Transport=TLS",
                six,
                "sip:[2001:db8::1]:5080;Transport=TLS",
            ),
            ("sips:conf", six, "sips:[2001:db8::1]:5080"),
        ] {
            assert_eq!(Target::parse(uri).unwrap().at(&at), expected);
        }
    }

    #[test]
    fn what_cannot_be_looked_up_says_why() {
        for (uri, words) in [
            ("sip:conf:0", "\"0\" is no port"),
            ("sip:conf:sip", "\"sip\" is no port"),
            ("sip:conf;transport=ws", "transport ws"),
        ] {
            let error = Target::parse(uri).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
