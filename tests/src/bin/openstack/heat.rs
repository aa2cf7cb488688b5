//! Stacks of the shipped templates, made, looked at and deleted as an operator would. It must not do
//! what the agent is there for: nothing here adds or removes a member of a pool that is watched.

use std::time::Duration;

use kamscale_tests::{repository, wait_until};
use serde_json::{Value, json};

use crate::cloud::{Cloud, text};

/// Nothing of Heat's takes so long here.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
const HEAT: &str = "orchestration";
/// A held deletion stays held for at most so long; longer than any scenario that does not wait for it.
pub(crate) const TIMEOUT_MINUTES: u32 = 30;
/// What stands for a server, unless a scenario says otherwise.
pub(crate) const SIP_MEMBER: &str = "Kamscale::Test::SipMember";
const PAUSED: &str = "Hook pre-delete";

/// A stack to be made.
#[derive(Clone, Debug)]
pub(crate) struct StackSpec {
    pub(crate) name: String,
    /// A file of heat/.
    pub(crate) template: &'static str,
    /// A file of heat/ with an environment, if the pool needs one.
    pub(crate) environment: Option<&'static str>,
    pub(crate) parameters: Value,
    /// A held deletion fails after so long.
    pub(crate) timeout_minutes: u32,
    /// The plug-in's type that stands for a server.
    pub(crate) server: &'static str,
}

impl StackSpec {
    /// Of a template, with nothing unusual.
    pub(crate) fn new(name: String, template: &'static str, parameters: Value) -> Self {
        Self {
            name,
            template,
            environment: None,
            parameters,
            timeout_minutes: TIMEOUT_MINUTES,
            server: SIP_MEMBER,
        }
    }
}

/// The text of a file of heat/.
fn shipped(file: &str) -> String {
    let path = repository().join("heat").join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("reading {}: {e}", path.display()))
}

/// Servers are the plug-in's SIP endpoints; networks and spreading over hosts mean nothing on loopback.
pub(crate) fn test_registry() -> Value {
    json!({
        "OS::Nova::Server": SIP_MEMBER,
        "OS::Neutron::Port": "OS::Heat::None",
        "OS::Nova::ServerGroup": "OS::Heat::None",
    })
}

/// Parameters that every template of a member wants.
pub(crate) fn test_machine() -> Value {
    json!({"image": "kamscale", "flavor": "kamscale.small", "network": "test", "wait_for_ready": false})
}

/// Adds the entries of `more` to those of `base`.
pub(crate) fn with(mut base: Value, more: &Value) -> Value {
    for (key, value) in more.as_object().into_iter().flatten() {
        base[key] = value.clone();
    }
    base
}

/// Heat, asked as an operator.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heat<'a>(pub(crate) &'a Cloud);

