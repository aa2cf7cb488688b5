//! Act: carries out plans and takes in what came of it. It makes no choices of its own.

use super::Agent;
use super::tasks::{Outcome, Result};
use crate::actuator::{Handle, Order};
use crate::journal::Event;
use crate::plan::{Action, Plan};
use crate::state::{Member, Stage};

/// A member that dies so soon after it was ready has failed to start, in effect.
const EARLY_DEATH_S: f64 = 60.0;

impl Agent {
    /// Carries out the plan of one pool or stack.
    pub(super) fn act(&mut self, subject: &str, plan: &Plan, now_s: f64) {
        for action in &plan.actions {
            let (unit, stage, event) = match action {
                Action::Boot { count } => {
                    for _ in 0..*count {
                        self.boot(subject, now_s);
                    }
                    continue;
                }
                Action::TakeBack { member } => (member, Stage::Active, "member_taken_back"),
                Action::Drain { member } => (member, Stage::Draining, "member_draining"),
                Action::Remove { member } => (member, Stage::Stopping, "member_removed"),
                Action::Hold => continue,
            };
            for (pool, member) in self.machines(subject, unit) {
                self.enter(&pool, &member, stage, event, &plan.reason, now_s);
            }
        }
    }

    /// Brings a member to another stage, with its event.
    pub(super) fn enter(
        &mut self,
        pool: &str,
        name: &str,
        stage: Stage,
        event: &str,
        reason: &str,
        now_s: f64,
    ) {
        let calls = self.seen.calls(pool, name);
        let Some(member) = self.state.member_mut(pool, name) else {
            return;
        };
        let was_s = now_s - member.since_s;
        member.enter(stage, now_s);
        let event = Event::new(event)
            .member(pool, name)
            .reason(reason)
            .with("uri", member.uri.as_str())
            .with("previous_stage_s", was_s)
            .with("calls", calls);
        self.journal.record(event);
    }

    /// Takes in what came of a task.
    pub(super) fn settle(&mut self, outcome: Outcome, now_s: f64) {
        let Outcome {
            pool,
            member: name,
            result,
        } = outcome;
        if let Result::Looked(problem) = result {
            return self.looked(&pool, problem, now_s);
        }
        // Another node leads by now; what was begun here it finds by looking.
        if !self.may_act() {
            return;
        }
        let event = |event: &str| Event::new(event).member(&pool, &name);
        let subject = self.config.subject_of(&pool).to_owned();
        let known = !matches!(result, Result::Unconfirmed(_));
        if known {
            self.unconfirmed.remove(&(pool.clone(), name.clone()));
        }
        let Some(member) = self.state.member_mut(&pool, &name) else {
            return;
        };
        match result {
            Result::Unconfirmed(why) => {
                self.unconfirmed.insert((pool.clone(), name.clone()));
                self.journal.record(event("member_unconfirmed").reason(why));
            }
            Result::Created(handle) => {
                self.take_handle(&pool, &name, handle);
                self.save(now_s, false);
            }
            Result::Ready(handle) => {
                self.take_handle(&pool, &name, handle);
                let creations = self.creations.entry(subject).or_default();
                let Some(member) = self.state.member_mut(&pool, &name) else {
                    return;
                };
                let boot_s = now_s - member.since_s;
                let booting = member.stage == Stage::Booting;
                let stacked = member.stack.is_some();
                // An operator may have drained it while it was booting.
                if booting {
                    self.journal
                        .record(event("member_ready").with("boot_s", boot_s));
                }
                if booting && stacked {
                    self.machine_is_ready(&pool, &name, now_s);
                    return;
                }
                // What was found took somebody else's time.
                if !self.joined.remove(&(pool.clone(), name.clone())) {
                    creations.booted_s.push(boot_s);
                }
                if booting {
                    member.enter(Stage::Active, now_s);
                    self.journal.record(event("member_active"));
                }
            }
            Result::Failed { why, quota } => {
                // What is on its way out already was no attempt any more.
                if member.stage == Stage::Booting {
                    let creations = self.creations.entry(subject).or_default();
                    creations.failed += 1;
                    creations.quota_reached |= quota;
                }
                let boot_s = now_s - member.since_s;
                self.journal
                    .record(event("member_failed").reason(why).with("boot_s", boot_s));
                self.lose(&pool, &name, now_s);
            }
            Result::Stopped => {
                let stop_s = now_s - member.since_s;
                self.journal
                    .record(event("member_stopped").with("stop_s", stop_s));
                self.forget(&pool, &name);
            }
            Result::Looked(_) => {}
            Result::StopFailed(why) => self.journal.record(event("member_stop_failed").reason(why)),
        }
    }

