//! Members: active, booting and draining ones on top of each other.

use std::fmt::Write;

use super::axis::{Frame, MEMBERS, RIGHT, Scales, value_axis, y};
use super::course::Course;
use crate::simulate::Point;

pub(super) fn svg(course: &Course, frame: &Frame, scales: &Scales) -> String {
    let none = |_: &Point| 0;
    let active = |point: &Point| point.active;
    let booting = |point: &Point| point.active + point.booting;
    let all = |point: &Point| point.active + point.booting + point.draining;
    let points = &course.points;
    format!(
        "<path class=\"active\" d=\"{}\"/><path class=\"booting\" d=\"{}\"/>\
         <path class=\"draining\" d=\"{}\"/>{}",
        layer(points, frame, scales, none, active),
        layer(points, frame, scales, active, booting),
        layer(points, frame, scales, booting, all),
        value_axis(MEMBERS, scales.members, 2.5, "members"),
    )
}

/// The stretches between two stacked counts, one shape for each in which there is something.
fn layer(
    points: &[Point],
    frame: &Frame,
    scales: &Scales,
    low: impl Fn(&Point) -> u32,
    high: impl Fn(&Point) -> u32,
) -> String {
    let at = |members: u32| y(MEMBERS, f64::from(members), scales.members);
    let mut path = String::new();
    let mut from = 0;
    while from < points.len() {
        let levels = (low(&points[from]), high(&points[from]));
        let same = |point: &Point| (low(point), high(point)) == levels;
        let length = points[from..]
            .iter()
            .take_while(|point| same(point))
            .count();
        let until = points
            .get(from + length)
            .map_or(RIGHT, |next| frame.x(next.t_s));
        if levels.1 > levels.0 {
            let left = frame.x(points[from].t_s);
            let (top, bottom) = (at(levels.1), at(levels.0));
            let _ = write!(
                path,
                "M{left:.1} {bottom:.1}V{top:.1}H{until:.1}V{bottom:.1}Z"
            );
        }
        from += length;
    }
    path
}
