//! What a target that measures or plays leaves behind: figures for people (a table) and for
//! programs (`target/reports/NAME.json`). It must not judge: each figure says itself whether its
//! target was met.

mod figure;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::tools::{installed, repository};

pub use figure::Figure;

/// Something that happened; its details stand beside its time and name.
#[derive(Clone, Debug, Serialize)]
struct Event {
    t: f64,
    event: String,
    #[serde(flatten)]
    details: Map<String, Value>,
}

/// A report in the making.
#[derive(Debug)]
pub struct Report {
    name: String,
    began: Instant,
    figures: Vec<Figure>,
    events: Vec<Event>,
    more: Vec<(String, Value)>,
}

impl Report {
    /// An empty one; its clock starts now.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            began: Instant::now(),
            figures: Vec::new(),
            events: Vec::new(),
            more: Vec::new(),
        }
    }

    /// Adds a figure.
    pub fn figure(&mut self, figure: Figure) {
        self.figures.push(figure);
    }

    /// All figures so far.
    #[must_use]
    pub fn figures(&self) -> &[Figure] {
        &self.figures
    }

    /// The value of a figure in words; `-` if there is none.
    #[must_use]
    pub fn value(&self, name: &str) -> String {
        let figure = self.figures.iter().find(|f| f.name == name);
        figure.map_or("-".into(), Figure::shown)
    }

    /// Adds something that happened `t` seconds after the start.
    pub fn event(&mut self, t: f64, event: &str, details: Value) {
        self.events.push(Event {
            t: rounded(t),
            event: event.into(),
            details: match details {
                Value::Object(details) => details,
                Value::Null => Map::new(),
                other => Map::from_iter([("value".to_owned(), other)]),
            },
        });
    }

    /// Adds another part beside figures and events.
    pub fn part(&mut self, name: &str, value: Value) {
        self.more.push((name.into(), value));
    }

    /// A table for people.
    #[must_use]
    pub fn table(&self) -> String {
        Self::table_of(&self.figures)
    }

    /// A table of some figures.
    #[must_use]
    pub fn table_of<'a>(figures: impl IntoIterator<Item = &'a Figure>) -> String {
        let figures: Vec<&Figure> = figures.into_iter().collect();
        let width =
            |of: &dyn Fn(&Figure) -> usize| figures.iter().map(|f| of(f)).max().unwrap_or(0);
        let names = width(&|f| f.name.len());
        let values = width(&|f| f.shown().len() + 1 + f.unit.len());
        let targets = width(&|f| f.target.as_ref().map_or(0, String::len));
        let mut table = String::new();
        for figure in figures {
            let verdict = match figure.met {
                Some(true) => "ok",
                Some(false) => "MISSED",
                None => "",
            };
            let value = format!("{} {}", figure.shown(), figure.unit);
            let target = figure.target.as_deref().unwrap_or_default();
            let _ = writeln!(
                table,
                "  {:names$}  {value:>values$}  {target:targets$}  {verdict:6}  {}",
                figure.name, figure.how
            );
        }
        table
    }

    /// Writes `target/reports/NAME.json` and returns its path.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn write(&self) -> PathBuf {
        let head = [
            ("report", json!(self.name)),
            ("commit", json!(commit())),
            (
                "machine",
                json!({"cores": cores(), "kamailio": kamailio_version()}),
            ),
            (
                "seconds",
                json!(rounded(self.began.elapsed().as_secs_f64())),
            ),
        ];
        let head = head.map(|(name, value)| format!("  \"{name}\": {value}"));
        let mut parts = head.to_vec();
        parts.push(laid_out("figures", &self.figures));
        parts.push(laid_out("events", &self.events));
        for (name, value) in &self.more {
            parts.push(match value.as_array() {
                Some(items) => laid_out(name, items),
                None => format!("  \"{name}\": {value}"),
            });
        }
        let text = format!("{{\n{}\n}}\n", parts.join(",\n"));
        write(&format!("{}.json", self.name), &text)
    }
}

/// A list with one line per element.
fn laid_out(name: &str, items: &[impl Serialize]) -> String {
    let lines = items.iter().filter_map(|i| serde_json::to_string(i).ok());
    let lines: Vec<String> = lines.map(|line| format!("\n    {line}")).collect();
    format!("  \"{name}\": [{}\n  ]", lines.join(","))
}

/// Thousandths are enough for seconds.
#[must_use]
pub fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// Writes a file into `target/reports` and returns its path.
///
/// # Panics
/// If it cannot be written.
pub fn write(name: &str, text: &str) -> PathBuf {
    let dir = repository().join("target/reports");
    let path = dir.join(name);
    let written = std::fs::create_dir_all(&dir).and_then(|()| std::fs::write(&path, text));
    written.unwrap_or_else(|e| panic!("writing {}: {e}", path.display()));
    path
}

fn output(command: &mut Command) -> String {
    let output = command.output();
    output.map_or(String::new(), |o| {
        String::from_utf8_lossy(&o.stdout).trim().to_owned()
    })
}

/// The commit that is checked out, with `-dirty` if something was changed since.
fn commit() -> String {
    let git = |words: &[&str]| output(Command::new("git").args(words).current_dir(repository()));
    let changed = git(&["status", "--porcelain", "--untracked-files=no"]);
    let mark = if changed.is_empty() { "" } else { "-dirty" };
    format!("{}{mark}", git(&["rev-parse", "HEAD"]))
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// `?` where there is none: simulations need no Kamailio.
fn kamailio_version() -> String {
    let text = installed("kamailio").map_or(String::new(), |kamailio| {
        output(Command::new(kamailio).arg("-v"))
    });
    let words = text.split_whitespace().skip_while(|w| *w != "kamailio");
    words
        .skip(1)
        .find(|w| w.starts_with(|c: char| c.is_ascii_digit()))
        .unwrap_or("?")
        .to_owned()
}
