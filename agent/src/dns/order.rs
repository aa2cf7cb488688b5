//! Order: from a URI to its destinations, as RFC 3263 (section 4) says. One look-up, no memory.

use std::net::IpAddr;

use super::{Answer, Destination, Family, Naptr, Records, Srv, Target, Transport};

/// The host's own file names no time; so often it is looked at again.
const HOSTS_TTL_S: u32 = 30;
/// An SRV record's host that says: there is no such service.
const NO_SERVICE: &str = ".";

/// Why a look-up gave no destination.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LookUpError {
    /// DNS answered, and there is none.
    #[error("{0} has no address in DNS")]
    Absent(String),
    /// DNS says that the service is not there.
    #[error("SRV records say that {0} has no such service")]
    NoService(String),
    /// DNS did not answer as it should.
    #[error("{kind} records of {name}: {problem}")]
    Failed {
        /// What was asked for.
        kind: &'static str,
        /// Of which name.
        name: String,
        /// In words.
        problem: String,
    },
    /// The URI itself, or the host's configuration.
    #[error("{0}")]
    Unfit(String),
}

/// What a look-up found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// At least one.
    pub destinations: Vec<Destination>,
    /// For how many seconds that may be used.
    pub ttl_s: u32,
}

/// Looks up where a URI with a host name leads.
///
/// # Errors
/// [`LookUpError`]; nothing is known then.
pub async fn locate(
    records: &dyn Records,
    family: Family,
    target: &Target<'_>,
) -> Result<Located, LookUpError> {
    let mut walk = Walk {
        records,
        family,
        ttl_s: u32::MAX,
    };
    let destinations = walk.destinations(target).await?;
    if destinations.is_empty() {
        return Err(LookUpError::Absent(target.name.into()));
    }
    Ok(Located {
        destinations,
        ttl_s: walk.ttl_s,
    })
}

/// One look-up: what it led over decides how long it holds.
struct Walk<'r> {
    records: &'r dyn Records,
    family: Family,
    ttl_s: u32,
}

impl Walk<'_> {
    async fn destinations(&mut self, target: &Target<'_>) -> Result<Vec<Destination>, LookUpError> {
        let name = target.name;
        let mut transport = target.default_transport();
        if let Some(port) = target.port {
            return self.at(name, plain(port, transport)).await;
        }
        if let Some(ips) = self.records.hosts(name) {
            self.ttl_s = HOSTS_TTL_S;
            let to = plain(transport.port(), transport);
            return Ok(ips.into_iter().map(|ip| Destination { ip, ..to }).collect());
        }
        let services = self.services(target).await?;
        for (carried, service) in &services {
            let found = self.of_service(*carried, service).await?;
            if !found.is_empty() {
                return Ok(found);
            }
        }
        // What DNS recommends holds for the address, too.
        if let Some((carried, _)) = services.first() {
            transport = *carried;
        }
        self.at(name, plain(transport.port(), transport)).await
    }

    /// The names of SRV records in the order in which they count.
    async fn services(
        &mut self,
        target: &Target<'_>,
    ) -> Result<Vec<(Transport, String)>, LookUpError> {
        let of = |transport: Transport| {
            let service = format!("{}.{}", transport.service(), target.name);
            (transport, service)
        };
        if target.transport.is_some() {
            return Ok(vec![of(target.default_transport())]);
        }
        let answer = self.records.naptr(target.name).await?;
        let mut naptr: Vec<(Transport, Naptr)> = self
            .take(answer)
            .into_iter()
            .filter_map(|record| Some((usable(&record, target.secure)?, record)))
            .collect();
        naptr.sort_by_key(|(_, record)| (record.order, record.preference));
        if !naptr.is_empty() {
            let names = naptr.into_iter().map(|(t, record)| (t, record.replacement));
            return Ok(names.collect());
        }
        Ok(if target.secure {
            vec![of(Transport::Tls)]
        } else {
            vec![of(Transport::Udp), of(Transport::Tcp)]
        })
    }

    /// The hosts that SRV records of a name lead to.
    async fn of_service(
        &mut self,
        transport: Transport,
        service: &str,
    ) -> Result<Vec<Destination>, LookUpError> {
        let answer = self.records.srv(service).await?;
        let records = self.take(answer);
        let mut found = Vec::new();
        let mut failed = None;
        let is_there = |record: &&Srv| record.target != NO_SERVICE;
        if !records.is_empty() && !records.iter().any(|record| is_there(&record)) {
            return Err(LookUpError::NoService(service.into()));
        }
        for record in records.iter().filter(is_there) {
            let to = Destination {
                priority: record.priority,
                weight: record.weight,
                ..plain(record.port, transport)
            };
            match self.at(&record.target, to).await {
                Ok(destinations) => found.extend(destinations),
                Err(error) => failed = Some(error),
            }
        }
        match failed {
            Some(error) if found.is_empty() => return Err(error),
            // The others serve; the missing one is asked for again soon.
            Some(_) => self.ttl_s = 0,
            None => {}
        }
        Ok(found)
    }

    /// The addresses of a host.
    async fn at(&mut self, host: &str, to: Destination) -> Result<Vec<Destination>, LookUpError> {
        let (first, second) = match self.family {
            Family::Ipv4 => (false, None),
            Family::Ipv6 => (true, None),
            Family::Ipv4First => (false, Some(true)),
            Family::Ipv6First => (true, Some(false)),
        };
        if let Some(ips) = self.records.hosts(host) {
            self.ttl_s = self.ttl_s.min(HOSTS_TTL_S);
            return Ok(ips.into_iter().map(|ip| Destination { ip, ..to }).collect());
        }
        let mut ips = self.addresses(host, first).await?;
        if let Some(second) = second.filter(|_| ips.is_empty()) {
            ips = self.addresses(host, second).await?;
        }
        Ok(ips.into_iter().map(|ip| Destination { ip, ..to }).collect())
    }

    async fn addresses(&mut self, host: &str, six: bool) -> Result<Vec<IpAddr>, LookUpError> {
        let answer = match six {
            true => self.records.ipv6(host).await?,
            false => self.records.ipv4(host).await?,
        };
        Ok(self.take(answer))
    }

    fn take<T>(&mut self, answer: Answer<T>) -> Vec<T> {
        if !answer.records.is_empty() {
            self.ttl_s = self.ttl_s.min(answer.ttl_s);
        }
        answer.records
    }
}

/// A destination whose address is not known yet.
fn plain(port: u16, transport: Transport) -> Destination {
    Destination {
        ip: IpAddr::from([0; 4]),
        port,
        transport,
        priority: 0,
        weight: 0,
    }
}

/// What a NAPTR record stands for, if it is one of SIP that leads to SRV records.
fn usable(record: &Naptr, secure: bool) -> Option<Transport> {
    let is_srv = record.flags.eq_ignore_ascii_case("s");
    let transport = match record.service.to_ascii_uppercase().as_str() {
        "SIPS+D2T" => Transport::Tls,
        "SIP+D2T" if !secure => Transport::Tcp,
        "SIP+D2U" if !secure => Transport::Udp,
        "SIP+D2S" if !secure => Transport::Sctp,
        _ => return None,
    };
    is_srv.then_some(transport)
}
