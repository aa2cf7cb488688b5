//! Heat and Aodh: alarms on the mean of a period, policies of +1 and -1, a cooldown, oldest first.
//!
//! Sources: heat 526defd, aodh a52eaa0.
//! - `aodh/evaluator/threshold.py`, `gnocchi.py`: every evaluation interval (60 s) the last point of the
//!   alarm's granularity is compared; without one the state is "insufficient data", which has its own
//!   actions and not the policies. A point lags by the period in which it is still aggregated, hence
//!   `look_back = 1`: here the mean of a period is used one period after it ended.
//! - `heat/engine/resources/alarm_base.py`: `repeat_actions` is true, so a signal follows every
//!   evaluation while the alarm is breached.
//! - `heat/engine/resources/aws/autoscaling/autoscaling_group.py` `adjust`, `heat/scaling/cooldown.py`:
//!   a signal without change, in cooldown or while `scaling_in_progress` is ignored. In progress lasts
//!   as long as `instance_group.py` `resize`, which *waits for the nested stack's update*, that is for
//!   the new member to be created. The cooldown starts then, and only if the size changed: a creation
//!   that failed leaves none.
//! - `heat/common/grouputils.py`, `heat/scaling/template.py`: failed members go first, then the oldest.
//!
//! Chosen: thresholds 70 % and 50 % (the talk's), one period, the policies' cooldown 60 s. Left out: the
//! group goes on counting a member that crashed, since nothing here tells it; the model's view does not.

use super::Pool;
use super::period::PeriodMean;
use super::pool::{count, load, whole};
use crate::simulate::{Decision, Scaler, SimPhase, Step, View};

const PERIOD_S: f64 = 60.0;
const COOLDOWN_S: f64 = 60.0;
const HIGH_LOAD: f64 = 0.70;
const LOW_LOAD: f64 = 0.50;

/// Heat and Aodh.
#[derive(Debug)]
pub struct Aodh {
    pool: Pool,
    period: PeriodMean,
    /// The mean of the period that ended last: it can be read when the next one ends.
    last_mean: Option<f64>,
    resize: Option<Resize>,
    cooldown_end_s: f64,
}

/// A resize in progress.
#[derive(Debug, Default)]
struct Resize {
    failed: bool,
}

impl Aodh {
    /// Heat and Aodh for a pool.
    pub fn new(pool: Pool) -> Self {
        Self {
            pool,
            period: PeriodMean::new(PERIOD_S),
            last_mean: None,
            resize: None,
            cooldown_end_s: f64::NEG_INFINITY,
        }
    }

    /// The nested stack's update ends when nothing boots any more.
    fn follow_resize(&mut self, view: &View<'_>) {
        let Some(resize) = &mut self.resize else {
            return;
        };
        resize.failed |= view.failed_creates > 0;
        if count(view, SimPhase::Booting) == 0 {
            if !resize.failed {
                self.cooldown_end_s = view.now_s + COOLDOWN_S;
            }
            self.resize = None;
        }
    }

    fn signal(&mut self, view: &View<'_>, adjustment: i64, reason: String) -> Decision {
        if self.resize.is_some() || view.now_s < self.cooldown_end_s {
            return Decision::default();
        }
        let size = whole(view.members.len());
        let capacity = new_capacity(size, adjustment, self.pool.min, self.pool.max);
        let steps: Vec<Step> = if capacity > size {
            vec![Step::Boot(capacity - size)]
        } else {
            let surplus = view.members.len() - usize::try_from(capacity).unwrap_or(usize::MAX);
            view.members
                .iter()
                .take(surplus)
                .map(|oldest| Step::Delete(oldest.id))
                .collect()
        };
        if !steps.is_empty() {
            self.resize = Some(Resize::default());
        }
        Decision { steps, reason }
    }
}

/// The size after a `change_in_capacity` (`heat/scaling/scalingutil.py`): within the bounds, whichever
/// way that moves it.
fn new_capacity(current: u32, adjustment: i64, min: u32, max: u32) -> u32 {
    let capacity = i64::from(current) + adjustment;
    u32::try_from(capacity.min(i64::from(max)).max(i64::from(min))).unwrap_or(0)
}

