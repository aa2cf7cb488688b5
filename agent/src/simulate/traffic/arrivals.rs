//! First attempts and their holding times, drawn from the stream that every policy shares.
//!
//! A Poisson process with a rate that is constant by pieces: unit-rate gaps are spent on the area
//! under the rate, which is exact (no thinning). Within an outage nobody can call.

use super::super::random::{Purpose, Stream};
use super::super::scenario::Scenario;
use super::super::wheel::Moment;

/// One first attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Arrival {
    /// When the caller calls.
    pub(in super::super) at: Moment,
    /// How long the call lasts once it is taken.
    pub(in super::super) hold: Moment,
}

/// The first attempts of one seed, in order of time.
#[derive(Debug)]
pub(in super::super) struct Arrivals<'a> {
    scenario: &'a Scenario,
    random: Stream,
    now_s: f64,
}

impl<'a> Arrivals<'a> {
    /// The traffic of a scenario; also the holding times that are left of the calls under way at the
    /// start.
    pub(in super::super) fn new(scenario: &'a Scenario, seed: u64) -> (Arrivals<'a>, Vec<Moment>) {
        let mut random = Stream::new(seed, Purpose::Traffic);
        let mean_calls = scenario.mean_calls_at_start();
        // Poisson by counting unit gaps; the rest of an exponential holding time is exponential.
        let mut under_way = Vec::new();
        let mut area = random.exponential(1.0);
        while area < mean_calls {
            under_way.push(Moment::from_s(random.exponential(scenario.hold_s)));
            area += random.exponential(1.0);
        }
        (
            Arrivals {
                scenario,
                random,
                now_s: 0.0,
            },
            under_way,
        )
    }

    /// The next one before the end of the scenario.
    fn draw(&mut self) -> Option<Arrival> {
        let mut area = self.random.exponential(1.0);
        loop {
            if self.now_s >= self.scenario.duration_s {
                return None;
            }
            let (per_s, until_s) = self.scenario.traffic.piece(self.now_s);
            let until_s = until_s.min(self.scenario.duration_s);
            let piece = per_s * (until_s - self.now_s);
            if area < piece {
                self.now_s = (self.now_s + area / per_s).min(until_s);
                let hold_s = self.random.exponential(self.scenario.hold_s);
                return Some(Arrival {
                    at: Moment::from_s(self.now_s),
                    hold: Moment::from_s(hold_s),
                });
            }
            area -= piece;
            self.now_s = until_s;
        }
    }
}

impl Iterator for Arrivals<'_> {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        loop {
            let arrival = self.draw()?;
            if !self.scenario.in_outage(arrival.at.seconds()) {
                return Some(arrival);
            }
        }
    }
}
