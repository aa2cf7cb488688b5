//! Rates: events per second from counters that only grow, as the mean of 30 s.

use std::collections::{HashMap, VecDeque};

use kamscale_shm::Snapshot;

/// Over so long the mean is taken.
const MEAN_S: f64 = 30.0;

/// How fast one counter grows.
#[derive(Debug, Default)]
pub struct Rate {
    samples: VecDeque<(f64, u64)>,
}

impl Rate {
    /// Takes a reading of the counter in.
    pub fn add(&mut self, count: u64, now_s: f64) {
        let samples = &mut self.samples;
        if samples
            .back()
            .is_some_and(|(t, n)| now_s <= *t || count < *n)
        {
            samples.clear();
        }
        samples.push_back((now_s, count));
        // One sample at or beyond the window stays: differences need its far end.
        while samples.get(1).is_some_and(|(t, _)| *t <= now_s - MEAN_S) {
            samples.pop_front();
        }
    }

    /// Events per second; `None` before there are two samples.
    pub fn per_s(&self) -> Option<f64> {
        let ((from_s, from), (to_s, to)) = (self.samples.front()?, self.samples.back()?);
        let events = u32::try_from(to - from).unwrap_or(u32::MAX);
        (to_s > from_s).then(|| f64::from(events) / (to_s - from_s))
    }

    /// When the counter was read last, in unix seconds.
    pub fn read_s(&self) -> Option<f64> {
        self.samples.back().map(|(read_s, _)| *read_s)
    }
}

/// Requests per second by feature.
#[derive(Debug, Default)]
pub struct Rates {
    boot_id: u64,
    features: HashMap<String, Rate>,
}

impl Rates {
    /// Takes a snapshot in, and what is counted `elsewhere`, by feature. Another boot id starts again:
    /// counters did too.
    pub fn add(&mut self, snapshot: &Snapshot, elsewhere: impl Fn(&str) -> u64, now_s: f64) {
        if snapshot.boot_id != self.boot_id {
            self.boot_id = snapshot.boot_id;
            self.features.clear();
        }
        for feature in &snapshot.features {
            let rate = self.features.entry(feature.name.clone()).or_default();
            rate.add(feature.requests + elsewhere(&feature.name), now_s);
        }
    }

    /// The rate of a feature, if it was ever counted.
    pub fn of(&self, feature: &str) -> Option<&Rate> {
        self.features.get(feature)
    }

    /// Requests per second of a feature; `None` before there are two samples.
    pub fn per_s(&self, feature: &str) -> Option<f64> {
        self.of(feature)?.per_s()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kamscale_shm::FeatureCount;

    fn snapshot(boot_id: u64, requests: u64) -> Snapshot {
        Snapshot {
            boot_id,
            pid: 1,
            heartbeat_age_s: 0.0,
            closed: false,
            calls_tracked: true,
            features: vec![FeatureCount {
                name: "calls".into(),
                requests,
                admitted: 0,
                refused: 0,
            }],
            members: vec![],
            pools: vec![],
            workers: vec![],
        }
    }

    #[test]
    fn the_rate_is_the_mean_of_30_s_and_starts_again_with_kamailio() {
        let mut rates = Rates::default();
        for second in 0..=60_u32 {
            let requests = if second <= 30 {
                second * 10
            } else {
                300 + (second - 30) * 20
            };
            rates.add(&snapshot(1, requests.into()), |_| 0, second.into());
        }
        assert_eq!(rates.per_s("calls"), Some(20.0));
        rates.add(&snapshot(2, 5), |_| 0, 61.0);
        assert_eq!(rates.per_s("calls"), None);
        rates.add(&snapshot(2, 15), |_| 0, 62.0);
        assert_eq!(rates.per_s("calls"), Some(10.0));
        assert_eq!(rates.of("calls").and_then(Rate::read_s), Some(62.0));
        assert_eq!(rates.per_s("unknown"), None);
    }
}
