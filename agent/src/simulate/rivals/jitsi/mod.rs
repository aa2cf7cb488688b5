//! jitsi-autoscaler: thresholds over whole periods, a long grace, fewest participants first, no cuts.
//!
//! Source: jitsi/jitsi-autoscaler c302ef1.
//! - `src/autoscaler.ts`: nothing during the grace period; nothing unless the desired count is what
//!   exists; up if *all* of the last periods are at or above the threshold, else down if *all* are below.
//! - `src/instance_launcher.ts`: launches what is missing; shuts down what is too many, provisioning
//!   instances first, then those with the fewest participants (as last reported).
//! - `src/instance_tracker.ts`: see [`metrics`]. `src/config.ts`: jobs every 30 s, pooling starts after
//!   120 s, an instance that does not report for 300 s (`IDLE_TTL_SEC`) is not counted any more.
//! - `groups.json`: period 60 s, 2 periods up, 4 down, quantities 1 and 1, grace 480 s after each action.
//! - `docs`, `src/shutdown_manager.ts`: a shutdown is graceful: no new conferences, gone when empty.
//!
//! Chosen: stress is the load (calls per capacity). The thresholds of `groups.json` are for
//! availability, so those of the stress group in `src/test/autoscaler.ts` are used: 0.8 and 0.3.
//! `protectedTTLSec` (600 s) protects only what an operator launched as protected (`src/handlers.ts`,
//! `src/cloud_manager.ts`), so here nothing is. What the cloud shows and nobody tracks stands in for a
//! missing instance (`untrackedCount`), so a metric blackout launches nothing.

mod metrics;

use super::Pool;
use super::pool::{count, in_phase};
use crate::simulate::{Decision, Scaler, SimMember, SimPhase, Step, View};
use metrics::Stress;

const UP_STRESS: f64 = 0.8;
const DOWN_STRESS: f64 = 0.3;
const UP_PERIODS: usize = 2;
const DOWN_PERIODS: usize = 4;
const QUANTITY: u32 = 1;
const GRACE_S: f64 = 480.0;
const FIRST_JOB_S: f64 = 120.0;
const IDLE_S: f64 = 300.0;

/// jitsi-autoscaler.
#[derive(Debug)]
pub struct Jitsi {
    pool: Pool,
    /// The group's desired count; what exists at the first look.
    desired: Option<u32>,
    first_job_s: f64,
    grace_end_s: f64,
    stress: Stress,
}

impl Jitsi {
    /// The autoscaler of a pool.
    pub fn new(pool: Pool) -> Self {
        Self {
            pool,
            desired: None,
            first_job_s: 0.0,
            grace_end_s: f64::NEG_INFINITY,
            stress: Stress::default(),
        }
    }

    /// The desired count after the autoscaler's job, with the reason.
    fn autoscale(&mut self, now_s: f64, existing: u32, desired: u32) -> Option<(u32, String)> {
        if now_s < self.grace_end_s || existing == 0 || existing != desired {
            return None;
        }
        let periods = self.stress.per_period(now_s, DOWN_PERIODS);
        let shown: Vec<String> = periods
            .iter()
            .map(|stress| format!("{stress:.2}"))
            .collect();
        let Pool { min, max, .. } = self.pool;
        let up = |stress: f64| (existing < max && stress >= UP_STRESS) || existing < min;
        let down = |stress: f64| existing > min && stress < DOWN_STRESS;
        let next = if periods.iter().take(UP_PERIODS).all(|stress| up(*stress)) {
            (desired + QUANTITY).min(max)
        } else if periods.iter().all(|stress| down(*stress)) {
            desired.saturating_sub(QUANTITY).max(min)
        } else {
            return None;
        };
        self.grace_end_s = now_s + GRACE_S;
        Some((next, format!("stress {}", shown.join(" "))))
    }

    /// The instances to shut down, first to go first.
    fn victims<'a>(&self, view: &View<'a>) -> Vec<&'a SimMember> {
        let mut running: Vec<&SimMember> = in_phase(view, SimPhase::Active).collect();
        running.sort_by_key(|member| self.stress.participants(member.id));
        in_phase(view, SimPhase::Booting).chain(running).collect()
    }
}

impl Scaler for Jitsi {
    fn name(&self) -> &str {
        "jitsi"
    }

    fn interval_s(&self) -> f64 {
        30.0
    }

