//! Marks: what the policy decided and what happened to it, each with its reason.
//!
//! Marks of one kind that would cover each other become one, so that a policy that never rests does
//! not make the file big; it says how many it stands for.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::axis::{CALLS, Frame, HARM, LANE, LEFT, RIGHT};
use super::escape;
use crate::simulate::{Mark, Outcome};

/// A mark is about as wide as this share of a panel.
const PLACES: f64 = 180.0;
/// A longer reason is cut.
const MOST_CHARACTERS: usize = 280;
/// Two labels that are nearer would touch.
const LABEL_WIDTH: f64 = 64.0;
/// Baselines of labels, below the top of the panel.
const ROWS: [f64; 2] = [10.5, 23.5];

/// How a kind of mark is drawn: its style, its row in the lane, and its path around (0, 0).
struct Kind {
    class: &'static str,
    row: f64,
    path: &'static str,
    words: &'static str,
}

fn kind(what: &str) -> Option<Kind> {
    let (class, row, path, words) = match what {
        "boot" => ("boot", 6.0, "m0-4.2 4.4 7.8h-8.8z", "boot"),
        "take_back" => ("take-back", 6.0, "m0-4.2 4.4 7.8h-8.8z", "take back"),
        "drain" => ("drain", 18.5, "m0 4.2-4.4-7.8h8.8z", "drain"),
        "remove" => ("remove", 18.5, "m0 4.2-4.4-7.8h8.8z", "remove"),
        "crash" => ("crash", 12.4, "m-4-4 8 8m0-8-8 8", "crash"),
        "create_failed" => (
            "create-failed",
            6.0,
            "m-3.4 0a3.4 3.4 0 1 0 6.8 0a3.4 3.4 0 1 0-6.8 0",
            "creation failed",
        ),
        _ => return None,
    };
    Some(Kind {
        class,
        row,
        path,
        words,
    })
}

pub(super) fn svg(run: &Outcome, frame: &Frame) -> String {
    let mut places: BTreeMap<(u32, &str), Vec<&Mark>> = BTreeMap::new();
    let mut events = Vec::new();
    for mark in &run.marks {
        if kind(&mark.what).is_some() {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a cast of floats saturates"
            )]
            let place = (mark.t_s / frame.duration_s * PLACES).max(0.0) as u32;
            places.entry((place, &mark.what)).or_default().push(mark);
        } else {
            events.push(mark);
        }
    }
    let mut svg = events_svg(&events, frame);
    for ((_, what), marks) in places {
        if let (Some(kind), Some(first)) = (kind(what), marks.first()) {
            let _ = write!(
                svg,
                "<path class=\"mark {}\" data-t=\"{:.0}\" d=\"M{:.1} {:.1}{}\"><title>{}</title></path>",
                kind.class,
                first.t_s,
                frame.x(first.t_s),
                LANE.top + kind.row,
                kind.path,
                escape(&title(&kind, &marks, frame)),
            );
        }
    }
    svg
}

fn title(kind: &Kind, marks: &[&Mark], frame: &Frame) -> String {
    let (Some(first), Some(last)) = (marks.first(), marks.last()) else {
        return String::new();
    };
    let members: u32 = marks.iter().map(|mark| mark.count).sum();
    let count = if members > 1 {
        format!(" {members}")
    } else {
        String::new()
    };
    let reason = if last.reason.is_empty() {
        String::new()
    } else {
        format!(": {}", shortened(&last.reason))
    };
    let more = match marks.len() {
        1 => String::new(),
        many => format!(" (the last of {many}, at {})", frame.clock(last.t_s)),
    };
    format!(
        "{} {}{count}{reason}{more}",
        frame.clock(first.t_s),
        kind.words
    )
}

fn shortened(reason: &str) -> String {
    match reason.char_indices().nth(MOST_CHARACTERS) {
        Some((end, _)) => format!("{}…", &reason[..end]),
        None => reason.to_owned(),
    }
}

/// What happens to all: a line through all bands. A name that would cover another stands one row
/// lower, or not at all.
fn events_svg(events: &[&Mark], frame: &Frame) -> String {
    let mut svg = String::new();
    let mut free_from = [f64::NEG_INFINITY; 2];
    for event in events {
        let x = frame.x(event.t_s);
        let reason = match event.reason.as_str() {
            "" => String::new(),
            reason => format!(": {}", shortened(reason)),
        };
        let title = format!("{} {}{reason}", frame.clock(event.t_s), event.what);
        let _ = write!(
            svg,
            "<g class=\"event\"><title>{}</title><path d=\"M{x:.1} {:.1}V{:.1}\"/>",
            escape(&title),
            CALLS.top,
            HARM.bottom
        );
        // The first row is the axis name's where that stands.
        let first = usize::from(x < LEFT + LABEL_WIDTH);
        let row = (first..free_from.len()).find(|row| x >= free_from[*row]);
        if let Some((row, y)) = row.zip(row.and_then(|row| ROWS.get(row))) {
            let near_the_end = x > RIGHT - LABEL_WIDTH;
            let (at, anchor) = if near_the_end {
                (x - 4.0, "end")
            } else {
                (x + 4.0, "start")
            };
            let words = escape(&event.what.replace('_', " "));
            let _ = write!(
                svg,
                "<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{words}</text>",
                CALLS.top + y
            );
            free_from[row] = x + LABEL_WIDTH;
        }
        svg.push_str("</g>");
    }
    svg
}
