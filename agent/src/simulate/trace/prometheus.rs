//! Prometheus: the answer of `/api/v1/query_range`, all series summed.
//!
//! Values are arrivals per second, as `sum(rate(kamscale_requests_total{feature="calls"}[1m]))`
//! gives them. Counters are not guessed.

use std::collections::BTreeMap;
use std::io::Read;

use serde::Deserialize;

use super::series::{Meaning, Series};
use super::{Fault, MAX_JSON_BYTES, MAX_ROWS, Trace};

#[derive(Debug, Deserialize)]
struct Answer {
    #[serde(default)]
    status: String,
    #[serde(default)]
    error: String,
    data: Option<Data>,
}

#[derive(Debug, Deserialize)]
struct Data {
    #[serde(rename = "resultType")]
    result_type: String,
    #[serde(default)]
    result: Vec<OneSeries>,
}

#[derive(Debug, Deserialize)]
struct OneSeries {
    #[serde(default)]
    values: Vec<(f64, String)>,
}

pub(super) fn parse(name: String, source: impl Read, hold_s: Option<f64>) -> Result<Trace, Fault> {
    let answer = answer(source)?;
    if answer.status == "error" {
        return Err(Fault::whole(format!(
            "is an error of Prometheus: {}; correct the query and save its answer",
            answer.error
        )));
    }
    let Some(data) = answer.data else {
        return Err(Fault::whole(
            "has no \"data\"; save the answer of /api/v1/query_range of Prometheus",
        ));
    };
    if data.result_type != "matrix" {
        return Err(Fault::whole(format!(
            "resultType is \"{}\"; use /api/v1/query_range, which answers a matrix",
            data.result_type
        )));
    }
    if data.result.is_empty() {
        return Err(Fault::whole(
            "has no series; did the query match anything at that time?",
        ));
    }
    let count = data.result.len();
    let mut series = Series::default();
    for (milliseconds, value) in summed(data.result)? {
        #[expect(
            clippy::cast_precision_loss,
            reason = "milliseconds of our time fit 52 bits"
        )]
        let at_s = milliseconds as f64 / 1_000.0;
        series.push(at_s, value).map_err(Fault::whole)?;
    }
    let what = format!("arrivals per second of Prometheus, {count} series summed");
    series.into_trace(name, &what, Meaning::Arrivals, hold_s)
}

fn answer(source: impl Read) -> Result<Answer, Fault> {
    let mut bytes = Vec::new();
    let read = source.take(MAX_JSON_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|error| Fault::whole(format!("cannot be read: {error}")))?;
    if bytes.len() as u64 > MAX_JSON_BYTES {
        return Err(Fault::whole(format!(
            "is too big (at most {} MiB); ask for fewer series with sum() or a longer step",
            MAX_JSON_BYTES >> 20
        )));
    }
    serde_json::from_slice(&bytes).map_err(|error| {
        let place = format!("{}: column {}", error.line(), error.column());
        let problem = format!(
            "{}; save the answer of /api/v1/query_range of Prometheus as it is",
            words_of(&error)
        );
        Fault::at(place, problem)
    })
}

/// The message without the place, which stands before it already.
fn words_of(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ")
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// The sum of all series at each moment; a series without a value there adds nothing.
fn summed(result: Vec<OneSeries>) -> Result<BTreeMap<i64, f64>, Fault> {
    let mut sums = BTreeMap::new();
    for (number, one) in (1..).zip(result) {
        for (row, (at_s, text)) in (1..).zip(one.values) {
            let fault =
                |problem: String| Fault::whole(format!("series {number}, value {row}: {problem}"));
            let value: f64 = text
                .parse()
                .map_err(|_| fault(format!("\"{text}\" is no number; use the result of rate()")))?;
            // NaN is how Prometheus says that it does not know.
            if value.is_nan() {
                continue;
            }
            if value < 0.0 || value.is_infinite() {
                return Err(fault(format!(
                    "{text} is no rate of arrivals; use the result of rate()"
                )));
            }
            let at = milliseconds(at_s).ok_or_else(|| fault(format!("{at_s} is no unix time")))?;
            *sums.entry(at).or_default() += value;
            if sums.len() > MAX_ROWS {
                return Err(fault(format!(
                    "more than {MAX_ROWS} moments; use a longer step"
                )));
            }
        }
    }
    Ok(sums)
}

fn milliseconds(at_s: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "checked in the same line")]
    (at_s.is_finite() && at_s.abs() < 1e11).then_some((at_s * 1_000.0).round() as i64)
}
