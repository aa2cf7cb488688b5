//! Drawing: an SVG canvas and a panel with its axes. It knows nothing of pools.

use std::fmt::Write as _;

const INK: &str = "#222";
const GRID: &str = "#dedede";
const TICK_LENGTH: f64 = 6.0;

/// An SVG in the making.
pub(crate) struct Canvas {
    body: String,
    width: f64,
    height: f64,
}

/// How a text stands to its point.
#[derive(Clone, Copy)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

impl Canvas {
    pub(crate) fn new(width: f64, height: f64) -> Self {
        Self {
            body: String::new(),
            width,
            height,
        }
    }

    pub(crate) fn finish(&self) -> String {
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {w} {h}\" width=\"{w}\" \
             height=\"{h}\" font-family=\"Helvetica, Arial, 'DejaVu Sans', sans-serif\">\n\
             <rect width=\"{w}\" height=\"{h}\" fill=\"white\"/>\n{}</svg>\n",
            self.body,
            w = self.width,
            h = self.height
        )
    }

    pub(crate) fn text(&mut self, at: (f64, f64), size: u32, color: &str, to: Anchor, text: &str) {
        let anchor = match to {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = text.replace('&', "&amp;").replace('<', "&lt;");
        let _ = writeln!(
            self.body,
            "<text x=\"{:.1}\" y=\"{:.1}\" font-size=\"{size}\" fill=\"{color}\" \
             text-anchor=\"{anchor}\">{text}</text>",
            at.0, at.1
        );
    }

    /// A line through points. `style` holds further attributes.
    pub(crate) fn line(&mut self, points: &[(f64, f64)], color: &str, width: f64, style: &str) {
        let _ = writeln!(
            self.body,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"{width}\" \
             stroke-linejoin=\"round\" {style}/>",
            joined(points)
        );
    }

    /// A filled area.
    pub(crate) fn area(&mut self, points: &[(f64, f64)], color: &str) {
        let points = joined(points);
        let _ = writeln!(self.body, "<polygon points=\"{points}\" fill=\"{color}\"/>");
    }

    /// A round marker.
    pub(crate) fn dot(&mut self, at: (f64, f64), radius: f64, fill: &str, edge: &str) {
        let _ = writeln!(
            self.body,
            "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"{radius}\" fill=\"{fill}\" stroke=\"{edge}\" \
             stroke-width=\"2.5\"/>",
            at.0, at.1
        );
    }

    /// A cross.
    pub(crate) fn cross(&mut self, at: (f64, f64), half: f64, color: &str) {
        let (x, y) = at;
        self.line(
            &[(x - half, y - half), (x + half, y + half)],
            color,
            3.5,
            "",
        );
        self.line(
            &[(x - half, y + half), (x + half, y - half)],
            color,
            3.5,
            "",
        );
    }

    /// A triangle that points down to its point.
    pub(crate) fn arrow_down(&mut self, tip: (f64, f64), size: f64, color: &str) {
        let (x, y) = tip;
        self.area(
            &[
                (x, y),
                (x - size * 0.6, y - size),
                (x + size * 0.6, y - size),
            ],
            color,
        );
    }
}

fn joined(points: &[(f64, f64)]) -> String {
    let points: Vec<String> = points
        .iter()
        .map(|(x, y)| format!("{x:.1},{y:.1}"))
        .collect();
    points.join(" ")
}

/// A panel: where it lies, and what its axes span.
#[derive(Clone, Copy)]
pub(crate) struct Panel {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
    /// Seconds at the right end.
    pub(crate) seconds: f64,
    /// Value at the upper end.
    pub(crate) most: f64,
}

impl Panel {
    pub(crate) fn x(&self, t: f64) -> f64 {
        self.left + self.width * t / self.seconds
    }

    pub(crate) fn y(&self, value: f64) -> f64 {
        self.top + self.height * (1.0 - value / self.most)
    }

    pub(crate) fn at(&self, t: f64, value: f64) -> (f64, f64) {
        (self.x(t), self.y(value))
    }

    pub(crate) fn right(&self) -> f64 {
        self.left + self.width
    }

    pub(crate) fn bottom(&self) -> f64 {
        self.top + self.height
    }

    /// Title, grid and numbers; seconds only if it is the lowest.
    pub(crate) fn frame(&self, canvas: &mut Canvas, title: &str, step: f64, seconds: bool) {
        canvas.text((self.left, self.top - 12.0), 20, INK, Anchor::Start, title);
        for value in steps(self.most, step) {
            let y = self.y(value);
            canvas.line(&[(self.left, y), (self.right(), y)], GRID, 1.0, "");
            let at = (self.left - 10.0, y + 6.0);
            canvas.text(at, 17, INK, Anchor::End, &format!("{value:.0}"));
        }
        let bottom = self.bottom();
        for t in steps(self.seconds, 10.0) {
            let x = self.x(t);
            canvas.line(&[(x, bottom), (x, bottom + TICK_LENGTH)], INK, 1.0, "");
            if seconds {
                let text = format!("{t:.0}");
                canvas.text((x, bottom + 25.0), 17, INK, Anchor::Middle, &text);
            }
        }
        canvas.line(&[(self.left, bottom), (self.right(), bottom)], INK, 1.5, "");
        if seconds {
            let at = (self.left + self.width / 2.0, bottom + 50.0);
            canvas.text(at, 18, INK, Anchor::Middle, "seconds since the first call");
        }
    }
}

fn steps(most: f64, step: f64) -> impl Iterator<Item = f64> {
    (0..)
        .map(move |n| f64::from(n) * step)
        .take_while(move |v| *v <= most + 1e-9)
}

/// Rows of labels, so that none lies on another.
#[derive(Default)]
pub(crate) struct Rows(Vec<f64>);

impl Rows {
    /// The lowest row in which a label around `x` has room, as a number.
    pub(crate) fn free(&mut self, x: f64, width: f64) -> f64 {
        let found = self.0.iter().position(|end| x - width / 2.0 > *end);
        let row = found.unwrap_or(self.0.len());
        if found.is_none() {
            self.0.push(0.0);
        }
        self.0[row] = x + width / 2.0;
        f64::from(u8::try_from(row).unwrap_or(u8::MAX))
    }
}
