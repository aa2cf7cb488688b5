//! A hand-made day: a working day's curve, a policy that follows it, and a surge at noon.

use crate::simulate::{Figures, Mark, Outcome, Point};

/// Members carry so many calls.
const CAPACITY: u32 = 200;

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "values of a test, all small and positive"
)]
pub(super) fn outcome(policy: &str, seed: u64, figures: Figures) -> Outcome {
    let mut points = Vec::new();
    let mut marks = Vec::new();
    let late = if figures.lost_calls > 100 { 40 } else { 0 };
    let members = |minute: u32| {
        let ahead = (demand(minute.saturating_sub(late)) * 1.35 / f64::from(CAPACITY)).ceil();
        (ahead as u32).max(2)
    };
    for minute in 0..1_440_u32 {
        let demand_calls = demand(minute) as u32;
        let (active, next) = (members(minute), members(minute + 4));
        let capacity_calls = active * CAPACITY;
        let calls = demand_calls.min(capacity_calls);
        let before = members(minute.saturating_sub(1));
        let t_s = f64::from(minute) * 60.0;
        if active != before {
            let (what, words) = if active > before {
                ("boot", "adding")
            } else {
                ("drain", "draining")
            };
            let count = active.abs_diff(before);
            let reason =
                format!("calls {calls} of {capacity_calls}; wanted {active}; {words} {count}");
            marks.push(Mark {
                t_s,
                what: what.into(),
                count,
                reason,
            });
        }
        points.push(Point {
            t_s,
            demand_calls,
            calls,
            capacity_calls,
            active,
            booting: next.saturating_sub(active),
            draining: members(minute.saturating_sub(30)).saturating_sub(active),
            lost: (demand_calls - calls) / 20,
            cut: if figures.cut_calls > 0 && active < before {
                7
            } else {
                0
            },
        });
    }
    let surge = "everybody calls at once".to_owned();
    marks.push(Mark {
        t_s: 43_200.0,
        what: "surge".into(),
        count: 0,
        reason: surge,
    });
    Outcome {
        scenario: "diurnal".into(),
        policy: policy.into(),
        seed,
        duration_s: 86_400.0,
        figures,
        points,
        marks,
    }
}

fn demand(minute: u32) -> f64 {
    let angle = f64::from(minute) / 1_440.0 * std::f64::consts::TAU;
    let curve = (0.5 - 0.5 * angle.cos()).powf(1.5);
    let surge = if (720..735).contains(&minute) {
        900.0
    } else {
        0.0
    };
    let noise = f64::from((minute * 7_919) % 61) - 30.0;
    400.0 + 2_600.0 * curve + surge + noise
}
