//! Tests of look-ups: the order of RFC 3263 and the task's patience against records that a test
//! writes, the rest against a real server ([`real`]).

mod order;
mod real;
mod task;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;

use async_trait::async_trait;

use super::*;

/// Records as a test writes them: `A conf.example.net`. What is not written there is not there.
#[derive(Debug, Default)]
struct Zone {
    naptr: HashMap<String, Vec<Naptr>>,
    srv: HashMap<String, Vec<Srv>>,
    ips: HashMap<String, Vec<IpAddr>>,
    hosts: HashMap<String, Vec<IpAddr>>,
    /// Names of which every question fails.
    broken: Vec<String>,
    /// Names of which no question is answered.
    silent: Vec<String>,
    ttl_s: u32,
    /// What was asked, in its order.
    asked: Mutex<Vec<String>>,
}

impl Zone {
    fn new() -> Zone {
        Zone {
            ttl_s: 60,
            ..Zone::default()
        }
    }

    fn with_ip(mut self, name: &str, ips: &[&str]) -> Zone {
        let ips = ips.iter().map(|ip| ip.parse().unwrap()).collect();
        self.ips.insert(name.into(), ips);
        self
    }

    fn with_srv(mut self, name: &str, records: &[(u16, u16, u16, &str)]) -> Zone {
        let srv = |&(priority, weight, port, target): &(u16, u16, u16, &str)| Srv {
            priority,
            weight,
            port,
            target: target.into(),
        };
        self.srv
            .insert(name.into(), records.iter().map(srv).collect());
        self
    }

    fn with_naptr(mut self, name: &str, records: &[(u16, u16, &str, &str)]) -> Zone {
        let naptr = |&(order, preference, service, replacement): &(u16, u16, &str, &str)| Naptr {
            order,
            preference,
            flags: "s".into(),
            service: service.into(),
            replacement: replacement.into(),
        };
        self.naptr
            .insert(name.into(), records.iter().map(naptr).collect());
        self
    }

    async fn answer<T: Clone>(
        &self,
        kind: &'static str,
        name: &str,
        records: Option<Vec<T>>,
    ) -> Result<Answer<T>, LookUpError> {
        self.asked.lock().unwrap().push(format!("{kind} {name}"));
        if self.silent.iter().any(|silent| silent == name) {
            std::future::pending::<()>().await;
        }
        if self.broken.iter().any(|broken| broken == name) {
            return Err(LookUpError::Failed {
                kind,
                name: name.into(),
                problem: "the server says Server Failure".into(),
            });
        }
        Ok(records.map_or(Answer::none(), |records| Answer {
            records,
            ttl_s: self.ttl_s,
        }))
    }

    fn family(&self, name: &str, six: bool) -> Option<Vec<IpAddr>> {
        let ips = self.ips.get(name)?.iter().filter(|ip| ip.is_ipv6() == six);
        Some(ips.copied().collect())
    }
}

#[async_trait]
impl Records for Zone {
    fn hosts(&self, name: &str) -> Option<Vec<IpAddr>> {
        self.hosts.get(name).cloned()
    }
    async fn naptr(&self, name: &str) -> Result<Answer<Naptr>, LookUpError> {
        self.answer("NAPTR", name, self.naptr.get(name).cloned())
            .await
    }
    async fn srv(&self, name: &str) -> Result<Answer<Srv>, LookUpError> {
        self.answer("SRV", name, self.srv.get(name).cloned()).await
    }
    async fn ipv4(&self, name: &str) -> Result<Answer<IpAddr>, LookUpError> {
        self.answer("A", name, self.family(name, false)).await
    }
    async fn ipv6(&self, name: &str) -> Result<Answer<IpAddr>, LookUpError> {
        self.answer("AAAA", name, self.family(name, true)).await
    }
}

/// Where a URI leads, as URIs.
async fn leads(records: &dyn Records, uri: &str) -> Result<(Vec<String>, u32), LookUpError> {
    let target = Target::parse(uri)?;
    let located = locate(records, Family::default(), &target).await?;
    let uris = located.destinations.iter().map(|d| target.at(d));
    Ok((uris.collect(), located.ttl_s))
}
