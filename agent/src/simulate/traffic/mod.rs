//! Traffic: how many calls are tried per second, at every moment.
//!
//! A rate is constant over pieces of time, so that arrivals can be drawn exactly. It must not know
//! members, balancers or retries.

mod arrivals;

pub(super) use arrivals::Arrivals;

/// A day, in seconds.
const DAY_S: f64 = 86_400.0;
/// A curve is cut into steps of so many seconds.
const STEP_S: f64 = 5.0;
/// The highest rate: calls that came faster could not be told apart late in a long scenario.
const MAX_PER_S: f64 = 1e6;

/// The course of the rate before meetings and spikes are added.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// The same at all times.
    Constant {
        /// First attempts per second.
        per_s: f64,
    },
    /// A day's curve with its peak at 12:00: low + (high - low) (0.5 - 0.5 cos(2 pi t / day))^1.5.
    Diurnal {
        /// First attempts per second at midnight.
        low_per_s: f64,
        /// First attempts per second at noon.
        high_per_s: f64,
    },
    /// A table of (seconds since the start, first attempts per second), by time; each row holds until
    /// the next, the last one for good. Before the first row nobody calls.
    Table(Vec<(f64, f64)>),
}

/// Meetings that begin every so often: many join within a few minutes.
#[derive(Debug, Clone, PartialEq)]
pub struct Meetings {
    /// Seconds between two beginnings.
    pub every_s: f64,
    /// The first joins so many seconds before.
    pub before_s: f64,
    /// The last joins so many seconds after.
    pub after_s: f64,
    /// Joins per second meanwhile.
    pub joins_per_s: f64,
    /// The working day, in seconds after midnight.
    pub busy_from_s: f64,
    /// Its end.
    pub busy_until_s: f64,
    /// This share of `joins_per_s` outside the working day.
    pub quiet_share: f64,
}

/// For some time the rate is multiplied and added to.
#[derive(Debug, Clone, PartialEq)]
pub struct Spike {
    /// From this second on.
    pub from_s: f64,
    /// Until this second.
    pub until_s: f64,
    /// Times so much.
    pub factor: f64,
    /// And so many first attempts per second more.
    pub add_per_s: f64,
}

/// How many calls are tried per second, at every moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Traffic {
    /// The course of the day.
    pub shape: Shape,
    /// Meetings on top.
    pub meetings: Option<Meetings>,
    /// Spikes on top of both.
    pub spikes: Vec<Spike>,
}

impl Traffic {
    /// Nothing but a shape.
    pub fn of(shape: Shape) -> Traffic {
        Traffic {
            shape,
            meetings: None,
            spikes: Vec::new(),
        }
    }

    /// First attempts per second now, and until when they stay as many.
    pub fn piece(&self, now_s: f64) -> (f64, f64) {
        let (mut per_s, mut until_s) = self.shape.piece(now_s);
        if let Some(meetings) = &self.meetings {
            let (joins_per_s, next_s) = meetings.piece(now_s);
            per_s += joins_per_s;
            until_s = until_s.min(next_s);
        }
        for spike in &self.spikes {
            if now_s >= spike.from_s && now_s < spike.until_s {
                per_s = per_s * spike.factor + spike.add_per_s;
                until_s = until_s.min(spike.until_s);
            } else if now_s < spike.from_s {
                until_s = until_s.min(spike.from_s);
            }
        }
        (per_s.max(0.0), until_s)
    }

