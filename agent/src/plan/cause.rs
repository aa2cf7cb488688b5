//! Cause: why a decision came out as it did, in one of few words. The sentence beside it is `reason`.

use serde::{Deserialize, Serialize};

/// Why a plan does what it does, or why it does no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is explained by `words`")]
pub enum Cause {
    Calls,
    Requests,
    Refused,
    Waiting,
    Cpu,
    Memory,
    Network,
    Forecast,
    Surge,
    Spare,
    Losses,
    Minimum,
    Schedule,
    Fallback,
    Surplus,
    Drained,
    Steady,
    Stabilizing,
    Projection,
    Cooldown,
    Booting,
    Protected,
    NoData,
    Restarted,
    OutageGuard,
    MembersDown,
    Maximum,
    Growth,
    Budget,
    Quota,
    Backoff,
    Unconfirmed,
    Mode,
}

impl Cause {
    /// The name in metrics, as `outage_guard`.
    pub fn name(self) -> &'static str {
        match self {
            Cause::Calls => "calls",
            Cause::Requests => "requests",
            Cause::Refused => "refused",
            Cause::Waiting => "waiting",
            Cause::Cpu => "cpu",
            Cause::Memory => "memory",
            Cause::Network => "network",
            Cause::Forecast => "forecast",
            Cause::Surge => "surge",
            Cause::Spare => "spare",
            Cause::Losses => "losses",
            Cause::Minimum => "minimum",
            Cause::Schedule => "schedule",
            Cause::Fallback => "fallback",
            Cause::Surplus => "surplus",
            Cause::Drained => "drained",
            Cause::Steady => "steady",
            Cause::Stabilizing => "stabilizing",
            Cause::Projection => "projection",
            Cause::Cooldown => "cooldown",
            Cause::Booting => "booting",
            Cause::Protected => "protected",
            Cause::NoData => "no_data",
            Cause::Restarted => "restarted",
            Cause::OutageGuard => "outage_guard",
            Cause::MembersDown => "members_down",
            Cause::Maximum => "maximum",
            Cause::Growth => "growth",
            Cause::Budget => "budget",
            Cause::Quota => "quota",
            Cause::Backoff => "backoff",
            Cause::Unconfirmed => "unconfirmed",
            Cause::Mode => "mode",
        }
    }
}

/// What raises or limits the number of members wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// The largest signal asks for so many.
    Signals,
    /// The surge step.
    Surge,
    /// Members beyond what the load needs.
    Spare,
    /// The load must fit when members are lost.
    Losses,
    /// Nothing was seen for long: the fallback.
    Fallback,
    /// The minimum.
    Minimum,
    /// A schedule floor.
    Schedule,
    /// The maximum.
    Maximum,
}