impl Heat<'_> {
    /// Makes a stack and waits until it is complete.
    #[track_caller]
    pub(crate) fn create(&self, spec: &StackSpec) {
        self.begin(spec)
            .unwrap_or_else(|e| panic!("making stack {}: {e}", spec.name));
        self.await_status(&spec.name, "CREATE_COMPLETE");
    }

    /// Asks for a stack.
    pub(crate) fn begin(&self, spec: &StackSpec) -> Result<(), String> {
        let mut registry = test_registry();
        registry["OS::Nova::Server"] = spec.server.into();
        if spec.environment.is_some() {
            // The shipped file, not a copy of what stands in it: its form is simple enough to read here.
            registry["resources"] = hooks_of(&shipped("pool-autoscaling-group.env.yaml"));
        }
        let body = json!({
            "stack_name": spec.name,
            "template": shipped(spec.template),
            "files": {"member.yaml": shipped("member.yaml"), "unit-machine.yaml": shipped("unit-machine.yaml")},
            "environment": {"resource_registry": registry},
            "parameters": spec.parameters,
            "timeout_mins": spec.timeout_minutes,
        });
        self.0.send(HEAT, "POST", "/stacks", &body).map(|_| ())
    }

    /// What Heat says of a stack; `None` if there is none of this name.
    pub(crate) fn stack(&self, name: &str) -> Result<Option<Value>, String> {
        let answer = self.0.ask(HEAT, "GET", &format!("/stacks/{name}"), None)?;
        if answer.status == 404 {
            return Ok(None);
        }
        Ok(Some(answer.good(name)?["stack"].take()))
    }

    /// Waits for a status.
    #[track_caller]
    pub(crate) fn await_status(&self, name: &str, status: &str) {
        wait_until(&format!("stack {name} is {status}"), PATIENCE, || {
            std::thread::sleep(Duration::from_millis(200));
            let Ok(Some(stack)) = self.stack(name) else {
                return false;
            };
            let now = text(&stack["stack_status"]);
            let why = &stack["stack_status_reason"];
            assert!(
                !now.ends_with("FAILED") || now == status,
                "stack {name}: {now}: {why}"
            );
            now == status
        });
    }

    /// Its outputs.
    #[track_caller]
    pub(crate) fn output(&self, name: &str, key: &str) -> Value {
        let stack = self.stack(name).ok().flatten().unwrap_or_default();
        let outputs = stack["outputs"].as_array().cloned().unwrap_or_default();
        let found = outputs.iter().find(|o| o["output_key"] == key);
        found.map_or(Value::Null, |o| o["output_value"].clone())
    }

    /// Names of the stacks that begin so, without those inside other stacks.
    pub(crate) fn stacks(&self, prefix: &str) -> Result<Vec<String>, String> {
        let stacks = self.0.get(HEAT, "/stacks")?;
        let names = stacks["stacks"].as_array().into_iter().flatten();
        let names = names.map(|s| text(&s["stack_name"]));
        Ok(names.filter(|n| n.starts_with(prefix)).collect())
    }

    /// Ids of the servers in the stacks that begin so, as Heat's resource lists have them.
    pub(crate) fn servers(&self, prefix: &str) -> Result<Vec<String>, String> {
        let mut servers = Vec::new();
        for name in self.stacks(prefix)? {
            let wanted = self.resources(&name)?.into_iter().filter(|r| {
                r["resource_name"] == "server" && r["resource_status"] != "DELETE_COMPLETE"
            });
            let ids = wanted.map(|r| text(&r["physical_resource_id"]));
            servers.extend(ids.filter(|id| !id.is_empty()));
        }
        Ok(servers)
    }

    /// Names of the members of a stack's group that are in a status.
    pub(crate) fn members_in(&self, name: &str, status: &str) -> Result<Vec<String>, String> {
        let resources = self.resources(name)?.into_iter();
        let members = resources
            .filter(|r| r["resource_type"] == "member.yaml" && r["resource_status"] == status);
        Ok(members.map(|r| text(&r["resource_name"])).collect())
    }

    /// All resources of a stack, also those nested in it; none if there is no such stack.
    fn resources(&self, name: &str) -> Result<Vec<Value>, String> {
        let Some(stack) = self.stack(name)? else {
            return Ok(Vec::new());
        };
        let path = format!("{}/resources?nested_depth=5", path_of(&stack));
        let resources = self.0.get(HEAT, &path)?;
        Ok(resources["resources"]
            .as_array()
            .cloned()
            .unwrap_or_default())
    }

    /// Deletes every stack whose name begins so, and clears the hooks that it pauses on.
    #[track_caller]
    pub(crate) fn delete_all(&self, prefix: &str) {
        wait_until(&format!("stacks {prefix}* are deleted"), PATIENCE, || {
            let Ok(left) = self.stacks(prefix) else {
                return false;
            };
            left.iter().for_each(|name| self.delete_once(name));
            std::thread::sleep(Duration::from_millis(300));
            left.is_empty()
        });
    }

    /// Asks for the end of a stack, and clears the hooks that it pauses on.
    pub(crate) fn delete_once(&self, name: &str) {
        let stack = self.stack(name).ok().flatten().unwrap_or_default();
        if stack["stack_status"] != "DELETE_IN_PROGRESS" {
            let _ = self.0.ask(HEAT, "DELETE", &path_of(&stack), None);
        }
        self.clear_hooks(name);
    }

    /// Events of held deletions, newest first.
    pub(crate) fn held(&self, name: &str) -> Vec<Value> {
        // By its id: Heat redirects from the name alone, and forgets the query then.
        let stack = self.stack(name).ok().flatten().unwrap_or_default();
        let query = "events?nested_depth=4&sort_dir=desc&limit=100";
        let path = format!("{}/{query}", path_of(&stack));
        let events = self.0.get(HEAT, &path).unwrap_or_default();
        let events = events["events"].as_array().cloned().unwrap_or_default();
        let paused = |e: &Value| text(&e["resource_status_reason"]).contains(PAUSED);
        events.into_iter().filter(paused).collect()
    }

    fn clear_hooks(&self, name: &str) {
        for event in self.held(name) {
            let links = event["links"].as_array().cloned().unwrap_or_default();
            let stack = links.iter().find(|l| l["rel"] == "stack");
            let place = stack.map(|l| text(&l["href"])).unwrap_or_default();
            let resource = text(&event["resource_name"]);
            let body = json!({"unset_hook": "pre-delete"});
            let url = format!("{place}/resources/{resource}/signal");
            let _ = self.0.ask(HEAT, "POST", &url, Some(&body));
        }
    }
}

/// Where a stack is asked for without a detour.
pub(crate) fn path_of(stack: &Value) -> String {
    format!(
        "/stacks/{}/{}",
        text(&stack["stack_name"]),
        text(&stack["id"])
    )
}

/// The part `resource_registry.resources` of a YAML file of nested maps: indentation and `key:` only.
fn hooks_of(yaml: &str) -> Value {
    let mut path: Vec<(usize, String)> = Vec::new();
    let mut root = json!({});
    for line in yaml.lines() {
        let entry = line.trim_start();
        let Some((key, value)) = entry.split_once(':').filter(|_| !entry.starts_with('#')) else {
            continue;
        };
        let indent = line.len() - entry.len();
        path.retain(|(outer, _)| *outer < indent);
        path.push((indent, key.trim_matches('"').to_owned()));
        if !value.trim().is_empty() {
            let mut place = &mut root;
            for (_, key) in &path {
                place = &mut place[key.as_str()];
            }
            *place = value.trim().into();
        }
    }
    root["resource_registry"]["resources"].take()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_environment_is_read_as_it_stands() {
        let hooks = hooks_of(&shipped("pool-autoscaling-group.env.yaml"));
        assert_eq!(
            hooks,
            json!({"group": {"*": {"server": {"hooks": "pre-delete"}}}})
        );
    }
}
