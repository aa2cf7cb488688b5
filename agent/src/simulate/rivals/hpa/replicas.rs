//! How many pods the HorizontalPodAutoscaler wants: the ratio, and what it makes of missing pods.
//!
//! Source: kubernetes `pkg/controller/podautoscaler/replica_calculator.go`, `calcPlainMetricReplicas`
//! and `groupPods`; its cases in `replica_calculator_test.go`; the examples of the documentation.

/// The ratio is left alone within this distance of 1.
const TOLERANCE: f64 = 0.1;

/// The pods, without those that are being deleted.
#[derive(Debug)]
pub(super) struct Pods {
    /// The metric of each pod that is ready and has one.
    pub(super) measured: Vec<f64>,
    /// Pods that are not ready yet: set aside, and 0 if the others ask for more.
    pub(super) pending: u32,
    /// Ready pods without a metric: as if on target if the others ask for fewer, 0 if for more.
    pub(super) missing: u32,
}

/// How many replicas are wanted. `None` if no pod has a metric: then nothing is changed.
pub(super) fn desired_replicas(current: u32, target: f64, pods: &Pods) -> Option<u32> {
    if pods.measured.is_empty() {
        return None;
    }
    let ready = count(&pods.measured);
    let sum: f64 = pods.measured.iter().sum();
    let ratio = mean(sum, ready) / target;
    let rebalance = pods.pending > 0 && ratio > 1.0;
    if !rebalance && pods.missing == 0 {
        return Some(if near(ratio) {
            current
        } else {
            up(ratio * ready)
        });
    }
    if (1.0 - ratio).abs() < f64::EPSILON {
        // Neither way up nor down: what is missing is left out, and the rest is on target.
        return Some(current);
    }
    let filled = if ratio < 1.0 {
        f64::from(pods.missing) * target
    } else {
        0.0
    };
    let pending = if rebalance {
        f64::from(pods.pending)
    } else {
        0.0
    };
    let considered = ready + f64::from(pods.missing) + pending;
    let again = mean(sum + filled, considered) / target;
    let turned = (ratio < 1.0 && again > 1.0) || (ratio > 1.0 && again < 1.0);
    if near(again) || turned {
        return Some(current);
    }
    let wanted = up(again * considered);
    let against = (again < 1.0 && wanted > current) || (again > 1.0 && wanted < current);
    Some(if against { current } else { wanted })
}

fn near(ratio: f64) -> bool {
    (1.0 - TOLERANCE..=1.0 + TOLERANCE).contains(&ratio)
}

/// Metrics are whole thousandths, and so is their mean, cut off.
fn mean(sum: f64, pods: f64) -> f64 {
    (sum * 1000.0 / pods).floor() / 1000.0
}

fn up(replicas: f64) -> u32 {
    crate::simulate::rivals::pool::round_up(replicas)
}

fn count(pods: &[f64]) -> f64 {
    f64::from(crate::simulate::rivals::pool::whole(pods.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(current: u32, target: f64, measured: &[f64], pending: u32, missing: u32) -> u32 {
        let pods = Pods {
            measured: measured.to_vec(),
            pending,
            missing,
        };
        desired_replicas(current, target, &pods).unwrap()
    }

    /// horizontal-pod-autoscale.md: 200m on a target of 100m doubles, 50m halves.
    #[test]
    fn the_documented_examples() {
        assert_eq!(wanted(3, 100.0, &[200.0; 3], 0, 0), 6);
        assert_eq!(wanted(4, 100.0, &[50.0; 4], 0, 0), 2);
        assert_eq!(wanted(5, 100.0, &[50.0; 5], 0, 0), 3, "rounded up");
    }

    #[test]
    fn within_the_tolerance_nothing_changes() {
        assert_eq!(wanted(10, 100.0, &[110.0; 10], 0, 0), 10);
        assert_eq!(wanted(10, 100.0, &[111.0; 10], 0, 0), 12);
        assert_eq!(wanted(10, 100.0, &[90.0; 10], 0, 0), 10);
        assert_eq!(wanted(20, 100.0, &[89.0; 20], 0, 0), 18);
    }

    /// TestReplicaCalcScaleUp, ScaleUpCM, ScaleDown, ScaleDownCM.
    #[test]
    fn the_plain_cases_of_its_own_tests() {
        assert_eq!(wanted(3, 300.0, &[300.0, 500.0, 700.0], 0, 0), 5);
        assert_eq!(
            wanted(3, 15_000.0, &[20_000.0, 10_000.0, 30_000.0], 0, 0),
            4
        );
        assert_eq!(
            wanted(5, 500.0, &[100.0, 300.0, 500.0, 250.0, 250.0], 0, 0),
            3
        );
        assert_eq!(wanted(5, 20_000.0, &[12_000.0; 5], 0, 0), 3);
    }

    /// TestReplicaCalcScaleUpUnreadyLessScale, ScaleUpUnreadyNoScale, ScaleDownIncludeUnreadyPods,
    /// ScaleDownExcludeUnscheduledPods.
    #[test]
    fn pods_that_are_not_ready_damp_growth_and_do_not_count_on_the_way_down() {
        assert_eq!(wanted(3, 300.0, &[500.0, 700.0], 1, 0), 4);
        assert_eq!(wanted(3, 300.0, &[400.0], 2, 0), 3);
        assert_eq!(wanted(5, 500.0, &[100.0, 300.0, 500.0], 2, 0), 2);
        assert_eq!(wanted(5, 500.0, &[100.0], 4, 0), 1);
    }

    /// TestReplicaCalcMissingMetricsNoChangeEq, Gt, Lt, MissingMetricsUnreadyChange, UnreadyScaleUp.
    #[test]
    fn missing_metrics_count_as_target_on_the_way_down_and_as_nothing_on_the_way_up() {
        assert_eq!(wanted(2, 1000.0, &[1000.0], 0, 1), 2);
        assert_eq!(wanted(2, 1000.0, &[1900.0], 0, 1), 2);
        assert_eq!(wanted(2, 1000.0, &[600.0], 0, 1), 2);
        assert_eq!(wanted(3, 500.0, &[450.0], 1, 1), 3);
        assert_eq!(wanted(3, 500.0, &[2000.0], 1, 1), 4);
    }

    #[test]
    fn without_a_metric_there_is_no_recommendation() {
        assert_eq!(
            desired_replicas(
                3,
                100.0,
                &Pods {
                    measured: Vec::new(),
                    pending: 1,
                    missing: 2
                }
            ),
            None
        );
    }
}
