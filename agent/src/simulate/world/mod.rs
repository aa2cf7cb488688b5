//! The world: one pool with its callers, balancers, members and faults, from event to event.
//!
//! Everything happens in exact order of time. It knows the scaler only as somebody who looks and
//! orders; what the orders do to members stands in `orders`, what is written down in `record`.

mod calls;
mod faults;
mod members;
mod orders;
mod record;

use std::iter::Peekable;

use self::members::Members;
use self::record::Record;
use super::balancer::Balancers;
use super::outcome::Outcome;
use super::random::{Purpose, Stream};
use super::scaler::{Scaler, SimMember, View};
use super::scenario::Scenario;
use super::traffic::Arrivals;
use super::wheel::{Moment, Wheel};

/// Seconds between two points of the course.
const POINT_S: f64 = 60.0;
/// No scaler looks more often: one that says 0 would never let time go on.
const LEAST_INTERVAL_S: f64 = 1.0;

/// What can happen, apart from first attempts, which come from their own stream.
#[derive(Debug, Clone, Copy)]
enum Event {
    /// A call that a member carries ends.
    CallEnds(calls::Carried),
    /// A call ends that would have been carried if it had never been refused.
    DemandEnds { outages: u16 },
    /// A refused caller tries again.
    Retry { hold: Moment },
    /// A creation is over.
    Booted { id: u32 },
    /// A creation is given up.
    CreateFailed { id: u32 },
    /// A balancer learns of the others' calls.
    Share { balancer: u8 },
    /// Members die with their calls.
    Crash { members: u32 },
    /// All calls vanish, and nobody can call.
    OutageBegins { until: Moment },
    /// Nothing can be read.
    BlackoutBegins { until: Moment },
    /// Only a mark: the traffic knows by itself.
    SurgeBegins,
    /// The scaler looks.
    Look { number: u32 },
    /// A point of the course is due.
    Point { number: u32 },
}

impl Event {
    /// What comes first at the same moment: faults, boots, calls, then who looks at them.
    fn rank(self) -> u8 {
        match self {
            Event::OutageBegins { .. } | Event::Crash { .. } => 0,
            Event::BlackoutBegins { .. } | Event::SurgeBegins => 1,
            Event::Booted { .. } | Event::CreateFailed { .. } => 2,
            Event::CallEnds(_) | Event::DemandEnds { .. } => 3,
            Event::Retry { .. } => 4,
            Event::Share { .. } => 5,
            Event::Look { .. } => 6,
            Event::Point { .. } => 7,
        }
    }
}

/// One pool with everything that happens to it.
pub(super) struct World<'a> {
    scenario: &'a Scenario,
    now: Moment,
    wheel: Wheel<Event>,
    arrivals: Peekable<Arrivals<'a>>,
    members: Members,
    balancers: Balancers,
    retries: Stream,
    boots: Stream,
    crashes: Stream,
    /// Outages so far: calls of an earlier one are gone.
    outages: u16,
    outage_until: Moment,
    blackout_until: Moment,
    record: Record,
    /// Since the scaler's last look.
    booted_s: Vec<f64>,
    failed_creates: u32,
    /// What the scaler could read last.
    readable: (u64, u64),
    view: Vec<SimMember>,
    events: u64,
}

