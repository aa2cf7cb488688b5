//! Kubernetes: a HorizontalPodAutoscaler on calls per pod, a ReplicaSet that carries it out.
//!
//! Sources: kubernetes/website `tasks/run-application/horizontal-pod-autoscale.md` (algorithm details,
//! default behavior), kubernetes `pkg/controller/podautoscaler/horizontal.go`
//! (`stabilizeRecommendationWithBehaviors`, `convertDesiredReplicasWithBehaviorRate`); see
//! [`replicas`] and [`ranking`] for the two other files. Defaults: sync 15 s, tolerance 0.1, window 300 s
//! down and 0 up, up at most the greater of +100 % and 4 pods in 15 s, down 100 % in 15 s,
//! `terminationGracePeriodSeconds` 30.
//!
//! Chosen: a `Pods` metric, calls per pod, with a target of 70 % of the capacity; a booting member is a
//! pending pod; pods end when they are empty or after 30 s of grace, whichever is first.

mod ranking;
mod replicas;

use std::collections::VecDeque;

use super::Pool;
use super::pool::{count, in_phase, whole};
use crate::simulate::{Decision, Scaler, SimPhase, Step, View};
use ranking::deletion_order;
use replicas::{Pods, desired_replicas};

const TARGET_LOAD: f64 = 0.70;
const DOWN_WINDOW_S: f64 = 300.0;
const UP_PODS: u32 = 4;
const GRACE_S: f64 = 30.0;

/// The HorizontalPodAutoscaler and its ReplicaSet.
#[derive(Debug)]
pub struct Hpa {
    pool: Pool,
    /// `spec.replicas`; what exists at the first look.
    replicas: Option<u32>,
    /// Recommendations of the window, oldest first: when, how many.
    recommendations: VecDeque<(f64, u32)>,
}

impl Hpa {
    /// The HorizontalPodAutoscaler of a pool.
    pub fn new(pool: Pool) -> Self {
        Self {
            pool,
            replicas: None,
            recommendations: VecDeque::new(),
        }
    }

    /// The recommendation, stabilised and limited.
    fn normalize(&mut self, now_s: f64, current: u32, recommended: u32) -> u32 {
        while self
            .recommendations
            .front()
            .is_some_and(|(at_s, _)| *at_s <= now_s - DOWN_WINDOW_S)
        {
            self.recommendations.pop_front();
        }
        let highest = self
            .recommendations
            .iter()
            .map(|(_, replicas)| *replicas)
            .max();
        self.recommendations.push_back((now_s, recommended));
        let stable = if recommended >= current {
            recommended
        } else {
            recommended.max(highest.unwrap_or(recommended))
        };
        if stable > current {
            let limit = current
                .saturating_mul(2)
                .max(current.saturating_add(UP_PODS));
            stable.min(limit.min(self.pool.max))
        } else {
            stable.max(self.pool.min)
        }
    }

    /// What the ReplicaSet does: as many as wanted.
    fn reconcile(view: &View<'_>, replicas: u32, steps: &mut Vec<Step>) {
        let alive = count(view, SimPhase::Active) + count(view, SimPhase::Booting);
        if alive < replicas {
            steps.push(Step::Boot(replicas - alive));
        }
        let surplus = usize::try_from(alive.saturating_sub(replicas)).unwrap_or(usize::MAX);
        for member in deletion_order(view).into_iter().take(surplus) {
            steps.push(match member.phase {
                SimPhase::Active => Step::Drain(member.id),
                SimPhase::Booting | SimPhase::Draining => Step::Delete(member.id),
            });
        }
    }
}

/// Pods whose grace is over, or that ended by themselves.
fn end_graces(view: &View<'_>) -> Vec<Step> {
    in_phase(view, SimPhase::Draining)
        .filter(|member| {
            let since_s = view.now_s - member.draining_s.unwrap_or(view.now_s);
            since_s >= GRACE_S || (view.metrics && member.calls == 0)
        })
        .map(|member| Step::Delete(member.id))
        .collect()
}

