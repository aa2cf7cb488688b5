//! The plain model of what was counted: maps and sums, no shared memory.

use std::collections::BTreeMap;

use kamscale_shm::Health;
use kamscale_shm::spec::DesiredState;

use crate::FEATURES;
use crate::step::Step;

#[derive(Clone, Debug, Default)]
pub(crate) struct MemberModel {
    pub(crate) id: u64,
    pub(crate) calls: i64,
    pub(crate) total: u64,
    pub(crate) failures: u64,
    pub(crate) down_until_s: u64,
    pub(crate) word: Option<DesiredState>,
    pub(crate) health: Option<Health>,
}

impl MemberModel {
    /// Another owner: what was said of the one before does not apply; calls are the slot's own.
    fn claim(&mut self, id: u64) {
        if self.id != 0 && self.id != id {
            (self.failures, self.down_until_s, self.word) = (0, 0, None);
            self.health = None;
        }
        self.id = id;
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ProcessModel {
    pub(crate) features: [u64; FEATURES],
    pub(crate) pools: BTreeMap<usize, (u64, u64)>,
    pub(crate) generation: u64,
    /// Applied, rejected, torn.
    pub(crate) outcomes: [u64; 3],
}

#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) entered: BTreeMap<usize, ()>,
    pub(crate) processes: BTreeMap<usize, ProcessModel>,
    pub(crate) members: BTreeMap<usize, MemberModel>,
    pub(crate) now_s: u64,
}

impl Model {
    pub(crate) fn take(&mut self, step: &Step) {
        match *step {
            Step::Enter { process } => drop(self.entered.insert(process, ())),
            Step::Count {
                process,
                feature,
                by,
            } => {
                self.processes.entry(process).or_default().features[feature] += by;
            }
            Step::Select {
                process,
                pool,
                found,
            } => {
                let row = self.processes.entry(process).or_default();
                let counts = row.pools.entry(pool).or_default();
                *(if found { &mut counts.0 } else { &mut counts.1 }) += 1;
            }
            Step::Apply {
                process,
                generation,
                outcome,
            } => {
                let row = self.processes.entry(process).or_default();
                row.outcomes[usize::from(outcome)] += 1;
                row.generation = if outcome == 0 {
                    generation
                } else {
                    row.generation
                };
            }
            Step::Clock { now_s } => self.now_s = now_s,
            _ => self.take_member(step),
        }
    }

    fn take_member(&mut self, step: &Step) {
        match *step {
            Step::Call { slot, id } => {
                let row = self.members.entry(slot).or_default();
                row.claim(id);
                (row.calls, row.total) = (row.calls + 1, row.total + 1);
            }
            Step::End { slot } => self.members.entry(slot).or_default().calls -= 1,
            Step::Mark { slot, id, until_s } => {
                let row = self.members.entry(slot).or_default();
                row.claim(id);
                (row.failures, row.down_until_s) = (row.failures + 1, until_s);
            }
            Step::Override { slot, id, state } => {
                let row = self.members.entry(slot).or_default();
                row.claim(id);
                row.word = state;
            }
            Step::Probe { slot, id, health } => {
                let row = self.members.entry(slot).or_default();
                row.claim(id);
                row.health = Some(health);
            }
            _ => unreachable!("not of a member"),
        }
    }
}
