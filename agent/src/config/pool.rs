//! Section `[pools.NAME]`: policy of a pool, its members, and what makes new ones.

use kamscale_shm::{MemberOptions, PoolOptions, ProbeOptions};
use serde::Deserialize;

use super::keys::{FloorConfig, SignalConfig, TargetConfig, section_with_policy};
use super::{Decider, HeatConfig, LocalConfig};
use crate::plan::{Mode, Policy};

section_with_policy! {
    /// Section `[pools.NAME]`.
    PoolConfig {
        /// The demand counter of the module; the pool's name if absent.
        feature: Option<String> = None,
        /// 2^hash_bits buckets for the algorithm `hash`.
        hash_bits: u8 = 12,
        /// Seconds in which the weight of a member that has just come up grows to its whole.
        slow_start_s: u32 = 0,
        /// Whether a member that carries its capacity gets nothing more.
        respect_capacity: bool = false,
        /// The pool that takes what this one cannot.
        overflow: Option<String> = None,
        /// If more than so many percent look down, probes are not believed; else as in Kamailio.
        panic_threshold: Option<u8> = None,
        /// How its members are probed.
        probe: ProbeConfig = ProbeConfig::default(),
        /// What a new member is like.
        member: MemberTemplate = MemberTemplate::default(),
        /// Members as processes on this machine.
        local: Option<LocalConfig> = None,
        /// Members made by OpenStack Heat.
        heat: Option<HeatConfig> = None,
        /// Who decides about this pool; that of the `agent` section if absent.
        decide: Option<Decider> = None,
        /// Fixed members.
        members: Vec<FixedMember> = Vec::new(),
    }
}

impl PoolConfig {
    /// Whether something here can make members.
    pub fn has_actuator(&self) -> bool {
        self.local.is_some() || self.heat.is_some()
    }

    /// The mode, with its default.
    pub fn mode(&self) -> Mode {
        self.mode.unwrap_or(if self.has_actuator() {
            Mode::On
        } else {
            Mode::Paused
        })
    }

    /// The feature whose rate is shown beside this pool.
    pub fn feature<'a>(&'a self, pool: &'a str) -> &'a str {
        self.feature.as_deref().unwrap_or(pool)
    }

    /// What Kamailio needs of it beside its members.
    pub fn options(&self) -> PoolOptions {
        PoolOptions {
            slow_start_s: self.slow_start_s,
            respect_capacity: self.respect_capacity,
            overflow: self.overflow.clone().unwrap_or_default(),
            panic_threshold: self.panic_threshold,
            probe: self.probe.options(),
        }
    }

    /// What the plan needs of it.
    pub fn policy(&self, name: &str) -> Policy {
        // Nobody keeps up a number where nothing can be made.
        let min = if self.has_actuator() {
            Policy::default().min
        } else {
            0
        };
        self.policy_of(name, self.mode(), min, self.member.capacity_calls)
    }
}

/// Section `[pools.NAME.member]`: what a new member is like.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MemberTemplate {
    /// Calls that it may carry.
    pub capacity_calls: u32,
    /// Share of requests against its siblings.
    pub weight: u16,
    /// For the algorithm `serial`: higher is tried first.
    pub priority: u16,
    /// The local socket that its requests leave by; empty: Kamailio chooses.
    pub socket: String,
    /// What scripts may read of it.
    pub attributes: String,
    /// The proxy before it; empty: none.
    pub proxy: String,
    /// Whether it is probed, if its pool is.
    pub probe: bool,
    /// From of its probes; empty: that of its pool.
    pub probe_from: String,
    /// Socket that its probes leave by; empty: that of its pool.
    pub probe_socket: String,
}

impl MemberTemplate {
    /// What Kamailio needs beside the numbers.
    pub fn options(&self) -> MemberOptions {
        MemberOptions {
            socket: self.socket.clone(),
            attributes: self.attributes.clone(),
            proxy: self.proxy.clone(),
            probe: self.probe,
            probe_from: self.probe_from.clone(),
            probe_socket: self.probe_socket.clone(),
        }
    }
}

