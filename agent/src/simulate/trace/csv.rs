//! CSV: `time,arrivals_per_s`, `time,calls` or `start,duration`, with a header row.
//!
//! Columns may stand in any order and beside others; the separator is a comma, a semicolon or a tab;
//! lines that begin with `#` are left out.

use std::collections::BTreeMap;
use std::io::BufRead;

use ::csv::{ErrorKind, Reader, ReaderBuilder, StringRecord};

use super::limit::Limited;
use super::series::{Meaning, Series, too_long};
use super::{Fault, MAX_CSV_BYTES, Trace, time};

const HEADERS: &str = "use time,arrivals_per_s or time,calls or start,duration";
/// Call detail records are counted in steps of so many seconds.
const CDR_STEP_S: f64 = 60.0;

/// A column that is read: its name and its place.
#[derive(Debug, Clone, Copy)]
struct Column {
    name: &'static str,
    index: usize,
}

impl Column {
    fn of(headers: &StringRecord, name: &'static str) -> Option<Column> {
        let index = headers
            .iter()
            .position(|header| header.eq_ignore_ascii_case(name))?;
        Some(Column { name, index })
    }

    fn fault(self, record: &StringRecord, problem: impl Into<String>) -> Fault {
        Fault::at(
            format!("{}: column {}", line_of(record), self.name),
            problem,
        )
    }

    fn text(self, record: &StringRecord) -> &str {
        record.get(self.index).unwrap_or_default()
    }

    fn moment(self, record: &StringRecord) -> Result<f64, Fault> {
        time::parse(self.text(record)).map_err(|problem| self.fault(record, problem))
    }

    /// A number that is not negative.
    fn number(self, record: &StringRecord) -> Result<f64, Fault> {
        let text = self.text(record);
        let problem = match text.parse::<f64>() {
            Ok(number) if number.is_finite() && number >= 0.0 => return Ok(number),
            Ok(number) if number < 0.0 => format!("{text} is negative; it must be 0 or more"),
            _ if text.is_empty() => "is empty; write 0 or leave the line out".to_owned(),
            _ => format!("\"{text}\" is no number; write it as 12.5"),
        };
        Err(self.fault(record, problem))
    }
}

pub(super) fn parse(
    name: String,
    mut source: impl BufRead,
    hold_s: Option<f64>,
) -> Result<Trace, Fault> {
    let delimiter = delimiter_of(source.fill_buf().unwrap_or_default());
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter)
        .trim(::csv::Trim::All)
        .comment(Some(b'#'))
        .from_reader(Limited::new(source, MAX_CSV_BYTES));
    let headers = reader.headers().map_err(fault_of)?.clone();
    let column = |name| Column::of(&headers, name);
    match (column("time"), column("arrivals_per_s"), column("calls")) {
        (Some(_), Some(_), Some(_)) => Err(Fault::at(
            "1",
            "has arrivals_per_s and calls; leave one of both columns out",
        )),
        (Some(at), Some(rate), None) => {
            let series = series(&mut reader, at, rate)?;
            series.into_trace(name, "arrivals per second", Meaning::Arrivals, hold_s)
        }
        (Some(at), None, Some(calls)) => {
            let series = series(&mut reader, at, calls)?;
            series.into_trace(name, "calls in progress", Meaning::Calls, hold_s)
        }
        _ => match (column("start"), column("duration")) {
            (Some(start), Some(duration)) => records(&mut reader, name, start, duration, hold_s),
            _ => Err(Fault::at("1", unknown_header(&headers))),
        },
    }
}

fn unknown_header(headers: &StringRecord) -> String {
    let shown: String = headers
        .iter()
        .collect::<Vec<_>>()
        .join(",")
        .chars()
        .take(80)
        .collect();
    format!("the header \"{shown}\" is not known; {HEADERS}")
}

