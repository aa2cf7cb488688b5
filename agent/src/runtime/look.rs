//! Look: what others do to the members of an actuator that is shared with them: members that
//! somebody else made join the pool, and a deletion that somebody else began waits for the last call.

use super::Agent;
use crate::actuator::{Found, Handle, Order};
use crate::journal::Event;
use crate::state::{self, Member, Origin, Stage};

/// With very many pools the looks become rarer, not more: so many per round.
const MOST_PER_ROUND: usize = 5;

impl Agent {
    /// Starts the looks that are due; those that waited longest come first.
    pub(super) fn start_due_looks(&mut self, now_s: f64) {
        let shared = self.actuators.iter();
        let shared = shared.filter(|(_, actuator)| actuator.is_shared());
        let due = shared.filter(|(pool, _)| self.tasks.idle(pool, "", now_s));
        let mut due: Vec<_> = due
            .map(|(pool, actuator)| (pool.clone(), actuator.clone()))
            .collect();
        due.sort_by(|(a, _), (b, _)| {
            let looked_s = |pool: &str| self.looked_s.get(pool).copied().unwrap_or(0.0);
            looked_s(a).total_cmp(&looked_s(b))
        });
        for (pool, actuator) in due.into_iter().take(MOST_PER_ROUND) {
            let members = self.state.pools.get(&pool).map(|state| {
                let members = state.members.iter();
                let made =
                    members.filter(|(_, member)| matches!(member.handle, Handle::Heat { .. }));
                made.map(|(name, member)| (name.clone(), member.handle.clone()))
            });
            actuator.know(members.into_iter().flatten().collect());
            self.looked_s.insert(pool.clone(), now_s);
            self.tasks.look(actuator, &pool);
        }
    }

    /// Takes in what a look brought, or why there was none.
    pub(super) fn looked(&mut self, pool: &str, problem: Option<String>, now_s: f64) {
        let interval_s = self
            .config
            .heat_of(pool)
            .map_or(1.0, |heat| heat.look_interval_s);
        self.tasks.rest(pool, "", now_s + interval_s);
        self.note_cloud(pool, problem.clone());
        let Some(actuator) = self.actuators.get(pool).cloned() else {
            return;
        };
        if problem.is_some() || !self.may_act() {
            return;
        }
        self.listing.sight(pool);
        for found in actuator.found() {
            self.join(pool, found, now_s);
        }
        self.locate_booting(pool);
        for name in actuator.held() {
            self.let_drain(pool, &name, now_s);
        }
    }

    /// A member that is still being made may have an address: the inventory tells it to those who must
    /// know the machine before it can serve.
    fn locate_booting(&mut self, pool: &str) {
        let (Some(state), Some(actuator)) = (self.state.pools.get(pool), self.actuators.get(pool))
        else {
            return;
        };
        let booting = state.members.iter().filter(|(_, member)| {
            member.stage == Stage::Booting && member.handle.address().is_none()
        });
        let located = booting.filter_map(|(name, member)| {
            let handle = actuator.find(&self.order_of(pool, name, member))?;
            handle.address()?;
            Some((name.clone(), handle))
        });
        let located: Vec<_> = located.collect();
        for (name, handle) in located {
            self.take_handle(pool, &name, handle);
        }
    }

    /// A member that somebody else made becomes one of the pool as soon as it answers.
    fn join(&mut self, pool: &str, found: Found, now_s: f64) {
        let Some(config) = self.config.pools.get(pool) else {
            return;
        };
        let state = self.state.pools.entry(pool.to_owned()).or_default();
        let known = state.members.values();
        if known
            .into_iter()
            .any(|member| same(&member.handle, &found.handle))
        {
            return;
        }
        let uri = self.actuators.get(pool).and_then(|actuator| {
            actuator.uri(&Order {
                pool: pool.into(),
                name: found.name.clone().unwrap_or_default(),
                address: found.handle.address(),
                unit: None,
            })
        });
        let mut known = state.members.values_mut();
        if let Some(member) = known.find(|member| uri.as_ref() == Some(&member.uri)) {
            // The state file was lost, and with it what this one was known by.
            if member.origin == Origin::Command && member.handle == Handle::Manual {
                member.handle = found.handle;
                member.origin = Origin::Plan;
            }
            return;
        }
        let free = found.name.filter(|name| !state.members.contains_key(name));
        // The machines of a unit are known by its number.
        let of_unit = free.is_some() && self.config.stack_of(pool).is_some();
        let name = free.unwrap_or_else(|| state.next_name(pool));
        let member = Member {
            uri: String::new(),
            located: None,
            capacity_calls: config.member.capacity_calls,
            weight: config.member.weight,
            options: config.member.options(),
            priority: config.member.priority,
            is_set: false,
            origin: Origin::Plan,
            stage: Stage::Booting,
            since_s: now_s,
            active_since_s: None,
            handle: found.handle,
            stack: of_unit.then(|| state::number(pool, &name)),
        };
        state.members.insert(name.clone(), member);
        let event = Event::new("member_found").member(pool, &name);
        self.journal
            .record(event.reason("it is there though it was not ordered here: it joins the pool"));
        // It took none of our time to boot.
        self.joined.insert((pool.to_owned(), name));
    }

    /// A member that somebody else deletes takes no new calls; when it is empty, it is let go.
    fn let_drain(&mut self, pool: &str, name: &str, now_s: f64) {
        let Some(member) = self.state.member_mut(pool, name) else {
            return;
        };
        let (stage, event, reason) = match member.stage {
            Stage::Leaving | Stage::Stopping => return,
            Stage::Booting => (
                Stage::Stopping,
                "member_removed",
                "Heat deletes it before it was ready",
            ),
            Stage::Active | Stage::Draining | Stage::Held => (
                Stage::Leaving,
                "member_draining",
                "Heat deletes it; the deletion is held until it is empty",
            ),
        };
        self.enter(pool, name, stage, event, reason, now_s);
    }

    /// An event when what makes members cannot be reached, and when it can be again.
    fn note_cloud(&mut self, pool: &str, problem: Option<String>) {
        let known = self.cloud_problems.get(pool);
        let words = problem.as_deref().map(crate::observe::without_numbers);
        if known.map(|known| crate::observe::without_numbers(known)) == words {
            return;
        }
        match problem {
            Some(problem) => {
                let event = Event::new("cloud_lost").pool(pool);
                self.journal.record(event.reason(problem.as_str()).with(
                    "effect",
                    "calls go on; no member is made or removed until it is back",
                ));
                self.cloud_problems.insert(pool.to_owned(), problem);
            }
            None => {
                self.cloud_problems.remove(pool);
                self.journal.record(Event::new("cloud_back").pool(pool));
            }
        }
    }
}

/// Whether both name the same thing in Heat.
fn same(a: &Handle, b: &Handle) -> bool {
    match (a, b) {
        (
            Handle::Heat {
                resource: Some(a), ..
            },
            Handle::Heat {
                resource: Some(b), ..
            },
        ) => a == b,
        _ => false,
    }
}
