//! Creation: what is learned from creations that ended. Failures back off, a success clears them.

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use super::{Memory, Observation, Policy};

/// The longest pause between two tries to create a member.
pub(super) const RETRY_MAX_S: f64 = 900.0;
/// So many failed creations in a row open the circuit.
const CIRCUIT_FAILURES: u32 = 3;
/// Pauses vary by so much, so that pools that failed together do not come back together.
const JITTER: f64 = 0.2;

/// Takes in the creations that ended since the last decision.
pub(super) fn learn(memory: &mut Memory, observation: &Observation, policy: &Policy, now_s: f64) {
    memory.learn_boots(&observation.booted_s);
    if !observation.booted_s.is_empty() {
        memory.failures_in_row = 0;
        memory.no_create_before_s = 0.0;
        memory.quota_reached = false;
    }
    if observation.failed_creates == 0 {
        return;
    }
    memory.last_failure_s = Some(now_s);
    memory.quota_reached = observation.quota_reached;
    // Members created together fail together: that is one failure.
    memory.failures_in_row = memory.failures_in_row.saturating_add(1);
    let doublings = i32::try_from(memory.failures_in_row - 1)
        .unwrap_or(i32::MAX)
        .min(16);
    let pause_s = if memory.failures_in_row >= CIRCUIT_FAILURES {
        // The open circuit scales with the configured base, so that tests need not wait.
        policy.create_retry_s * 15.0
    } else {
        policy.create_retry_s * 2f64.powi(doublings)
    };
    let jitter = jitter(policy.jitter_seed, memory.failures_in_row);
    memory.no_create_before_s = now_s + pause_s.min(RETRY_MAX_S) * jitter;
}

/// A factor of 1 ± [`JITTER`], the same for the same pool and failure.
fn jitter(seed: u64, failures: u32) -> f64 {
    if seed == 0 {
        return 1.0;
    }
    let mut random = Pcg64Mcg::seed_from_u64(seed.wrapping_add(u64::from(failures)));
    random.random_range(1.0 - JITTER..=1.0 + JITTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_of_pools_differ_within_a_fifth_and_are_the_same_each_time() {
        let factors: Vec<f64> = (1..100).map(|seed| jitter(seed, 1)).collect();
        assert!(factors.iter().all(|factor| (0.8..=1.2).contains(factor)));
        assert!(factors.iter().any(|factor| *factor < 0.9));
        assert!(factors.iter().any(|factor| *factor > 1.1));
        assert_eq!(jitter(7, 2), jitter(7, 2));
        assert_eq!(jitter(0, 2), 1.0);
    }
}
