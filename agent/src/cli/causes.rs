//! What each cause of a decision means to a person, and what would have to happen for another one.

use crate::plan::Cause;

/// After "it is adding 2: " or "it keeps what it has: ".
pub(super) fn phrase(cause: Cause) -> &'static str {
    match cause {
        Cause::Calls => "the calls ask for it",
        Cause::Requests => "the requests per second ask for it",
        Cause::Refused => "requests are refused",
        Cause::Waiting => "callers wait",
        Cause::Cpu => "the processors are busy",
        Cause::Memory => "memory is in use",
        Cause::Network => "the network is busy",
        Cause::Forecast => "the calls that are expected ask for it",
        Cause::Surge => "the pool is nearly full",
        Cause::Spare => "spare members belong to it",
        Cause::Losses => "it must survive losses",
        Cause::Minimum => "its minimum says so",
        Cause::Schedule => "the schedule says so",
        Cause::Fallback => "nothing was seen for long, so the fallback holds",
        Cause::Surplus => "there was more than was needed for long enough",
        Cause::Drained => "what was drained is empty, or its time is over",
        Cause::Steady => "demand and members fit",
        Cause::Stabilizing => "demand has not been low for long enough",
        Cause::Projection => "with one less the load would be too high",
        Cause::Cooldown => "the last change was a moment ago",
        Cause::Booting => "members are booting",
        Cause::Protected => "no member may be drained",
        Cause::NoData => "there is no complete data, and what was not seen removes nothing",
        Cause::Restarted => "the agent, Kamailio or the clock restarted a moment ago",
        Cause::OutageGuard => "demand collapsed, and the callers will be back",
        Cause::MembersDown => "members are down",
        Cause::Maximum => "it is at its maximum",
        Cause::Growth => "it grows only so much at a time",
        Cause::Budget => "its budget is used up",
        Cause::Quota => "a quota is used up",
        Cause::Backoff => "creating members failed",
        Cause::Unconfirmed => "it is not known whether a member was created",
        Cause::Mode => "its mode says so",
    }
}

/// After "What would have to happen: ".
pub(super) fn remedy(cause: Cause) -> &'static str {
    match cause {
        Cause::Steady | Cause::Projection => {
            "more demand adds a member, less demand for stabilization_s removes one."
        }
        Cause::Calls
        | Cause::Requests
        | Cause::Refused
        | Cause::Waiting
        | Cause::Cpu
        | Cause::Memory
        | Cause::Network
        | Cause::Surge
        | Cause::Spare
        | Cause::Losses
        | Cause::Surplus
        | Cause::Drained => "nothing; it goes on by itself.",
        Cause::Forecast => {
            "calls that begin must be no more than calls that end; it follows by itself."
        }
        Cause::Minimum => "lower `min` for fewer members; more demand adds some.",
        Cause::Schedule => "the floor must end, or be changed in agent.toml.",
        Cause::Fallback | Cause::NoData => {
            "data must come back: look at Kamailio (`kamscale status`), and at who brings signals."
        }
        Cause::Stabilizing => "demand must stay low for all of stabilization_s; nothing to do.",
        Cause::Cooldown | Cause::Growth | Cause::Restarted => "wait as long as it says.",
        Cause::Booting => "the booting members must get ready, or fail at boot_timeout_s.",
        Cause::Protected => {
            "members must be older than protect_new_s; fixed ones go only by `kamscale member remove`."
        }
        Cause::OutageGuard => {
            "wait as long as it says; if the callers are gone for good, `kamscale member remove`."
        }
        Cause::MembersDown => {
            "look at the members that are down: they must answer again, or be removed."
        }
        Cause::Maximum => "raise `max` in agent.toml and reload, if there is room for more.",
        Cause::Budget => {
            "wait until hours of yesterday leave the sum, or raise budget_member_hours."
        }
        Cause::Quota => "free something or raise the quota; it is tried again by itself.",
        Cause::Backoff => {
            "look at why creations failed (`kamscale events`); it is tried again by itself."
        }
        Cause::Unconfirmed => {
            "the truth is being asked for; until it is known, no other member is ordered."
        }
        Cause::Mode => "`kamscale resume`, or another `mode` in agent.toml and a reload.",
    }
}