/// The first line that is read tells the separator.
fn delimiter_of(start: &[u8]) -> u8 {
    let line = start
        .split(|byte| *byte == b'\n')
        .find(|line| !line.starts_with(b"#") && !matches!(*line, b"" | b"\r"));
    let line = line.unwrap_or_default();
    let others = [b',', b';', b'\t'].into_iter();
    others
        .max_by_key(|delimiter| {
            // Of equals, as when there is none of them, the comma.
            let count = line.iter().filter(|byte| *byte == delimiter).count();
            (count, u8::from(*delimiter == b','))
        })
        .unwrap_or(b',')
}

fn series<R: std::io::Read>(
    reader: &mut Reader<R>,
    at: Column,
    value: Column,
) -> Result<Series, Fault> {
    let mut series = Series::default();
    let mut record = StringRecord::new();
    while reader.read_record(&mut record).map_err(fault_of)? {
        let number = value.number(&record)?;
        let pushed = series.push(at.moment(&record)?, number);
        pushed.map_err(|problem| at.fault(&record, problem))?;
    }
    Ok(series)
}

/// Call detail records come in the order of their ends as often as of their starts: they are counted,
/// not kept, so that neither order nor number matters.
fn records<R: std::io::Read>(
    reader: &mut Reader<R>,
    name: String,
    start: Column,
    duration: Column,
    hold_s: Option<f64>,
) -> Result<Trace, Fault> {
    let mut steps: BTreeMap<i64, u64> = BTreeMap::new();
    let (mut calls, mut unanswered, mut talked_s) = (0_u64, 0_u64, 0.0);
    let mut record = StringRecord::new();
    while reader.read_record(&mut record).map_err(fault_of)? {
        let start_s = start.moment(&record)?;
        let lasted_s = duration.number(&record)?;
        if lasted_s == 0.0 {
            unanswered += 1;
            continue;
        }
        let step = step_of(start_s);
        *steps.entry(step).or_default() += 1;
        calls += 1;
        talked_s += lasted_s;
        if let (Some((first, _)), Some((last, _))) =
            (steps.first_key_value(), steps.last_key_value())
        {
            too_long(seconds_of(last - first)).map_err(|problem| start.fault(&record, problem))?;
        }
    }
    let (Some((&first, _)), Some((&last, _))) = (steps.first_key_value(), steps.last_key_value())
    else {
        return Err(Fault::whole(
            "has no call that lasted; it needs rows as 2026-11-22T08:30:00Z,184",
        ));
    };
    let rate = |step: i64| {
        steps
            .get(&step)
            .map_or(0.0, |count| decimal(*count) / CDR_STEP_S)
    };
    Ok(Trace {
        name,
        found: format!("call detail records: {calls} calls; {unanswered} of 0 s left out"),
        starts_at_s: time::of_day_s(seconds_of(first)),
        duration_s: seconds_of(last - first + 1),
        hold_s: hold_s.unwrap_or(talked_s / decimal(calls)),
        // Nobody knows which calls of before were still there.
        calls_at_start: 0.0,
        arrivals: (first..=last)
            .map(|step| (seconds_of(step - first), rate(step)))
            .collect(),
    })
}

#[expect(clippy::cast_possible_truncation, reason = "moments are below 1e11")]
fn step_of(moment_s: f64) -> i64 {
    (moment_s / CDR_STEP_S).floor() as i64
}

#[expect(clippy::cast_precision_loss, reason = "moments are below 1e11")]
fn seconds_of(steps: i64) -> f64 {
    steps as f64 * CDR_STEP_S
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a file has fewer than 2^52 lines"
)]
fn decimal(count: u64) -> f64 {
    count as f64
}

fn line_of(record: &StringRecord) -> u64 {
    record.position().map_or(0, ::csv::Position::line)
}

fn fault_of(error: ::csv::Error) -> Fault {
    let line = error.position().map(|position| position.line().to_string());
    let problem = match error.kind() {
        ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => {
            format!(
                "has {len} fields, the header has {expected_len}; fill in or leave out the line"
            )
        }
        ErrorKind::Utf8 { .. } => "is no UTF-8 text; is it a CSV file?".to_owned(),
        ErrorKind::Io(error) => return Fault::whole(error.to_string()),
        _ => error.to_string(),
    };
    Fault {
        place: line,
        problem,
    }
}
