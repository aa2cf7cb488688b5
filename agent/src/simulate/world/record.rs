//! What is written down of a run: figures, the course, marks.
//!
//! It must not change anything in the world.

use super::super::outcome::{Figures, Mark, Outcome, Point};
use super::super::scenario::Scenario;
use super::super::wheel::Moment;
use super::members::Members;

/// An order against the one before it within so many microseconds is a reversal: 15 minutes.
const REVERSAL: u64 = 900_000_000;
/// Refusals within so many microseconds after its begin belong to a surge: 2 hours.
const SURGE: u64 = 7_200_000_000;
/// Microseconds of an hour.
const HOUR: f64 = 3.6e9;

/// Whether an order adds or removes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// Boot, take back.
    Out,
    /// Drain, delete without a drain.
    In,
}

/// What is written down while the world runs.
#[derive(Debug)]
pub(super) struct Record {
    capacity: u32,
    min: u32,
    surge: Option<Moment>,
    pub(super) offered: u64,
    pub(super) lost: u64,
    pub(super) cut: u64,
    pub(super) crashed_calls: u64,
    pub(super) vanished: u64,
    pub(super) under_way: u64,
    pub(super) started: u64,
    pub(super) refused: u64,
    pub(super) completed: u64,
    /// Callers who will try again.
    pub(super) retrying: u64,
    last_refused: Option<Moment>,
    actions: u64,
    reversals: u64,
    last_order: Option<(Moment, Direction)>,
    demand: u32,
    /// Members that could carry the demand, since when, and their microseconds before that.
    least: u32,
    least_since: Moment,
    least_lived: u128,
    points: Vec<Point>,
    marks: Vec<Mark>,
    lost_at_point: u64,
    cut_at_point: u64,
}

impl Record {
    pub(super) fn new(scenario: &Scenario) -> Record {
        Record {
            capacity: scenario.capacity_calls,
            min: scenario.min,
            surge: scenario.surge_s.map(Moment::from_s),
            offered: 0,
            lost: 0,
            cut: 0,
            crashed_calls: 0,
            vanished: 0,
            under_way: 0,
            started: 0,
            refused: 0,
            completed: 0,
            retrying: 0,
            last_refused: None,
            actions: 0,
            reversals: 0,
            last_order: None,
            demand: 0,
            least: scenario.min,
            least_since: Moment(0),
            least_lived: 0,
            points: Vec::new(),
            marks: Vec::new(),
            lost_at_point: 0,
            cut_at_point: 0,
        }
    }

    /// A first attempt.
    pub(super) fn offer(&mut self, now: Moment) {
        self.offered += 1;
        self.set_demand(now, self.demand + 1);
    }

    /// A call that was under way before the start.
    pub(super) fn begin_under_way(&mut self, now: Moment) {
        self.under_way += 1;
        self.set_demand(now, self.demand + 1);
    }

    /// A call is over that there would be if none were ever refused or cut.
    pub(super) fn end_demand(&mut self, now: Moment) {
        self.set_demand(now, self.demand - 1);
    }

    /// An outage: nobody has a call any more.
    pub(super) fn vanish(&mut self, now: Moment, calls: u32) {
        self.vanished += u64::from(calls);
        self.set_demand(now, 0);
    }

    fn set_demand(&mut self, now: Moment, demand: u32) {
        self.demand = demand;
        let least = demand.div_ceil(self.capacity).max(self.min);
        if least != self.least {
            self.least_lived += self.least_since_change(now);
            self.least = least;
            self.least_since = now;
        }
    }

    /// Microseconds of the least members since their number changed; a year of a hundred thousand
    /// comes near to what 64 bits hold.
    fn least_since_change(&self, now: Moment) -> u128 {
        u128::from(now.since(self.least_since)) * u128::from(self.least)
    }

    /// No member took a call.
    pub(super) fn refuse(&mut self, now: Moment) {
        self.refused += 1;
        if self
            .surge
            .is_some_and(|surge| now >= surge && now.since(surge) <= SURGE)
        {
            self.last_refused = Some(now);
        }
    }

    /// A caller gave up.
    pub(super) fn lose(&mut self) {
        self.lost += 1;
    }

    /// Calls went with a member that the scaler deleted.
    pub(super) fn cut(&mut self, calls: u32) {
        self.cut += u64::from(calls);
    }

    /// The scaler ordered something.
    pub(super) fn order(&mut self, now: Moment, direction: Direction) {
        self.actions += 1;
        let before = self.last_order.replace((now, direction));
        // The second of two orders in the same direction turns nothing round.
        let turned =
            before.is_some_and(|(at, other)| other != direction && now.since(at) < REVERSAL);
        self.reversals += u64::from(turned);
    }

    /// Something happened that is worth a mark.
    pub(super) fn mark(&mut self, now: Moment, what: &str, count: u32, reason: String) {
        self.marks.push(Mark {
            t_s: now.seconds(),
            what: what.into(),
            count,
            reason,
        });
    }

    /// A point of the course.
    pub(super) fn point(&mut self, now: Moment, members: &Members) {
        let counts = members.counts();
        let since = |all: u64, before: u64| u32::try_from(all - before).unwrap_or(u32::MAX);
        self.points.push(Point {
            t_s: now.seconds(),
            demand_calls: self.demand,
            calls: members.all_calls(),
            capacity_calls: counts.active.saturating_mul(self.capacity),
            active: counts.active,
            booting: counts.booting,
            draining: counts.draining,
            lost: since(self.lost, self.lost_at_point),
            cut: since(self.cut, self.cut_at_point),
        });
        self.lost_at_point = self.lost;
        self.cut_at_point = self.cut;
    }

    /// What came of it.
    pub(super) fn outcome(
        self,
        scenario: &Scenario,
        members: &Members,
        now: Moment,
        policy: &str,
        seed: u64,
    ) -> Outcome {
        let least_lived = self.least_lived + self.least_since_change(now);
        let lost_share = self.lost as f64 / self.offered.max(1) as f64;
        let figures = Figures {
            offered_calls: self.offered,
            lost_calls: self.lost,
            lost_share,
            cut_calls: self.cut,
            crashed_calls: self.crashed_calls,
            member_hours: members.lived(now) as f64 / HOUR,
            actions: self.actions,
            reversals_15min: self.reversals,
            surge_to_capacity_s: self.surge.map(|surge| {
                let last = self.last_refused.unwrap_or(surge);
                Moment(last.since(surge)).seconds()
            }),
            least_member_hours: least_lived as f64 / HOUR,
        };
        Outcome {
            scenario: scenario.name.clone(),
            policy: policy.into(),
            seed,
            duration_s: scenario.duration_s,
            figures,
            points: self.points,
            marks: self.marks,
        }
    }
}
