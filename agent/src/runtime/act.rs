//! Act: carries out plans and takes in what came of it. It makes no choices of its own except
//! names and addresses.

use super::Agent;
use super::tasks::{Outcome, Result};
use crate::actuator::{Handle, Order};
use crate::journal::Event;
use crate::plan::{Action, Plan};
use crate::state::{Member, Origin, Stage};

/// A member that dies so soon after it was ready has failed to start, in effect.
const EARLY_DEATH_S: f64 = 60.0;

impl Agent {
    /// Carries out the plan of one pool.
    pub(super) fn act(&mut self, pool: &str, plan: &Plan, now_s: f64) {
        for action in &plan.actions {
            match action {
                Action::Boot { count } => {
                    for _ in 0..*count {
                        self.boot(pool, now_s);
                    }
                }
                Action::TakeBack { member } => {
                    self.enter(
                        pool,
                        member,
                        Stage::Active,
                        "member_taken_back",
                        &plan.reason,
                        now_s,
                    );
                }
                Action::Drain { member } => {
                    self.enter(
                        pool,
                        member,
                        Stage::Draining,
                        "member_draining",
                        &plan.reason,
                        now_s,
                    );
                }
                Action::Remove { member } => {
                    self.enter(
                        pool,
                        member,
                        Stage::Stopping,
                        "member_removed",
                        &plan.reason,
                        now_s,
                    );
                }
                Action::Hold => {}
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

    /// Orders a new member: first noted, then started, so that a crash between loses nothing.
    fn boot(&mut self, pool: &str, now_s: f64) {
        let (Some(config), Some(actuator)) =
            (self.config.pools.get(pool), self.actuators.get(pool))
        else {
            return;
        };
        let state = self.state.pools.entry(pool.to_owned()).or_default();
        let taken = |address: &std::net::IpAddr| {
            state.members.values().any(|member| {
                matches!(&member.handle, Handle::Process { address: taken, .. } if taken == address)
            })
        };
        let address = actuator
            .addresses()
            .iter()
            .find(|address| !taken(address))
            .copied();
        let name = loop {
            state.next_number += 1;
            let name = format!("{pool}-{}", state.next_number);
            if !state.members.contains_key(&name) {
                break name;
            }
        };
        let order = Order {
            pool: pool.into(),
            name: name.clone(),
            address,
        };
        let (Some(address), Some(uri)) = (address, actuator.uri(&order)) else {
            let creations = self.creations.entry(pool.to_owned()).or_default();
            creations.failed += 1;
            creations.quota_reached = true;
            let why = "no address is free: add some to `addresses` in the pool's `local` section";
            self.journal
                .record(Event::new("member_failed").member(pool, &name).reason(why));
            return;
        };
        let member = Member {
            uri: uri.clone(),
            capacity_calls: config.member.capacity_calls,
            weight: config.member.weight,
            priority: config.member.priority,
            origin: Origin::Plan,
            stage: Stage::Booting,
            since_s: now_s,
            active_since_s: None,
            handle: Handle::Process {
                process: None,
                address,
            },
        };
        state.members.insert(name.clone(), member);
        let actuator = actuator.clone();
        self.save(now_s, false);
        self.journal.record(
            Event::new("member_booting")
                .member(pool, &name)
                .with("uri", uri),
        );
        self.tasks.boot(actuator, order, None);
    }

    /// Takes in what came of a task.
    pub(super) fn settle(&mut self, outcome: Outcome, now_s: f64) {
        let Outcome {
            pool,
            member: name,
            result,
        } = outcome;
        let event = |event: &str| Event::new(event).member(&pool, &name);
        let creations = self.creations.entry(pool.clone()).or_default();
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
                member.handle = handle;
                self.save(now_s, false);
            }
            Result::Ready => {
                let boot_s = now_s - member.since_s;
                creations.booted_s.push(boot_s);
                // An operator may have drained it while it was booting.
                if member.stage == Stage::Booting {
                    member.enter(Stage::Active, now_s);
                    self.journal
                        .record(event("member_ready").with("boot_s", boot_s));
                    self.journal.record(event("member_active"));
                }
            }
            Result::Failed { why, quota } => {
                creations.failed += 1;
                creations.quota_reached |= quota;
                let boot_s = now_s - member.since_s;
                self.journal
                    .record(event("member_failed").reason(why).with("boot_s", boot_s));
                self.forget(&pool, &name);
            }
            Result::Stopped => {
                let stop_s = now_s - member.since_s;
                self.journal
                    .record(event("member_stopped").with("stop_s", stop_s));
                self.forget(&pool, &name);
            }
            Result::StopFailed(why) => self.journal.record(event("member_stop_failed").reason(why)),
        }
    }

    fn forget(&mut self, pool: &str, name: &str) {
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
                let watched = !matches!(member.stage, Stage::Booting | Stage::Stopping);
                if watched && !actuator.alive(&member.handle) {
                    let lived_s = member.active_since_s.map_or(0.0, |since_s| now_s - since_s);
                    dead.push((pool.clone(), name.clone(), lived_s));
                }
            }
        }
        for (pool, name, lived_s) in dead {
            if lived_s < EARLY_DEATH_S {
                self.creations.entry(pool.clone()).or_default().failed += 1;
            }
            let why = format!("its process ended by itself after {lived_s:.0} s of service");
            self.journal.record(
                Event::new("member_died")
                    .member(&pool, &name)
                    .reason(why)
                    .with("calls", self.seen.calls(&pool, &name)),
            );
            self.forget(&pool, &name);
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
                if !self.tasks.idle(pool, name, now_s) {
                    continue;
                }
                let address = match member.handle {
                    Handle::Process { address, .. } => Some(address),
                    Handle::Manual => None,
                };
                let order = Order {
                    pool: pool.clone(),
                    name: name.clone(),
                    address,
                };
                match member.stage {
                    Stage::Booting => {
                        self.tasks
                            .boot(actuator.clone(), order, Some(member.handle.clone()));
                    }
                    Stage::Stopping => {
                        self.tasks
                            .stop(actuator.clone(), order, member.handle.clone());
                    }
                    _ => {}
                }
            }
        }
    }
}
