//! Moments as people write them: unix seconds, seconds from the start, RFC 3339, ISO 8601.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

/// Above this a number is no seconds of our time (year 5138) but milliseconds.
const MAX_UNIX_S: f64 = 1e11;
/// Below this a number is no moment of our time (1990) but counts from the start.
const MIN_UNIX_S: f64 = 631_152_000.0;
const DAY_S: f64 = 86_400.0;

/// Reads a moment, in seconds.
pub(super) fn parse(text: &str) -> Result<f64, String> {
    if let Ok(seconds) = text.parse::<f64>() {
        return if !seconds.is_finite() {
            Err(format!("\"{text}\" is no moment; write seconds"))
        } else if seconds.abs() >= MAX_UNIX_S {
            Err(format!("{text} looks like milliseconds; divide it by 1000"))
        } else {
            Ok(seconds)
        };
    }
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(unix_s(moment));
    }
    // Without a zone it is UTC; only differences matter, and the hour on the axis.
    for format in [
        "%Y-%m-%dT%H:%M:%S%.f",
        "%Y-%m-%d %H:%M:%S%.f",
        "%Y-%m-%dT%H:%M",
        "%Y-%m-%d %H:%M",
    ] {
        let civil = DateTime::strptime(format, text);
        if let Ok(moment) = civil.and_then(|civil| Offset::UTC.to_timestamp(civil)) {
            return Ok(unix_s(moment));
        }
    }
    Err(format!(
        "\"{text}\" is no moment; write unix seconds, seconds from the start, \
         or 2026-11-22T08:30:00Z"
    ))
}

/// Seconds of the day of a moment, if it is one of the calendar and not counted from the start.
pub(super) fn of_day_s(moment_s: f64) -> Option<f64> {
    (moment_s >= MIN_UNIX_S).then(|| moment_s.rem_euclid(DAY_S))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds of our time fit 52 bits"
)]
fn unix_s(moment: Timestamp) -> f64 {
    moment.as_millisecond() as f64 / 1_000.0
}
