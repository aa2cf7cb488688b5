//! The picture of the day: requests per second, members of the pools and calls per member over one
//! time axis. Draws what was sampled, and nothing else.

use kamscale_tests::Sample;
use kamscale_tests::plot::{Anchor, Canvas, Panel, Rows};

use crate::course::Course;
use crate::members::{Life, events_of};
use crate::scenario::CAPACITY;

// Okabe and Ito's palette, which colour-blind people can tell apart.
const BLUE: &str = "#0072B2";
const ORANGE: &str = "#E69F00";
const GREEN: &str = "#009E73";
const SKY: &str = "#56B4E9";
const VERMILION: &str = "#D55E00";
const PURPLE: &str = "#CC79A7";
const GREY: &str = "#777777";
const INK: &str = "#222222";

const MEMBER_COLORS: [&str; 4] = [BLUE, VERMILION, GREEN, PURPLE];
const STATES: [(&str, &str, &str); 3] = [
    ("active", "active", GREEN),
    ("joining", "booting", SKY),
    ("draining", "draining", ORANGE),
];

const WIDTH: f64 = 1600.0;
const HEIGHT: f64 = 1000.0;
const LEFT: f64 = 80.0;
const PLOT_WIDTH: f64 = 1270.0;
/// Rates are means over so many seconds.
const RATE_WINDOW_S: f64 = 4.0;
/// Drains and ends are marked at this height, in calls: above all lines.
const MARKS_AT: f64 = 21.5;

/// The whole picture, as SVG.
pub(crate) fn draw(course: &Course, lives: &[Life], summary: &str) -> String {
    let seconds = (course.seconds / 5.0).ceil() * 5.0;
    let panel = |top: f64, height: f64, most: f64| Panel {
        left: LEFT,
        top,
        width: PLOT_WIDTH,
        height,
        seconds,
        most,
    };
    let mut canvas = Canvas::new(WIDTH, HEIGHT);
    let title = "Conference-call day: capacity follows the calls, and no call notices";
    canvas.text((LEFT, 44.0), 28, INK, Anchor::Start, title);
    canvas.text((LEFT, 76.0), 18, GREY, Anchor::Start, summary);
    draw_requests(&mut canvas, panel(134.0, 140.0, 3.0), course);
    draw_members(&mut canvas, panel(350.0, 195.0, 5.0), course);
    draw_calls(&mut canvas, panel(612.0, 315.0, 25.0), course, lives);
    canvas.finish()
}

fn draw_requests(canvas: &mut Canvas, panel: Panel, course: &Course) {
    panel.frame(canvas, "New calls per second, by feature", 1.0, None);
    let series = [("conference", BLUE, 3.0), ("queue", ORANGE, 3.0)];
    for (row, (feature, color, width)) in (0_u8..).zip(series) {
        let points: Vec<(f64, f64)> = rates(&course.samples, feature)
            .map(|(t, rate)| panel.at(t, rate.min(panel.most)))
            .collect();
        canvas.line(&points, color, width, "");
        key(canvas, panel, row, color, feature);
    }
}

/// Requests per second around each sample: the mean over a window, smoothed once more, because
/// whole calls in a short window make a saw.
fn rates<'a>(samples: &'a [Sample], feature: &'a str) -> impl Iterator<Item = (f64, f64)> + 'a {
    let count = move |s: &Sample| {
        let requests = s.requests.get(feature).copied().unwrap_or(0);
        f64::from(u32::try_from(requests).unwrap_or(u32::MAX))
    };
    let window = move |t: f64| {
        let from = samples.partition_point(|s| s.t < t - RATE_WINDOW_S / 2.0);
        let to = samples.partition_point(|s| s.t <= t + RATE_WINDOW_S / 2.0);
        &samples[from..to.max(from + 1)]
    };
    let rate = move |t: f64| {
        let near = window(t);
        let (from, to) = (&near[0], &near[near.len() - 1]);
        (count(to) - count(from)) / (to.t - from.t).max(f64::EPSILON)
    };
    samples.iter().map(move |sample| {
        let (sum, number) = window(sample.t)
            .iter()
            .fold((0.0, 0.0), |(sum, number), s| {
                (sum + rate(s.t), number + 1.0)
            });
        (sample.t, sum / number)
    })
}

