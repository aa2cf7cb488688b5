//! Traces: a user's own traffic, read from a file into arrivals per second.
//!
//! What a file holds is seen from its content: call detail records, concurrent calls or arrival rates
//! as CSV, or the answer of a Prometheus range query. Whatever is in the file, it is an error with the
//! place and the remedy, never a panic, and memory stays bounded by the limits below. It must not
//! guess: a counter is not made a rate here, and a hold time that the file does not tell is asked for.

mod csv;
mod limit;
mod prometheus;
mod series;
mod time;

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

/// The longest trace, in days.
pub const MAX_DAYS: f64 = 31.0;
/// The most rows of a series (call detail records are only bounded by [`MAX_CSV_BYTES`]).
pub const MAX_ROWS: usize = 1_000_000;
/// The biggest CSV file; it is read as a stream.
pub const MAX_CSV_BYTES: u64 = 1 << 30;
/// The biggest JSON file; it is held in memory while it is read.
pub const MAX_JSON_BYTES: u64 = 32 << 20;
/// The most calls that arrive in a trace, and the most at its start: each is simulated one by one.
pub const MAX_CALLS: f64 = 50e6;

/// Traffic over time, beginning at 0.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// The file's name without directory and ending.
    pub name: String,
    /// What was found in the file, in words.
    pub found: String,
    /// Seconds of the day (UTC) at which it begins, if the file tells.
    pub starts_at_s: Option<f64>,
    /// How long it lasts, in seconds.
    pub duration_s: f64,
    /// Mean duration of a call, in seconds.
    pub hold_s: f64,
    /// Calls in progress at the start.
    pub calls_at_start: f64,
    /// `(from_s, arrivals_per_s)`: the rate holds until the next entry, the last to the end.
    pub arrivals: Vec<(f64, f64)>,
}

impl Trace {
    /// Mean number of calls that arrive in all.
    pub fn total_calls(&self) -> f64 {
        let ends = self.arrivals.iter().skip(1).map(|(from_s, _)| *from_s);
        let ends = ends.chain(std::iter::once(self.duration_s));
        let steps = self.arrivals.iter().zip(ends);
        steps
            .map(|((from_s, rate), to_s)| rate * (to_s - from_s))
            .sum()
    }
}

/// Why a trace was refused, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{}: {problem}", file.display(), place.as_ref().map(|place| format!(":{place}")).unwrap_or_default())]
pub struct TraceError {
    /// The file.
    pub file: PathBuf,
    /// Where in it, as `17: column arrivals_per_s`.
    pub place: Option<String>,
    /// What is wrong, and the remedy.
    pub problem: String,
}

/// An error that does not know its file yet.
#[derive(Debug)]
struct Fault {
    place: Option<String>,
    problem: String,
}

impl Fault {
    fn whole(problem: impl Into<String>) -> Fault {
        Fault {
            place: None,
            problem: problem.into(),
        }
    }

    fn at(place: impl Into<String>, problem: impl Into<String>) -> Fault {
        Fault {
            place: Some(place.into()),
            problem: problem.into(),
        }
    }
}

/// Reads a trace. `hold_s` is the mean duration of a call; it may be absent only for call detail
/// records, which tell it themselves.
///
/// # Errors
/// [`TraceError`].
pub fn read(file: &Path, hold_s: Option<f64>) -> Result<Trace, TraceError> {
    let unreadable = |error: std::io::Error| TraceError {
        file: file.into(),
        place: None,
        problem: format!("cannot be read: {error}; name another file with --trace"),
    };
    let opened = File::open(file).map_err(unreadable)?;
    if opened.metadata().map_err(unreadable)?.is_dir() {
        return Err(TraceError {
            file: file.into(),
            place: None,
            problem: "is a directory; name a file with --trace".into(),
        });
    }
    parse(file, BufReader::with_capacity(64 << 10, opened), hold_s)
}

/// Reads a trace from any source; `file` is only named.
///
/// # Errors
/// [`TraceError`].
pub fn parse(file: &Path, source: impl BufRead, hold_s: Option<f64>) -> Result<Trace, TraceError> {
    let name = file
        .file_stem()
        .map_or("trace".into(), |stem| stem.to_string_lossy().into_owned());
    let trace = parse_as(name, source, hold_s).and_then(checked);
    trace.map_err(|fault| TraceError {
        file: file.into(),
        place: fault.place,
        problem: fault.problem,
    })
}

fn parse_as(name: String, mut source: impl BufRead, hold_s: Option<f64>) -> Result<Trace, Fault> {
    if let Some(hold_s) = hold_s
        && !(hold_s.is_finite() && hold_s > 0.0)
    {
        return Err(Fault::whole(format!("--hold-s {hold_s}: must be above 0")));
    }
    let start = source
        .fill_buf()
        .map_err(|error| Fault::whole(format!("cannot be read: {error}")))?;
    if start.starts_with(&[0x1f, 0x8b]) {
        return Err(Fault::whole("is compressed; unpack it with gunzip first"));
    }
    if start.starts_with(b"\xef\xbb\xbf") {
        source.consume(3);
    }
    let start = source.fill_buf().unwrap_or_default();
    match start.iter().find(|byte| !byte.is_ascii_whitespace()) {
        None if start.len() < 4_096 => Err(Fault::whole(
            "is empty; it needs a header as time,arrivals_per_s and rows below it",
        )),
        Some(b'{' | b'[') => prometheus::parse(name, source, hold_s),
        _ => csv::parse(name, source, hold_s),
    }
}

fn checked(trace: Trace) -> Result<Trace, Fault> {
    let calls = trace.total_calls();
    if calls < 1.0 {
        return Err(Fault::whole(
            "no call arrives in it; there is nothing to simulate",
        ));
    }
    if calls > MAX_CALLS {
        return Err(Fault::whole(format!(
            "{calls:.0} calls are too many (at most {MAX_CALLS:.0}); are the values arrivals per \
             second? A counter needs rate(). Else cut the time, or divide rates and --capacity alike",
        )));
    }
    if trace.calls_at_start > MAX_CALLS {
        return Err(Fault::whole(format!(
            "more than {MAX_CALLS:.0} calls would be under way at the start; is --hold-s in seconds?"
        )));
    }
    Ok(trace)
}

#[cfg(test)]
mod tests;
