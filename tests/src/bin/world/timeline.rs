//! The picture of a run: load, members, calls and rooms over one time axis, with what was decided, what broke and what came
//! of it. Draws what was seen, and nothing else.

use kamscale_tests::plot::{Anchor, Canvas, Panel, Rows};

use crate::course::{Course, Moment};
use crate::judge::Outcome;
use crate::story::Kind;

// Okabe and Ito's palette, which colour-blind people can tell apart.
const BLUE: &str = "#0072B2";
const ORANGE: &str = "#E69F00";
const GREEN: &str = "#009E73";
const SKY: &str = "#56B4E9";
const VERMILION: &str = "#D55E00";
const PURPLE: &str = "#CC79A7";
const GREY: &str = "#777777";
const INK: &str = "#222222";
const COLORS: [&str; 5] = [BLUE, VERMILION, GREEN, PURPLE, ORANGE];
const STATES: [(&str, &str); 3] = [("active", GREEN), ("joining", SKY), ("draining", ORANGE)];

const WIDTH: f64 = 1600.0;
const LEFT: f64 = 80.0;
const PLOT_WIDTH: f64 = 1270.0;
const TOP: f64 = 170.0;
const HEIGHT: f64 = 165.0;
const GAP: f64 = 75.0;

/// As SVG.
pub(crate) fn draw(outcome: &Outcome, course: &Course) -> String {
    let seconds = (course.moments.last().map_or(10.0, |m| m.t) / 10.0).ceil() * 10.0;
    let panel = |row: f64, most: f64| Panel {
        left: LEFT,
        top: TOP + row * (HEIGHT + GAP),
        width: PLOT_WIDTH,
        height: HEIGHT,
        seconds,
        most,
    };
    let mut canvas = Canvas::new(WIDTH, TOP + 4.0 * (HEIGHT + GAP));
    let who = if outcome.decider.word() == "aodh" {
        "decided by Aodh"
    } else {
        "decided by the agent"
    };
    let title = match outcome.kind {
        Kind::ByStack => format!("By stack: a flood, a third CCP, and back; {who}"),
        Kind::ByFeature => format!("By feature demand: everyone books the same hour; {who}"),
    };
    canvas.text((LEFT, 40.0), 28, INK, Anchor::Start, &title);
    canvas.text((LEFT, 68.0), 18, GREY, Anchor::Start, &summary(outcome));
    loads(&mut canvas, panel(0.0, 100.0), outcome, course);
    members(&mut canvas, panel(1.0, 4.0), outcome, course);
    calls(&mut canvas, panel(2.0, most(course, |m| m.talking)), course);
    rooms(
        &mut canvas,
        panel(3.0, most(course, |m| m.rooms.values().sum())),
        course,
    );
    marks(
        &mut canvas,
        panel(0.0, 1.0),
        outcome,
        panel(3.0, 1.0).bottom(),
    );
    canvas.finish()
}

fn summary(outcome: &Outcome) -> String {
    let totals = outcome.totals;
    format!(
        "{} calls offered, {} answered, {} lost, {} cut; {} REGISTERs, {} subscriptions; {} rooms split",
        totals.offered,
        totals.answered,
        outcome.lost(),
        outcome.cut(),
        outcome.registrations,
        outcome.watching,
        outcome.split.len()
    )
}

/// A round number above all values.
fn most(course: &Course, of: impl Fn(&Moment) -> usize) -> f64 {
    let most = small(course.moments.iter().map(of).max().unwrap_or(0));
    [5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0]
        .into_iter()
        .find(|m| *m >= most)
        .unwrap_or(1000.0)
}

fn small(n: usize) -> f64 {
    f64::from(u32::try_from(n).unwrap_or(u32::MAX))
}

fn key(canvas: &mut Canvas, panel: Panel, row: usize, color: &str, name: &str) {
    let y = panel.top + 10.0 + 22.0 * small(row);
    let x = panel.right() + 20.0;
    canvas.line(&[(x, y), (x + 24.0, y)], color, 4.0, "");
    canvas.text((x + 34.0, y + 6.0), 16, INK, Anchor::Start, name);
}

/// What is drawn of a moment, from 0 to 1.
type Reading = fn(&Moment) -> Option<f64>;

