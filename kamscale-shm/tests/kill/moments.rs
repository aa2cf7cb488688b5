//! When: random moments that a seed repeats, how often, and the patience for what must come. Knows
//! nothing of processes or files.

use std::time::{Duration, Instant};

use kamscale_shm::hash::mix;

/// How long anything that must come may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A seeded sequence (SplitMix64 with the project's own finaliser).
pub(crate) struct Draw(pub(crate) u64);

impl Draw {
    /// Seeded from the environment or the clock; says with what.
    pub(crate) fn announced(test: &str) -> Self {
        let chosen = std::env::var("KAMSCALE_KILL_SEED")
            .ok()
            .and_then(|s| s.parse().ok());
        let seed = chosen.unwrap_or_else(kamscale_shm::clock::monotonic_ns);
        println!("{test}: KAMSCALE_KILL_SEED={seed}");
        Self(seed)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(kamscale_shm::hash::STEP);
        mix(self.0) % limit
    }

    /// Spins or sleeps for a random time: this is the random moment itself.
    pub(crate) fn wait_up_to(&mut self, limit: Duration) {
        let nanos = u64::try_from(limit.as_nanos()).unwrap();
        let until = Instant::now() + Duration::from_nanos(self.below(nanos));
        while Instant::now() < until {
            std::thread::yield_now();
        }
    }
}

pub(crate) fn rounds(default: u64) -> u64 {
    std::env::var("KAMSCALE_KILL_ROUNDS")
        .ok()
        .and_then(|r| r.parse().ok())
        .unwrap_or(default)
}

/// Waits until `what` gives something.
pub(crate) fn await_some<T>(name: &str, mut what: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = what() {
            return value;
        }
        assert!(Instant::now() < end, "never came: {name}");
        std::thread::yield_now();
    }
}
