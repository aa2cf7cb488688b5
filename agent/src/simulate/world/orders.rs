//! Orders: what a scaler's steps do to members, and what is counted of them.
//!
//! Steps that make no sense (an unknown member, a second drain) are ignored, as a cloud ignores them.

use super::super::scaler::{Decision, SimPhase, Step};
use super::super::wheel::Moment;
use super::record::Direction;
use super::{Event, World};

/// How many members one decision booted, took back, drained and removed.
#[derive(Debug, Default)]
struct Done {
    booted: u32,
    taken_back: u32,
    drained: u32,
    removed: u32,
}

impl World<'_> {
    /// Carries out a decision in its sequence.
    pub(super) fn carry_out(&mut self, decision: &Decision) {
        if decision.steps.is_empty() {
            return;
        }
        let mut done = Done::default();
        for step in &decision.steps {
            match *step {
                Step::Boot(count) => done.booted += self.boot(count),
                Step::Drain(id) => done.drained += self.drain(id),
                Step::TakeBack(id) => done.taken_back += self.take_back(id),
                Step::Delete(id) => done.removed += self.delete(id),
            }
        }
        let marks = [
            ("take_back", done.taken_back),
            ("boot", done.booted),
            ("drain", done.drained),
            ("remove", done.removed),
        ];
        for (what, count) in marks.into_iter().filter(|(_, count)| *count > 0) {
            self.record
                .mark(self.now, what, count, decision.reason.clone());
        }
    }

    /// Orders members, at most as many as may exist.
    fn boot(&mut self, count: u32) -> u32 {
        let room = self
            .scenario
            .max
            .saturating_sub(self.members.counts().all());
        let count = count.min(room);
        if count > 0 {
            self.record.order(self.now, Direction::Out);
        }
        for _ in 0..count {
            self.create();
        }
        count
    }

    fn create(&mut self) {
        // Both are always drawn, so that a failure does not shift the boots after it.
        let fails = self.boots.share() < self.scenario.failing_share;
        let boot = Moment::from_s(self.scenario.boot.draw_s(&mut self.boots));
        let timeout = Moment::from_s(self.scenario.boot_timeout_s);
        if fails || boot > timeout {
            let at = self.now.after(timeout);
            let id = self.members.create(self.now, Some(at));
            self.push(at, Event::CreateFailed { id });
        } else {
            let id = self.members.create(self.now, None);
            self.push(self.now.after(boot), Event::Booted { id });
        }
    }

    fn drain(&mut self, id: u32) -> u32 {
        if self.members.phase(id) != Some(SimPhase::Active) {
            return 0;
        }
        self.members.drain(id, self.now);
        self.balancers.remove(id);
        self.record.order(self.now, Direction::In);
        1
    }

    fn take_back(&mut self, id: u32) -> u32 {
        if self.members.phase(id) != Some(SimPhase::Draining) {
            return 0;
        }
        self.members.activate(id, self.now);
        self.balancers.add(id, self.members.calls(id));
        self.record.order(self.now, Direction::Out);
        1
    }

    fn delete(&mut self, id: u32) -> u32 {
        let Some(phase) = self.members.phase(id) else {
            return 0;
        };
        if phase == SimPhase::Active {
            self.balancers.remove(id);
        }
        // The removal of a draining member was counted when its drain began.
        if phase != SimPhase::Draining {
            self.record.order(self.now, Direction::In);
        }
        let cut = self.members.remove(id, self.now);
        self.record.cut(cut);
        1
    }
}
