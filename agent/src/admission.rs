//! How fast calls of a feature may come so that its pools are full, and not fuller. It is told what
//! is counted and the time, and asks nobody.
//!
//! What may come is what ends, and what is missing to the full load spread over a few seconds: so
//! the pool fills fast and steadily, and a member that joins is used at once. The bucket in shared
//! memory keeps to it between two rounds.

use std::collections::HashMap;

/// What is missing to the full load is let in over so long.
const SETTLE_S: f64 = 2.0;
/// Over so long the mean of ends and demand is taken.
const MEAN_S: f64 = 5.0;

/// What is counted in one round, over all pools of a feature.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// Of each active member by its identity: calls on it that ended since Kamailio's start.
    pub ended: Vec<(u64, u64)>,
    /// Calls that ended at other nodes; only grows.
    pub ended_elsewhere: u64,
    /// Calls on active members, at all nodes.
    pub calls: u64,
    /// Calls to which they shall be filled.
    pub room: f64,
    /// Requests at this node since Kamailio's start.
    pub offered: u64,
    /// Requests at all other nodes; only grows.
    pub offered_elsewhere: u64,
    /// How many nodes there are, this one among them.
    pub nodes: usize,
}

/// What may come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Requests per second.
    pub per_s: f64,
    /// So many at once.
    pub burst: f64,
}

/// What is remembered of a feature from round to round.
#[derive(Debug, Default)]
pub struct Intake {
    at_s: Option<f64>,
    ended: HashMap<u64, u64>,
    last: Reading,
    ends_per_s: f64,
    offered_per_s: f64,
    elsewhere_per_s: f64,
}

impl Intake {
    /// What may come at this node until the next round.
    pub fn allow(&mut self, reading: Reading, now_s: f64) -> Rate {
        self.count(&reading, now_s);
        let missing = reading.room - float(reading.calls);
        let per_s = (self.ends_per_s + missing / SETTLE_S).max(0.0);
        self.last = reading;
        let rate = Rate {
            per_s: per_s * self.share(),
            burst: 1.0,
        };
        Rate {
            // Half a second at once, but never more than there is room for.
            burst: (rate.per_s / 2.0).min(missing * self.share()).max(1.0),
            ..rate
        }
    }

    fn count(&mut self, reading: &Reading, now_s: f64) {
        let known = std::mem::take(&mut self.ended);
        let ends = |(id, ended): &(u64, u64)| {
            let before = known.get(id).copied().unwrap_or(*ended);
            ended.saturating_sub(before)
        };
        let own: u64 = reading.ended.iter().map(ends).sum();
        self.ended = reading.ended.iter().copied().collect();
        let Some(past_s) = self.at_s.replace(now_s).map(|at_s| now_s - at_s) else {
            return;
        };
        if past_s <= 0.0 {
            return;
        }
        let last = &self.last;
        let elsewhere = reading.ended_elsewhere.saturating_sub(last.ended_elsewhere);
        let offered = reading.offered.saturating_sub(last.offered);
        let others = reading
            .offered_elsewhere
            .saturating_sub(last.offered_elsewhere);
        let weight = 1.0 - (-past_s / MEAN_S).exp();
        let blend = |mean: &mut f64, count: u64| *mean += weight * (float(count) / past_s - *mean);
        blend(&mut self.ends_per_s, own + elsewhere);
        blend(&mut self.offered_per_s, offered);
        blend(&mut self.elsewhere_per_s, others);
    }

