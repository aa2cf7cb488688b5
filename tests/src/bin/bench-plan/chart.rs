//! The chart: lost callers, cut calls and member-hours of every policy in every scenario, as SVG.
//! It draws rows and nothing else.

use std::fmt::Write as _;

use kamscale_agent::simulate::Scenario;

use crate::play::{FLOOR, OPTIMUM, OWN};
use crate::row::{Row, Spread};
use crate::tables::percent;

// Okabe and Ito's palette, which colour-blind people can tell apart.
const BLUE: &str = "#0072B2";
const SKY: &str = "#56B4E9";
const VERMILION: &str = "#D55E00";
const GREY: &str = "#A9B0BA";
const PALE: &str = "#DDE1E6";
const INK: &str = "#222222";
const MUTED: &str = "#666F7B";
const GRID: &str = "#E6E9ED";

const WIDTH: f64 = 1400.0;
const LEFT: f64 = 30.0;
const NAME_RIGHT: f64 = 175.0;
const LOST: Axis = Axis {
    left: 190.0,
    width: 380.0,
};
const CUT_RIGHT: f64 = 750.0;
const HOURS: Axis = Axis {
    left: 800.0,
    width: 400.0,
};
const HEAD: f64 = 165.0;
const ROW: f64 = 21.0;
const BAR: f64 = 13.0;
const GAP: f64 = 52.0;
/// Lost shares are drawn by their magnitude: a thousandth of a percent at the left, all at the right.
const LEAST_LOST: f64 = 1e-5;

/// Where one kind of bar lies.
#[derive(Clone, Copy)]
struct Axis {
    left: f64,
    width: f64,
}

impl Axis {
    fn x(self, share: f64) -> f64 {
        self.left + self.width * share.clamp(0.0, 1.0)
    }

    /// The place of a lost share: one decade is a fifth.
    fn magnitude(self, lost_share: f64) -> f64 {
        if lost_share <= 0.0 {
            return self.left;
        }
        // A loss is never drawn as none.
        self.x((1.0 - lost_share.log10() / LEAST_LOST.log10()).max(0.01))
    }
}

#[derive(Default)]
struct Canvas(String);

impl Canvas {
    fn text(&mut self, at: (f64, f64), style: &str, text: &str) {
        let text = text.replace('&', "&amp;").replace('<', "&lt;");
        let (x, y) = at;
        let _ = writeln!(
            self.0,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" {style}>{text}</text>"
        );
    }

    fn bar(&mut self, from: f64, to: f64, y: f64, color: &str) {
        let width = (to - from).max(0.0);
        let _ = writeln!(
            self.0,
            "<rect x=\"{from:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{BAR}\" fill=\"{color}\"/>"
        );
    }

    fn line(&mut self, from: (f64, f64), to: (f64, f64), color: &str, width: f64) {
        let _ = writeln!(
            self.0,
            "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"{color}\" stroke-width=\"{width}\"/>",
            from.0, from.1, to.0, to.1
        );
    }
}

/// The whole chart.
pub(crate) fn draw(scenarios: &[Scenario], rows: &[Row]) -> String {
    let worst = rows.iter().map(|row| row.times_optimum.worst);
    let most_times = (worst.fold(1.0, f64::max) * 2.0).ceil() / 2.0;
    let mut canvas = Canvas::default();
    let mut y = HEAD;
    for scenario in scenarios {
        let here: Vec<&Row> = rows
            .iter()
            .filter(|row| row.scenario == scenario.name)
            .collect();
        if !here.is_empty() {
            y = section(&mut canvas, scenario, &here, most_times, y);
        }
    }
    let mut top = Canvas::default();
    let seeds = rows.first().map_or((0, 0), |row| row.seeds);
    head(&mut top, most_times, seeds);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {y}\" width=\"{WIDTH}\" height=\"{y}\" \
         font-family=\"Helvetica, Arial, 'DejaVu Sans', sans-serif\">\n\
         <rect width=\"{WIDTH}\" height=\"{y}\" fill=\"white\"/>\n{}{}</svg>\n",
        top.0, canvas.0
    )
}

fn head(canvas: &mut Canvas, most_times: f64, seeds: (u64, u64)) {
    let title = format!("font-size=\"26\" font-weight=\"bold\" fill=\"{INK}\"");
    canvas.text(
        (LEFT, 42.0),
        &title,
        "Who loses callers, who cuts calls, and for how many member-hours",
    );
    let small = format!("font-size=\"15\" fill=\"{MUTED}\"");
    let days = match seeds {
        (first, last) if first == last => {
            format!("One day of each scenario (seed {first}), the same for all policies.")
        }
        (first, last) => format!(
            "Bars: the median of {} days of each scenario (seeds {first} to {last}), the same days \
             for all policies. Ticks: the worst day.",
            last - first + 1
        ),
    };
    canvas.text((LEFT, 68.0), &small, &days);
    let key = "\"optimum\" knew all demand beforehand; nobody can. Bars of lost callers are by magnitude: \
               each further fifth is ten times as many.";
    canvas.text((LEFT, 90.0), &small, key);
    let column = format!("font-size=\"16\" font-weight=\"bold\" fill=\"{INK}\"");
    canvas.text((LOST.left, 126.0), &column, "callers lost");
    let right = format!("{column} text-anchor=\"end\"");
    canvas.text((CUT_RIGHT, 126.0), &right, "calls cut");
    canvas.text(
        (HOURS.left, 126.0),
        &column,
        "member-hours, against the optimum's",
    );
    let tick = format!("font-size=\"13\" fill=\"{MUTED}\" text-anchor=\"middle\"");
    let decades = [
        (1e-4, "0.01 %"),
        (1e-3, "0.1 %"),
        (1e-2, "1 %"),
        (1e-1, "10 %"),
        (1.0, "all"),
    ];
    for (decade, name) in decades {
        canvas.text((LOST.magnitude(decade), 150.0), &tick, name);
    }
    canvas.text((HOURS.x(1.0 / most_times), 150.0), &tick, "1 x");
}

