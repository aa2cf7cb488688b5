//! Scenarios: what happens to a pool, whoever scales it.
//!
//! Traffic, holding times, members' capacity and boots, faults, callers' patience and balancers. It
//! must not know who scales. The named ones stand in `named`.

mod named;

use super::random::Stream;
use super::trace::Trace;
use super::traffic::{Shape, Traffic};

/// No more members than this are tried for one call.
pub(super) const MAX_TRIES: usize = 8;

/// The longest scenario.
const MAX_DURATION_S: f64 = 366.0 * 86_400.0;
/// The most members at the start, and the most that can be the minimum: every look goes through them all.
const MAX_START_MEMBERS: u32 = 100_000;
/// The most calls under way at the start: each is simulated one by one.
const MAX_CALLS_AT_START: f64 = 1e8;
/// Balancers that shared more often, and callers who always tried again sooner, would keep time from
/// going on.
const LEAST_PAUSE_S: f64 = 0.01;

/// How a balancer chooses among the members that take calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// The one with the fewest calls, as far as this balancer knows.
    LeastCalls,
    /// One after the other.
    RoundRobin,
    /// Two drawn by lot, the one with fewer calls of them.
    TwoChoices,
}

/// The load balancers in front of the pool. A call meets any of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Balancing {
    /// How many there are, at least 1.
    pub count: u8,
    /// How each chooses.
    pub placement: Placement,
    /// Every so many seconds each learns of the calls that the others placed; 0: always at once.
    pub share_s: f64,
    /// Members that are tried for one call before it is refused, at most 8. A full one answers 503.
    pub tries: u8,
}

/// How long a creation takes that succeeds, in seconds.
#[derive(Debug, Clone, PartialEq)]
pub enum BootTime {
    /// Normal, but at least `least_s`.
    Normal {
        /// Mean.
        mean_s: f64,
        /// Standard deviation.
        deviation_s: f64,
        /// Never faster.
        least_s: f64,
    },
    /// At least `least_s`, then exponential with a long tail, at most `most_s`.
    LongTail {
        /// Never faster.
        least_s: f64,
        /// Mean of what comes on top.
        tail_s: f64,
        /// Never slower.
        most_s: f64,
    },
}

impl BootTime {
    pub(super) fn draw_s(&self, random: &mut Stream) -> f64 {
        match *self {
            BootTime::Normal {
                mean_s,
                deviation_s,
                least_s,
            } => random.normal(mean_s, deviation_s).max(least_s),
            BootTime::LongTail {
                least_s,
                tail_s,
                most_s,
            } => (least_s + random.exponential(tail_s)).min(most_s),
        }
    }
}

/// What a refused caller does.
#[derive(Debug, Clone, PartialEq)]
pub struct Retries {
    /// With this probability the caller tries again, each time; otherwise the call is lost.
    pub probability: f64,
    /// At least so many seconds later.
    pub pause_s: f64,
    /// Plus an exponential time with this mean.
    pub mean_s: f64,
}

/// Members die at once, with their calls.
#[derive(Debug, Clone, PartialEq)]
pub struct Crash {
    /// When.
    pub at_s: f64,
    /// How many active members, drawn by lot.
    pub members: u32,
}

/// A stretch of time.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// From this second on.
    pub from_s: f64,
    /// Until this second.
    pub until_s: f64,
}

impl Span {
    /// Whether a moment lies in it.
    pub fn holds(&self, at_s: f64) -> bool {
        at_s >= self.from_s && at_s < self.until_s
    }

    /// Whether any moment lies in it, and none before the start.
    fn is_one(&self) -> bool {
        self.from_s >= 0.0 && self.until_s > self.from_s
    }
}

/// What happens to a pool, whoever scales it. Times are seconds since the start, which is a midnight.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// The name on the command line and in figures.
    pub name: String,
    /// What it is, in one line.
    pub title: String,
    /// How long it lasts.
    pub duration_s: f64,
    /// First attempts per second.
    pub traffic: Traffic,
    /// Mean holding time; exponential.
    pub hold_s: f64,
    /// Calls under way at the start, on average; `None`: as many as the first rate keeps up.
    pub calls_at_start: Option<f64>,
    /// Calls that fit on one member.
    pub capacity_calls: u32,
    /// The least members that the operator wants.
    pub min: u32,
    /// The most members that can exist: a quota.
    pub max: u32,
    /// Members that are active at the start.
    pub start_members: u32,
    /// How long creations take.
    pub boot: BootTime,
    /// After so many seconds a creation that is not ready is reported as failed.
    pub boot_timeout_s: f64,
    /// This share of creations fails silently: they look booting until `boot_timeout_s`, and cost nothing.
    pub failing_share: f64,
    /// Members that die.
    pub crashes: Vec<Crash>,
    /// At the beginning of each all calls vanish, and nobody can call until its end.
    pub outages: Vec<Span>,
    /// Calls and counters cannot be read meanwhile.
    pub blackouts: Vec<Span>,
    /// When the surge begins, for `surge_to_capacity_s`.
    pub surge_s: Option<f64>,
    /// What refused callers do.
    pub retries: Retries,
    /// The load balancers.
    pub balancing: Balancing,
    /// The stabilization that operators are told to set for such traffic, if not the default.
    pub stabilization_s: Option<f64>,
}