    /// The part of all demand that comes to this node, but at least half of an even share: a node
    /// that was quiet must not refuse the calls that come to it next while the pool has room.
    fn share(&self) -> f64 {
        let all = self.offered_per_s + self.elsewhere_per_s;
        let least = 0.5 / float(self.last.nodes.max(1) as u64);
        if all > 0.0 {
            (self.offered_per_s / all).max(least)
        } else {
            1.0
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use kamscale_shm::bucket::{Allowance, take};
    use rand::SeedableRng;
    use rand_distr::{Distribution, Exp};

    use super::*;

    /// One member with this capacity, offered calls per second, mean length. When each call began and
    /// ended.
    fn storm(capacity: u64, offered_per_s: f64, length_s: f64, seconds: u32) -> Vec<(f64, f64)> {
        let mut random = rand_pcg::Pcg64Mcg::seed_from_u64(7);
        let (gaps, lengths) = (
            Exp::new(offered_per_s).unwrap(),
            Exp::new(1.0 / length_s).unwrap(),
        );
        let (mut intake, bucket) = (Intake::default(), AtomicU64::new(0));
        let (mut calls, mut ended, mut offered): (Vec<f64>, u64, u64) = (Vec::new(), 0, 0);
        let (mut next_s, mut carried) = (0.0, Vec::new());
        for second in 0..seconds {
            let now_s = f64::from(second);
            let before = calls.len();
            calls.retain(|end_s| *end_s > now_s);
            ended += (before - calls.len()) as u64;
            let reading = Reading {
                ended: vec![(1, ended)],
                calls: calls.len() as u64,
                room: capacity as f64,
                offered,
                ..Reading::default()
            };
            let rate = intake.allow(reading, now_s);
            let allowance = Allowance::new(rate.per_s, rate.burst);
            while next_s < now_s + 1.0 {
                offered += 1;
                let now = std::time::Duration::from_secs_f64(1000.0 + next_s);
                let now_ns = u64::try_from(now.as_nanos()).unwrap();
                if take(&bucket, allowance, now_ns).is_ok() {
                    let end_s = next_s + lengths.sample(&mut random);
                    calls.push(end_s);
                    carried.push((next_s, end_s));
                }
                next_s += gaps.sample(&mut random);
            }
        }
        carried
    }

    /// The mean number of calls between two moments, and the highest at any full second.
    fn carried(calls: &[(f64, f64)], from_s: u32, to_s: u32) -> (f64, f64) {
        let (begin_s, end_s) = (f64::from(from_s), f64::from(to_s));
        let within = |(from, to): &(f64, f64)| (to.min(end_s) - from.max(begin_s)).max(0.0);
        let mean = calls.iter().map(within).sum::<f64>() / (end_s - begin_s);
        let at = |s: f64| {
            calls
                .iter()
                .filter(|(from, to)| *from <= s && s < *to)
                .count()
        };
        let most = (from_s..to_s).map(|s| at(f64::from(s))).max();
        (mean, most.unwrap_or(0) as f64)
    }

    #[test]
    fn in_a_storm_the_pool_is_full_and_hardly_ever_fuller() {
        for (capacity, length_s) in [(20, 10.0), (100, 20.0), (1000, 180.0)] {
            let offered_per_s = 4.0 * capacity as f64 / length_s;
            let calls = storm(capacity, offered_per_s, length_s, 900);
            let (mean, most) = carried(&calls, 60, 900);
            let load = mean / capacity as f64;
            assert!(
                (0.95..=1.01).contains(&load),
                "{capacity}: mean load {load}"
            );
            let limit = capacity as f64 + 2.0 * (capacity as f64).sqrt();
            assert!(most <= limit, "{capacity}: {most} calls");
        }
    }

    #[test]
    fn demand_below_the_capacity_is_let_in() {
        let (mean, _) = carried(&storm(100, 3.0, 20.0, 600), 100, 600);
        assert!(
            (54.0..66.0).contains(&mean),
            "mean of {mean} calls of 60 offered"
        );
    }

    #[test]
    fn each_node_lets_in_its_part_of_the_demand() {
        let mut intake = Intake::default();
        let mut allow = |second: u32| {
            let reading = Reading {
                calls: 60,
                room: 100.0,
                offered: u64::from(second) * 30,
                offered_elsewhere: u64::from(second) * 10,
                ..Reading::default()
            };
            intake.allow(reading, f64::from(second))
        };
        assert_eq!(allow(0).per_s, 20.0, "nothing is known of others yet");
        for second in 1..60 {
            allow(second);
        }
        assert!((allow(60).per_s - 15.0).abs() < 1e-6);
    }

    /// A call every 20 s at this node, ten a second at the other one, and a pool that is nearly empty.
    #[test]
    fn a_quiet_node_lets_its_calls_in() {
        let (mut intake, bucket) = (Intake::default(), AtomicU64::new(0));
        let (mut offered, mut refused) = (0, 0);
        for second in 0..3600_u32 {
            let reading = Reading {
                calls: 100,
                room: 1000.0,
                offered,
                offered_elsewhere: u64::from(second) * 10,
                nodes: 2,
                ..Reading::default()
            };
            let rate = intake.allow(reading, f64::from(second));
            if second % 20 == 7 {
                offered += 1;
                let allowance = Allowance::new(rate.per_s, rate.burst);
                let now_ns = 1_000_000_000 * u64::from(second + 1000);
                refused += u32::from(take(&bucket, allowance, now_ns).is_err());
            }
        }
        assert_eq!((offered, refused), (180, 0));
    }

    #[test]
    fn a_pool_that_is_too_full_or_gone_takes_nothing() {
        let mut intake = Intake::default();
        let over = Reading {
            calls: 150,
            room: 100.0,
            ..Reading::default()
        };
        assert_eq!(
            intake.allow(over, 1.0),
            Rate {
                per_s: 0.0,
                burst: 1.0
            }
        );
        assert_eq!(intake.allow(Reading::default(), 2.0).per_s, 0.0);
    }
}
