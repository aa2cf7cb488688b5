//! The lease with real etcd servers, and its rules with a fake one that loses, delays and forgets.

mod access;
mod election;
mod faults;
mod model;
mod servers;
mod table;

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use super::clock::Clock;
use super::{Lease, LeaseError, Role, http};
use crate::config::LeaseConfig;

/// The time to live in these tests: etcd's servers and their disk are shared with other tests.
const TTL_S: f64 = 3.0;

fn config(endpoints: &[String]) -> LeaseConfig {
    LeaseConfig {
        endpoints: endpoints.to_vec(),
        ttl_s: TTL_S,
        prefix: "/kamscale".into(),
        user: None,
        password_file: None,
        ca_file: None,
        certificate_file: None,
        key_file: None,
    }
}

fn node(endpoints: &[String], name: &str) -> Lease {
    Lease::new(&config(endpoints), name, "default").unwrap()
}

/// A node whose clock stands still: it never stops believing by itself.
fn node_without_time(endpoints: &[String], name: &str) -> Lease {
    let config = config(endpoints);
    let transport = Box::new(http::Http::new(&config).unwrap());
    let clock = Clock::told_by(|| Duration::ZERO);
    Lease::over(transport, clock, &config, name, "default").unwrap()
}

fn follows(leader: &str) -> Role {
    Role::Follower {
        leader: Some(leader.into()),
    }
}

fn values(entries: &[(&str, &str)]) -> BTreeMap<String, Option<Vec<u8>>> {
    let entries = entries.iter();
    entries
        .map(|(name, value)| ((*name).into(), Some((*value).into())))
        .collect()
}

/// Asks again until there is an answer.
async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    let asking = async {
        loop {
            if let Some(found) = ask().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let found = tokio::time::timeout(Duration::from_secs(60), asking).await;
    found.unwrap_or_else(|_| panic!("waited a minute for: {what}"))
}

/// Keeps the lease until etcd answers; a busy machine may need more than one try.
async fn role(node: &Lease) -> Role {
    until("an answer to keep", async || node.keep().await.ok()).await
}

async fn stored(node: &Lease, entries: &[(&str, &str)]) -> u64 {
    until("a store", async || {
        match node.store(values(entries)).await {
            Ok(revision) => Some(revision),
            Err(LeaseError::Away { .. }) => None,
            Err(error) => panic!("{error}"),
        }
    })
    .await
}
