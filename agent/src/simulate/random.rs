//! Chance: one stream of random numbers for each purpose, all from one seed.
//!
//! Traffic has a stream of its own, so that every policy meets the same callers; what a policy
//! causes (boots, retries, placement) draws from the others. It must not know what is drawn.

use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Exp1, StandardNormal};
use rand_pcg::Pcg64Mcg;

/// What a stream is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// First attempts and their holding times.
    Traffic,
    /// Whether and when a refused caller tries again.
    Retries,
    /// How long creations take, and which fail.
    Boots,
    /// Which balancer a call meets, and what the balancer draws.
    Balancers,
    /// Which members crash.
    Crashes,
}

/// A stream of random numbers.
#[derive(Debug, Clone)]
pub(super) struct Stream(Pcg64Mcg);

impl Stream {
    /// The stream of one purpose of one seed.
    pub(super) fn new(seed: u64, purpose: Purpose) -> Stream {
        let number = match purpose {
            Purpose::Traffic => 1,
            Purpose::Retries => 2,
            Purpose::Boots => 3,
            Purpose::Balancers => 4,
            Purpose::Crashes => 5,
        };
        // Mixed twice: neighbouring seeds and purposes must not start in neighbouring states.
        Stream(Pcg64Mcg::seed_from_u64(mixed(mixed(seed) ^ number)))
    }

    /// Evenly from 0 to below 1.
    pub(super) fn share(&mut self) -> f64 {
        self.0.random()
    }

    /// Evenly one of `count` places; 0 if there is none.
    pub(super) fn below(&mut self, count: usize) -> usize {
        if count <= 1 {
            return 0;
        }
        self.0.random_range(0..count)
    }

    /// Exponential with this mean.
    pub(super) fn exponential(&mut self, mean: f64) -> f64 {
        let drawn: f64 = Exp1.sample(&mut self.0);
        drawn * mean
    }

    /// Normal with this mean and standard deviation.
    pub(super) fn normal(&mut self, mean: f64, deviation: f64) -> f64 {
        let drawn: f64 = StandardNormal.sample(&mut self.0);
        mean + deviation * drawn
    }
}

/// SplitMix64's output function (Steele, Lea, Flood 2014).
fn mixed(seed: u64) -> u64 {
    let mut mixed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_and_purpose_give_the_same_numbers_and_others_do_not() {
        let draw = |seed, purpose| {
            let mut stream = Stream::new(seed, purpose);
            [
                stream.share(),
                stream.exponential(1.0),
                stream.normal(0.0, 1.0),
            ]
        };
        let first = draw(7, Purpose::Boots);
        assert_eq!(first, draw(7, Purpose::Boots));
        assert_ne!(first, draw(8, Purpose::Boots));
        assert_ne!(first, draw(7, Purpose::Retries));
    }

    #[test]
    fn draws_have_the_mean_that_was_asked_for() {
        let mut stream = Stream::new(1, Purpose::Traffic);
        let draws = 100_000;
        let mean = |sum: f64| sum / f64::from(draws);
        let exponential = mean((0..draws).map(|_| stream.exponential(1500.0)).sum());
        let normal = mean((0..draws).map(|_| stream.normal(180.0, 40.0)).sum());
        let share = mean((0..draws).map(|_| stream.share()).sum());
        assert!((exponential - 1500.0).abs() < 20.0, "{exponential}");
        assert!((normal - 180.0).abs() < 1.0, "{normal}");
        assert!((share - 0.5).abs() < 0.01, "{share}");
    }
}
