//! The keys of a policy: the same, with the same defaults, in every section that scales something.
//!
//! The defaults are those of [`Policy::default`](crate::plan::Policy::default) and stand nowhere else.

use serde::Deserialize;

use super::SignalSource;
use crate::plan::{Floor, SignalKind, SignalPolicy, Target};

/// Declares a section of its own keys and those of a policy. Not `serde(flatten)`: with that, unknown
/// keys would not be refused, and errors would not know their line.
macro_rules! section_with_policy {
    ($(#[$about:meta])* $name:ident { $($(#[$meaning:meta])* $own:ident: $type:ty = $default:expr,)* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        #[expect(missing_docs, reason = "the keys of a policy are explained in agent.toml.example")]
        pub struct $name {
            $($(#[$meaning])* pub $own: $type,)*
            pub mode: Option<Mode>,
            pub min: Option<u32>,
            pub max: Option<u32>,
            pub spare: u32,
            pub survive_losses: u32,
            pub target: TargetConfig,
            pub scale_out_load: f64,
            pub scale_in_load: f64,
            pub signals: Vec<SignalConfig>,
            pub floors: Vec<FloorConfig>,
            pub stabilization_s: f64,
            pub cooldown_out_s: f64,
            pub cooldown_in_s: f64,
            pub drain_timeout_s: f64,
            pub empty_for_s: f64,
            pub protect_new_s: f64,
            pub max_booting: u32,
            pub max_growth_share: f64,
            pub max_shrink_share: f64,
            pub surge_load: f64,
            pub surge_step: f64,
            pub boot_s: f64,
            pub trend_cap: f64,
            pub create_retry_s: f64,
            pub budget_member_hours: Option<f64>,
            pub outage_drop: f64,
            pub outage_guard_s: f64,
            pub fallback_members: u32,
            pub fallback_after_s: f64,
        }

        impl Default for $name {
            fn default() -> Self {
                let policy = Policy::default();
                $name {
                    $($own: $default,)*
                    mode: None,
                    min: None,
                    max: None,
                    spare: policy.spare,
                    survive_losses: policy.survive_losses,
                    target: TargetConfig::Load,
                    scale_out_load: policy.scale_out_load,
                    scale_in_load: policy.scale_in_load,
                    signals: Vec::new(),
                    floors: Vec::new(),
                    stabilization_s: policy.stabilization_s,
                    cooldown_out_s: policy.cooldown_out_s,
                    cooldown_in_s: policy.cooldown_in_s,
                    drain_timeout_s: policy.drain_timeout_s,
                    empty_for_s: policy.empty_for_s,
                    protect_new_s: policy.protect_new_s,
                    max_booting: policy.max_booting,
                    max_growth_share: policy.max_growth_share,
                    max_shrink_share: policy.max_shrink_share,
                    surge_load: policy.surge_load,
                    surge_step: policy.surge_step,
                    boot_s: policy.boot_s,
                    trend_cap: policy.trend_cap,
                    create_retry_s: policy.create_retry_s,
                    budget_member_hours: policy.budget_member_hours,
                    outage_drop: policy.outage_drop,
                    outage_guard_s: policy.outage_guard_s,
                    fallback_members: policy.fallback_members,
                    fallback_after_s: policy.fallback_after_s,
                }
            }
        }

        impl $name {
            /// The policy as written; what depends on more than its keys is given.
            fn policy_of(&self, name: &str, mode: Mode, min: u32, capacity_calls: u32) -> Policy {
                let loads = (self.scale_out_load, self.scale_in_load);
                let max = self.max.unwrap_or(u32::MAX);
                Policy {
                    mode,
                    // The check refuses a minimum above the maximum where somebody scales.
                    min: self.min.unwrap_or(min).min(max),
                    max,
                    spare: self.spare,
                    survive_losses: self.survive_losses,
                    target: self.target.into(),
                    scale_out_load: self.scale_out_load,
                    scale_in_load: self.scale_in_load,
                    signals: self.signals.iter().map(|signal| signal.policy(loads)).collect(),
                    floors: self.floors.iter().map(FloorConfig::floor).collect(),
                    stabilization_s: self.stabilization_s,
                    cooldown_out_s: self.cooldown_out_s,
                    cooldown_in_s: self.cooldown_in_s,
                    drain_timeout_s: self.drain_timeout_s,
                    empty_for_s: self.empty_for_s,
                    protect_new_s: self.protect_new_s,
                    max_booting: self.max_booting,
                    max_growth_share: self.max_growth_share,
                    max_shrink_share: self.max_shrink_share,
                    surge_load: self.surge_load,
                    surge_step: self.surge_step,
                    boot_s: self.boot_s,
                    trend_cap: self.trend_cap,
                    create_retry_s: self.create_retry_s,
                    budget_member_hours: self.budget_member_hours,
                    outage_drop: self.outage_drop,
                    outage_guard_s: self.outage_guard_s,
                    fallback_members: self.fallback_members,
                    fallback_after_s: self.fallback_after_s,
                    capacity_calls,
                    // Any number will do; the name's makes it the same after a restart.
                    jitter_seed: kamscale_shm::member_id(name, ""),
                }
            }
        }
    };
}
pub(super) use section_with_policy;

/// Key `target`: what a pool's size aims at, as [`Target`]. Unlike that, it refuses unknown keys.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "as in Target")]
pub enum TargetConfig {
    Load,
    ErlangB { blocking: f64 },
    ErlangC { wait: f64 },
    AnswerTime { answer_s: f64, hold_s: f64 },
}

impl From<TargetConfig> for Target {
    fn from(written: TargetConfig) -> Target {
        match written {
            TargetConfig::Load => Target::Load,
            TargetConfig::ErlangB { blocking } => Target::ErlangB { blocking },
            TargetConfig::ErlangC { wait } => Target::ErlangC { wait },
            TargetConfig::AnswerTime { answer_s, hold_s } => {
                Target::AnswerTime { answer_s, hold_s }
            }
        }
    }
}

/// Section `[[pools.NAME.signals]]`: a measured demand that asks for members, too.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignalConfig {
    /// Which signal.
    pub kind: SignalKind,
    /// The pool of a stack that it is about.
    pub of: Option<String>,
    /// Who measures it.
    #[serde(default)]
    pub from: SignalSource,
    /// What one member can bear, in the unit of the kind; a share's is 1.
    pub capacity: Option<f64>,
    /// Load above which members are added.
    pub scale_out_load: Option<f64>,
    /// Load below which a member may go.
    pub scale_in_load: Option<f64>,
    /// Older than this it is not used.
    pub max_age_s: Option<f64>,
}

/// Loads of processors, memory and network that add and remove: they rise unevenly, so that the
/// band is lower and wider than for calls.
const SHARE_LOADS: (f64, f64) = (0.50, 0.30);
/// Three measurements of a usual exporter may be lost.
const SIGNAL_MAX_AGE_S: f64 = 60.0;

impl SignalConfig {
    /// With its defaults; `loads` are those of the pool's calls.
    pub(super) fn policy(&self, loads: (f64, f64)) -> SignalPolicy {
        let (out, scale_in) = if self.kind.is_share() {
            SHARE_LOADS
        } else {
            loads
        };
        SignalPolicy {
            kind: self.kind,
            of: self.of.clone(),
            capacity: self.capacity.unwrap_or(1.0),
            scale_out_load: self.scale_out_load.unwrap_or(out),
            scale_in_load: self.scale_in_load.unwrap_or(scale_in),
            max_age_s: self.max_age_s(),
        }
    }

    /// Older than this it is not used.
    pub fn max_age_s(&self) -> f64 {
        self.max_age_s.unwrap_or(SIGNAL_MAX_AGE_S)
    }
}

/// Section `[[pools.NAME.floors]]`: at known times at least so many members.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FloorConfig {
    /// What people call it.
    pub name: String,
    /// When it begins: minute hour day month weekday.
    pub cron: String,
    /// The time zone of `cron`, as `Europe/Berlin`.
    pub time_zone: String,
    /// How long it lasts.
    pub duration_s: f64,
    /// At least so many members.
    pub min: u32,
    /// Whether nothing is removed meanwhile.
    #[serde(default)]
    pub inhibit_scale_in: bool,
}

impl FloorConfig {
    pub(super) fn floor(&self) -> Floor {
        Floor {
            name: self.name.clone(),
            cron: self.cron.clone(),
            time_zone: self.time_zone.clone(),
            duration_s: self.duration_s,
            min: self.min,
            inhibit_scale_in: self.inhibit_scale_in,
            parsed: Default::default(),
        }
    }
}
