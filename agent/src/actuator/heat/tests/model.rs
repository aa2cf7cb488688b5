//! A Heat in memory, with what was measured of the real one: changes come late, a group removes its
//! oldest member, marked members go first and are replaced if there is room, hooks hold, a change in
//! the middle of a creation breaks that off, answers are lost after the deed.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use rand::RngExt;
use rand::SeedableRng;
use rand_pcg::Pcg64Mcg;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::cloud::{Answer, Cloud, CloudError, Method, Request, Service};

/// From an accepted change until it shows.
const LAG: Duration = Duration::from_millis(700);
/// How long a member takes to be made.
const BOOT: Duration = Duration::from_secs(4);
/// How long one takes to go.
const STOP: Duration = Duration::from_secs(2);

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
    reason: &'static str,
    created: u64,
    until: Option<Instant>,
    pub(super) held: bool,
    was_held: bool,
}

impl Machine {
    pub(super) fn stays(&self) -> bool {
        !self.status.starts_with("DELETE")
    }

    fn is_interrupted(&self) -> bool {
        self.reason.contains("cancelled")
    }
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) machines: Vec<Machine>,
    pub(super) size: usize,
    remove: Vec<String>,
    skip: BTreeSet<String>,
    update: Option<Instant>,
    failed: bool,
    /// Members that were ever made.
    pub(super) made: u64,
    /// Changes that were accepted.
    pub(super) changes: u32,
    random: Pcg64Mcg,
    /// How likely an answer is lost, and a 409 given.
    pub(super) faults: f64,
}

#[derive(Debug)]
pub(super) struct Model {
    kind: Kind,
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

