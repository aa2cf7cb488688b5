//! Calls: demand as a line, capacity as an area, what is carried inside it, what fails between.

use std::fmt::Write;

use super::axis::{CALLS, Frame, LEFT, RIGHT, Scales, value_axis, y};
use super::course::Course;
use crate::simulate::Point;
use crate::simulate::report::words;

pub(super) fn svg(course: &Course, frame: &Frame, scales: &Scales) -> String {
    let at = |value: u32| y(CALLS, f64::from(value), scales.calls);
    let points = &course.points;
    format!(
        "<path class=\"capacity\" d=\"{}\"/><path class=\"carried\" d=\"{}\"/>\
         <path class=\"gap\" d=\"{}\"/><path class=\"capacity-edge\" d=\"{}\"/>\
         <path class=\"demand\" d=\"{}\"/>{}{}",
        closed(steps(points, frame, |point| at(point.capacity_calls))),
        area(points, frame, |point| at(point.calls)),
        gaps(points, frame, at),
        steps(points, frame, |point| at(point.capacity_calls)),
        line(points, frame, |point| at(point.demand_calls)),
        value_axis(CALLS, scales.calls, 4.6, "calls"),
        beyond(points, scales),
    )
}

/// A value that stays until it changes: corners only where it does.
fn steps(points: &[Point], frame: &Frame, height: impl Fn(&Point) -> f64) -> String {
    let Some(first) = points.first() else {
        return String::new();
    };
    let mut now = height(first);
    let mut path = format!("M{:.1} {now:.1}", frame.x(first.t_s));
    for point in points {
        let next = height(point);
        if (next - now).abs() > 0.01 {
            let _ = write!(path, "H{:.1}V{next:.1}", frame.x(point.t_s));
            now = next;
        }
    }
    let _ = write!(path, "H{RIGHT:.1}");
    path
}

/// A path from the left to the right edge, with what lies under it.
fn closed(mut path: String) -> String {
    if !path.is_empty() {
        let _ = write!(path, "V{:.1}H{LEFT:.1}Z", CALLS.bottom);
    }
    path
}

fn line(points: &[Point], frame: &Frame, height: impl Fn(&Point) -> f64) -> String {
    let mut path = String::new();
    for point in points {
        let command = if path.is_empty() { 'M' } else { 'L' };
        let _ = write!(
            path,
            "{command}{:.1} {:.1}",
            frame.x(point.t_s),
            height(point)
        );
    }
    path
}

fn area(points: &[Point], frame: &Frame, height: impl Fn(&Point) -> f64) -> String {
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return String::new();
    };
    let top = line(points, frame, height);
    let (from, to) = (frame.x(first.t_s), frame.x(last.t_s));
    format!(
        "{top}L{to:.1} {bottom:.1}H{from:.1}Z",
        bottom = CALLS.bottom
    )
}

/// Where less is carried than there would be: one shape for each stretch.
fn gaps(points: &[Point], frame: &Frame, at: impl Fn(u32) -> f64) -> String {
    let mut path = String::new();
    for stretch in points.split(|point| point.demand_calls <= point.calls) {
        if stretch.is_empty() {
            continue;
        }
        path.push_str(&line(stretch, frame, |point| at(point.demand_calls)));
        for point in stretch.iter().rev() {
            let _ = write!(path, "L{:.1} {:.1}", frame.x(point.t_s), at(point.calls));
        }
        path.push('Z');
    }
    path
}

/// Says how much capacity there was beyond the axis.
fn beyond(points: &[Point], scales: &Scales) -> String {
    let most = points
        .iter()
        .map(|point| point.capacity_calls)
        .max()
        .unwrap_or(0);
    if f64::from(most) <= scales.calls {
        return String::new();
    }
    format!(
        "<text class=\"beyond\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">capacity up to {}</text>",
        RIGHT - 5.0,
        CALLS.top + 10.5,
        words::count(most.into())
    )
}
