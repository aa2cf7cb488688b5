//! AWS: an EC2 Auto Scaling group with a target tracking policy, behind a load balancer.
//!
//! Sources: awsdocs/amazon-ec2-auto-scaling-user-guide `as-scaling-target-tracking.md` (rounding,
//! insufficient data, warm-up, terminating instances), `ec2-auto-scaling-default-instance-warmup.md`,
//! `as-instance-termination.md` (default termination policy), Elastic Load Balancing "Target groups"
//! (deregistration delay 300 s). The alarms that the policy makes: high is 3 points of 60 s above the
//! target, low is 15 points of 60 s below 90 % of it (the guide: usually more than 10 % lower).
//!
//! - Out: instances that warm up give no metric and are not current capacity, but they count towards
//!   what is wanted; the size is proportional, rounded up.
//! - In: not while any instance warms up; terminating instances are current capacity; rounded so that
//!   the target is not crossed.
//! - The default policy's warm-up is the default cooldown, 300 s from when an instance is in service.
//! - Chosen: one zone, one launch template, so the default termination policy comes down to the
//!   instance closest to its next billing hour, then the oldest. A lost instance is replaced at once,
//!   although the health check would take a while. Members that are there at the start are warm.
//! - A drained target is deleted when its calls ended, and after 300 s with them.

use std::collections::VecDeque;

use super::Pool;
use super::period::PeriodMean;
use super::pool::{count, in_phase, round_up, whole};
use crate::simulate::{Decision, Scaler, SimMember, SimPhase, Step, View};

const TARGET_LOAD: f64 = 0.70;
const LOW_LOAD: f64 = 0.90 * TARGET_LOAD;
const PERIOD_S: f64 = 60.0;
const HIGH_POINTS: usize = 3;
const LOW_POINTS: usize = 15;
const WARMUP_S: f64 = 300.0;
const DEREGISTRATION_S: f64 = 300.0;
const BILLING_S: f64 = 3600.0;

/// A target tracking policy and its group.
#[derive(Debug)]
pub struct TargetTracking {
    pool: Pool,
    /// The group's desired capacity; what exists at the first look.
    desired: Option<u32>,
    /// Members up to this number were there at the start.
    first_ids: u32,
    period: PeriodMean,
    /// The last points, oldest first; `None` where nothing was measured.
    points: VecDeque<Option<f64>>,
}

impl TargetTracking {
    /// The policy for a pool.
    pub fn new(pool: Pool) -> Self {
        Self {
            pool,
            desired: None,
            first_ids: 0,
            period: PeriodMean::new(PERIOD_S),
            points: VecDeque::new(),
        }
    }

    fn is_warm(&self, now_s: f64, member: &SimMember) -> bool {
        let in_service_s = now_s - member.active_s.unwrap_or(now_s);
        member.id < self.first_ids || in_service_s >= WARMUP_S
    }

    /// The last point, if the last so many exist and all fulfil a condition.
    fn breach(&self, points: usize, holds: impl Fn(f64) -> bool) -> Option<f64> {
        let recent = self.points.len().checked_sub(points)?;
        let all = self
            .points
            .range(recent..)
            .all(|point| point.is_some_and(&holds));
        self.points.back().copied().flatten().filter(|_| all)
    }

    /// The desired capacity after a point was added, with the reason.
    fn evaluate(&self, view: &View<'_>, desired: u32) -> Option<(u32, String)> {
        let active = count(view, SimPhase::Active);
        let warm = whole(
            in_phase(view, SimPhase::Active)
                .filter(|m| self.is_warm(view.now_s, m))
                .count(),
        );
        if let Some(load) = self.breach(HIGH_POINTS, |load| load > TARGET_LOAD) {
            let wanted = proportional(warm, load).min(self.pool.max);
            return (wanted > desired).then(|| {
                (
                    wanted,
                    format!("alarm high: {HIGH_POINTS} points, {load:.2}"),
                )
            });
        }
        let load = self.breach(LOW_POINTS, |load| load < LOW_LOAD)?;
        if active > warm || count(view, SimPhase::Booting) > 0 {
            return None;
        }
        let capacity = active + count(view, SimPhase::Draining);
        let wanted = proportional(capacity, load).max(self.pool.min);
        (wanted < desired).then(|| (wanted, format!("alarm low: {LOW_POINTS} points, {load:.2}")))
    }
}

/// So many instances at that load, spread over as many as bring it to the target; rounded up, which
/// is too many on the way out and too few removed on the way in.
fn proportional(instances: u32, load: f64) -> u32 {
    round_up(f64::from(instances) * load / TARGET_LOAD - 1e-9)
}

/// The instances in the order of the default termination policy.
fn termination_order<'a>(view: &View<'a>) -> Vec<&'a SimMember> {
    let into_hour_s = |member: &SimMember| (view.now_s - member.ordered_s).rem_euclid(BILLING_S);
    let mut members: Vec<&SimMember> = in_phase(view, SimPhase::Active).collect();
    members.sort_by(|a, b| {
        into_hour_s(b)
            .total_cmp(&into_hour_s(a))
            .then(a.id.cmp(&b.id))
    });
    members
}

/// Targets whose deregistration ended.
fn end_deregistrations(view: &View<'_>) -> Vec<Step> {
    in_phase(view, SimPhase::Draining)
        .filter(|member| {
            let since_s = view.now_s - member.draining_s.unwrap_or(view.now_s);
            since_s >= DEREGISTRATION_S || (view.metrics && member.calls == 0)
        })
        .map(|member| Step::Delete(member.id))
        .collect()
}

impl Scaler for TargetTracking {
    fn name(&self) -> &str {
        "target_tracking"
    }

