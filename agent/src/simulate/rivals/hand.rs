//! A pool made by hand, for the tests of the rivals: it does what it is told, and nothing else.

use crate::simulate::{Decision, Scaler, SimMember, SimPhase, Step, View};

/// A pool made by hand.
pub(super) struct Hand {
    pub(super) now_s: f64,
    pub(super) members: Vec<SimMember>,
    pub(super) capacity_calls: u32,
    pub(super) metrics: bool,
    pub(super) failed_creates: u32,
    next_id: u32,
}

impl Hand {
    /// A pool of active members with these calls, ordered an hour ago, one minute apart.
    pub(super) fn new(capacity_calls: u32, calls: &[u32]) -> Self {
        let mut hand = Self {
            now_s: 0.0,
            members: Vec::new(),
            capacity_calls,
            metrics: true,
            failed_creates: 0,
            next_id: 0,
        };
        for calls in calls {
            let ordered_s = -3600.0 + 60.0 * f64::from(hand.next_id);
            hand.order(ordered_s);
            let member = hand.members.last_mut().unwrap();
            member.phase = SimPhase::Active;
            member.active_s = Some(ordered_s + 180.0);
            member.calls = *calls;
        }
        hand
    }

    fn order(&mut self, ordered_s: f64) {
        self.members.push(SimMember {
            id: self.next_id,
            phase: SimPhase::Booting,
            calls: 0,
            ordered_s,
            active_s: None,
            draining_s: None,
        });
        self.next_id += 1;
    }

    /// One look of a scaler at the pool as it is; the orders are not carried out.
    pub(super) fn look(&self, scaler: &mut dyn Scaler) -> Decision {
        scaler.decide(&View {
            now_s: self.now_s,
            members: &self.members,
            capacity_calls: self.capacity_calls,
            metrics: self.metrics,
            started: 0,
            refused: 0,
            booted_s: &[],
            failed_creates: self.failed_creates,
        })
    }

    /// Looks until some time, and carries out the orders; what happened, with its time.
    pub(super) fn play_until(&mut self, scaler: &mut dyn Scaler, end_s: f64) -> Vec<(f64, Step)> {
        let mut done = Vec::new();
        while self.now_s <= end_s {
            for step in self.look(scaler).steps {
                self.carry_out(step);
                done.push((self.now_s, step));
            }
            self.now_s += scaler.interval_s();
        }
        done
    }

    /// Carries out one order.
    pub(super) fn carry_out(&mut self, step: Step) {
        let now_s = self.now_s;
        match step {
            Step::Boot(count) => (0..count).for_each(|_| self.order(now_s)),
            Step::Drain(id) => {
                let member = self.member(id);
                member.phase = SimPhase::Draining;
                member.draining_s = Some(now_s);
            }
            Step::TakeBack(id) => {
                let member = self.member(id);
                member.phase = SimPhase::Active;
                member.draining_s = None;
            }
            Step::Delete(id) => self.members.retain(|member| member.id != id),
        }
    }

    /// Makes all booting members active.
    pub(super) fn boot(&mut self) {
        for member in &mut self.members {
            if member.phase == SimPhase::Booting {
                member.phase = SimPhase::Active;
                member.active_s = Some(self.now_s);
            }
        }
    }

    /// The member of that number.
    pub(super) fn member(&mut self, id: u32) -> &mut SimMember {
        self.members
            .iter_mut()
            .find(|member| member.id == id)
            .unwrap()
    }

    /// The same calls on every active member.
    pub(super) fn calls_each(&mut self, calls: u32) {
        for member in &mut self.members {
            if member.phase == SimPhase::Active {
                member.calls = calls;
            }
        }
    }
}