    fn decide(&mut self, view: &View<'_>) -> Decision {
        if view.metrics {
            self.stress.report(view);
        }
        let existing = count(view, SimPhase::Active) + count(view, SimPhase::Booting);
        if self.desired.is_none() {
            self.first_job_s = view.now_s + FIRST_JOB_S;
        }
        let mut desired = self.desired.unwrap_or(existing);
        let mut reason = "as many as desired".to_owned();
        let mut steps: Vec<Step> = in_phase(view, SimPhase::Draining)
            .filter(|member| view.metrics && member.calls == 0)
            .map(|member| Step::Delete(member.id))
            .collect();
        let tracked = self
            .stress
            .last_report_s()
            .is_some_and(|at_s| view.now_s - at_s < IDLE_S);
        if view.now_s >= self.first_job_s && tracked {
            if let Some((next, why)) = self.autoscale(view.now_s, existing, desired) {
                (desired, reason) = (next, why);
            }
            let surplus = usize::try_from(existing.saturating_sub(desired.max(self.pool.min)));
            for member in self
                .victims(view)
                .into_iter()
                .take(surplus.unwrap_or(usize::MAX))
            {
                steps.push(match member.phase {
                    SimPhase::Active => Step::Drain(member.id),
                    SimPhase::Booting | SimPhase::Draining => Step::Delete(member.id),
                });
            }
        }
        self.desired = Some(desired);
        let wanted = desired.min(self.pool.max);
        if existing < wanted {
            steps.push(Step::Boot(wanted - existing));
        }
        Decision { steps, reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::rivals::hand::Hand;

    fn jitsi() -> Jitsi {
        Jitsi::new(Pool {
            min: 1,
            max: 10,
            capacity_calls: 100,
        })
    }

    #[test]
    fn one_more_when_two_periods_are_at_the_threshold_and_then_a_grace() {
        let mut hand = Hand::new(100, &[80, 80]);
        let mut jitsi = jitsi();
        assert_eq!(hand.play_until(&mut jitsi, 150.0), [(120.0, Step::Boot(1))]);
        hand.boot();
        hand.calls_each(95);
        let orders = hand.play_until(&mut jitsi, 630.0);
        assert_eq!(orders, [(600.0, Step::Boot(1))], "480 s after the first");
    }

    #[test]
    fn a_single_quiet_period_prevents_growth() {
        let mut hand = Hand::new(100, &[70, 70]);
        let mut jitsi = jitsi();
        hand.play_until(&mut jitsi, 150.0);
        hand.calls_each(100);
        // A period is a mean: at 240 s the last but one holds 70 % and 100 %.
        let orders = hand.play_until(&mut jitsi, 300.0);
        assert_eq!(orders.first().map(|(at_s, _)| *at_s), Some(240.0));
    }

    #[test]
    fn four_quiet_periods_shut_down_the_one_with_the_fewest_participants() {
        let mut hand = Hand::new(100, &[40, 10, 20]);
        let mut jitsi = jitsi();
        let orders = hand.play_until(&mut jitsi, 500.0);
        assert_eq!(
            orders,
            [(120.0, Step::Drain(1))],
            "periods before the start read as 0"
        );
    }

    #[test]
    fn a_shutdown_waits_until_the_last_call_ended() {
        let mut hand = Hand::new(100, &[50, 50, 1]);
        hand.carry_out(Step::Drain(2));
        let mut jitsi = jitsi();
        assert!(hand.play_until(&mut jitsi, 20_000.0).is_empty());
        hand.member(2).calls = 0;
        assert_eq!(hand.look(&mut jitsi).steps, [Step::Delete(2)]);
    }

    #[test]
    fn what_is_missing_is_launched_and_nothing_is_decided_meanwhile() {
        let mut hand = Hand::new(100, &[90, 90, 90]);
        let mut jitsi = jitsi();
        hand.play_until(&mut jitsi, 90.0);
        hand.carry_out(Step::Delete(0));
        assert_eq!(hand.play_until(&mut jitsi, 120.0), [(120.0, Step::Boot(1))]);
    }

    #[test]
    fn in_a_blackout_one_goes_before_the_reports_expire_and_then_nothing() {
        let mut hand = Hand::new(100, &[50, 50, 50]);
        let mut jitsi = jitsi();
        hand.play_until(&mut jitsi, 600.0);
        hand.metrics = false;
        let orders = hand.play_until(&mut jitsi, 3600.0);
        assert_eq!(
            orders.len(),
            1,
            "four empty periods average to 0 at 240 s: {orders:?}"
        );
        assert!(matches!(orders[0].1, Step::Drain(_)));
    }
}
