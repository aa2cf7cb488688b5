//! The requests and answers of the Heat in memory, as the real one has them.

use std::time::Duration;

use async_trait::async_trait;
use rand::RngExt;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::model::{Kind, Machine, Model, STOP, State, interrupt};
use crate::cloud::{Answer, Cloud, CloudError, Method, Request, Service};

impl Model {
    fn answer(&self, request: &Request, state: &mut State) -> Result<Value, u16> {
        let path = request.path.as_str();
        let body: Value = request
            .body
            .as_deref()
            .map_or(Value::Null, |body| serde_json::from_slice(body).unwrap());
        if path == "/v2/alarms" {
            // As Heat names it where the alarms have a stack of their own.
            return Ok(
                json!([{"alarm_id": "alarm-1", "name": "alarms-scale_out_alarm-x7",
                "alarm_actions": ["trust+http://heat/v1/p/stacks/conference/top/resources/scale_out/signal"]}]),
            );
        }
        if path == "/v2/alarms/alarm-1/state" {
            return Ok(json!(state.alarm));
        }
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
                if method == Method::Post && state.random.random_bool(state.faults) {
                    return Err(409);
                }
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

#[async_trait]
impl Cloud for Model {
    async fn request(&self, request: Request) -> Result<Answer, CloudError> {
        // The way there and back takes time: what happens meanwhile is seen by nobody.
        tokio::time::sleep(Duration::from_millis(20)).await;
        let (service, what) = (Service::Orchestration, request.what());
        let mut state = self.state.lock().unwrap();
        state.requests += 1;
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
