//! Faults and boots: what happens to members that nobody ordered at this moment.

use super::super::scaler::SimPhase;
use super::super::wheel::Moment;
use super::World;

impl World<'_> {
    /// A creation is over: the member takes calls.
    pub(super) fn finish_boot(&mut self, id: u32) {
        if self.members.phase(id) == Some(SimPhase::Booting) {
            self.members.activate(id, self.now);
            self.balancers.add(id, 0);
            self.booted_s.push(self.members.age_s(id, self.now));
        }
    }

    /// A creation did not get ready in time: it is reported and cleared away.
    pub(super) fn fail_creation(&mut self, id: u32) {
        if self.members.phase(id) == Some(SimPhase::Booting) {
            self.members.remove(id, self.now);
            self.failed_creates += 1;
            let reason = format!("not ready after {:.0} s", self.scenario.boot_timeout_s);
            self.record.mark(self.now, "create_failed", 1, reason);
        }
    }

    /// Active members die with their calls.
    pub(super) fn crash(&mut self, members: u32) {
        let mut active: Vec<u32> = self.members.existing().to_vec();
        active.retain(|id| self.members.phase(*id) == Some(SimPhase::Active));
        let mut crashed = 0;
        let mut calls = 0;
        for _ in 0..members {
            // Drawn even if nobody is left, so that the next crash draws the same for all policies.
            let drawn = self.crashes.share();
            if active.is_empty() {
                continue;
            }
            let id = active.swap_remove(place(drawn, active.len()));
            self.balancers.remove(id);
            calls += self.members.remove(id, self.now);
            self.balancers.clear(id);
            crashed += 1;
        }
        self.record.crashed_calls += u64::from(calls);
        let reason = format!("{calls} calls were on it");
        self.record.mark(self.now, "crash", crashed, reason);
    }

    /// All calls vanish, and nobody can call for a while.
    pub(super) fn begin_outage(&mut self, until: Moment) {
        let mut vanished = 0;
        for index in 0..self.members.existing().len() {
            let id = self.members.existing()[index];
            vanished += self.members.clear(id);
            self.balancers.clear(id);
        }
        self.outages += 1;
        self.outage_until = self.outage_until.max(until);
        self.record.vanish(self.now, vanished);
        let minutes = (until.seconds() - self.now.seconds()) / 60.0;
        let reason = format!("{vanished} calls vanish, and nobody can call for {minutes:.0} min");
        self.record.mark(self.now, "outage", 0, reason);
    }

    /// Nothing can be read for a while.
    pub(super) fn begin_blackout(&mut self, until: Moment) {
        self.blackout_until = self.blackout_until.max(until);
        let minutes = (until.seconds() - self.now.seconds()) / 60.0;
        let reason = format!("no metrics for {minutes:.0} min");
        self.record.mark(self.now, "blackout", 0, reason);
    }
}

/// A place among so many, from a share below 1.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a small count"
)]
fn place(share: f64, count: usize) -> usize {
    ((share * count as f64) as usize).min(count - 1)
}