fn draw_members(canvas: &mut Canvas, panel: Panel, course: &Course) {
    panel.frame(canvas, "Members of the pools", 1.0, None);
    let samples = &course.samples;
    let small = |n: usize| f64::from(u32::try_from(n).unwrap_or(0));
    for upto in (1..=STATES.len()).rev() {
        let height = |s: &Sample| -> f64 {
            STATES[..upto]
                .iter()
                .map(|(state, ..)| small(s.count("conference", state)))
                .sum()
        };
        let mut outline = vec![panel.at(0.0, 0.0)];
        let mut before = samples.first().map_or(0.0, height);
        for sample in samples {
            let now = height(sample);
            outline.extend([panel.at(sample.t, before), panel.at(sample.t, now)]);
            before = now;
        }
        outline.push(panel.at(samples.last().map_or(0.0, |s| s.t), 0.0));
        canvas.area(&outline, STATES[upto - 1].2);
    }
    let queue: Vec<(f64, f64)> = samples
        .iter()
        .map(|s| panel.at(s.t, small(s.members("queue").count())))
        .collect();
    canvas.line(&queue, INK, 2.5, "stroke-dasharray=\"8 6\"");
    for (row, (_, name, color)) in (0_u8..).zip(STATES) {
        key(canvas, panel, row, color, &format!("conference, {name}"));
    }
    let y = row_y(panel, 3);
    let x = panel.right() + 20.0;
    canvas.line(
        &[(x, y), (x + 24.0, y)],
        INK,
        2.5,
        "stroke-dasharray=\"8 6\"",
    );
    canvas.text((x + 34.0, y + 6.0), 18, INK, Anchor::Start, "queue, fixed");
    draw_decisions(canvas, panel, course);
}

/// What was decided when, above the members.
fn draw_decisions(canvas: &mut Canvas, panel: Panel, course: &Course) {
    let mut rows = Rows::default();
    for event in events_of(course, "conference").filter(|e| e["event"] == "decision") {
        let (Some(t), Some(actions)) = (event["t"].as_f64(), event["actions"].as_array()) else {
            continue;
        };
        for action in actions {
            let (text, color) = match action["action"].as_str() {
                Some("boot") => (format!("+{}", action["count"]), BLUE),
                Some("drain") => ("drain".into(), VERMILION),
                Some("take_back") => ("back".into(), BLUE),
                Some("remove") => ("−1".into(), VERMILION),
                _ => continue,
            };
            let x = panel.x(t);
            let y = panel.y(4.4) - 19.0 * rows.free(x, if text.len() > 3 { 50.0 } else { 34.0 });
            let ends = [(x, y + 4.0), (x, panel.bottom())];
            canvas.line(&ends, color, 1.0, "opacity=\"0.5\"");
            canvas.text((x, y), 16, color, Anchor::Middle, &text);
        }
    }
}

fn draw_calls(canvas: &mut Canvas, panel: Panel, course: &Course, lives: &[Life]) {
    panel.frame(canvas, "Calls on each member", 5.0, Some("the first call"));
    let limit = f64::from(CAPACITY);
    let ends = [panel.at(0.0, limit), panel.at(panel.seconds, limit)];
    canvas.line(&ends, INK, 1.5, "stroke-dasharray=\"3 5\"");
    let at = (panel.left + 8.0, panel.y(limit) - 8.0);
    let text = format!("capacity of a conference member: {CAPACITY} calls");
    canvas.text(at, 16, INK, Anchor::Start, &text);
    for queue in ["queue-1", "queue-2"] {
        canvas.line(
            &line_of(panel, course, "queue", queue, 0.0, f64::MAX),
            GREY,
            1.5,
            "",
        );
    }
    let lives: Vec<(&Life, &str)> = lives
        .iter()
        .zip(MEMBER_COLORS.iter().copied().cycle())
        .collect();
    let mut row = 0;
    for (life, color) in &lives {
        draw_life(canvas, panel, course, life, color);
        key(canvas, panel, row, color, &life.name);
        row += 1;
    }
    draw_moments(canvas, panel, &lives);
    key(canvas, panel, row, GREY, "queue-1, queue-2");
    draw_marks(canvas, panel, row + 2);
}