impl Scaler for Aodh {
    fn name(&self) -> &str {
        "aodh"
    }

    /// How often the gauge is sampled; alarms are evaluated when a period ends.
    fn interval_s(&self) -> f64 {
        10.0
    }

    fn decide(&mut self, view: &View<'_>) -> Decision {
        self.follow_resize(view);
        let Some(closed) = self.period.add(view.now_s, load(view)) else {
            return Decision::default();
        };
        match std::mem::replace(&mut self.last_mean, closed) {
            Some(mean) if mean > HIGH_LOAD => self.signal(
                view,
                1,
                format!("alarm high: mean {mean:.2} > {HIGH_LOAD:.2}"),
            ),
            Some(mean) if mean < LOW_LOAD => self.signal(
                view,
                -1,
                format!("alarm low: mean {mean:.2} < {LOW_LOAD:.2}"),
            ),
            _ => Decision::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::rivals::hand::Hand;

    fn aodh() -> Aodh {
        Aodh::new(Pool {
            min: 2,
            max: 6,
            capacity_calls: 100,
        })
    }

    /// The cases of heat/tests/autoscaling/test_new_capacity.py for change_in_capacity.
    #[test]
    fn capacity_changes_as_in_heats_own_tests() {
        assert_eq!(new_capacity(2, 3, 0, 10), 5);
        assert_eq!(new_capacity(6, -2, 0, 5), 4);
        assert_eq!(new_capacity(2, 8, 0, 5), 5);
        assert_eq!(new_capacity(2, -10, 1, 5), 1);
    }

    #[test]
    fn a_mean_is_used_one_period_after_it_ended() {
        let mut hand = Hand::new(100, &[80, 80]);
        let orders = hand.play_until(&mut aodh(), 120.0);
        assert_eq!(orders, [(120.0, Step::Boot(1))]);
    }

    #[test]
    fn signals_are_ignored_until_the_new_member_is_created() {
        let mut hand = Hand::new(100, &[80, 80]);
        let orders = hand.play_until(&mut aodh(), 900.0);
        assert_eq!(orders, [(120.0, Step::Boot(1))], "still creating");
    }

    #[test]
    fn the_cooldown_starts_when_the_creation_completed() {
        let mut hand = Hand::new(100, &[80, 80]);
        let mut aodh = aodh();
        hand.play_until(&mut aodh, 300.0);
        hand.boot();
        hand.calls_each(80);
        // Seen complete at 310 s, so the signals of 360 s are in cooldown until 370 s.
        let orders = hand.play_until(&mut aodh, 420.0);
        assert_eq!(orders, [(420.0, Step::Boot(1))]);
    }

    #[test]
    fn a_failed_creation_leaves_no_cooldown() {
        let mut hand = Hand::new(100, &[80, 80]);
        let mut aodh = aodh();
        hand.play_until(&mut aodh, 340.0);
        hand.carry_out(Step::Delete(2));
        hand.failed_creates = 1;
        hand.play_until(&mut aodh, 350.0);
        hand.failed_creates = 0;
        assert_eq!(hand.play_until(&mut aodh, 360.0), [(360.0, Step::Boot(1))]);
    }

    #[test]
    fn a_quiet_pool_loses_its_oldest_every_two_evaluations() {
        let mut hand = Hand::new(100, &[40, 10, 10, 10, 10]);
        let orders = hand.play_until(&mut aodh(), 600.0);
        // Deleted at 120 s, seen done at 130 s, cooldown until 190 s.
        assert_eq!(
            orders,
            [
                (120.0, Step::Delete(0)),
                (240.0, Step::Delete(1)),
                (360.0, Step::Delete(2))
            ],
            "and stops at min"
        );
    }

    #[test]
    fn missing_data_is_no_signal() {
        let mut hand = Hand::new(100, &[10, 10, 10]);
        hand.metrics = false;
        assert!(hand.play_until(&mut aodh(), 600.0).is_empty());
    }
}
