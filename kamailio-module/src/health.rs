//! Health of members: what is asked of them ([`Watch`]), what their answers mean ([`verdict`],
//! [`Machine`]), and how a change becomes an event ([`events`]). All of it runs in one process of its
//! own; only an answer is noted ([`answered`]) by whichever process receives it. No request waits
//! for any of this.

use kamscale_shm::ProbeOptions;

mod answer;
pub mod events;
mod machine;
mod pace;
mod watch;
mod watched;

pub use answer::{Token, answered, not_sent, sending};
pub use events::Event;
pub use kamscale_shm::ReplyCodes;
pub use machine::{Limits, Machine, Verdict, verdict};
pub use pace::Pace;
pub use watch::{MAX_OUTSTANDING, MAX_PER_TURN, Probe, Turn, Watch};

/// How members are probed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probing {
    /// The method of a probe.
    pub method: String,
    /// Its From.
    pub from: String,
    /// When the next one is due.
    pub pace: Pace,
    /// How long an answer is awaited.
    pub timeout_ms: u64,
    /// How many answers decide.
    pub limits: Limits,
    /// Which answers are good.
    pub codes: ReplyCodes,
    /// The local socket that a probe leaves by; empty: Kamailio chooses.
    pub socket: String,
    /// The proxy that gets the probes of members without one of their own; empty: none.
    pub proxy: String,
}

impl Probing {
    /// The same with what a pool wants otherwise; `None` if its members are not to be probed.
    #[must_use]
    pub fn of_pool(&self, wanted: &ProbeOptions) -> Option<Self> {
        let mut probing = self.clone();
        let number = |own: Option<u32>, is: &mut u64| *is = own.map_or(*is, u64::from);
        number(wanted.interval_ms, &mut probing.pace.interval_ms);
        let jitter = wanted.jitter_percent.map(u32::from);
        number(jitter, &mut probing.pace.jitter_percent);
        number(wanted.timeout_ms, &mut probing.timeout_ms);
        let limits = &mut probing.limits;
        limits.failures = wanted.failures.unwrap_or(limits.failures).max(1);
        limits.successes = wanted.successes.unwrap_or(limits.successes).max(1);
        for (own, is) in [
            (&wanted.method, &mut probing.method),
            (&wanted.from, &mut probing.from),
            (&wanted.socket, &mut probing.socket),
        ] {
            if !own.is_empty() {
                is.clone_from(own);
            }
        }
        // The table's rules have refused what is no list.
        probing.codes = ReplyCodes::parse(&wanted.codes).unwrap_or(probing.codes);
        (probing.pace.interval_ms > 0).then_some(probing)
    }
}