/// A member's calls, dashed while it drains.
fn draw_life(canvas: &mut Canvas, panel: Panel, course: &Course, life: &Life, color: &str) {
    let drains = life.draining.unwrap_or(f64::MAX);
    let end = life.removed.unwrap_or(f64::MAX);
    let line = |from: f64, to: f64| line_of(panel, course, "conference", &life.name, from, to);
    canvas.line(&line(0.0, drains), color, 3.0, "");
    let draining = line(drains, end);
    canvas.line(&draining, color, 3.0, "stroke-dasharray=\"7 5\"");
}

fn number(life: &Life) -> &str {
    life.name.rsplit('-').next().unwrap_or("?")
}

/// What happened to a member at one moment.
#[derive(Clone, Copy)]
enum Moment {
    FirstCall,
    Drained,
    Stopped,
}

/// The members' moments: first calls on the axis, drains and ends above the lines. Marks that are
/// close stand above each other.
fn draw_moments(canvas: &mut Canvas, panel: Panel, lives: &[(&Life, &str)]) {
    let moments = lives.iter().flat_map(|(life, color)| {
        let first = life.first_call.filter(|_| life.ordered.is_some());
        let all = [
            (first, Moment::FirstCall),
            (life.draining, Moment::Drained),
            (life.removed, Moment::Stopped),
        ];
        all.map(|(t, moment)| (t, moment, *life, *color))
    });
    let mut moments: Vec<_> = moments
        .filter_map(|(t, moment, life, color)| Some((t?, moment, life, color)))
        .collect();
    moments.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut low, mut high) = (Rows::default(), Rows::default());
    for (t, moment, life, color) in moments {
        let (x, axis) = panel.at(t, 0.0);
        match moment {
            Moment::FirstCall => {
                let y = axis - 20.0 * low.free(x, 30.0);
                canvas.dot((x, y), 6.0, "white", color);
                canvas.text((x - 11.0, y - 8.0), 17, color, Anchor::End, number(life));
            }
            Moment::Drained | Moment::Stopped => {
                let y = panel.y(MARKS_AT) - 20.0 * high.free(x, 38.0);
                let dotted = "stroke-dasharray=\"2 5\"";
                canvas.line(&[(x, y), (x, axis)], color, 1.5, dotted);
                match moment {
                    Moment::Stopped => canvas.cross((x, y), 6.0, color),
                    _ => canvas.arrow_down((x, y + 7.0), 14.0, color),
                }
                canvas.text((x + 11.0, y + 6.0), 17, color, Anchor::Start, number(life));
            }
        }
    }
}

fn line_of(
    panel: Panel,
    course: &Course,
    pool: &str,
    name: &str,
    from: f64,
    to: f64,
) -> Vec<(f64, f64)> {
    let samples = course.samples.iter().filter(|s| s.t >= from && s.t <= to);
    let calls = samples.filter_map(|s| Some((s.t, s.pools.get(pool)?.get(name)?.calls)));
    calls
        .map(|(t, calls)| panel.at(t, f64::from(calls)))
        .collect()
}

/// What the marks of the last panel mean.
fn draw_marks(canvas: &mut Canvas, panel: Panel, row: u8) {
    let x = panel.right() + 32.0;
    let texts = ["first call", "drained from here", "stopped, empty"];
    for (row, text) in (row..).zip(texts) {
        let y = row_y(panel, row);
        match text {
            "first call" => canvas.dot((x, y), 6.0, "white", INK),
            "stopped, empty" => canvas.cross((x, y), 7.0, INK),
            _ => canvas.arrow_down((x, y + 7.0), 14.0, INK),
        }
        canvas.text((x + 22.0, y + 6.0), 18, INK, Anchor::Start, text);
    }
}

fn row_y(panel: Panel, row: u8) -> f64 {
    panel.top + 14.0 + 30.0 * f64::from(row)
}

/// An entry of the legend beside a panel.
fn key(canvas: &mut Canvas, panel: Panel, row: u8, color: &str, text: &str) {
    let (x, y) = (panel.right() + 20.0, row_y(panel, row));
    canvas.area(
        &[
            (x, y - 8.0),
            (x + 24.0, y - 8.0),
            (x + 24.0, y + 8.0),
            (x, y + 8.0),
        ],
        color,
    );
    canvas.text((x + 34.0, y + 6.0), 18, INK, Anchor::Start, text);
}
