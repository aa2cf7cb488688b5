//! Harm: calls lost and cut as bars, the same steps of time in all panels.

use std::fmt::Write;

use super::axis::{Frame, HARM, LEFT, RIGHT, Scales, value_axis, y};
use crate::simulate::Outcome;
use crate::simulate::report::words;

/// Bars of a whole day are a quarter of an hour.
const BARS: usize = 96;
/// One single call among thousands must still be seen.
const LEAST_HEIGHT: f64 = 2.0;

#[derive(Debug, Clone, Copy, Default)]
struct Bar {
    lost: u32,
    cut: u32,
}

fn bars(run: &Outcome, frame: &Frame) -> Vec<Bar> {
    let mut bars = vec![Bar::default(); BARS];
    let step_s = step_s(frame);
    for point in &run.points {
        // A point tells of what was before it.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a cast of floats saturates"
        )]
        let index = ((point.t_s - step_s * 1e-6) / step_s).max(0.0) as usize;
        let bar = &mut bars[index.min(BARS - 1)];
        bar.lost += point.lost;
        bar.cut += point.cut;
    }
    bars
}

#[expect(clippy::cast_precision_loss, reason = "a small constant")]
fn step_s(frame: &Frame) -> f64 {
    frame.duration_s / BARS as f64
}

/// The tallest bar.
pub(super) fn most(run: &Outcome, frame: &Frame) -> u32 {
    bars(run, frame)
        .iter()
        .map(|bar| bar.lost + bar.cut)
        .max()
        .unwrap_or(0)
}

pub(super) fn svg(run: &Outcome, frame: &Frame, scales: &Scales) -> String {
    let step_s = step_s(frame);
    let name = format!("lost and cut per {}", words::duration(step_s));
    let axis = value_axis(HARM, scales.harm * 1.05, 2.5, &name);
    if run.figures.lost_calls + run.figures.cut_calls == 0 {
        return format!(
            "{axis}<text class=\"none\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">none</text>",
            f64::midpoint(LEFT, RIGHT),
            HARM.bottom - 12.0
        );
    }
    let (mut lost, mut cut) = (String::new(), String::new());
    let mut t_s = 0.0;
    for bar in bars(run, frame) {
        let x = frame.x(t_s);
        let width = (frame.x(t_s + step_s) - x - 0.7).max(0.5);
        let height = |calls: u32| match calls {
            0 => 0.0,
            _ => (HARM.bottom - y(HARM, f64::from(calls), scales.harm * 1.05)).max(LEAST_HEIGHT),
        };
        let (cut_height, lost_height) = (height(bar.cut), height(bar.lost));
        if bar.cut > 0 {
            rectangle(&mut cut, x, HARM.bottom, width, cut_height);
        }
        if bar.lost > 0 {
            rectangle(&mut lost, x, HARM.bottom - cut_height, width, lost_height);
        }
        t_s += step_s;
    }
    format!("<path class=\"lost\" d=\"{lost}\"/><path class=\"cut\" d=\"{cut}\"/>{axis}")
}

fn rectangle(path: &mut String, x: f64, bottom: f64, width: f64, height: f64) {
    let _ = write!(
        path,
        "M{x:.1} {bottom:.1}v{:.1}h{width:.1}v{height:.1}z",
        -height
    );
}
