//! A Heat in memory, with what was measured of the real one: changes come late, a group removes its
//! oldest member, marked members go first and are replaced if there is room, hooks hold, a change in
//! the middle of a creation breaks that off, answers are lost after the deed.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use rand::RngExt;
use rand::SeedableRng;
use rand_pcg::Pcg64Mcg;
use tokio::time::Instant;

/// From an accepted change until it shows.
const LAG: Duration = Duration::from_millis(700);
/// How long a member takes to be made.
const BOOT: Duration = Duration::from_secs(4);
/// How long one takes to go.
pub(super) const STOP: Duration = Duration::from_secs(2);

/// Which group it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Resource,
    Autoscaling,
}

#[derive(Debug, Clone)]
pub(super) struct Machine {
    pub(super) name: String,
    pub(super) id: String,
    pub(super) status: &'static str,
    pub(super) reason: &'static str,
    pub(super) created: u64,
    pub(super) until: Option<Instant>,
    pub(super) held: bool,
    pub(super) was_held: bool,
}

impl Machine {
    pub(super) fn stays(&self) -> bool {
        !self.status.starts_with("DELETE")
    }

    fn is_interrupted(&self) -> bool {
        self.reason.contains("cancelled") || self.status == "INIT_COMPLETE"
    }
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) machines: Vec<Machine>,
    pub(super) size: usize,
    pub(super) remove: Vec<String>,
    skip: BTreeSet<String>,
    pub(super) update: Option<Instant>,
    pub(super) failed: bool,
    /// Members that were ever made.
    pub(super) made: u64,
    /// Changes that were accepted.
    pub(super) changes: u32,
    pub(super) random: Pcg64Mcg,
    /// A change came while members were being made: Heat may stop in the middle.
    broken: bool,
    /// Requests that were answered.
    pub(super) requests: u32,
    /// The state of the alarm for more members, if the stack has one.
    pub(super) alarm: Option<&'static str>,
    /// How likely an answer is lost, and a 409 given.
    pub(super) faults: f64,
}

#[derive(Debug)]
pub(super) struct Model {
    pub(super) kind: Kind,
    hooks: bool,
    pub(super) state: Mutex<State>,
}

impl Model {
    pub(super) fn new(kind: Kind, hooks: bool, seed: u64, faults: f64) -> Model {
        Model {
            kind,
            hooks,
            state: Mutex::new(State {
                machines: Vec::new(),
                size: 0,
                remove: Vec::new(),
                skip: BTreeSet::new(),
                update: None,
                failed: false,
                made: 0,
                changes: 0,
                random: Pcg64Mcg::seed_from_u64(seed),
                faults,
                broken: false,
                requests: 0,
                alarm: None,
            }),
        }
    }

    /// What somebody else does: the group gets another size.
    pub(super) fn resize(&self, change: i64) {
        let mut state = self.state.lock().unwrap();
        self.advance(&mut state);
        let now = state.machines.iter().filter(|one| one.stays()).count();
        state.size = now.saturating_add_signed(change.try_into().unwrap());
        interrupt(&mut state);
        state.update = Some(Instant::now());
    }

    pub(super) fn advance(&self, state: &mut State) {
        let now = Instant::now();
        if state.update.is_some_and(|at| now >= at + LAG) {
            state.update = None;
            let broken = std::mem::take(&mut state.broken);
            state.failed = broken && state.random.random_bool(0.5);
            match self.kind {
                Kind::Resource => self.apply_count(state),
                Kind::Autoscaling => self.apply_desired(state),
            }
        }
        for machine in &mut state.machines {
            if machine.until.is_some_and(|at| now >= at) {
                machine.until = None;
                machine.status = match machine.status {
                    "DELETE_IN_PROGRESS" => "DELETE_COMPLETE",
                    _ => "CREATE_COMPLETE",
                };
            }
        }
        state.machines.retain(|one| one.status != "DELETE_COMPLETE");
    }

    fn apply_count(&self, state: &mut State) {
        let there: BTreeSet<String> = state.machines.iter().map(|one| one.name.clone()).collect();
        let named = state.remove.iter();
        let fits = |name: &&String| state.skip.contains(*name) || there.contains(*name);
        state.skip = named.filter(fits).cloned().collect();
        let numbers = (0..).map(|number: u32| number.to_string());
        let names: Vec<String> = numbers
            .filter(|name| !state.skip.contains(name))
            .take(state.size)
            .collect();
        for at in 0..state.machines.len() {
            if !names.contains(&state.machines[at].name) {
                self.leave(&mut state.machines[at]);
            }
        }
        for name in names {
            let old = state.machines.iter_mut();
            match old.filter(|one| one.stays()).find(|one| one.name == name) {
                Some(old) => resume(old),
                None => make(state, name),
            }
        }
    }

    fn apply_desired(&self, state: &mut State) {
        let mut order: Vec<usize> = (0..state.machines.len()).collect();
        order.retain(|at| state.machines[*at].stays());
        let is_good = |one: &Machine| !one.status.ends_with("FAILED");
        order.sort_by_key(|at| (is_good(&state.machines[*at]), state.machines[*at].created));
        let surplus = order.len().saturating_sub(state.size);
        for (place, at) in order.iter().enumerate() {
            let machine = &mut state.machines[*at];
            if place < surplus {
                self.leave(machine);
            } else if machine.is_interrupted() {
                resume(machine);
            } else if machine.status == "CHECK_FAILED" {
                let name = machine.name.clone();
                self.leave(machine);
                make(state, name);
            }
        }
        for _ in order.len()..state.size {
            let name = format!("m{}", state.random.random::<u32>());
            make(state, name);
        }
    }

    fn leave(&self, machine: &mut Machine) {
        if !machine.stays() {
            return;
        }
        let holds =
            self.hooks && machine.status != "CREATE_IN_PROGRESS" && !machine.is_interrupted();
        machine.status = "DELETE_IN_PROGRESS";
        machine.held = holds;
        machine.was_held = holds;
        machine.until = (!holds).then(|| Instant::now() + STOP);
    }
}

fn make(state: &mut State, name: String) {
    state.made += 1;
    let stops = state.failed;
    state.machines.push(Machine {
        name,
        id: format!("id-{}", state.made),
        status: if stops {
            "INIT_COMPLETE"
        } else {
            "CREATE_IN_PROGRESS"
        },
        reason: "",
        created: state.made,
        until: (!stops).then(|| Instant::now() + BOOT),
        held: false,
        was_held: false,
    });
}

/// The next change goes on with a member whose creation was broken off.
fn resume(machine: &mut Machine) {
    if machine.is_interrupted() {
        machine.status = "CREATE_IN_PROGRESS";
        machine.reason = "";
        machine.until = Some(Instant::now() + BOOT);
    }
}

pub(super) fn interrupt(state: &mut State) {
    state.broken |= state.update.is_some();
    for machine in &mut state.machines {
        if machine.status == "CREATE_IN_PROGRESS" {
            state.broken = true;
            machine.status = "CREATE_FAILED";
            machine.reason = "Stack CREATE cancelled";
            machine.until = None;
        }
    }
}