impl<'a> World<'a> {
    pub(super) fn new(scenario: &'a Scenario, seed: u64) -> World<'a> {
        let (arrivals, under_way) = Arrivals::new(scenario, seed);
        let balancers = Stream::new(seed, Purpose::Balancers);
        let mut world = World {
            scenario,
            now: Moment(0),
            wheel: Wheel::new(),
            arrivals: arrivals.peekable(),
            members: Members::default(),
            balancers: Balancers::new(&scenario.balancing, balancers),
            retries: Stream::new(seed, Purpose::Retries),
            boots: Stream::new(seed, Purpose::Boots),
            crashes: Stream::new(seed, Purpose::Crashes),
            outages: 0,
            outage_until: Moment(0),
            blackout_until: Moment(0),
            record: Record::new(scenario),
            booted_s: Vec::new(),
            failed_creates: 0,
            readable: (0, 0),
            view: Vec::new(),
            events: 0,
        };
        for _ in 0..scenario.start_members {
            let id = world.members.create(Moment(0), None);
            world.members.activate(id, Moment(0));
            world.balancers.add(id, 0);
        }
        for hold in under_way {
            world.begin_under_way(hold);
        }
        world.plan_ahead();
        world
    }

    /// Puts in what is known from the start.
    fn plan_ahead(&mut self) {
        for balancer in 0..self.balancers.to_share() {
            // Not all at the same moment.
            let part = f64::from(balancer) / f64::from(self.scenario.balancing.count);
            let at = Moment::from_s(self.scenario.balancing.share_s * part);
            self.push(at, Event::Share { balancer });
        }
        for crash in &self.scenario.crashes {
            let members = crash.members;
            self.push(Moment::from_s(crash.at_s), Event::Crash { members });
        }
        for outage in &self.scenario.outages {
            let until = Moment::from_s(outage.until_s);
            self.push(Moment::from_s(outage.from_s), Event::OutageBegins { until });
        }
        for blackout in &self.scenario.blackouts {
            let until = Moment::from_s(blackout.until_s);
            self.push(
                Moment::from_s(blackout.from_s),
                Event::BlackoutBegins { until },
            );
        }
        if let Some(surge_s) = self.scenario.surge_s {
            self.push(Moment::from_s(surge_s), Event::SurgeBegins);
        }
        self.push(Moment(0), Event::Look { number: 0 });
        self.push(Moment(0), Event::Point { number: 0 });
    }

    fn push(&mut self, at: Moment, event: Event) {
        self.wheel.push(at, event.rank(), event);
    }

    /// Runs to the scenario's end; tells the share that is done at every point and at the end.
    pub(super) fn run(&mut self, scaler: &mut dyn Scaler, progress: &mut dyn FnMut(f64)) {
        let end = Moment::from_s(self.scenario.duration_s);
        loop {
            let next = self.wheel.next_at().unwrap_or(Moment(u64::MAX));
            if let Some(arrival) = self.arrivals.next_if(|arrival| arrival.at < next) {
                self.now = arrival.at;
                self.events += 1;
                self.first_attempt(arrival.hold);
                continue;
            }
            let Some((at, event)) = self.wheel.pop().filter(|(at, _)| *at <= end) else {
                break;
            };
            self.now = at;
            self.events += 1;
            self.happen(event, scaler);
            if matches!(event, Event::Point { .. }) {
                progress((at.seconds() / self.scenario.duration_s).min(1.0));
            }
        }
        self.now = end;
        progress(1.0);
    }

    fn happen(&mut self, event: Event, scaler: &mut dyn Scaler) {
        match event {
            Event::CallEnds(call) => self.end_call(call),
            Event::DemandEnds { outages } => self.end_demand(outages),
            Event::Retry { hold } => self.retry(hold),
            Event::Booted { id } => self.finish_boot(id),
            Event::CreateFailed { id } => self.fail_creation(id),
            Event::Share { balancer } => {
                let members = &self.members;
                self.balancers.share(balancer, |id| members.calls(id));
                let share = Moment::from_s(self.scenario.balancing.share_s);
                self.push(self.now.after(share), event);
            }
            Event::Crash { members } => self.crash(members),
            Event::OutageBegins { until } => self.begin_outage(until),
            Event::BlackoutBegins { until } => self.begin_blackout(until),
            Event::SurgeBegins => self.record.mark(self.now, "surge", 0, String::new()),
            Event::Look { number } => self.look(number, scaler),
            Event::Point { number } => {
                self.record.point(self.now, &self.members);
                let next = Moment::from_s(f64::from(number + 1) * POINT_S);
                self.push(next, Event::Point { number: number + 1 });
            }
        }
    }

    /// The scaler looks and orders.
    fn look(&mut self, number: u32, scaler: &mut dyn Scaler) {
        let interval_s = scaler.interval_s().max(LEAST_INTERVAL_S);
        let metrics = self.now >= self.blackout_until;
        if metrics {
            self.readable = (self.record.started, self.record.refused);
        }
        self.members.view(metrics, &mut self.view);
        let view = View {
            now_s: f64::from(number) * interval_s,
            members: &self.view,
            capacity_calls: self.scenario.capacity_calls,
            metrics,
            started: self.readable.0,
            refused: self.readable.1,
            booted_s: &self.booted_s,
            failed_creates: self.failed_creates,
        };
        let decision = scaler.decide(&view);
        self.booted_s.clear();
        self.failed_creates = 0;
        self.carry_out(&decision);
        let next = Moment::from_s(f64::from(number + 1) * interval_s);
        self.push(next, Event::Look { number: number + 1 });
    }

    /// Events so far.
    pub(super) fn events(&self) -> u64 {
        self.events
    }

    /// What came of it.
    pub(super) fn outcome(self, policy: &str, seed: u64) -> Outcome {
        self.record
            .outcome(self.scenario, &self.members, self.now, policy, seed)
    }
}

#[cfg(test)]
mod tests;
