//! Section `[pools.NAME.heat]` and `[stacks.NAME.heat]`: members made by OpenStack Heat.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

/// Section `[pools.NAME.heat]`, and `[stacks.NAME.heat]` for units of several machines.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeatConfig {
    /// What makes and removes members.
    pub actuator: HeatActuator,
    /// Name or id of the stack with the group; for `stack_per_member` what the names of the stacks
    /// begin with.
    pub stack: String,
    /// The name of the group's resource in the template.
    #[serde(default = "defaults::group")]
    pub group: String,
    /// The template's parameter for the size of the group; `count` or `desired` if absent.
    pub size_parameter: Option<String>,
    /// The template's parameter for the members to be removed (`heat_resource_group`).
    #[serde(default = "defaults::removal_parameter")]
    pub removal_parameter: String,
    /// The template of a member's stack (`stack_per_member`).
    pub template: Option<PathBuf>,
    /// Its environment file.
    pub environment: Option<PathBuf>,
    /// Its parameters (`stack_per_member`).
    #[serde(default)]
    pub parameters: BTreeMap<String, toml::Value>,
    /// The output with the address, of a member's stack.
    #[serde(default = "defaults::address_output")]
    pub address_output: String,
    /// Port of every member.
    #[serde(default = "defaults::port")]
    pub port: u16,
    /// SIP URI with `{name} {pool} {address} {port}`.
    #[serde(default = "defaults::uri")]
    pub uri: String,
    /// So many OPTIONS answered with 2xx in a row make a member ready, once its stack says so.
    #[serde(default = "defaults::ready_options")]
    pub ready_options: u32,
    /// Seconds between two OPTIONS, and how long an answer may take.
    #[serde(default = "defaults::ready_interval_s")]
    pub ready_interval_s: f64,
    /// A member that is not ready after so long has failed.
    #[serde(default = "defaults::boot_timeout_s")]
    pub boot_timeout_s: f64,
    /// A deletion that Heat has not finished after so long is asked for again.
    #[serde(default = "defaults::delete_timeout_s")]
    pub delete_timeout_s: f64,
    /// Seconds between two looks at what is there, while nothing changes; it becomes longer with very
    /// many pools.
    #[serde(default = "defaults::look_interval_s")]
    pub look_interval_s: f64,
    /// With `decide = "aodh"`: the resource in the stack that is the alarm for more members. While a
    /// deletion is held Heat drops its signals, and the agent obeys it in Heat's place.
    #[serde(default = "defaults::scale_out_alarm")]
    pub scale_out_alarm: String,
}

/// How Heat makes and removes members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeatActuator {
    /// An `OS::Heat::ResourceGroup`: its count, and removal policies that name who goes.
    HeatResourceGroup,
    /// An `OS::Heat::AutoScalingGroup` of nested stacks: its desired capacity, and unhealthy marks.
    HeatAutoscalingGroup,
    /// One stack for each member, or for each unit of several machines.
    StackPerMember,
}

impl HeatConfig {
    /// The template's parameter for the size of the group.
    pub fn size_parameter(&self) -> &str {
        self.size_parameter
            .as_deref()
            .unwrap_or(match self.actuator {
                HeatActuator::HeatAutoscalingGroup => "desired",
                HeatActuator::HeatResourceGroup | HeatActuator::StackPerMember => "count",
            })
    }
}

mod defaults {
    pub(super) fn group() -> String {
        "group".into()
    }
    pub(super) fn removal_parameter() -> String {
        "remove".into()
    }
    pub(super) fn address_output() -> String {
        "address".into()
    }
    pub(super) fn port() -> u16 {
        5060
    }
    pub(super) fn uri() -> String {
        "sip:{address}:{port}".into()
    }
    pub(super) fn ready_options() -> u32 {
        3
    }
    pub(super) fn ready_interval_s() -> f64 {
        0.5
    }
    pub(super) fn boot_timeout_s() -> f64 {
        600.0
    }
    pub(super) fn delete_timeout_s() -> f64 {
        300.0
    }
    pub(super) fn look_interval_s() -> f64 {
        5.0
    }
    pub(super) fn scale_out_alarm() -> String {
        "scale_out_alarm".into()
    }
}
