//! Scale: how the plan function and the simulator grow from a hundred members to a hundred thousand.
//!
//! Pools are independent, as they are in the agent, so a large estate is many pools one after another.
//! This is the only part that reads a clock, and only to measure: what happens does not depend on it.

use std::num::NonZero;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::kamscale::Kamscale;
use super::run::run_counted;
use super::scaler::{Decision, Scaler, View};
use super::scenario::{Scenario, ScenarioError};
use super::traffic::{Shape, Spike, Traffic};

/// Members of each pool at the start.
pub const POOL_MEMBERS: u32 = 100;
/// The usual growth: 100, 1,000, 10,000 and 100,000 members.
pub const POOLS: [u32; 4] = [1, 10, 100, 1000];

/// One size of the estate, and what it took. All pools live the same hour, each with its own callers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scale {
    /// Pools.
    pub pools: u32,
    /// Members at the start, of all pools.
    pub members: u32,
    /// Members at the busiest minute of each pool, added up.
    pub peak_members: u64,
    /// How long the pools lived, in simulated seconds.
    pub simulated_s: f64,
    /// First attempts.
    pub calls: u64,
    /// Callers who gave up.
    pub lost_calls: u64,
    /// What happened in the model: attempts, ends, boots, looks.
    pub events: u64,
    /// How often the plan function was called.
    pub decisions: u64,
    /// Threads that ran pools.
    pub threads: usize,
    /// Seconds that it took.
    pub wall_s: f64,
    /// Events per second of that.
    pub events_per_s: f64,
    /// Seconds within the plan function and its translation, of all threads.
    pub decide_s: f64,
    /// Mean microseconds of one decision.
    pub decide_us: f64,
}

/// The hour of every pool: 60 % load, then twice as many callers for 20 minutes.
fn hour() -> Option<Scenario> {
    let mut scenario = Scenario::named("steady")?;
    let capacity = f64::from(POOL_MEMBERS * scenario.capacity_calls);
    scenario.name = "scale".into();
    scenario.title =
        "One pool of many: 60 % load, then twice as many callers for 20 minutes".into();
    scenario.duration_s = 3600.0;
    scenario.traffic = Traffic::of(Shape::Constant {
        per_s: 0.6 * capacity / scenario.hold_s,
    });
    scenario.traffic.spikes.push(Spike {
        from_s: 1200.0,
        until_s: 2400.0,
        factor: 2.0,
        add_per_s: 0.0,
    });
    scenario.start_members = POOL_MEMBERS;
    scenario.max = 2 * POOL_MEMBERS;
    Some(scenario)
}

/// A scaler with a stop watch.
struct Timed {
    scaler: Kamscale,
    decisions: u64,
    spent: Duration,
}

impl Scaler for Timed {
    fn name(&self) -> &str {
        self.scaler.name()
    }

    fn interval_s(&self) -> f64 {
        self.scaler.interval_s()
    }

    fn decide(&mut self, view: &View<'_>) -> Decision {
        let began = Instant::now();
        let decision = self.scaler.decide(view);
        self.spent += began.elapsed();
        self.decisions += 1;
        decision
    }
}

/// What some pools added up to.
#[derive(Debug, Default)]
struct Sum {
    calls: u64,
    lost_calls: u64,
    peak_members: u64,
    events: u64,
    decisions: u64,
    decide: Duration,
}

impl Sum {
    fn add(&mut self, other: &Sum) {
        self.calls += other.calls;
        self.lost_calls += other.lost_calls;
        self.peak_members += other.peak_members;
        self.events += other.events;
        self.decisions += other.decisions;
        self.decide += other.decide;
    }
}

/// Lets so many pools live their hour, on as many threads as there are processors.
///
/// # Errors
/// [`ScenarioError`]: never, as long as the scenario `steady` can be run.
pub fn scale(pools: u32, seed: u64) -> Result<Scale, ScenarioError> {
    let scenario = hour().ok_or_else(|| ScenarioError {
        name: "scale".into(),
        problem: "there is no scenario steady to start from".into(),
    })?;
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let threads = threads.min(pools.max(1) as usize);
    let next = AtomicU32::new(0);
    let began = Instant::now();
    let mut sum = Sum::default();
    std::thread::scope(|scope| {
        let work = || live(&scenario, pools, seed, &next);
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            match worker.join() {
                Ok(part) => sum.add(&part?),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok(())
    })?;
    let wall_s = began.elapsed().as_secs_f64();
    let decide_s = sum.decide.as_secs_f64();
    Ok(Scale {
        pools,
        members: pools.saturating_mul(POOL_MEMBERS),
        peak_members: sum.peak_members,
        simulated_s: scenario.duration_s,
        calls: sum.calls,
        lost_calls: sum.lost_calls,
        events: sum.events,
        decisions: sum.decisions,
        threads,
        wall_s,
        events_per_s: per(sum.events, wall_s),
        decide_s,
        decide_us: 1e6 * decide_s / sum.decisions.max(1) as f64,
    })
}

/// Takes pools as long as there are any. Each has its own seed, so it does not matter who takes it.
fn live(
    scenario: &Scenario,
    pools: u32,
    seed: u64,
    next: &AtomicU32,
) -> Result<Sum, ScenarioError> {
    let mut sum = Sum::default();
    loop {
        let pool = next.fetch_add(1, Ordering::Relaxed);
        if pool >= pools {
            return Ok(sum);
        }
        let mut timed = Timed {
            scaler: Kamscale::for_scenario(scenario),
            decisions: 0,
            spent: Duration::ZERO,
        };
        let pool_seed = seed.wrapping_add(u64::from(pool));
        let (outcome, events) = run_counted(scenario, &mut timed, pool_seed, &mut |_| {})?;
        let members = outcome
            .points
            .iter()
            .map(|point| point.active + point.draining);
        sum.add(&Sum {
            calls: outcome.figures.offered_calls,
            lost_calls: outcome.figures.lost_calls,
            peak_members: u64::from(members.max().unwrap_or(0)),
            events,
            decisions: timed.decisions,
            decide: timed.spent,
        });
    }
}

/// So many per second; 0 in no time.
fn per(count: u64, seconds: f64) -> f64 {
    if seconds > 0.0 {
        count as f64 / seconds
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_pools_live_whoever_takes_them() {
        let mut hour = hour().unwrap();
        hour.traffic = Traffic::of(Shape::Constant { per_s: 0.5 });
        let next = AtomicU32::new(0);
        let all = live(&hour, 3, 7, &next).unwrap();
        let next = AtomicU32::new(1);
        let rest = live(&hour, 3, 7, &next).unwrap();
        assert!(rest.calls < all.calls);
        assert_eq!(all.decisions, 3 * 721);
        assert_eq!(rest.decisions, 2 * 721);
        assert_eq!(all.lost_calls, 0);
    }

    #[test]
    fn a_pool_of_the_estate_grows_in_its_hour_and_loses_nobody() {
        let scale = scale(1, 1).unwrap();
        assert_eq!((scale.members, scale.decisions), (100, 721));
        assert!(scale.peak_members > 100, "{scale:?}");
        assert!(scale.events > scale.calls);
        assert_eq!(scale.lost_calls, 0);
    }
}
