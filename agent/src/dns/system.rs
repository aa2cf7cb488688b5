//! System: the real answers, from the servers that the configuration or resolv.conf names, and from
//! the host's own file. It keeps no answers: how long they hold is for those who asked.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use async_trait::async_trait;
use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::Query;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::{Hosts, TokioResolver};

use super::{Answer, LookUpError, Naptr, Records, Srv};

/// Whether the files have changed is looked at no more often.
const FILES_EVERY: Duration = Duration::from_secs(1);
const FILES: [&str; 2] = ["/etc/resolv.conf", "/etc/hosts"];
/// A server that is configured here has so long for one answer, and is asked so often.
const TIMEOUT: Duration = Duration::from_secs(2);
const ATTEMPTS: usize = 2;
/// Questions that one server may have open; names are asked for side by side.
const MOST_OPEN: usize = 1024;

/// DNS, by way of servers of its own or those of the host.
#[derive(Debug)]
pub struct Dns {
    servers: Vec<SocketAddr>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    ready: Option<Arc<Ready>>,
    looked: Option<Instant>,
    changed: [Option<SystemTime>; 2],
}

/// What was made of the files.
struct Ready {
    resolver: Result<TokioResolver, String>,
    hosts: Hosts,
}

impl std::fmt::Debug for Ready {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ready").finish_non_exhaustive()
    }
}

impl Dns {
    /// By these servers; without any by those in /etc/resolv.conf, which is read again when it changes.
    pub fn new(servers: Vec<SocketAddr>) -> Dns {
        Dns {
            servers,
            state: Mutex::default(),
        }
    }

    fn ready(&self) -> Arc<Ready> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let looked = state.looked.is_some_and(|at| at.elapsed() < FILES_EVERY);
        if let Some(ready) = state.ready.as_ref().filter(|_| looked) {
            return ready.clone();
        }
        state.looked = Some(Instant::now());
        let changed = FILES.map(|file| std::fs::metadata(file).ok()?.modified().ok());
        if let Some(ready) = state.ready.as_ref().filter(|_| state.changed == changed) {
            return ready.clone();
        }
        state.changed = changed;
        let ready = Arc::new(Ready {
            resolver: self.resolver(),
            hosts: Hosts::from_system().unwrap_or_default(),
        });
        state.ready.insert(ready).clone()
    }

    fn resolver(&self) -> Result<TokioResolver, String> {
        let problem = |error: NetError| {
            format!(
                "/etc/resolv.conf: {error}; or write servers = [\"192.0.2.53\"] in section [dns]"
            )
        };
        let mut builder = if self.servers.is_empty() {
            TokioResolver::builder_tokio().map_err(problem)?
        } else {
            let servers = self.servers.iter().map(|server| name_server(*server));
            let config = ResolverConfig::from_parts(None, Vec::new(), servers.collect());
            let provider = TokioRuntimeProvider::default();
            let mut builder = TokioResolver::builder_with_config(config, provider);
            builder.options_mut().timeout = TIMEOUT;
            builder.options_mut().attempts = ATTEMPTS;
            builder
        };
        let options = builder.options_mut();
        options.cache_size = 0;
        options.use_hosts_file = ResolveHosts::Never;
        options.max_active_requests = MOST_OPEN;
        builder.build().map_err(problem)
    }

    /// The records of a type; none if DNS says that there are none.
    async fn ask<T>(
        &self,
        name: &str,
        kind: RecordType,
        pick: impl Fn(&RData) -> Option<T>,
    ) -> Result<Answer<T>, LookUpError> {
        let ready = self.ready();
        let resolver = ready.resolver.as_ref();
        let resolver = resolver.map_err(|problem| LookUpError::Unfit(problem.clone()))?;
        match resolver.lookup(whole(name)?, kind).await {
            Ok(lookup) => Ok(answer(&lookup, pick)),
            Err(error) if error.is_no_records_found() => Ok(Answer::none()),
            Err(error) => Err(LookUpError::Failed {
                kind: kind.into(),
                name: name.into(),
                problem: problem(&error),
            }),
        }
    }
}

fn name_server(server: SocketAddr) -> NameServerConfig {
    let mut config = NameServerConfig::udp_and_tcp(server.ip());
    for connection in &mut config.connections {
        connection.port = server.port();
    }
    config
}

/// A name with a dot is whole; one without may be completed by resolv.conf's `search`.
fn whole(name: &str) -> Result<Name, LookUpError> {
    let parsed = Name::from_ascii(name);
    let mut parsed = parsed
        .map_err(|error| LookUpError::Unfit(format!("\"{name}\" is no host name: {error}")))?;
    if name.contains('.') {
        parsed.set_fqdn(true);
    }
    Ok(parsed)
}

fn answer<T>(lookup: &Lookup, pick: impl Fn(&RData) -> Option<T>) -> Answer<T> {
    let records = lookup.answers();
    Answer {
        // Aliases on the way count, too.
        ttl_s: records.iter().map(|record| record.ttl).min().unwrap_or(0),
        records: records
            .iter()
            .filter_map(|record| pick(&record.data))
            .collect(),
    }
}

/// In words, without what changes from one try to the next.
fn problem(error: &NetError) -> String {
    match error {
        NetError::Timeout => "no answer in time".into(),
        NetError::Dns(DnsError::ResponseCode(code)) => format!("the server says {code}"),
        error => error.to_string(),
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[async_trait]
impl Records for Dns {
    fn hosts(&self, name: &str) -> Option<Vec<IpAddr>> {
        let ready = self.ready();
        let name = whole(&name.to_ascii_lowercase()).ok()?;
        let of = |kind| {
            ready
                .hosts
                .lookup_static_host(&Query::query(name.clone(), kind))
        };
        let found: Vec<IpAddr> = [RecordType::A, RecordType::AAAA]
            .into_iter()
            .filter_map(of)
            .flat_map(|lookup| answer(&lookup, RData::ip_addr).records)
            .collect();
        (!found.is_empty()).then_some(found)
    }

    async fn naptr(&self, name: &str) -> Result<Answer<Naptr>, LookUpError> {
        let pick = |data: &RData| match data {
            RData::NAPTR(record) => Some(Naptr {
                order: record.order,
                preference: record.preference,
                flags: text(&record.flags),
                service: text(&record.services),
                replacement: record.replacement.to_ascii(),
            }),
            _ => None,
        };
        self.ask(name, RecordType::NAPTR, pick).await
    }

    async fn srv(&self, name: &str) -> Result<Answer<Srv>, LookUpError> {
        let pick = |data: &RData| match data {
            RData::SRV(record) => Some(Srv {
                priority: record.priority,
                weight: record.weight,
                port: record.port,
                target: record.target.to_ascii(),
            }),
            _ => None,
        };
        self.ask(name, RecordType::SRV, pick).await
    }

    async fn ipv4(&self, name: &str) -> Result<Answer<IpAddr>, LookUpError> {
        self.ask(name, RecordType::A, RData::ip_addr).await
    }

    async fn ipv6(&self, name: &str) -> Result<Answer<IpAddr>, LookUpError> {
        self.ask(name, RecordType::AAAA, RData::ip_addr).await
    }
}