fn loads(canvas: &mut Canvas, panel: Panel, outcome: &Outcome, course: &Course) {
    panel.frame(
        canvas,
        "Load in percent: processors of the CCP tier; calls by capacity of the conference pool",
        25.0,
        None,
    );
    let series: [(&str, &str, Reading); 2] = [
        ("CCP processors", BLUE, |m| m.processor("ccp")),
        ("conference", PURPLE, |m| m.load("conference")),
    ];
    for (row, (name, color, of)) in series.into_iter().enumerate() {
        let points = course
            .moments
            .iter()
            .filter_map(|m| Some(panel.at(m.t, of(m)?.min(1.0) * 100.0)));
        canvas.line(&points.collect::<Vec<_>>(), color, 2.5, "");
        key(canvas, panel, row, color, name);
    }
    let threshold = outcome.kind.threshold() * 100.0;
    let ends = [panel.at(0.0, threshold), panel.at(panel.seconds, threshold)];
    canvas.line(&ends, INK, 1.5, "stroke-dasharray=\"3 5\"");
}

fn members(canvas: &mut Canvas, panel: Panel, outcome: &Outcome, course: &Course) {
    let pool = outcome.kind.pool();
    panel.frame(canvas, &format!("Members of the pool {pool}"), 1.0, None);
    for upto in (1..=STATES.len()).rev() {
        let height = |m: &Moment| -> f64 {
            let counted = m
                .members(pool)
                .filter(|(_, s)| STATES[..upto].iter().any(|(state, _)| s.state == *state));
            small(counted.count()).min(panel.most)
        };
        let mut outline = vec![panel.at(0.0, 0.0)];
        let mut before = course.moments.first().map_or(0.0, height);
        for moment in &course.moments {
            let now = height(moment);
            outline.extend([panel.at(moment.t, before), panel.at(moment.t, now)]);
            before = now;
        }
        outline.push(panel.at(course.moments.last().map_or(0.0, |m| m.t), 0.0));
        canvas.area(&outline, STATES[upto - 1].1);
        key(
            canvas,
            panel,
            upto - 1,
            STATES[upto - 1].1,
            STATES[upto - 1].0,
        );
    }
    let queue: Vec<_> = course
        .moments
        .iter()
        .map(|m| panel.at(m.t, small(m.members("queue").count()).min(panel.most)))
        .collect();
    canvas.line(&queue, INK, 2.0, "stroke-dasharray=\"8 6\"");
    key(canvas, panel, 3, INK, "queue");
}

fn calls(canvas: &mut Canvas, panel: Panel, course: &Course) {
    panel.frame(
        canvas,
        "Calls in progress, by their callers",
        panel.most / 5.0,
        None,
    );
    let points: Vec<_> = course
        .moments
        .iter()
        .map(|m| panel.at(m.t, small(m.talking)))
        .collect();
    canvas.line(&points, BLUE, 2.5, "");
}

fn rooms(canvas: &mut Canvas, panel: Panel, course: &Course) {
    panel.frame(
        canvas,
        "Rooms open on each conference server, asked of Asterisk",
        panel.most / 5.0,
        Some("the story began"),
    );
    for (row, (host, color)) in course
        .rooms
        .keys()
        .zip(COLORS.into_iter().cycle())
        .enumerate()
    {
        let points = course
            .moments
            .iter()
            .filter_map(|m| Some(panel.at(m.t, small(*m.rooms.get(host)?))));
        canvas.line(&points.collect::<Vec<_>>(), color, 2.5, "");
        key(canvas, panel, row, color, host);
    }
}

/// What was decided, broken and noted, from above the first panel to below the last.
fn marks(canvas: &mut Canvas, panel: Panel, outcome: &Outcome, bottom: f64) {
    let mut rows = Rows::default();
    let own = [
        ("crossed", outcome.marks.crossed),
        ("decided", outcome.marks.decided),
        ("first call", outcome.marks.first_call),
    ];
    let own = own
        .into_iter()
        .filter_map(|(name, t)| Some((t?, name.to_owned())));
    let fault = outcome.injected.iter().map(|i| (i.t, i.what.clone()));
    let wanted = [
        "flood begins",
        "flood ends",
        "everyone books",
        "the hour is over",
        "member draining",
        "member gone",
    ];
    let noted = outcome
        .notes
        .iter()
        .filter(|(_, what, _)| wanted.contains(&what.as_str()));
    let noted = noted.map(|(t, what, _)| (*t, what.clone()));
    let mut all: Vec<(f64, String)> = own.chain(fault).chain(noted).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    for (t, name) in all {
        let color = if name.ends_with("killed") || name.contains("network") || name.contains("hear")
        {
            VERMILION
        } else {
            INK
        };
        let x = panel.x(t);
        let y = panel.top - 34.0 - 17.0 * rows.free(x, 9.0 * small(name.len()));
        canvas.line(&[(x, y + 4.0), (x, bottom)], color, 1.0, "opacity=\"0.45\"");
        canvas.text((x, y), 15, color, Anchor::Middle, &name);
    }
}
