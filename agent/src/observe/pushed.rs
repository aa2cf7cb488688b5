//! Pushed signals: what scripts and exporters measured and brought here, with the time it came.
//!
//! They are not kept over a restart: who measures will bring the next one.

use std::collections::BTreeMap;

use crate::plan::{Signal, SignalKind};

/// What is older than a day is of no use for any policy.
const FORGET_S: f64 = 86_400.0;

/// The newest of each signal.
#[derive(Debug, Default)]
pub struct Pushed {
    signals: BTreeMap<(String, SignalKind, Option<String>), (Signal, f64)>,
}

impl Pushed {
    /// Takes a signal of a pool in; it replaces the one before.
    pub fn add(&mut self, pool: &str, signal: Signal, now_s: f64) {
        self.signals
            .retain(|_, (_, came_s)| now_s - *came_s < FORGET_S);
        let key = (pool.to_owned(), signal.kind, signal.of.clone());
        self.signals.insert(key, (signal, now_s));
    }

    /// The signals of a pool; their age grows from the moment they came.
    pub fn of(&self, pool: &str, now_s: f64) -> Vec<Signal> {
        let own = self.signals.iter().filter(|((name, ..), _)| name == pool);
        let aged = own.map(|(_, (signal, came_s))| Signal {
            age_s: signal.age_s + (now_s - came_s).max(0.0),
            ..signal.clone()
        });
        aged.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_counts_and_grows_old() {
        let cpu = |used| Signal {
            kind: SignalKind::Cpu,
            of: None,
            used,
            reported: Some(2),
            age_s: 0.0,
        };
        let mut pushed = Pushed::default();
        pushed.add("ccp", cpu(0.5), 10.0);
        pushed.add("ccp", cpu(0.7), 20.0);
        let seen = pushed.of("ccp", 50.0);
        assert_eq!(seen.len(), 1);
        assert_eq!((seen[0].used, seen[0].age_s), (0.7, 30.0));
        assert!(pushed.of("queue", 50.0).is_empty());
        assert_eq!(pushed.of("ccp", 5.0)[0].age_s, 0.0, "the clock went back");
    }
}