    /// Why it cannot be drawn from, if so.
    pub(super) fn problem(&self) -> Option<&'static str> {
        let meetings = self.meetings.as_ref().and_then(|meetings| {
            let every = [meetings.every_s, meetings.joins_per_s, meetings.quiet_share];
            problem_of(&every).or((meetings.every_s == 0.0).then_some("meetings need a period"))
        });
        let spikes = self
            .spikes
            .iter()
            .find_map(|spike| problem_of(&[spike.factor, spike.add_per_s]));
        let rate = || {
            (self.most_per_s() > MAX_PER_S)
                .then_some("the rate must be at most a million calls per second")
        };
        self.shape.problem().or(meetings).or(spikes).or_else(rate)
    }

    /// No rate is higher than this, were all spikes at the same moment.
    fn most_per_s(&self) -> f64 {
        let joins_per_s = self.meetings.as_ref().map_or(0.0, |meetings| {
            meetings.joins_per_s * meetings.quiet_share.max(1.0)
        });
        let calm_per_s = self.shape.most_per_s() + joins_per_s;
        self.spikes.iter().fold(calm_per_s, |most_per_s, spike| {
            most_per_s * spike.factor.max(1.0) + spike.add_per_s
        })
    }

    /// The mean rate around the start, meetings evened out: it says how many calls are under way then.
    pub fn rate_at_start(&self) -> f64 {
        let joins_per_s = self.meetings.as_ref().map_or(0.0, |meetings| {
            meetings.joins_at(0.0) * (meetings.before_s + meetings.after_s) / meetings.every_s
        });
        self.shape.piece(0.0).0 + joins_per_s
    }
}

impl Shape {
    /// Why it cannot be drawn from, if so.
    fn problem(&self) -> Option<&'static str> {
        match self {
            Shape::Constant { per_s } => problem_of(&[*per_s]),
            Shape::Diurnal {
                low_per_s,
                high_per_s,
            } => problem_of(&[*low_per_s, *high_per_s]),
            Shape::Table(rows) if rows.is_empty() => Some("the table of traffic has no rows"),
            Shape::Table(rows) if !rows.is_sorted_by(|a, b| a.0 < b.0 || a.0.is_nan()) => {
                Some("each row of the table must be later than the one before")
            }
            Shape::Table(rows) => rows
                .iter()
                .find_map(|(at_s, per_s)| problem_of(&[*at_s, *per_s])),
        }
    }

    fn most_per_s(&self) -> f64 {
        match self {
            Shape::Constant { per_s } => *per_s,
            Shape::Diurnal {
                low_per_s,
                high_per_s,
            } => low_per_s.max(*high_per_s),
            Shape::Table(rows) => rows.iter().map(|(_, per_s)| *per_s).fold(0.0, f64::max),
        }
    }

    fn piece(&self, now_s: f64) -> (f64, f64) {
        match self {
            Shape::Constant { per_s } => (*per_s, f64::INFINITY),
            Shape::Diurnal {
                low_per_s,
                high_per_s,
            } => {
                let step = (now_s / STEP_S).floor();
                let turn = std::f64::consts::TAU * step * STEP_S / DAY_S;
                let height = (0.5 - 0.5 * turn.cos()).powf(1.5);
                (
                    low_per_s + (high_per_s - low_per_s) * height,
                    (step + 1.0) * STEP_S,
                )
            }
            Shape::Table(rows) => {
                let next = rows.partition_point(|(at_s, _)| *at_s <= now_s);
                let per_s = next.checked_sub(1).map_or(0.0, |row| rows[row].1);
                (
                    per_s,
                    rows.get(next).map_or(f64::INFINITY, |(at_s, _)| *at_s),
                )
            }
        }
    }
}

impl Meetings {
    /// Joins per second in a crowd at this moment.
    fn joins_at(&self, now_s: f64) -> f64 {
        let of_day_s = now_s.rem_euclid(DAY_S);
        if of_day_s >= self.busy_from_s && of_day_s < self.busy_until_s {
            self.joins_per_s
        } else {
            self.joins_per_s * self.quiet_share
        }
    }

    fn piece(&self, now_s: f64) -> (f64, f64) {
        let step = (now_s / STEP_S).floor();
        let since_s = (step * STEP_S + self.before_s).rem_euclid(self.every_s);
        let crowd = since_s < self.before_s + self.after_s;
        let joins_per_s = if crowd {
            self.joins_at(step * STEP_S)
        } else {
            0.0
        };
        (joins_per_s, (step + 1.0) * STEP_S)
    }
}

/// Why these cannot be times or rates, if so.
fn problem_of(numbers: &[f64]) -> Option<&'static str> {
    if numbers.iter().any(|number| !number.is_finite()) {
        Some("every time and every rate must be a number")
    } else if numbers.iter().any(|number| *number < 0.0) {
        Some("times and rates must not be negative")
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
