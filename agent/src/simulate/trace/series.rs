//! Series: values at moments, made arrivals per second.

use super::{Fault, MAX_DAYS, MAX_ROWS, Trace, time};

const DAY_S: f64 = 86_400.0;

/// What the values of a series are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Calls that arrive per second, from this moment on.
    Arrivals,
    /// Calls in progress at this moment.
    Calls,
}

/// Values at moments, checked as they come.
#[derive(Debug, Default)]
pub(super) struct Series {
    samples: Vec<(f64, f64)>,
}

impl Series {
    /// Adds a value. The problem, if there is one, is worded with its remedy.
    pub(super) fn push(&mut self, moment_s: f64, value: f64) -> Result<(), String> {
        if self.samples.len() >= MAX_ROWS {
            return Err(format!(
                "more than {MAX_ROWS} rows; cut the time or use longer steps"
            ));
        }
        if let (Some((first_s, _)), Some((last_s, _))) = (self.samples.first(), self.samples.last())
        {
            if moment_s == *last_s {
                return Err("the same time stands twice; sum such rows up".into());
            }
            if moment_s < *last_s {
                return Err("time goes backwards here; sort the file by time".into());
            }
            too_long(moment_s - first_s)?;
        }
        self.samples.push((moment_s, value));
        Ok(())
    }

    /// The trace that these values mean.
    pub(super) fn into_trace(
        self,
        name: String,
        what: &str,
        meaning: Meaning,
        hold_s: Option<f64>,
    ) -> Result<Trace, Fault> {
        let (&[(first_s, first), (second_s, _), ..], Some(&(last_s, _))) =
            (self.samples.as_slice(), self.samples.last())
        else {
            return Err(Fault::whole(
                "has fewer than two rows; a trace needs a course over time",
            ));
        };
        let Some(hold_s) = hold_s else {
            return Err(Fault::whole(
                "tells how many calls there are, but not how long they last: \
                 give their mean duration with --hold-s",
            ));
        };
        let count = self.samples.len();
        let last_step_s = last_s - self.samples[count - 2].0;
        let (arrivals, duration_s, calls_at_start) = match meaning {
            // The last rate lasts as long as the one before it.
            Meaning::Arrivals => {
                let shifted = self
                    .samples
                    .iter()
                    .map(|(at_s, rate)| (at_s - first_s, *rate));
                let duration_s = last_s - first_s + last_step_s;
                (shifted.collect::<Vec<_>>(), duration_s, first * hold_s)
            }
            Meaning::Calls => {
                let pairs = self.samples.windows(2).map(|pair| {
                    let [(from_s, from), (to_s, to)] = [pair[0], pair[1]];
                    (
                        from_s - first_s,
                        derived_rate(from, to, to_s - from_s, hold_s),
                    )
                });
                (pairs.collect(), last_s - first_s, first)
            }
        };
        // Floats of our time differ by a little less or more than what was written.
        let step_s = ((second_s - first_s) * 1_000.0).round() / 1_000.0;
        Ok(Trace {
            name,
            found: format!("{what}: {count} rows, the first {step_s} s apart"),
            starts_at_s: time::of_day_s(first_s),
            duration_s,
            hold_s,
            calls_at_start,
            arrivals,
        })
    }
}

/// Arrivals per second that lead from one number of calls to another: those that end are replaced,
/// and the difference comes on top. A fall faster than the hold time allows has no arrivals at all.
fn derived_rate(from: f64, to: f64, step_s: f64, hold_s: f64) -> f64 {
    ((to - from) / step_s + f64::midpoint(from, to) / hold_s).max(0.0)
}

/// Refuses a trace that is longer than can be simulated.
pub(super) fn too_long(duration_s: f64) -> Result<(), String> {
    let days = duration_s / DAY_S;
    if days > MAX_DAYS {
        return Err(format!(
            "this is {days:.0} days after the first row (at most {MAX_DAYS}); is it the same \
             notation of time? Else cut the file"
        ));
    }
    Ok(())
}
