//! Counts: what the pools' counters say over many rounds: calls begun, requests refused, demand that
//! collapsed. It judges nothing beyond that.

use std::collections::{BTreeSet, VecDeque};

use kamscale_shm::{ById, xxh3};

use super::Rate;

/// A collapse is looked for over so long.
const FALL_S: f64 = 120.0;
/// It is one if calls fell by more than this share ...
const FALL_SHARE: f64 = 0.6;
/// ... and by at least so many: two callers who hang up are no outage.
const FALL_CALLS: u64 = 5;

/// What was read of one pool in one round.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// Of each member by its identity: calls begun on it since Kamailio's start.
    pub begun: Vec<(u64, u64)>,
    /// Calls on all its members.
    pub calls: u64,
    /// Times no member was to be had, since Kamailio's start; `None` if Kamailio has no row for it.
    pub refused: Option<u64>,
}

/// Counts of all pools.
#[derive(Debug, Default)]
pub struct Counts {
    boot_id: u64,
    /// By the hash of the name.
    pools: ById<PoolCounts>,
    /// Pools whose demand collapsed.
    fell: BTreeSet<String>,
}

#[derive(Debug, Default)]
struct PoolCounts {
    begun: ById<u64>,
    started: u64,
    last_refused: u64,
    refused: u64,
    refused_rate: Rate,
    falls: Falls,
}

impl Counts {
    /// Takes in what was read of all pools. Another boot id starts again: counters did too.
    pub fn add<'p>(
        &mut self,
        boot_id: u64,
        readings: impl Iterator<Item = (&'p str, Reading)>,
        now_s: f64,
    ) {
        if self.boot_id != boot_id {
            self.boot_id = boot_id;
            self.pools.clear();
        }
        self.fell.clear();
        for (name, reading) in readings {
            let counts = self.pools.entry(xxh3(name.as_bytes())).or_default();
            counts.add(&reading, now_s);
            if counts.falls.fell() {
                self.fell.insert(name.to_owned());
            }
        }
        // The others are gone.
        self.pools
            .retain(|_, counts| counts.falls.now_s.total_cmp(&now_s).is_eq());
    }

    fn of(&self, pool: &str) -> Option<&PoolCounts> {
        self.pools.get(&xxh3(pool.as_bytes()))
    }

    /// Calls begun on a pool's members since Kamailio's start, also on those that went since the
    /// agent's; only grows.
    pub fn started(&self, pool: &str) -> Option<u64> {
        self.of(pool).map(|counts| counts.started)
    }

    /// Requests for which a pool had no member, since Kamailio's start; only grows.
    pub fn refused(&self, pool: &str) -> Option<u64> {
        self.of(pool).map(|counts| counts.refused)
    }

    /// How fast they come.
    pub fn refused_rate(&self, pool: &str) -> Option<&Rate> {
        self.of(pool).map(|counts| &counts.refused_rate)
    }

    /// Whether the demand of another pool than these collapsed within the last two minutes.
    pub fn others_fell(&self, pools: &[String]) -> bool {
        self.fell.iter().any(|name| !pools.contains(name))
    }
}

impl PoolCounts {
    fn add(&mut self, reading: &Reading, now_s: f64) {
        for (member, begun) in &reading.begun {
            let before = self.begun.insert(*member, *begun).unwrap_or(0);
            self.started += begun.saturating_sub(before);
        }
        // What is gone begins nothing any more; its identity is never used again.
        if self.begun.len() > reading.begun.len() {
            self.begun = reading.begun.iter().copied().collect();
        }
        if let Some(refused) = reading.refused {
            self.refused += refused.saturating_sub(self.last_refused);
            self.last_refused = refused;
        }
        self.refused_rate.add(self.refused, now_s);
        self.falls.add(reading.calls, now_s);
    }
}

/// The calls of the last two minutes, as far as they were highest: each sample is below the one
/// before it.
#[derive(Debug, Default)]
struct Falls {
    highest: VecDeque<(f64, u64)>,
    now: u64,
    now_s: f64,
}

impl Falls {
    fn add(&mut self, calls: u64, now_s: f64) {
        if now_s < self.now_s {
            self.highest.clear();
        }
        (self.now, self.now_s) = (calls, now_s);
        while self.highest.back().is_some_and(|(_, n)| *n <= calls) {
            self.highest.pop_back();
        }
        self.highest.push_back((now_s, calls));
        while self
            .highest
            .front()
            .is_some_and(|(t, _)| *t < now_s - FALL_S)
        {
            self.highest.pop_front();
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "calls stay far below 2^53")]
    fn fell(&self) -> bool {
        let highest = self.highest.front().map_or(0, |(_, calls)| *calls);
        let fallen = highest.saturating_sub(self.now);
        fallen >= FALL_CALLS && fallen as f64 > FALL_SHARE * highest as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(begun: &[(u64, u64)], calls: u64, refused: u64) -> Reading {
        Reading {
            begun: begun.to_vec(),
            calls,
            refused: Some(refused),
        }
    }

    #[test]
    fn calls_begun_survive_their_member_and_start_again_with_kamailio() {
        let mut counts = Counts::default();
        let mut round = |boot_id, begun: &[(u64, u64)], refused, now_s| {
            let reading = reading(begun, 0, refused);
            counts.add(boot_id, [("ccp", reading)].into_iter(), now_s);
            (counts.started("ccp"), counts.refused("ccp"))
        };
        assert_eq!(round(1, &[(7, 10), (8, 5)], 2, 1.0), (Some(15), Some(2)));
        assert_eq!(round(1, &[(7, 12)], 2, 2.0), (Some(17), Some(2)));
        // A slot that was given to another pool in between, and a new member.
        assert_eq!(round(1, &[(7, 12), (9, 1)], 0, 3.0), (Some(18), Some(2)));
        assert_eq!(round(1, &[(9, 1)], 3, 4.0), (Some(18), Some(5)));
        assert_eq!(round(2, &[(9, 1)], 0, 5.0), (Some(1), Some(0)));
        assert_eq!(counts.started("queue"), None);
    }

    #[test]
    fn a_collapse_of_another_pool_is_seen_for_two_minutes() {
        let mut counts = Counts::default();
        let mut round = |ccp, queue, now_s| {
            let readings = [
                ("ccp", reading(&[], ccp, 0)),
                ("queue", reading(&[], queue, 0)),
            ];
            counts.add(1, readings.into_iter(), now_s);
            let fell = |pool: &str| counts.others_fell(&[pool.to_owned()]);
            (fell("ccp"), fell("queue"))
        };
        assert_eq!(round(100, 5, 0.0), (false, false));
        assert_eq!(round(41, 1, 10.0), (false, false), "not enough");
        assert_eq!(round(39, 0, 20.0), (true, true), "61 of 100, and 5 of 5");
        assert_eq!(round(39, 0, 119.0), (true, true));
        assert_eq!(round(39, 0, 131.0), (false, false));
    }
}