    /// Notes what a member is known by, and where requests go once its address is known.
    pub(super) fn take_handle(&mut self, pool: &str, name: &str, handle: Handle) {
        let (Some(member), Some(actuator)) = (
            self.state
                .pools
                .get_mut(pool)
                .and_then(|state| state.members.get_mut(name)),
            self.actuators.get(pool),
        ) else {
            return;
        };
        let moved = handle.address().is_some() && handle.address() != member.handle.address();
        member.handle = handle;
        if member.uri.is_empty() || moved {
            let order = Order {
                pool: pool.into(),
                name: name.into(),
                address: member.handle.address(),
                unit: None,
            };
            member.uri = actuator.uri(&order).unwrap_or_default();
        }
    }

    /// The order by which a member was, or will be, made.
    pub(super) fn order_of(&self, pool: &str, name: &str, member: &Member) -> Order {
        let unit = self.config.stack_of(pool).zip(member.stack);
        Order {
            pool: pool.into(),
            name: name.into(),
            address: member.handle.address(),
            unit: unit.map(|((stack, _), number)| format!("{stack}-{number}")),
        }
    }

    /// Forgets a member that is gone though nobody wanted that: its stack is none without it.
    pub(super) fn lose(&mut self, pool: &str, name: &str, now_s: f64) {
        let stack = self
            .state
            .member_mut(pool, name)
            .and_then(|member| member.stack);
        self.forget(pool, name);
        self.fail_stack_of(pool, stack, now_s);
    }

    fn forget(&mut self, pool: &str, name: &str) {
        let key = (pool.to_owned(), name.to_owned());
        self.ready.remove(&key);
        self.joined.remove(&key);
        if let Some(state) = self.state.pools.get_mut(pool) {
            state.members.remove(name);
        }
    }

    /// Members whose process ended by itself leave the table at once.
    pub(super) fn bury_the_dead(&mut self, now_s: f64) {
        let mut dead = Vec::new();
        for (pool, state) in &self.state.pools {
            let Some(actuator) = self.actuators.get(pool) else {
                continue;
            };
            for (name, member) in &state.members {
                // A machine that waits for the others of its stack boots no more.
                let in_between = matches!(member.stage, Stage::Booting | Stage::Stopping);
                let watched = !in_between || self.waits(pool, name);
                if watched && !actuator.alive(&member.handle) {
                    let lived_s = member.active_since_s.map_or(0.0, |since_s| now_s - since_s);
                    dead.push((pool.clone(), name.clone(), lived_s));
                }
            }
        }
        for (pool, name, lived_s) in dead {
            if lived_s < EARLY_DEATH_S {
                let subject = self.config.subject_of(&pool).to_owned();
                self.creations.entry(subject).or_default().failed += 1;
            }
            let is_process = self
                .actuators
                .get(&pool)
                .is_some_and(|actuator| !actuator.is_shared());
            let what = match is_process {
                true => "its process ended by itself",
                false => "it is gone, and nobody here removed it,",
            };
            let why = format!("{what} after {lived_s:.0} s of service");
            self.journal.record(
                Event::new("member_died")
                    .member(&pool, &name)
                    .reason(why)
                    .with("calls", self.seen.calls(&pool, &name)),
            );
            self.lose(&pool, &name, now_s);
        }
    }

    /// Starts the tasks that the stages of members call for and that do not run: stops after the
    /// table without them was published, boots that an earlier agent had begun.
    pub(super) fn start_due_tasks(&mut self, now_s: f64) {
        for (pool, state) in &self.state.pools {
            let Some(actuator) = self.actuators.get(pool) else {
                continue;
            };
            for (name, member) in &state.members {
                let due = match member.stage {
                    Stage::Booting => !self.waits(pool, name),
                    // Until then a node might still send it calls.
                    Stage::Stopping => self.all_heard(pool, name, now_s),
                    _ => false,
                };
                if !due || !self.tasks.idle(pool, name, now_s) {
                    continue;
                }
                let order = self.order_of(pool, name, member);
                let (actuator, handle) = (actuator.clone(), member.handle.clone());
                if member.stage == Stage::Booting {
                    self.tasks.boot(actuator, order, Some(handle));
                } else {
                    self.tasks.stop(actuator, order, handle);
                }
            }
        }
    }

    /// Whether this machine is ready and waits for the others of its stack.
    fn waits(&self, pool: &str, name: &str) -> bool {
        let key = (pool.to_owned(), name.to_owned());
        self.ready.contains(&key)
    }
}