impl Default for MemberTemplate {
    fn default() -> Self {
        MemberTemplate {
            capacity_calls: 100,
            weight: 100,
            priority: 0,
            socket: String::new(),
            attributes: String::new(),
            proxy: String::new(),
            probe: true,
            probe_from: String::new(),
            probe_socket: String::new(),
        }
    }
}

/// Section `[[pools.NAME.members]]`: a member that is always there.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FixedMember {
    /// Its name, unique in the pool.
    pub name: String,
    /// Where requests go.
    pub uri: String,
    /// Calls that it may carry; that of the pool's `member` section if absent.
    pub capacity_calls: Option<u32>,
    /// Share of requests; that of the pool's `member` section if absent.
    pub weight: Option<u16>,
    /// Priority; that of the pool's `member` section if absent.
    pub priority: Option<u16>,
    /// Local socket; that of the pool's `member` section if absent.
    pub socket: Option<String>,
    /// Attributes; those of the pool's `member` section if absent.
    pub attributes: Option<String>,
    /// Proxy; that of the pool's `member` section if absent.
    pub proxy: Option<String>,
    /// Whether it is probed; as the pool's `member` section if absent.
    pub probe: Option<bool>,
    /// From of its probes; that of the pool's `member` section if absent.
    pub probe_from: Option<String>,
    /// Socket of its probes; that of the pool's `member` section if absent.
    pub probe_socket: Option<String>,
}

impl FixedMember {
    /// What Kamailio needs beside the numbers.
    pub fn options(&self, template: &MemberTemplate) -> MemberOptions {
        let or = |own: &Option<String>, else_: &str| own.as_deref().unwrap_or(else_).to_owned();
        MemberOptions {
            socket: or(&self.socket, &template.socket),
            attributes: or(&self.attributes, &template.attributes),
            proxy: or(&self.proxy, &template.proxy),
            probe: self.probe.unwrap_or(template.probe),
            probe_from: or(&self.probe_from, &template.probe_from),
            probe_socket: or(&self.probe_socket, &template.probe_socket),
        }
    }
}

/// Section `[pools.NAME.probe]`: how its members are probed. What is absent is as Kamailio's
/// `modparam("kamscale", "probe_...", ...)` has it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProbeConfig {
    /// Seconds between two probes of a member; 0: its members are not probed.
    pub interval_s: Option<f64>,
    /// How much longer or shorter an interval may be, in percent.
    pub jitter: Option<u8>,
    /// Seconds for which an answer is awaited.
    pub timeout_s: Option<f64>,
    /// So many probes in a row without a good answer: down.
    pub failures: Option<u32>,
    /// So many good answers in a row: admitted.
    pub successes: Option<u32>,
    /// The method of a probe.
    pub method: Option<String>,
    /// Its From.
    pub from: Option<String>,
    /// The socket that it leaves by.
    pub socket: Option<String>,
    /// Which answers are good.
    pub codes: Option<String>,
}

impl ProbeConfig {
    /// The same in Kamailio's units.
    pub fn options(&self) -> ProbeOptions {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        ProbeOptions {
            interval_ms: self.interval_s.map(milliseconds),
            jitter_percent: self.jitter,
            timeout_ms: self.timeout_s.map(milliseconds),
            failures: self.failures,
            successes: self.successes,
            method: text(&self.method),
            from: text(&self.from),
            socket: text(&self.socket),
            codes: text(&self.codes),
        }
    }
}

/// What is no such time becomes one that the check refuses.
fn milliseconds(seconds: f64) -> u32 {
    let duration = std::time::Duration::try_from_secs_f64(seconds).ok();
    let milliseconds = duration.and_then(|d| u32::try_from(d.as_millis()).ok());
    milliseconds.unwrap_or(u32::MAX)
}
