//! Axes: what all panels of a scenario share, so that they can be compared.

use std::fmt::Write;

use super::harm;
use crate::simulate::Outcome;
use crate::simulate::report::words;

/// Size of a panel, in SVG units; one is about a pixel on a wide screen.
pub(super) const WIDTH: f64 = 600.0;
pub(super) const HEIGHT: f64 = 330.0;
pub(super) const LEFT: f64 = 46.0;
pub(super) const RIGHT: f64 = 590.0;

/// A horizontal stretch of a panel.
#[derive(Debug, Clone, Copy)]
pub(super) struct Band {
    pub(super) top: f64,
    pub(super) bottom: f64,
}

pub(super) const CALLS: Band = Band {
    top: 8.0,
    bottom: 150.0,
};
pub(super) const LANE: Band = Band {
    top: 155.0,
    bottom: 179.0,
};
pub(super) const MEMBERS: Band = Band {
    top: 188.0,
    bottom: 244.0,
};
pub(super) const HARM: Band = Band {
    top: 258.0,
    bottom: 300.0,
};

/// Steps that people like on a clock, in seconds.
const CLOCK_STEPS_S: [f64; 14] = [
    60.0, 120.0, 300.0, 600.0, 900.0, 1_800.0, 3_600.0, 7_200.0, 10_800.0, 21_600.0, 43_200.0,
    86_400.0, 172_800.0, 604_800.0,
];
const DAY_S: f64 = 86_400.0;
/// More ticks would touch each other.
const MOST_TICKS: f64 = 8.5;

/// The time axis.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub(super) duration_s: f64,
    pub(super) starts_at_s: f64,
}

impl Frame {
    pub(super) fn of(drawn: &[&Outcome], starts_at_s: f64) -> Frame {
        let longest = drawn.iter().map(|run| run.duration_s).fold(0.0, f64::max);
        Frame {
            duration_s: longest.max(1.0),
            starts_at_s,
        }
    }

    pub(super) fn x(&self, t_s: f64) -> f64 {
        LEFT + (RIGHT - LEFT) * (t_s / self.duration_s).clamp(0.0, 1.0)
    }

    /// The time of the day at a moment; with the day's number in longer runs.
    pub(super) fn clock(&self, t_s: f64) -> String {
        let at_s = self.starts_at_s + t_s;
        let clock = words::clock(at_s);
        if self.shows_days() {
            format!("day {:.0} {clock}", (at_s / DAY_S).floor() + 1.0)
        } else {
            clock
        }
    }

    /// A night through needs no numbers of days.
    fn shows_days(&self) -> bool {
        self.duration_s > DAY_S * 1.5
    }

    /// Moments and labels of the ticks.
    fn ticks(&self) -> Vec<(f64, String)> {
        let fits = |step: &&f64| self.duration_s / **step <= MOST_TICKS;
        let step_s = CLOCK_STEPS_S
            .iter()
            .find(fits)
            .copied()
            .unwrap_or(4.0 * 604_800.0);
        let mut at_s = (self.starts_at_s / step_s).ceil() * step_s;
        let mut ticks = Vec::new();
        while at_s <= self.starts_at_s + self.duration_s + 1e-6 {
            let t_s = at_s - self.starts_at_s;
            ticks.push((t_s, self.label(at_s, step_s)));
            at_s += step_s;
        }
        ticks
    }

    fn label(&self, at_s: f64, step_s: f64) -> String {
        let midnight = at_s.rem_euclid(DAY_S) < 1.0;
        let day = (at_s / DAY_S).floor();
        let ends_here = at_s >= self.starts_at_s + self.duration_s - 1.0;
        if midnight && ends_here && step_s < DAY_S {
            return "24:00".into();
        }
        if step_s >= DAY_S || (midnight && day > 0.0 && self.shows_days()) {
            return format!("day {:.0}", day + 1.0);
        }
        words::clock(at_s)
    }

    /// Lines through all bands, and labels below.
    pub(super) fn svg(&self) -> String {
        let mut grid = String::new();
        let mut labels = String::new();
        for (t_s, label) in self.ticks() {
            let x = self.x(t_s);
            for band in [CALLS, LANE, MEMBERS, HARM] {
                let _ = write!(grid, "M{x:.1} {:.1}V{:.1}", band.top, band.bottom);
            }
            let anchor = match x {
                x if x > RIGHT - 12.0 => "end",
                x if x < LEFT + 8.0 => "start",
                _ => "middle",
            };
            let _ = write!(
                labels,
                "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{label}</text>",
                HARM.bottom + 17.0
            );
        }
        format!("<path class=\"grid\" d=\"{grid}\"/><g class=\"hours\">{labels}</g>")
    }
}

/// The greatest values of all panels of a scenario.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scales {
    pub(super) calls: f64,
    pub(super) members: f64,
    pub(super) harm: f64,
}

impl Scales {
    pub(super) fn of(drawn: &[&Outcome], frame: &Frame) -> Scales {
        let points = || drawn.iter().flat_map(|run| &run.points);
        let demand = points()
            .map(|point| point.demand_calls.max(point.calls))
            .max();
        let capacity = points().map(|point| point.capacity_calls).max();
        let demand = f64::from(demand.unwrap_or(0));
        let capacity = f64::from(capacity.unwrap_or(0));
        let all = |point: &crate::simulate::Point| point.active + point.booting + point.draining;
        let members = f64::from(points().map(all).max().unwrap_or(0));
        let harm = drawn.iter().map(|run| harm::most(run, frame)).max();
        Scales {
            // A policy that buys far too much must not flatten the others; its panel says how much.
            calls: capacity.min(demand * 2.0).max(demand).max(1.0) * 1.06,
            members: members.max(1.0) * 1.12,
            harm: f64::from(harm.unwrap_or(0)).max(1.0),
        }
    }
}

/// Where a value stands in a band; beyond the greatest it stays at the edge.
pub(super) fn y(band: Band, value: f64, most: f64) -> f64 {
    band.bottom - (band.bottom - band.top) * (value / most).clamp(0.0, 1.0)
}

/// Ticks of a band in at most so many steps, labels to the left, and its name inside.
pub(super) fn value_axis(band: Band, most: f64, most_steps: f64, name: &str) -> String {
    let step = nice_step(most, most_steps);
    let mut grid = String::new();
    let mut labels = String::new();
    let mut value = 0.0;
    while value <= most {
        let y = y(band, value, most);
        let _ = write!(grid, "M{LEFT} {y:.1}H{RIGHT}");
        let _ = write!(
            labels,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 6.0,
            y + 3.6,
            short(value)
        );
        value += step;
    }
    format!(
        "<path class=\"grid\" d=\"{grid}\"/><g class=\"ticks\">{labels}</g>\
         <text class=\"name\" x=\"{:.1}\" y=\"{:.1}\">{name}</text>",
        LEFT + 5.0,
        band.top + 10.5
    )
}

/// A tick's value in as much room as there is.
fn short(value: f64) -> String {
    match value {
        v if v >= 1e6 => format!("{} M", v / 1e6),
        v if v >= 1e4 => format!("{} k", v / 1e3),
        v => words::whole(v),
    }
}

/// The smallest of 1, 2 or 5 times a power of ten that makes at most so many steps. All values are
/// counts, so it is at least 1; `most_steps` of 2.5 or more leaves at least one tick above 0.
fn nice_step(most: f64, most_steps: f64) -> f64 {
    let rough = (most / most_steps).max(1.0);
    let power = 10f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 5.0].map(|times| times * power);
    let fits = |step: &f64| *step >= rough;
    steps.into_iter().find(fits).unwrap_or(10.0 * power)
}