impl Scaler for Hpa {
    fn name(&self) -> &str {
        "hpa"
    }

    fn interval_s(&self) -> f64 {
        15.0
    }

    fn decide(&mut self, view: &View<'_>) -> Decision {
        let mut steps = end_graces(view);
        let active: Vec<f64> = in_phase(view, SimPhase::Active)
            .map(|member| f64::from(member.calls))
            .collect();
        let booting = count(view, SimPhase::Booting);
        let alive = whole(active.len()) + booting;
        let current = self.replicas.unwrap_or(alive);
        let pods = if view.metrics {
            Pods {
                measured: active,
                pending: booting,
                missing: 0,
            }
        } else {
            Pods {
                measured: Vec::new(),
                pending: booting,
                missing: whole(active.len()),
            }
        };
        let target = TARGET_LOAD * f64::from(view.capacity_calls);
        let recommended = desired_replicas(current, target, &pods);
        let replicas = match recommended {
            Some(recommended) => self.normalize(view.now_s, current, recommended),
            None => current.clamp(self.pool.min, self.pool.max),
        };
        self.replicas = Some(replicas);
        Self::reconcile(view, replicas, &mut steps);
        let recommended = recommended.map_or("unknown".to_owned(), |count| count.to_string());
        Decision {
            steps,
            reason: format!("replicas {replicas}, recommended {recommended}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::rivals::hand::Hand;

    fn hpa() -> Hpa {
        Hpa::new(Pool {
            min: 2,
            max: 60,
            capacity_calls: 200,
        })
    }

    #[test]
    fn growth_is_at_once_and_at_most_doubled_or_four_more() {
        // Ratio 200 / 140: ceil(10 * 1.43) = 15.
        assert_eq!(
            Hand::new(200, &[200; 10]).look(&mut hpa()).steps,
            [Step::Boot(5)]
        );
        assert_eq!(hpa().normalize(0.0, 10, 90), 20);
        assert_eq!(hpa().normalize(0.0, 2, 90), 6);
        assert_eq!(hpa().normalize(0.0, 50, 90), 60);
    }

    #[test]
    fn what_boots_damps_what_follows() {
        let mut hand = Hand::new(200, &[200; 10]);
        let orders = hand.play_until(&mut hpa(), 300.0);
        assert_eq!(orders, [(0.0, Step::Boot(5))]);
    }

    #[test]
    fn shrinking_waits_for_the_highest_recommendation_of_five_minutes() {
        let mut hand = Hand::new(200, &[140; 4]);
        let mut hpa = hpa();
        assert!(hand.play_until(&mut hpa, 0.0).is_empty());
        hand.calls_each(70);
        let orders = hand.play_until(&mut hpa, 315.0);
        let drains: Vec<f64> = orders.iter().map(|(at_s, _)| *at_s).collect();
        assert_eq!(drains, [300.0, 300.0]);
    }

    #[test]
    fn calls_are_cut_after_thirty_seconds_of_grace() {
        let mut hand = Hand::new(200, &[50, 50, 0]);
        hand.carry_out(Step::Drain(0));
        hand.carry_out(Step::Drain(2));
        let mut hpa = Hpa::new(Pool {
            min: 1,
            max: 60,
            capacity_calls: 200,
        });
        assert_eq!(
            hand.play_until(&mut hpa, 30.0),
            [(0.0, Step::Delete(2)), (30.0, Step::Delete(0))]
        );
    }

    #[test]
    fn a_pod_that_vanished_is_replaced_and_metrics_are_not_needed_for_it() {
        let mut hand = Hand::new(200, &[130; 4]);
        let mut hpa = hpa();
        hand.look(&mut hpa);
        hand.metrics = false;
        hand.carry_out(Step::Delete(1));
        assert_eq!(hand.look(&mut hpa).steps, [Step::Boot(1)]);
    }

    #[test]
    fn without_any_metrics_the_size_stays() {
        let mut hand = Hand::new(200, &[0; 6]);
        hand.metrics = false;
        assert!(hand.play_until(&mut hpa(), 900.0).is_empty());
    }
}
