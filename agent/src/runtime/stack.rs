//! Stacks: machines of several pools that become active together and go together.

use super::Agent;
use crate::journal::Event;
use crate::observe::{Machine, machines_of};
use crate::state::Stage;

impl Agent {
    /// The members behind a name that the plan used: of a stack all its machines.
    pub(super) fn machines(&self, subject: &str, unit: &str) -> Vec<Machine> {
        match self.config.stacks.get(subject) {
            Some(config) => machines_of(subject, config, &self.state, unit),
            None => vec![(subject.to_owned(), unit.to_owned())],
        }
    }

    /// All machines of the stack with this number, to which a pool's member belongs or belonged.
    fn siblings(&self, pool: &str, number: u64) -> Vec<Machine> {
        let Some((stack, config)) = self.config.stack_of(pool) else {
            return Vec::new();
        };
        machines_of(stack, config, &self.state, &format!("{stack}-{number}"))
    }

    /// A machine answers. When all of its stack do, they become active, all at once.
    pub(super) fn machine_is_ready(&mut self, pool: &str, name: &str, now_s: f64) {
        let Some(number) = self
            .state
            .member_mut(pool, name)
            .and_then(|member| member.stack)
        else {
            return;
        };
        self.ready.insert((pool.to_owned(), name.to_owned()));
        let mut machines = self.siblings(pool, number);
        if machines.is_empty() {
            // The stack was taken out of the configuration meanwhile.
            machines.push((pool.to_owned(), name.to_owned()));
        }
        if !machines.iter().all(|machine| self.ready.contains(machine)) {
            return;
        }
        let mut boot_s: f64 = 0.0;
        for (pool, name) in &machines {
            self.ready.remove(&(pool.clone(), name.clone()));
            if let Some(member) = self.state.member_mut(pool, name)
                && member.stage == Stage::Booting
            {
                boot_s = boot_s.max(now_s - member.since_s);
                member.enter(Stage::Active, now_s);
                let event = Event::new("member_active").member(pool, name);
                self.journal
                    .record(event.reason(format!("all machines of stack {number} are ready")));
            }
        }
        let subject = self.config.subject_of(pool).to_owned();
        let creations = self.creations.entry(subject).or_default();
        creations.booted_s.push(boot_s);
    }

    /// As [`Agent::fail_stack`], if it was a machine of one.
    pub(super) fn fail_stack_of(&mut self, pool: &str, stack: Option<u64>, now_s: f64) {
        if let Some(number) = stack {
            self.fail_stack(pool, number, now_s);
        }
    }

    /// A stack that lost a machine is none: the others go, those with calls when they are empty.
    fn fail_stack(&mut self, pool: &str, number: u64, now_s: f64) {
        let why = format!("stack {number} lost a machine of {pool}, and goes as a whole");
        for (pool, name) in self.siblings(pool, number) {
            let Some(member) = self.state.member_mut(&pool, &name) else {
                continue;
            };
            let (stage, event) = match member.stage {
                Stage::Booting => (Stage::Stopping, "member_removed"),
                Stage::Active | Stage::Draining | Stage::Held => {
                    (Stage::Leaving, "member_draining")
                }
                Stage::Leaving | Stage::Stopping => continue,
            };
            self.ready.remove(&(pool.clone(), name.clone()));
            self.enter(&pool, &name, stage, event, &why, now_s);
        }
    }
}
