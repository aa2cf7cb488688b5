//! Ready-made pools of the scenarios: the stack that an operator makes, and the agent's section for it.

use serde_json::{Value, json};

use crate::heat::{StackSpec, test_machine, test_registry, with};
use crate::policy::{self, Actuator};
use crate::stage::Scene;

impl Scene<'_> {
    /// A pool of one member, made as the operator's part demands; returns the agent's sections.
    #[track_caller]
    pub(crate) fn pool(&self, name: &str, actuator: Actuator, more: &str) -> String {
        let stack = self.stack(name);
        match actuator {
            Actuator::ResourceGroup => {
                self.resource_group(name, 1);
                let heat = policy::heat(actuator, &stack, "");
                policy::pool(name, more, &heat)
            }
            Actuator::AutoscalingGroup => {
                self.heat().create(&self.autoscaling_group_spec(name, 1));
                let heat = policy::heat(actuator, &stack, "");
                policy::pool(name, more, &heat)
            }
            Actuator::StackPerMember => {
                let heat = policy::heat(actuator, &stack, &self.per_member(&json!({name: 1})));
                policy::pool(name, more, &heat)
            }
        }
    }

    /// Lines of a `heat` section by which the agent makes stacks of the shipped template.
    pub(crate) fn per_member(&self, machines: &Value) -> String {
        let environment = json!({"resource_registry": test_registry()});
        let environment = self.run.write("environment.json", environment.to_string());
        let template = kamscale_tests::repository().join("heat/stack-per-member.yaml");
        let parameters = with(test_machine(), &json!({"machines": machines}));
        format!(
            "template = \"{}\"\nenvironment = \"{}\"\nparameters = {}\n",
            template.display(),
            environment.display(),
            inline(&parameters),
        )
    }

    /// Of a resource group of the shipped template.
    pub(crate) fn resource_group_spec(&self, pool: &str, count: u32) -> StackSpec {
        let size = json!({"pool": pool, "count": count});
        let parameters = with(test_machine(), &size);
        StackSpec::new(self.stack(pool), "pool-resource-group.yaml", parameters)
    }

    /// A resource group of the shipped template.
    #[track_caller]
    pub(crate) fn resource_group(&self, pool: &str, count: u32) {
        self.heat().create(&self.resource_group_spec(pool, count));
    }

    /// Of an auto-scaling group of the shipped template, with the hook that holds deletions. An alarm
    /// that still stands when the member has come must not bring another one.
    pub(crate) fn autoscaling_group_spec(&self, pool: &str, count: u32) -> StackSpec {
        let size = json!({"pool": pool, "min": 1, "max": 4, "desired": count, "cooldown_s": 0,
            "scale_out_cooldown_s": 30, "scale_in_cooldown_s": 0});
        let parameters = with(test_machine(), &size);
        StackSpec {
            environment: Some("pool-autoscaling-group.env.yaml"),
            ..StackSpec::new(self.stack(pool), "pool-autoscaling-group.yaml", parameters)
        }
    }
}

/// A TOML inline value.
fn inline(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(key, value)| format!("{key} = {}", inline(value)));
            format!("{{ {} }}", fields.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}