    /// How often the gauge is sampled; alarms are evaluated when a period ends.
    fn interval_s(&self) -> f64 {
        10.0
    }

    fn decide(&mut self, view: &View<'_>) -> Decision {
        let mut steps = end_deregistrations(view);
        let alive = count(view, SimPhase::Active) + count(view, SimPhase::Booting);
        if self.desired.is_none() {
            self.first_ids = view
                .members
                .iter()
                .map(|member| member.id + 1)
                .max()
                .unwrap_or(0);
        }
        let mut desired = self.desired.unwrap_or(alive);
        let mut reason = "as many as desired".to_owned();
        let warm: Vec<&SimMember> = in_phase(view, SimPhase::Active)
            .filter(|m| self.is_warm(view.now_s, m))
            .collect();
        let calls: f64 = warm.iter().map(|member| f64::from(member.calls)).sum();
        let capacity_calls = f64::from(whole(warm.len())) * f64::from(view.capacity_calls);
        let sample = (view.metrics && capacity_calls > 0.0).then(|| calls / capacity_calls);
        if let Some(point) = self.period.add(view.now_s, sample) {
            self.points.push_back(point);
            if self.points.len() > LOW_POINTS {
                self.points.pop_front();
            }
            if let Some((wanted, why)) = self.evaluate(view, desired) {
                (desired, reason) = (wanted, why);
            }
        }
        self.desired = Some(desired);
        if alive < desired {
            steps.push(Step::Boot(desired - alive));
        }
        let surplus = usize::try_from(alive.saturating_sub(desired)).unwrap_or(usize::MAX);
        let victims = termination_order(view).into_iter().take(surplus);
        steps.extend(victims.map(|member| Step::Drain(member.id)));
        Decision { steps, reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::rivals::hand::Hand;

    fn policy() -> TargetTracking {
        TargetTracking::new(Pool {
            min: 2,
            max: 60,
            capacity_calls: 100,
        })
    }

    /// as-scaling-target-tracking.md: 1.5 to add are 2; 1.5 to remove are 1.
    #[test]
    fn rounds_as_in_the_guide() {
        assert_eq!(proportional(5, 0.70 * 6.5 / 5.0), 7);
        assert_eq!(proportional(5, 0.70 * 3.5 / 5.0), 4);
        assert_eq!(proportional(4, 0.70), 4, "on target");
    }

    #[test]
    fn three_points_above_the_target_scale_out_in_proportion() {
        let mut hand = Hand::new(100, &[90; 7]);
        assert_eq!(
            hand.play_until(&mut policy(), 180.0),
            [(180.0, Step::Boot(2))]
        );
    }

    #[test]
    fn instances_that_warm_up_count_so_that_repeated_breaches_are_one_activity() {
        let mut hand = Hand::new(100, &[90; 7]);
        let mut policy = policy();
        hand.play_until(&mut policy, 360.0);
        hand.boot();
        // The new ones are in service and take calls, but give no metric for 300 s.
        hand.calls_each(90);
        assert!(hand.play_until(&mut policy, 660.0).is_empty());
    }

    #[test]
    fn fifteen_points_below_nine_tenths_of_the_target_scale_in() {
        let mut hand = Hand::new(100, &[62; 10]);
        let orders = hand.play_until(&mut policy(), 900.0);
        // 10 * 0.62 / 0.70 = 8.9: nine stay.
        assert_eq!(orders.len(), 1);
        assert_eq!(orders[0].0, 900.0);
        assert!(matches!(orders[0].1, Step::Drain(_)));
        let mut hand = Hand::new(100, &[64; 10]);
        assert!(
            hand.play_until(&mut policy(), 3600.0).is_empty(),
            "0.64 is above 0.63"
        );
    }

    #[test]
    fn nothing_goes_while_an_instance_warms_up() {
        let mut hand = Hand::new(100, &[20; 10]);
        let mut policy = policy();
        hand.play_until(&mut policy, 0.0);
        hand.carry_out(Step::Boot(1));
        policy.desired = Some(11);
        assert!(hand.play_until(&mut policy, 1200.0).is_empty());
    }

    #[test]
    fn a_gap_in_the_metric_is_insufficient_data() {
        let mut hand = Hand::new(100, &[20; 10]);
        let mut policy = policy();
        hand.play_until(&mut policy, 600.0);
        hand.metrics = false;
        hand.play_until(&mut policy, 720.0);
        hand.metrics = true;
        assert!(
            hand.play_until(&mut policy, 1610.0).is_empty(),
            "nothing from 660 s to 720 s"
        );
        assert!(!hand.play_until(&mut policy, 1620.0).is_empty());
    }

    #[test]
    fn a_drained_target_is_cut_after_300_seconds() {
        let mut hand = Hand::new(100, &[70, 70, 5]);
        hand.carry_out(Step::Drain(2));
        let orders = hand.play_until(&mut policy(), 330.0);
        assert_eq!(orders, [(300.0, Step::Delete(2))]);
    }

    #[test]
    fn closest_to_the_next_billing_hour_goes_first() {
        let mut hand = Hand::new(100, &[1, 1, 1]);
        hand.now_s = 10_000.0;
        hand.member(0).ordered_s = 9_000.0;
        hand.member(1).ordered_s = 3_000.0;
        hand.member(2).ordered_s = 8_000.0;
        // 1000, 7000 - 3600 = 3400 and 2000 seconds into their hours.
        let view = View {
            now_s: hand.now_s,
            members: &hand.members,
            capacity_calls: 100,
            metrics: true,
            started: 0,
            refused: 0,
            booted_s: &[],
            failed_creates: 0,
        };
        let order: Vec<u32> = termination_order(&view)
            .iter()
            .map(|member| member.id)
            .collect();
        assert_eq!(order, [1, 2, 0]);
    }
}
