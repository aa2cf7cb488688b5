//! Calls: attempts, refusals, second tries and ends.

use super::super::scenario::MAX_TRIES;
use super::super::wheel::Moment;
use super::{Event, World};

/// One call that is carried.
#[derive(Debug, Clone, Copy)]
pub(super) struct Carried {
    member: u32,
    /// How often the member's calls had vanished when it began.
    cleared: u32,
    balancer: u8,
    /// For a first attempt the outages so far: demand ends with it.
    outages: Option<u16>,
}

impl World<'_> {
    /// A caller calls for the first time.
    pub(super) fn first_attempt(&mut self, hold: Moment) {
        self.record.offer(self.now);
        if !self.begin(hold, Some(self.outages)) {
            let outages = self.outages;
            self.push(self.now.after(hold), Event::DemandEnds { outages });
            self.refuse(hold);
        }
    }

    /// A call that was under way before the start; if there is no room it never was.
    pub(super) fn begin_under_way(&mut self, hold: Moment) {
        if self.begin(hold, Some(self.outages)) {
            self.record.begin_under_way(self.now);
        }
    }

    /// A refused caller tries again.
    pub(super) fn retry(&mut self, hold: Moment) {
        if self.now < self.outage_until {
            // Nobody gets through: it is tried again when the outage is over.
            self.wait_and_retry(self.outage_until, hold);
            return;
        }
        self.record.retrying -= 1;
        if !self.begin(hold, None) {
            self.refuse(hold);
        }
    }

    /// Tries members until one takes the call; answers whether one did.
    fn begin(&mut self, hold: Moment, outages: Option<u16>) -> bool {
        let balancer = self.balancers.meet();
        let mut tried = [u32::MAX; MAX_TRIES];
        let tries = usize::from(self.scenario.balancing.tries).min(MAX_TRIES);
        for number in 0..tries {
            let Some(member) = self.balancers.choose(balancer, &tried[..number]) else {
                return false;
            };
            if self.members.calls(member) < self.scenario.capacity_calls {
                let cleared = self.members.begin_call(member);
                self.balancers.note(balancer, member, true);
                self.record.started += 1;
                let call = Carried {
                    member,
                    cleared,
                    balancer,
                    outages,
                };
                self.push(self.now.after(hold), Event::CallEnds(call));
                return true;
            }
            tried[number] = member;
        }
        false
    }

    /// Nobody took the call: the caller tries again or gives up.
    fn refuse(&mut self, hold: Moment) {
        self.record.refuse(self.now);
        if self.retries.share() < self.scenario.retries.probability {
            self.record.retrying += 1;
            self.wait_and_retry(self.now, hold);
        } else {
            self.record.lose();
        }
    }

    fn wait_and_retry(&mut self, from: Moment, hold: Moment) {
        let retries = &self.scenario.retries;
        let wait_s = retries.pause_s + self.retries.exponential(retries.mean_s);
        self.push(from.after(Moment::from_s(wait_s)), Event::Retry { hold });
    }

    /// A carried call is over, unless its member's calls vanished before.
    pub(super) fn end_call(&mut self, call: Carried) {
        if self.members.end_call(call.member, call.cleared) {
            self.balancers.note(call.balancer, call.member, false);
            self.record.completed += 1;
        }
        if let Some(outages) = call.outages {
            self.end_demand(outages);
        }
    }

    /// A call is over that there would be if none were ever refused; an outage ends it before.
    pub(super) fn end_demand(&mut self, outages: u16) {
        if outages == self.outages {
            self.record.end_demand(self.now);
        }
    }
}
