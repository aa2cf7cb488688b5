//! Drawing: an SVG canvas and a panel with its axes. It knows nothing of pools.

use std::fmt::Write as _;

const INK: &str = "#222";
const GRID: &str = "#dedede";
const TICK_LENGTH: f64 = 6.0;
/// Room that a number below the lowest panel takes.
const NUMBER_WIDTH: f64 = 40.0;

/// An SVG in the making.
#[derive(Debug)]
pub struct Canvas {
    body: String,
    width: f64,
    height: f64,
}

/// How a text stands to its point.
#[derive(Clone, Copy, Debug)]
pub enum Anchor {
    /// It begins there.
    Start,
    /// Its middle is there.
    Middle,
    /// It ends there.
    End,
}

impl Canvas {
    /// An empty one.
    #[must_use]
    pub fn new(width: f64, height: f64) -> Self {
        Self {
            body: String::new(),
            width,
            height,
        }
    }

    /// The file's text.
    #[must_use]
    pub fn finish(&self) -> String {
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {w} {h}\" width=\"{w}\" \
             height=\"{h}\" font-family=\"Helvetica, Arial, 'DejaVu Sans', sans-serif\">\n\
             <rect width=\"{w}\" height=\"{h}\" fill=\"white\"/>\n{}</svg>\n",
            self.body,
            w = self.width,
            h = self.height
        )
    }

    /// A line of text at a point.
    pub fn text(&mut self, at: (f64, f64), size: u32, color: &str, to: Anchor, text: &str) {
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
    pub fn line(&mut self, points: &[(f64, f64)], color: &str, width: f64, style: &str) {
        let _ = writeln!(
            self.body,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"{width}\" \
             stroke-linejoin=\"round\" {style}/>",
            joined(points)
        );
    }

    /// A filled area.
    pub fn area(&mut self, points: &[(f64, f64)], color: &str) {
        let points = joined(points);
        let _ = writeln!(self.body, "<polygon points=\"{points}\" fill=\"{color}\"/>");
    }

    /// A round marker.
    pub fn dot(&mut self, at: (f64, f64), radius: f64, fill: &str, edge: &str) {
        let _ = writeln!(
            self.body,
            "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"{radius}\" fill=\"{fill}\" stroke=\"{edge}\" \
             stroke-width=\"2.5\"/>",
            at.0, at.1
        );
    }

    /// A cross.
    pub fn cross(&mut self, at: (f64, f64), half: f64, color: &str) {
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
    pub fn arrow_down(&mut self, tip: (f64, f64), size: f64, color: &str) {
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
#[derive(Clone, Copy, Debug)]
pub struct Panel {
    /// Its left end.
    pub left: f64,
    /// Its upper end.
    pub top: f64,
    /// From the left to the right end.
    pub width: f64,
    /// From the upper to the lower end.
    pub height: f64,
    /// Seconds at the right end.
    pub seconds: f64,
    /// Value at the upper end.
    pub most: f64,
}

impl Panel {
    /// Where a second lies.
    #[must_use]
    pub fn x(&self, t: f64) -> f64 {
        self.left + self.width * t / self.seconds
    }

    /// Where a value lies.
    #[must_use]
    pub fn y(&self, value: f64) -> f64 {
        self.top + self.height * (1.0 - value / self.most)
    }

    /// The point of a value at a second.
    #[must_use]
    pub fn at(&self, t: f64, value: f64) -> (f64, f64) {
        (self.x(t), self.y(value))
    }

    /// Its right end.
    #[must_use]
    pub fn right(&self) -> f64 {
        self.left + self.width
    }

    /// Its lower end.
    #[must_use]
    pub fn bottom(&self) -> f64 {
        self.top + self.height
    }

    /// Seconds between two ticks, so that their numbers stand apart.
    fn seconds_step(&self) -> f64 {
        let fits = |step: &f64| self.width * step / self.seconds >= NUMBER_WIDTH;
        let steps = [10.0, 20.0, 30.0, 60.0, 120.0, 300.0];
        steps.into_iter().find(fits).unwrap_or(600.0)
    }

    /// Title, grid and numbers; the lowest one says since when its seconds count.
    pub fn frame(&self, canvas: &mut Canvas, title: &str, step: f64, since: Option<&str>) {
        canvas.text((self.left, self.top - 12.0), 20, INK, Anchor::Start, title);
        for value in steps(self.most, step) {
            let y = self.y(value);
            canvas.line(&[(self.left, y), (self.right(), y)], GRID, 1.0, "");
            let at = (self.left - 10.0, y + 6.0);
            canvas.text(at, 17, INK, Anchor::End, &format!("{value:.0}"));
        }
        let bottom = self.bottom();
        for t in steps(self.seconds, self.seconds_step()) {
            let x = self.x(t);
            canvas.line(&[(x, bottom), (x, bottom + TICK_LENGTH)], INK, 1.0, "");
            if since.is_some() {
                let text = format!("{t:.0}");
                canvas.text((x, bottom + 25.0), 17, INK, Anchor::Middle, &text);
            }
        }
        canvas.line(&[(self.left, bottom), (self.right(), bottom)], INK, 1.5, "");
        if let Some(since) = since {
            let at = (self.left + self.width / 2.0, bottom + 50.0);
            let text = format!("seconds since {since}");
            canvas.text(at, 18, INK, Anchor::Middle, &text);
        }
    }
}

fn steps(most: f64, step: f64) -> impl Iterator<Item = f64> {
    (0..)
        .map(move |n| f64::from(n) * step)
        .take_while(move |v| *v <= most + 1e-9)
}

/// Rows of labels, so that none lies on another.
#[derive(Debug, Default)]
pub struct Rows(Vec<f64>);

impl Rows {
    /// The lowest row in which a label around `x` has room, as a number.
    pub fn free(&mut self, x: f64, width: f64) -> f64 {
        let found = self.0.iter().position(|end| x - width / 2.0 > *end);
        let row = found.unwrap_or(self.0.len());
        if found.is_none() {
            self.0.push(0.0);
        }
        self.0[row] = x + width / 2.0;
        f64::from(u8::try_from(row).unwrap_or(u8::MAX))
    }
}
