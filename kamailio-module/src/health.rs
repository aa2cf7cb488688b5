//! Health of members: what is asked of them ([`Watch`]), what their answers mean ([`verdict`],
//! [`Machine`]), and how a change becomes an event ([`events`]). All of it runs in one process of its
//! own; only an answer is noted ([`answered`]) by whichever process receives it. No request waits
//! for any of this.

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
}