/// Why a scenario cannot be run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("scenario {name}: {problem}")]
pub struct ScenarioError {
    /// The scenario's name.
    pub name: String,
    /// What is wrong with it.
    pub problem: String,
}

impl Scenario {
    /// A scenario from a table of (seconds since the start, first attempts per second), by time; each row
    /// holds until the next. Everything else is as in `steady`, with enough members at the start and
    /// room for four times the peak.
    ///
    /// # Errors
    /// [`ScenarioError`] if the table or the times make no sense.
    pub fn from_table(
        name: &str,
        rows: Vec<(f64, f64)>,
        hold_s: f64,
        duration_s: f64,
    ) -> Result<Scenario, ScenarioError> {
        let mut scenario = named::steady();
        scenario.name = name.into();
        scenario.title = "Traffic from a table".into();
        scenario.duration_s = duration_s;
        scenario.hold_s = hold_s;
        let peak_per_s = rows.iter().map(|(_, per_s)| *per_s).fold(0.0, f64::max);
        scenario.traffic = Traffic::of(Shape::Table(rows));
        scenario.check()?;
        scenario.start_members = scenario.members_at_start();
        let peak_members = peak_per_s * hold_s / f64::from(scenario.capacity_calls);
        scenario.max = scenario.max.max(named::ceil_u32(4.0 * peak_members));
        Ok(scenario)
    }

    /// A scenario from a trace that was read from a file: as from a table, but with the trace's calls
    /// under way at the start.
    ///
    /// # Errors
    /// [`ScenarioError`] if it is too big to be run.
    pub fn from_trace(trace: &Trace) -> Result<Scenario, ScenarioError> {
        let rows = trace.arrivals.clone();
        let mut scenario = Scenario::from_table(&trace.name, rows, trace.hold_s, trace.duration_s)?;
        scenario.title = trace.found.clone();
        scenario.calls_at_start = Some(trace.calls_at_start);
        scenario.start_members = scenario.members_at_start();
        scenario.max = scenario.max.max(scenario.start_members);
        scenario.check()?;
        Ok(scenario)
    }

    /// Whether it can be run.
    ///
    /// # Errors
    /// [`ScenarioError`] with the first thing that is wrong.
    pub fn check(&self) -> Result<(), ScenarioError> {
        let problem = if !(self.duration_s > 0.0 && self.duration_s <= MAX_DURATION_S) {
            "it must last longer than 0 s, and at most a year"
        } else if !(self.hold_s > 0.0 && self.hold_s.is_finite()) {
            "hold_s must be a number, and more than 0"
        } else if self.capacity_calls == 0 {
            "capacity_calls must be at least 1"
        } else if self.max < self.min.max(self.start_members) {
            "max must not be below min or start_members"
        } else if self.min.max(self.start_members) > MAX_START_MEMBERS {
            "min and start_members must be at most 100,000; is the capacity right?"
        } else if self.balancing.count == 0 {
            "there must be a balancer"
        } else if !(1..=MAX_TRIES).contains(&usize::from(self.balancing.tries)) {
            "a balancer tries 1 to 8 members"
        } else if self.balancing.share_s > 0.0 && self.balancing.share_s < LEAST_PAUSE_S {
            "balancers must share at once (0 s) or at most every 0.01 s"
        } else if !(self.retries.probability < 1.0 || self.retries.pause_s >= LEAST_PAUSE_S) {
            "who always tries again must pause"
        } else if self.outages.len() > usize::from(u16::MAX) {
            "there must be at most 65,535 outages"
        } else if !self.outages.iter().chain(&self.blackouts).all(Span::is_one) {
            "every outage and every blackout must begin, and end later"
        } else if !self.crashes.iter().all(|crash| crash.at_s >= 0.0) {
            "every crash must have its moment"
        } else if let Some(problem) = self.traffic.problem() {
            problem
        } else if !(0.0..MAX_CALLS_AT_START).contains(&self.mean_calls_at_start()) {
            "the calls at the start must be a number below 100 million"
        } else {
            return Ok(());
        };
        Err(ScenarioError {
            name: self.name.clone(),
            problem: problem.into(),
        })
    }

    /// Whether nobody can call at this moment.
    pub fn in_outage(&self, at_s: f64) -> bool {
        self.outages.iter().any(|outage| outage.holds(at_s))
    }

    /// Calls under way at the start, on average.
    pub(super) fn mean_calls_at_start(&self) -> f64 {
        let kept_up = self.traffic.rate_at_start() * self.hold_s;
        self.calls_at_start.unwrap_or(kept_up)
    }

    /// Members for the calls at the start at 60 % load, at least `min`.
    fn members_at_start(&self) -> u32 {
        let calls = self.mean_calls_at_start();
        named::ceil_u32(calls / (0.6 * f64::from(self.capacity_calls))).max(self.min)
    }
}

#[cfg(test)]
mod tests;