/// One scenario from `top` on; answers where the next begins.
fn section(
    canvas: &mut Canvas,
    scenario: &Scenario,
    rows: &[&Row],
    most_times: f64,
    top: f64,
) -> f64 {
    let title = format!("font-size=\"16\" font-weight=\"bold\" fill=\"{INK}\"");
    canvas.line((LEFT, top - 5.0), (WIDTH - LEFT, top - 5.0), GRID, 1.0);
    canvas.text(
        (LEFT, top + 17.0),
        &title,
        &format!("{}: {}", scenario.name, scenario.title),
    );
    let first = top + 28.0;
    let bottom = first + ROW * f64::from(u32::try_from(rows.len()).unwrap_or(0));
    grid(canvas, most_times, first, bottom);
    let mut y = first;
    for row in rows {
        policy(canvas, row, most_times, y);
        y += ROW;
    }
    bottom + GAP - 24.0
}

fn grid(canvas: &mut Canvas, most_times: f64, top: f64, bottom: f64) {
    for decade in [1e-4, 1e-3, 1e-2, 1e-1, 1.0] {
        let x = LOST.magnitude(decade);
        canvas.line((x, top), (x, bottom), GRID, 1.0);
    }
    canvas.line((LOST.left, top), (LOST.left, bottom), MUTED, 1.0);
    canvas.line((HOURS.left, top), (HOURS.left, bottom), MUTED, 1.0);
    let x = HOURS.x(1.0 / most_times);
    canvas.line((x, top), (x, bottom), INK, 1.0);
}

fn policy(canvas: &mut Canvas, row: &Row, most_times: f64, y: f64) {
    let (color, weight) = match row.policy {
        OWN => (BLUE, "bold"),
        FLOOR => (SKY, "bold"),
        OPTIMUM => (PALE, "normal"),
        _ => (GREY, "normal"),
    };
    let base = y + BAR - 1.0;
    let name =
        format!("font-size=\"14\" font-weight=\"{weight}\" fill=\"{INK}\" text-anchor=\"end\"");
    canvas.text((NAME_RIGHT, base), &name, row.policy);

    let lost = row.lost_share;
    canvas.bar(LOST.left, LOST.magnitude(lost.median), y, color);
    let end = worst(canvas, lost, |share| LOST.magnitude(share), y);
    // With a halo, because lines pass behind it.
    let halo = "stroke=\"white\" stroke-width=\"4\" paint-order=\"stroke\"";
    let label = format!("font-size=\"13\" fill=\"{INK}\" {halo}");
    canvas.text((end + 6.0, base), &label, &lost_words(lost));

    let cut = row.cut_calls.median.max(row.cut_calls.worst.min(1.0));
    let cut_color = if cut > 0.0 { VERMILION } else { MUTED };
    let number = format!("font-size=\"14\" fill=\"{cut_color}\" text-anchor=\"end\"");
    canvas.text((CUT_RIGHT, base), &number, &format!("{cut:.0}"));

    let times = row.times_optimum;
    canvas.bar(HOURS.left, HOURS.x(times.median / most_times), y, color);
    let end = worst(canvas, times, |times| HOURS.x(times / most_times), y);
    let hours = format!("{:.2} x, {:.0} h", times.median, row.member_hours.median);
    canvas.text((end + 6.0, base), &label, &hours);
}

/// The worst day is named where the bar does not show that anybody was lost.
fn lost_words(lost: Spread) -> String {
    let median = percent(lost.median);
    if lost.median <= 0.0 && lost.worst > 0.0 {
        format!("{median} %, at worst {} %", percent(lost.worst))
    } else {
        format!("{median} %")
    }
}

/// The tick of the worst day, and where it stands.
fn worst(canvas: &mut Canvas, spread: Spread, x: impl Fn(f64) -> f64, y: f64) -> f64 {
    let (from, to) = (x(spread.median), x(spread.worst));
    if to > from + 1.0 {
        let middle = y + BAR / 2.0;
        canvas.line((from, middle), (to, middle), INK, 1.0);
        canvas.line((to, y + 2.0), (to, y + BAR - 2.0), INK, 1.5);
    }
    to
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_times_the_loss_is_a_fifth_further_and_a_small_loss_is_not_none() {
        let fifth = LOST.width / 5.0;
        let further = LOST.magnitude(0.1) - LOST.magnitude(0.01);
        assert!((further - fifth).abs() < 1e-9);
        assert_eq!(LOST.magnitude(1.0), LOST.left + LOST.width);
        assert_eq!(LOST.magnitude(0.0), LOST.left);
        assert!(LOST.magnitude(1e-9) > LOST.left);
    }
}
