//! How much the services are asked: what `/metrics` and the bench show.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::Method;

/// Counts since the agent's start, shared by whoever holds a clone.
#[derive(Debug, Clone, Default)]
pub struct Traffic(Arc<Mutex<BTreeMap<(&'static str, Method), Exchanges>>>);

/// Exchanges with one service by one method. Every try counts, repeated ones too.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Exchanges {
    /// All of them.
    pub requests: u64,
    /// Those without a status of 2xx or 3xx.
    pub errors: u64,
    /// How long they took in sum, in seconds.
    pub seconds: f64,
}

impl Traffic {
    /// Adds one exchange.
    pub(super) fn add(&self, service: &'static str, method: Method, took: Duration, ok: bool) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry((service, method)).or_default();
        count.requests += 1;
        count.errors += u64::from(!ok);
        count.seconds += took.as_secs_f64();
    }

    /// What was counted, by service (type in the catalog) and method.
    pub fn snapshot(&self) -> BTreeMap<(&'static str, Method), Exchanges> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.clone()
    }
}
