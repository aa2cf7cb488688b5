//! What the agents of the scenarios are told: agent.toml in pieces. The waits are short, because a
//! scenario has seconds where an operator has minutes.

/// Calls that one member may carry.
pub(crate) const CAPACITY: u32 = 10;
/// Above this load a member is added.
pub(crate) const SCALE_OUT_LOAD: f64 = 0.6;
/// Calls that load one member beyond it, and two members no more.
pub(crate) const STEP_CALLS: u32 = 8;

/// How a pool is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Actuator {
    ResourceGroup,
    AutoscalingGroup,
    StackPerMember,
}

impl Actuator {
    /// Its word in agent.toml.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::ResourceGroup => "heat_resource_group",
            Self::AutoscalingGroup => "heat_autoscaling_group",
            Self::StackPerMember => "stack_per_member",
        }
    }
}

/// The policy of a pool or stack; `more` are further lines.
pub(crate) fn policy(more: &str) -> String {
    let mut text = String::new();
    let defaults = [
        ("min", "1"),
        ("max", "3"),
        ("scale_out_load", "0.6"),
        ("scale_in_load", "0.5"),
        ("stabilization_s", "3"),
        ("cooldown_out_s", "1"),
        ("cooldown_in_s", "1"),
        ("empty_for_s", "3"),
        ("drain_timeout_s", "600"),
        ("protect_new_s", "0"),
        ("create_retry_s", "1"),
        ("boot_s", "20"),
        ("trend_cap", "1"),
        ("outage_guard_s", "0"),
        ("max_shrink_share", "1"),
    ];
    for (key, value) in defaults {
        let is_given = more
            .lines()
            .any(|l| l.split('=').next().map(str::trim) == Some(key));
        if !is_given {
            text += &format!("{key} = {value}\n");
        }
    }
    text + more + "\n"
}

/// The section `heat` of a pool or stack, without its head.
pub(crate) fn heat(actuator: Actuator, stack: &str, more: &str) -> String {
    format!(
        "actuator = \"{}\"\nstack = \"{stack}\"\nready_options = 2\nready_interval_s = 0.2\n\
         look_interval_s = 1.5\nboot_timeout_s = 75\ndelete_timeout_s = 60\n{more}\n",
        actuator.word()
    )
}

/// A pool of Heat's.
pub(crate) fn pool(name: &str, policy_more: &str, heat: &str) -> String {
    format!(
        "[pools.{name}]\n{}\n[pools.{name}.member]\ncapacity_calls = {CAPACITY}\n\
         [pools.{name}.heat]\n{heat}\n",
        policy(policy_more)
    )
}

/// The cloud of the plain user.
pub(crate) fn cloud() -> String {
    "[cloud]\nname = \"kamscale\"\ntimeout_s = 10\n\n".into()
}
