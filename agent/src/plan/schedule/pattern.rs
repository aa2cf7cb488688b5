//! A cron expression in a time zone: when it last named a time.
//!
//! croner reads the expression and knows the days; the search is here, because only the last few days
//! matter: its work is bounded whatever the expression says. It knows no floor and no clock.

use std::iter;

use croner::parser::{CronParser, Seconds, Year};
use croner::{CronPattern, Weekday};
use jiff::civil::{Date, DateTime, Time, date};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, ToSpan};

use super::zone;

/// The Gregorian calendar repeats, weekdays included, after so many days (400 years).
const CALENDAR_DAYS: usize = 146_097;
const LAST_MINUTE: u32 = 24 * 60 - 1;
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
const MONTHS: [&str; 12] = [
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];

/// Local times of a time zone.
pub(super) struct Pattern {
    time_zone: TimeZone,
    days: CronPattern,
    /// Bit h: hour h is named.
    hours: u32,
    /// Bit m: minute m is named.
    minutes: u64,
}

impl Pattern {
    /// The error says what is wrong with which value, and what to write instead.
    pub(super) fn read(cron: &str, time_zone: &str) -> Result<Self, String> {
        let refused = |why: &str| {
            format!(
                "cron \"{cron}\": {why}; write minute hour day month weekday, as 0 8 * * MON-FRI"
            )
        };
        let fields: Vec<&str> = cron.split_whitespace().collect();
        if fields.len() != 5 {
            return Err(refused(&format!("has {} fields, not 5", fields.len())));
        }
        if let Some(field) = fields
            .iter()
            .zip(0..)
            .find_map(|(field, place)| (!letters_fit(place, field)).then_some(field))
        {
            return Err(refused(&format!(
                "{field} has letters that are no name there"
            )));
        }
        let days = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed)
            .build()
            .parse(cron)
            .map_err(|error| refused(&error.to_string()))?
            .pattern;
        let hours = (0..24)
            .filter(|h| days.hour_match(*h).unwrap_or(false))
            .map(|h| 1_u32 << h);
        let minutes = (0..60)
            .filter(|m| days.minute_match(*m).unwrap_or(false))
            .map(|m| 1_u64 << m);
        let (hours, minutes) = (hours.sum(), minutes.sum());
        let time_zone = zone::find(time_zone)
            .ok_or_else(|| format!("\"{time_zone}\" is no time zone; write as Europe/Berlin"))?;
        Ok(Pattern {
            time_zone,
            days,
            hours,
            minutes,
        })
    }

    /// Whether there is a day that it names: 30 February never comes.
    pub(super) fn names_a_day(&self) -> bool {
        iter::successors(Some(date(2000, 1, 1)), |day| day.tomorrow().ok())
            .take(CALENDAR_DAYS)
            .any(|day| self.names_day(day))
    }

    /// The latest unix time that it names, not after `at`, if it is at most `days` days before. (It
    /// also finds some that are a little older.)
    pub(super) fn last_begin(&self, at: i64, days: u32) -> Option<i64> {
        let now = Timestamp::from_second(at).ok()?;
        let local = self.time_zone.to_datetime(now);
        // Two days more: clocks have been set by up to a day, and the search can begin a day later.
        let begin = self.last_begin_up_to(local, at, days + 2);
        // In the second pass of a doubled hour, later local times of the first pass are over too.
        match self.time_zone.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Fold { before, after }
                if after.to_timestamp(local).ok()?.as_second() <= at =>
            {
                let end_of_first = local.checked_add(before.duration_since(after)).ok()?;
                begin.max(self.last_begin_up_to(end_of_first, at, days + 2))
            }
            _ => begin,
        }
    }

    /// Searches the local times up to `local`, backwards, for one that began not after `at`.
    fn last_begin_up_to(&self, local: DateTime, at: i64, days: u32) -> Option<i64> {
        let mut date = local.date();
        let mut limit = number(local.hour()) * 60 + number(local.minute());
        for _ in 0..=days {
            let mut minute = if self.names_day(date) {
                self.minute_up_to(limit)
            } else {
                None
            };
            while let Some(found) = minute {
                let time = time_of_day(found)?;
                if let Some(begin) = self.begin_of(date.to_datetime(time), at) {
                    return Some(begin);
                }
                minute = found
                    .checked_sub(1)
                    .and_then(|before| self.minute_up_to(before));
            }
            date = date.yesterday().ok()?;
            limit = LAST_MINUTE;
        }
        None
    }

    fn names_day(&self, date: Date) -> bool {
        let weekday = u32::from(date.weekday().to_sunday_zero_offset().unsigned_abs());
        let (month, day) = (number(date.month()), number(date.day()));
        self.days.month_match(month).unwrap_or(false)
            && self
                .days
                .day_match(
                    date.year().into(),
                    month,
                    day,
                    Weekday::from_days_from_sunday(weekday),
                )
                .unwrap_or(false)
    }

    /// The last minute of the day that it names, up to `limit`.
    fn minute_up_to(&self, limit: u32) -> Option<u32> {
        let (hour, minute) = (limit / 60, limit % 60);
        if (self.hours >> hour) & 1 == 1
            && let Some(minute) = (self.minutes & ((2 << minute) - 1)).checked_ilog2()
        {
            return Some(hour * 60 + minute);
        }
        let hour = (self.hours & ((1 << hour) - 1)).checked_ilog2()?;
        Some(hour * 60 + self.minutes.checked_ilog2()?)
    }

    /// When a local time begins: the last time not after `at` if it comes twice, the leap if the
    /// clocks leap over it.
    fn begin_of(&self, local: DateTime, at: i64) -> Option<i64> {
        let begins = match self.time_zone.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Unambiguous { offset } => [offset.to_timestamp(local).ok(), None],
            AmbiguousOffset::Fold { before, after } => [
                after.to_timestamp(local).ok(),
                before.to_timestamp(local).ok(),
            ],
            // By the clock as it was, the local time would come at the leap or later.
            AmbiguousOffset::Gap { before, .. } => {
                let late = before
                    .to_timestamp(local)
                    .ok()?
                    .checked_add(1.second())
                    .ok()?;
                let leap = self.time_zone.preceding(late).next()?;
                [Some(leap.timestamp()), None]
            }
        };
        begins
            .into_iter()
            .flatten()
            .map(|begin| begin.as_second())
            .find(|begin| *begin <= at)
    }
}

fn time_of_day(minute: u32) -> Option<Time> {
    let (hour, minute) = (i8::try_from(minute / 60), i8::try_from(minute % 60));
    Time::new(hour.ok()?, minute.ok()?, 0, 0).ok()
}

/// The parts of a date and of a time are small and not negative.
fn number(part: i8) -> u32 {
    part.unsigned_abs().into()
}

/// Whether the names in a field (0 is the minute) belong there: croner replaces them anywhere, and
/// reads `0 8 * MON *` as January.
fn letters_fit(place: usize, field: &str) -> bool {
    let field = field.to_ascii_uppercase();
    let mut names = field
        .split(|c: char| !c.is_alphabetic())
        .filter(|name| !name.is_empty());
    match place {
        2 => names.all(|name| ["L", "W", "LW"].contains(&name)),
        3 => names.all(|name| MONTHS.contains(&name)),
        4 => names
            .all(|name| name == "L" || WEEKDAYS.contains(&name.strip_suffix('L').unwrap_or(name))),
        _ => names.next().is_none(),
    }
}
