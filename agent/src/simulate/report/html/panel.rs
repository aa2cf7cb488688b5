//! Panel: one policy's day as a figure. All panels of a scenario have the same axes.

use super::axis::{CALLS, Frame, HARM, HEIGHT, LANE, LEFT, RIGHT, Scales, WIDTH};
use super::course::Course;
use super::{escape, harm, lines, marks, members};
use crate::simulate::Outcome;
use crate::simulate::report::words;

pub(super) fn figure(run: &Outcome, title: &str, frame: &Frame, scales: &Scales) -> String {
    let course = Course::of(&run.points);
    let name = escape(words::display(&run.policy));
    let own = if run.policy == words::OWN { " own" } else { "" };
    let figures = &run.figures;
    format!(
        "<figure class=\"panel{own}\" tabindex=\"0\">\n<figcaption><b>{name}</b>\
         <span class=\"chips\">{lost}{cut}<span>{hours} member-hours</span></span></figcaption>\n\
         <p class=\"readout\">{title}</p>\n\
         <svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{label}\">\n\
         <rect class=\"lane\" x=\"{LEFT}\" y=\"{lane_top}\" width=\"{width}\" height=\"{lane_height}\"/>\
         {lines}\n{members}\n{harm}\n{axis}\n{marks}\n\
         <path class=\"cross\" d=\"M0 {top}V{bottom}\" visibility=\"hidden\"/>\n</svg>\n\
         <script type=\"application/json\">{json}</script>\n</figure>\n",
        lost = chip(figures.lost_calls, "lost"),
        cut = chip(figures.cut_calls, "cut"),
        hours = words::hours(figures.member_hours),
        title = escape(title),
        label = escape(&label(run)),
        lane_top = LANE.top,
        width = RIGHT - LEFT,
        lane_height = LANE.bottom - LANE.top,
        lines = lines::svg(&course, frame, scales),
        members = members::svg(&course, frame, scales),
        harm = harm::svg(run, frame, scales),
        axis = frame.svg(),
        marks = marks::svg(run, frame),
        top = CALLS.top,
        bottom = HARM.bottom,
        json = course.json(),
    )
}

fn chip(calls: u64, what: &str) -> String {
    let class = if calls > 0 { " class=\"bad\"" } else { "" };
    format!("<span{class}>{} {what}</span>", words::count(calls))
}

/// The panel in one sentence, for who cannot see it.
fn label(run: &Outcome) -> String {
    let figures = &run.figures;
    let most = run
        .points
        .iter()
        .map(|point| point.active)
        .max()
        .unwrap_or(0);
    format!(
        "{}: of {} calls {} were lost and {} cut; at most {most} active members, {} member-hours, \
         {} actions",
        words::display(&run.policy),
        words::count(figures.offered_calls),
        words::count(figures.lost_calls),
        words::count(figures.cut_calls),
        words::hours(figures.member_hours),
        words::count(figures.actions),
    )
}
