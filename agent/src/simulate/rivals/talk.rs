//! The rule of the talk, to the letter: above 70 % one more, below 50 % one fewer, every 30 seconds.
//!
//! Source: "Kamailio and OpenStack" (Kamailio World 2014), whose prose is all that there is: capacity
//! in calls per server, a server is added when 70 % of it is in use and removed when usage falls below
//! 50 %, by a Heat autoscaling group. Chosen where the talk is silent: a look every 30 s; usage is the
//! calls on active members per their capacity, what boots is not counted; a metric that is missing
//! reads as 0; the group removes its oldest member (Heat, `heat/common/grouputils.py`) at once.

use super::Pool;
use super::pool::{count, in_phase, load, whole};
use crate::simulate::{Decision, Scaler, SimPhase, Step, View};

/// Above this load, one more.
const OUT_LOAD: f64 = 0.70;
/// Below this load, one fewer.
const IN_LOAD: f64 = 0.50;

/// The rule of the talk.
#[derive(Debug)]
pub struct Talk {
    pool: Pool,
}

impl Talk {
    /// The rule for a pool.
    pub fn new(pool: Pool) -> Self {
        Self { pool }
    }
}

impl Scaler for Talk {
    fn name(&self) -> &str {
        "talk"
    }

    fn interval_s(&self) -> f64 {
        30.0
    }

    fn decide(&mut self, view: &View<'_>) -> Decision {
        let load = load(view).unwrap_or(0.0);
        let size = whole(view.members.len());
        if size < self.pool.min || (load > OUT_LOAD && size < self.pool.max) {
            return Decision {
                steps: vec![Step::Boot(1)],
                reason: format!("load {load:.2} is above {OUT_LOAD:.2}"),
            };
        }
        let oldest = in_phase(view, SimPhase::Active).next();
        if load < IN_LOAD
            && count(view, SimPhase::Active) > self.pool.min
            && let Some(oldest) = oldest
        {
            return Decision {
                steps: vec![Step::Delete(oldest.id)],
                reason: format!("load {load:.2} is below {IN_LOAD:.2}"),
            };
        }
        Decision::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::rivals::hand::Hand;

    fn talk() -> Talk {
        Talk::new(Pool {
            min: 2,
            max: 4,
            capacity_calls: 100,
        })
    }

    #[test]
    fn above_70_percent_adds_one_at_every_look_while_others_boot() {
        let mut hand = Hand::new(100, &[71, 71]);
        let orders = hand.play_until(&mut talk(), 120.0);
        assert_eq!(
            orders,
            [(0.0, Step::Boot(1)), (30.0, Step::Boot(1))],
            "max is 4"
        );
    }

    #[test]
    fn at_exactly_70_and_at_exactly_50_percent_nothing_happens() {
        assert!(
            Hand::new(100, &[70, 70, 70])
                .look(&mut talk())
                .steps
                .is_empty()
        );
        assert!(
            Hand::new(100, &[50, 50, 50])
                .look(&mut talk())
                .steps
                .is_empty()
        );
    }

    #[test]
    fn below_50_percent_deletes_the_oldest_with_its_calls() {
        let hand = Hand::new(100, &[90, 10, 40]);
        assert_eq!(hand.look(&mut talk()).steps, [Step::Delete(0)]);
    }

    #[test]
    fn never_goes_below_the_least_size() {
        assert!(Hand::new(100, &[0, 0]).look(&mut talk()).steps.is_empty());
    }

    #[test]
    fn a_missing_metric_reads_as_no_load() {
        let mut hand = Hand::new(100, &[65, 65, 65]);
        hand.metrics = false;
        assert_eq!(hand.look(&mut talk()).steps, [Step::Delete(0)]);
    }

    /// Facts of the study: two members at 95 of 100 flap for ever, by the rule's own figures.
    #[test]
    fn a_small_pool_flaps_by_the_rules_own_figures() {
        let mut hand = Hand::new(200, &[95, 95]);
        let mut talk = Talk::new(Pool {
            min: 1,
            max: 4,
            capacity_calls: 200,
        });
        assert_eq!(hand.look(&mut talk).steps, [Step::Delete(0)]);
        hand.carry_out(Step::Delete(0));
        hand.calls_each(190);
        assert_eq!(hand.look(&mut talk).steps, [Step::Boot(1)]);
    }
}
