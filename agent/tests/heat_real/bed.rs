//! The test bed: a session, stacks that are removed whatever happens, and words to say what is there.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kamscale_agent::actuator::heat::build;
use kamscale_agent::actuator::{Actuator, Handle, Order};
use kamscale_agent::cloud::{Cloud, Keystone};
use kamscale_agent::config::{CloudConfig, HeatConfig};
use kamscale_agent::heat::{Heat, NewStack, StackPath};
use serde_json::{Value, json};

/// Longest that anything here may take.
const PATIENCE: Duration = Duration::from_secs(240);

const MEMBER: &str = "
heat_template_version: 2018-08-31
parameters:
  fail: {type: string, default: 'false'}
  boot_s: {type: number, default: 0}
resources:
  server:
    type: Kamscale::Test::SipMember
    properties: {fail: {get_param: fail}, boot_s: {get_param: boot_s}}
outputs:
  OS::stack_id: {value: {get_resource: server}}
  address: {value: {get_attr: [server, first_address]}}
";

const RESOURCE_GROUP: &str = "
heat_template_version: 2018-08-31
parameters:
  count: {type: number, default: 0}
  remove: {type: json, default: []}
  fail: {type: string, default: 'false'}
  boot_s: {type: number, default: 0}
resources:
  group:
    type: OS::Heat::ResourceGroup
    properties:
      count: {get_param: count}
      removal_policies: [{resource_list: {get_param: remove}}]
      removal_policies_mode: update
      resource_def:
        type: member.yaml
        properties: {fail: {get_param: fail}, boot_s: {get_param: boot_s}}
";

const AUTOSCALING_GROUP: &str = "
heat_template_version: 2018-08-31
parameters:
  desired: {type: number, default: 0}
  fail: {type: string, default: 'false'}
  boot_s: {type: number, default: 0}
resources:
  group:
    type: OS::Heat::AutoScalingGroup
    properties:
      min_size: 0
      max_size: 5
      cooldown: 0
      desired_capacity: {get_param: desired}
      resource:
        type: member.yaml
        properties: {fail: {get_param: fail}, boot_s: {get_param: boot_s}}
  scale_in:
    type: OS::Heat::ScalingPolicy
    properties:
      auto_scaling_group_id: {get_resource: group}
      adjustment_type: change_in_capacity
      scaling_adjustment: -1
      cooldown: 0
";

const HOOKS: &str = "
resource_registry:
  resources:
    group:
      '*':
        server: {hooks: pre-delete}
";

/// A session with the test bed.
pub(crate) struct Bed {
    pub(crate) cloud: Arc<dyn Cloud>,
    pub(crate) heat: Heat,
}

/// The test bed, or the word that there is none.
pub(crate) fn bed() -> Option<Bed> {
    if std::env::var_os("KAMSCALE_OPENSTACK_CLOUDS").is_none() {
        println!("SKIPPED: KAMSCALE_OPENSTACK_CLOUDS is not set: no OpenStack to test against");
        return None;
    }
    let config = CloudConfig {
        name: Some("kamscale".into()),
        ..CloudConfig::default()
    };
    let cloud: Arc<dyn Cloud> = Arc::new(Keystone::new(&config).unwrap());
    let heat = Heat::new(cloud.clone());
    Some(Bed { cloud, heat })
}

/// A name that no other run uses.
pub(crate) fn unique(name: &str) -> String {
    format!("heat-real-{name}-{}", std::process::id())
}

impl Bed {
    /// Makes a stack with a group, and its actuator.
    pub(crate) async fn group(
        &self,
        actuator: &str,
        name: &str,
        more: &[(&str, Value)],
    ) -> HeatConfig {
        let group = match actuator {
            "heat_resource_group" => RESOURCE_GROUP,
            _ => AUTOSCALING_GROUP,
        };
        let parameters = more
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()));
        let stack = NewStack {
            stack_name: name.into(),
            template: group.into(),
            environment: Some(HOOKS.into()),
            parameters: parameters.collect(),
            files: BTreeMap::from([("member.yaml".into(), MEMBER.into())]),
            tags: "heat-real".into(),
        };
        self.heat.create(&stack).await.unwrap();
        until("the stack is made", async || {
            let stack = self.heat.find(name).await.unwrap().unwrap();
            !stack.status.is_coming()
        })
        .await;
        config(actuator, name)
    }

    /// An agent's actuator for a group.
    pub(crate) fn agent(&self, config: &HeatConfig) -> Arc<dyn Actuator> {
        agent(config, self.cloud.clone())
    }

    /// The path of a stack.
    pub(crate) async fn path(&self, name: &str) -> StackPath {
        self.heat.find(name).await.unwrap().unwrap().path()
    }

    /// The names of members of a group, in whatever status.
    pub(crate) async fn members(&self, name: &str) -> Vec<String> {
        let path = self.path(name).await;
        let all = self.heat.resources(&path, 1).await.unwrap();
        let members = all.into_iter().filter(|one| one.kind == "member.yaml");
        let mut names: Vec<String> = members.map(|one| one.name).collect();
        names.sort();
        names
    }

    /// Removes a stack, with whatever holds it.
    pub(crate) async fn remove(&self, name: &str) {
        let Some(stack) = self.heat.find(name).await.unwrap() else {
            return;
        };
        let _ = self.heat.delete(&stack.path()).await;
        until("the stack is gone", async || {
            let path = stack.path();
            for (nested, resource) in self.heat.held_below(&path).await.unwrap_or_default() {
                let _ = self.heat.release(&nested, &resource).await;
            }
            self.heat.find(name).await.unwrap().is_none()
        })
        .await;
    }
}

/// A configuration.
pub(crate) fn config(actuator: &str, stack: &str) -> HeatConfig {
    let text = format!(
        "actuator = \"{actuator}\"\nstack = \"{stack}\"\nready_options = 2\nboot_timeout_s = 120\n\
         delete_timeout_s = 120"
    );
    toml::from_str(&text).unwrap()
}

/// An agent's actuator, by whatever cloud. It knows of no member yet.
pub(crate) fn agent(config: &HeatConfig, cloud: Arc<dyn Cloud>) -> Arc<dyn Actuator> {
    let actuator = build("conference", "test", config, None, false, cloud);
    actuator.know(Vec::new());
    actuator
}

/// An order.
pub(crate) fn order(name: &str) -> Order {
    Order {
        pool: "conference".into(),
        name: name.into(),
        address: None,
        unit: None,
    }
}

/// Creates a member and waits until it answers.
pub(crate) async fn boot(agent: &Arc<dyn Actuator>, name: &str) -> Handle {
    let handle = agent.create(&order(name)).await.unwrap();
    agent.ready(&order(name), &handle).await.unwrap()
}

/// What a handle names.
pub(crate) fn resource(handle: &Handle) -> String {
    match handle {
        Handle::Heat {
            resource: Some(resource),
            ..
        } => resource.clone(),
        other => panic!("{other:?} names nothing"),
    }
}

/// Waits for a condition.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, waiting).await;
    waited.unwrap_or_else(|_| panic!("waited in vain: {what}"));
}

/// A number as a parameter.
pub(crate) fn number(value: u32) -> Value {
    json!(value)
}
