//! The picture of a storm: what is wanted, and what is answered in time with admission and without.

use super::callers::Course;
use super::{DEMAND, TIMES_S, capacity_per_s};
use crate::plot::{Anchor, Canvas, Panel};

// Okabe and Ito's palette, which colour-blind people can tell apart.
const GREEN: &str = "#009E73";
const VERMILION: &str = "#D55E00";
const GREY: &str = "#777777";
const INK: &str = "#222222";

const WIDTH: f64 = 1230.0;
const HEIGHT: f64 = 620.0;
/// Rates are means over so many seconds.
const WINDOW_S: f64 = 1.0;
const STEP_S: f64 = 0.25;

/// Per second around each moment, by capacity.
fn rates(times: &[f64], seconds: f64) -> Vec<(f64, f64)> {
    let moments = (0..).map(|n| f64::from(n) * STEP_S);
    moments
        .take_while(|t| *t <= seconds)
        .map(|t| {
            let (from, to) = (
                (t - WINDOW_S / 2.0).max(0.0),
                (t + WINDOW_S / 2.0).min(seconds),
            );
            let count = times.iter().filter(|at| **at >= from && **at < to).count();
            let count = f64::from(u32::try_from(count).unwrap_or(0));
            (t, count / (to - from) / capacity_per_s())
        })
        .collect()
}

/// The picture of the course with admission and the one without, as SVG.
pub(super) fn draw(courses: &[Course; 2]) -> String {
    let seconds: f64 = TIMES_S.iter().sum();
    let panel = Panel {
        left: 70.0,
        top: 120.0,
        width: 860.0,
        height: 410.0,
        seconds,
        most: 5.0,
    };
    let mut canvas = Canvas::new(WIDTH, HEIGHT);
    let title = format!("A storm of {} times what the pool can take", DEMAND[1]);
    canvas.text((70.0, 44.0), 26, INK, Anchor::Start, &title);
    let text = "Callers give up after 2 s and come again; members answer one call after the other";
    canvas.text((70.0, 74.0), 17, GREY, Anchor::Start, text);
    panel.frame(
        &mut canvas,
        "Calls per second, by what the pool can take",
        1.0,
        Some("the first call"),
    );
    let capacity = [panel.at(0.0, 1.0), panel.at(seconds, 1.0)];
    canvas.line(&capacity, INK, 1.5, "stroke-dasharray=\"7 6\"");
    let [with, without] = courses;
    let series = [
        (&with.wanted, GREY, 2.0, "wanted"),
        (
            &without.answered,
            VERMILION,
            3.5,
            "answered without ks_admit",
        ),
        (&with.answered, GREEN, 3.5, "answered with ks_admit"),
    ];
    for (row, (times, color, width, name)) in (0_u8..).zip(series) {
        let points = rates(times, seconds).into_iter();
        let points: Vec<_> = points
            .map(|(t, rate)| panel.at(t, rate.min(panel.most)))
            .collect();
        canvas.line(&points, color, width, "");
        let y = panel.top + 24.0 + f64::from(row) * 28.0;
        let x = panel.right() + 18.0;
        canvas.line(&[(x, y - 6.0), (x + 26.0, y - 6.0)], color, width, "");
        canvas.text((x + 34.0, y), 17, INK, Anchor::Start, name);
    }
    canvas.finish()
}
