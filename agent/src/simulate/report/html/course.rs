//! Course: the points of a run, so many as can be seen and not more.

use crate::simulate::Point;

/// About one for each pixel of a panel.
const MOST_POINTS: usize = 720;

/// Points at equal steps.
#[derive(Debug)]
pub(super) struct Course {
    pub(super) points: Vec<Point>,
    /// Seconds between two of them.
    pub(super) step_s: f64,
}

impl Course {
    /// Of several points that become one, the moment of the greatest demand stays; calls lost and cut
    /// are summed, so that none disappears.
    pub(super) fn of(points: &[Point]) -> Course {
        let group = points.len().div_ceil(MOST_POINTS).max(1);
        let thinned: Vec<Point> = points.chunks(group).filter_map(merged).collect();
        let step_s = match thinned.as_slice() {
            [first, second, ..] => second.t_s - first.t_s,
            _ => 0.0,
        };
        Course {
            points: thinned,
            step_s,
        }
    }

    /// The numbers behind the crosshair.
    pub(super) fn json(&self) -> String {
        let list = |value: fn(&Point) -> u32| {
            let values: Vec<String> = self
                .points
                .iter()
                .map(|point| value(point).to_string())
                .collect();
            values.join(",")
        };
        let first_s = self.points.first().map_or(0.0, |point| point.t_s);
        format!(
            "{{\"first\":{first_s},\"step\":{},\"demand\":[{}],\"calls\":[{}],\"capacity\":[{}],\
             \"active\":[{}],\"booting\":[{}],\"draining\":[{}],\"lost\":[{}],\"cut\":[{}]}}",
            self.step_s,
            list(|point| point.demand_calls),
            list(|point| point.calls),
            list(|point| point.capacity_calls),
            list(|point| point.active),
            list(|point| point.booting),
            list(|point| point.draining),
            list(|point| point.lost),
            list(|point| point.cut),
        )
    }
}

fn merged(group: &[Point]) -> Option<Point> {
    let first = group.first()?;
    // The first of equals: so the members of a quiet pool are those of the step's beginning.
    let peak = group.iter().rev().max_by_key(|point| point.demand_calls)?;
    Some(Point {
        t_s: first.t_s,
        lost: group.iter().map(|point| point.lost).sum(),
        cut: group.iter().map(|point| point.cut).sum(),
        ..*peak
    })
}
