//! The members: the stage of each one's life and how many calls it carries.
//!
//! A member keeps its number, and its place here, after it is gone: what waits for it then finds
//! nothing. It must not know why a member comes or goes.

use super::super::scaler::{SimMember, SimPhase};
use super::super::wheel::Moment;

/// One member, also after it is gone.
#[derive(Debug)]
struct Member {
    sim: SimMember,
    exists: bool,
    ordered: Moment,
    /// Grows when its calls vanish: then ends of earlier calls are none of its own.
    cleared: u32,
    /// When its creation is given up, if it fails.
    fails_at: Option<Moment>,
}

/// How many members are in each stage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) booting: u32,
    pub(super) active: u32,
    pub(super) draining: u32,
}

impl Counts {
    fn of(&mut self, phase: SimPhase) -> &mut u32 {
        match phase {
            SimPhase::Booting => &mut self.booting,
            SimPhase::Active => &mut self.active,
            SimPhase::Draining => &mut self.draining,
        }
    }

    /// All members that exist.
    pub(super) fn all(self) -> u32 {
        self.booting + self.active + self.draining
    }
}

/// All members, by their number.
#[derive(Debug, Default)]
pub(super) struct Members {
    all: Vec<Member>,
    /// Numbers of those that exist, oldest first.
    existing: Vec<u32>,
    counts: Counts,
    /// Calls that all of them carry.
    calls: u32,
    /// Microseconds of those that are gone, failed creations not counted.
    lived: u64,
}

impl Members {
    /// A member is ordered; it fails at that moment, if at all.
    pub(super) fn create(&mut self, now: Moment, fails_at: Option<Moment>) -> u32 {
        let id = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        self.all.push(Member {
            sim: SimMember {
                id,
                phase: SimPhase::Booting,
                calls: 0,
                ordered_s: now.seconds(),
                active_s: None,
                draining_s: None,
            },
            exists: true,
            ordered: now,
            cleared: 0,
            fails_at,
        });
        self.existing.push(id);
        self.counts.booting += 1;
        id
    }

    /// The stage of a member that exists.
    pub(super) fn phase(&self, id: u32) -> Option<SimPhase> {
        let member = self.all.get(id as usize)?;
        member.exists.then_some(member.sim.phase)
    }

    fn turn(&mut self, id: u32, phase: SimPhase) -> &mut SimMember {
        let sim = &mut self.all[id as usize].sim;
        *self.counts.of(sim.phase) -= 1;
        *self.counts.of(phase) += 1;
        sim.phase = phase;
        sim
    }

    /// A member takes calls, for the first time or again.
    pub(super) fn activate(&mut self, id: u32, now: Moment) {
        let sim = self.turn(id, SimPhase::Active);
        sim.active_s.get_or_insert(now.seconds());
        sim.draining_s = None;
    }

    /// A member takes no new calls.
    pub(super) fn drain(&mut self, id: u32, now: Moment) {
        self.turn(id, SimPhase::Draining).draining_s = Some(now.seconds());
    }

    /// A member is gone; answers how many calls went with it.
    pub(super) fn remove(&mut self, id: u32, now: Moment) -> u32 {
        let gone = self.clear(id);
        let member = &mut self.all[id as usize];
        member.exists = false;
        *self.counts.of(member.sim.phase) -= 1;
        if member.fails_at.is_none() {
            self.lived += now.since(member.ordered);
        }
        if let Ok(place) = self.existing.binary_search(&id) {
            self.existing.remove(place);
        }
        gone
    }

    /// All calls of a member vanish; answers how many.
    pub(super) fn clear(&mut self, id: u32) -> u32 {
        let member = &mut self.all[id as usize];
        member.cleared += 1;
        let gone = std::mem::take(&mut member.sim.calls);
        self.calls -= gone;
        gone
    }

    /// A call begins on a member; answers what its end must bear to be counted.
    pub(super) fn begin_call(&mut self, id: u32) -> u32 {
        let member = &mut self.all[id as usize];
        member.sim.calls += 1;
        self.calls += 1;
        member.cleared
    }

    /// A call ends on a member, unless it vanished before; answers whether it did end.
    pub(super) fn end_call(&mut self, id: u32, cleared: u32) -> bool {
        let member = &mut self.all[id as usize];
        if member.cleared != cleared {
            return false;
        }
        member.sim.calls -= 1;
        self.calls -= 1;
        true
    }

    /// Calls of one member; none if it is gone.
    pub(super) fn calls(&self, id: u32) -> u32 {
        self.all[id as usize].sim.calls
    }

    /// Seconds since a member was ordered.
    pub(super) fn age_s(&self, id: u32, now: Moment) -> f64 {
        Moment(now.since(self.all[id as usize].ordered)).seconds()
    }

    /// Calls of all members.
    pub(super) fn all_calls(&self) -> u32 {
        self.calls
    }

    /// How many are in each stage.
    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    /// Numbers of those that exist, oldest first.
    pub(super) fn existing(&self) -> &[u32] {
        &self.existing
    }

    /// Microseconds that members existed, failed creations not counted.
    pub(super) fn lived(&self, now: Moment) -> u64 {
        let existing = self.existing.iter().map(|id| &self.all[*id as usize]);
        let living = existing.filter(|member| member.fails_at.is_none());
        self.lived + living.map(|member| now.since(member.ordered)).sum::<u64>()
    }

    /// What a scaler sees of them; without metrics no calls.
    pub(super) fn view(&self, metrics: bool, view: &mut Vec<SimMember>) {
        view.clear();
        view.extend(self.existing.iter().map(|id| {
            let sim = &self.all[*id as usize].sim;
            let calls = if metrics { sim.calls } else { 0 };
            SimMember {
                calls,
                ..sim.clone()
            }
        }));
    }
}