    fn advance(&self, state: &mut State) {
        let now = Instant::now();
        if state.update.is_some_and(|at| now >= at + LAG) {
            state.update = None;
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

    fn answer(&self, request: &Request, state: &mut State) -> Result<Value, u16> {
        let path = request.path.as_str();
        let body: Value = request
            .body
            .as_deref()
            .map_or(Value::Null, |body| serde_json::from_slice(body).unwrap());
        if path == "/stacks?name=conference" {
            return Ok(json!({"stacks": [{"stack_name": "conference", "id": "top",
                "stack_status": "UPDATE_COMPLETE"}]}));
        }
        let rest = path.strip_prefix("/stacks/").ok_or(404u16)?;
        let (_, rest) = rest.split_once('/').ok_or(404u16)?;
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (id, rest) = rest.split_at(end);
        match (request.method, id, rest) {
            (Method::Patch, "top", "") => self.change(&body, state),
            (_, "top", rest) if rest.starts_with("/resources") => Ok(self.list(state)),
            (_, "top", _) => Ok(
                json!({"stack": {"stack_status": "UPDATE_COMPLETE", "parameters": {
                "count": state.size.to_string(), "desired": state.size.to_string(),
                "remove": serde_json::to_string(&state.remove).unwrap()}}}),
            ),
            (Method::Patch, "group", rest) => {
                let name = rest.strip_prefix("/resources/").ok_or(404u16)?;
                let mut all = state.machines.iter_mut();
                let machine = all
                    .find(|one| one.name == name && one.stays())
                    .ok_or(404u16)?;
                if machine.status == "CREATE_IN_PROGRESS" {
                    return Err(409);
                }
                let marked = body["mark_unhealthy"] == json!(true);
                machine.status = if marked {
                    "CHECK_FAILED"
                } else {
                    "CHECK_COMPLETE"
                };
                Ok(Value::Null)
            }
            (method, id, rest) => {
                let mut all = state.machines.iter_mut();
                let machine = all.find(|one| one.id == id).ok_or(404u16)?;
                Ok(of_machine(machine, method, rest))
            }
        }
    }

    fn change(&self, body: &Value, state: &mut State) -> Result<Value, u16> {
        if state.random.random_bool(state.faults) {
            return Err(409);
        }
        let parameters = &body["parameters"];
        for size in [&parameters["count"], &parameters["desired"]] {
            if let Some(size) = size.as_u64() {
                state.size = usize::try_from(size).unwrap();
            }
        }
        if let Some(names) = parameters["remove"].as_array() {
            let names = names.iter().filter_map(Value::as_str);
            state.remove = names.map(str::to_owned).collect();
        }
        state.changes += 1;
        interrupt(state);
        state.update = Some(Instant::now());
        Ok(Value::Null)
    }

    fn list(&self, state: &State) -> Value {
        let link = |rel: &str, name: &str, id: &str| {
            json!({"rel": rel,
            "href": format!("http://heat/v1/p/stacks/{name}/{id}")})
        };
        let busy = state.update.is_some()
            || state
                .machines
                .iter()
                .any(|one| one.until.is_some() || one.held);
        let status = match (busy, state.failed) {
            (true, _) => "UPDATE_IN_PROGRESS",
            (false, true) => "UPDATE_FAILED",
            (false, false) => "UPDATE_COMPLETE",
        };
        let kind = match self.kind {
            Kind::Resource => "OS::Heat::ResourceGroup",
            Kind::Autoscaling => "OS::Heat::AutoScalingGroup",
        };
        let mut all = vec![json!({"resource_name": "group", "resource_type": kind,
            "resource_status": status, "physical_resource_id": "group",
            "links": [link("stack", "conference", "top"), link("nested", "g", "group")]})];
        for one in &state.machines {
            all.push(
                json!({"resource_name": one.name, "resource_type": "member.yaml",
                "resource_status": one.status, "resource_status_reason": one.reason,
                "physical_resource_id": one.id, "creation_time": format!("{:09}", one.created),
                "links": [link("stack", "g", "group"), link("nested", "m", &one.id)]}),
            );
            let server = if one.stays() || one.held {
                "CREATE_COMPLETE"
            } else {
                "DELETE_IN_PROGRESS"
            };
            all.push(
                json!({"resource_name": "server", "resource_type": "OS::Nova::Server",
                "resource_status": server, "links": [link("stack", "m", &one.id)]}),
            );
        }
        json!({ "resources": all })
    }
}

fn of_machine(machine: &mut Machine, method: Method, rest: &str) -> Value {
    if method == Method::Post {
        if machine.held {
            machine.held = false;
            machine.until = Some(Instant::now() + STOP);
        }
        return Value::Null;
    }
    if rest.starts_with("/events") {
        let reason = match (machine.held, machine.was_held) {
            (true, _) => "DELETE paused until Hook pre-delete is cleared",
            (false, true) => "Hook pre-delete is cleared",
            (false, false) => "state changed",
        };
        return json!({"events": [{"resource_name": "server", "resource_status_reason": reason}]});
    }
    let number: u64 = machine.id.trim_start_matches("id-").parse().unwrap();
    json!({"stack": {"stack_status": "CREATE_COMPLETE", "outputs": [{"output_key": "address",
        "output_value": format!("127.9.{}.{}", number / 250, number % 250 + 1)}]}})
}

fn make(state: &mut State, name: String) {
    state.made += 1;
    state.machines.push(Machine {
        name,
        id: format!("id-{}", state.made),
        status: "CREATE_IN_PROGRESS",
        reason: "",
        created: state.made,
        until: Some(Instant::now() + BOOT),
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

fn interrupt(state: &mut State) {
    for machine in &mut state.machines {
        if machine.status == "CREATE_IN_PROGRESS" {
            machine.status = "CREATE_FAILED";
            machine.reason = "Stack CREATE cancelled";
            machine.until = None;
        }
    }
}

#[async_trait]
impl Cloud for Model {
    async fn request(&self, request: Request) -> Result<Answer, CloudError> {
        // The way there and back takes time: what happens meanwhile is seen by nobody.
        tokio::time::sleep(Duration::from_millis(20)).await;
        let (service, what) = (Service::Orchestration, request.what());
        let mut state = self.state.lock().unwrap();
        self.advance(&mut state);
        let answered = self.answer(&request, &mut state);
        let faults = state.faults;
        if request.method != Method::Get && state.random.random_bool(faults) {
            let (reason, request_id) = ("the answer was lost".into(), None);
            return Err(CloudError::Unknown {
                service,
                what,
                reason,
                request_id,
            });
        }
        match answered {
            Ok(value) => Ok(Answer {
                status: 200,
                body: serde_json::to_vec(&value).unwrap(),
                request_id: None,
                service,
            }),
            Err(status) => Err(CloudError::Refused {
                service,
                what,
                status,
                message: "so it is".into(),
                request_id: None,
                retry_after_s: None,
            }),
        }
    }
}
