//! Budget: member-hours of the last 24 hours against what the operator wants to pay for.
//!
//! A budget that is used up stops additions above the minimum; it never removes a member.

use super::supply::Supply;
use super::{Memory, Policy, Spent};

const HOUR_S: f64 = 3600.0;
const DAY_S: f64 = 86_400.0;

/// Adds what the members cost since the last decision.
pub(super) fn spend(memory: &mut Memory, policy: &Policy, supply: Supply, tick_s: f64, now_s: f64) {
    if policy.budget_member_hours.is_none() {
        memory.spent.clear();
        return;
    }
    let member_hours = f64::from(supply.existing) * tick_s / HOUR_S;
    match memory.spent.back_mut() {
        Some(hour) if now_s - hour.from_s < HOUR_S => hour.member_hours += member_hours,
        _ => memory.spent.push_back(Spent {
            from_s: now_s,
            member_hours,
        }),
    }
    let oldest_s = now_s - DAY_S;
    while memory
        .spent
        .front()
        .is_some_and(|hour| hour.from_s < oldest_s)
    {
        memory.spent.pop_front();
    }
}

/// In words, if nothing is left of the budget.
pub(super) fn used_up(memory: &Memory, policy: &Policy) -> Option<String> {
    let budget = policy.budget_member_hours?;
    let spent: f64 = memory.spent.iter().map(|hour| hour.member_hours).sum();
    (spent >= budget).then(|| {
        format!("the budget is used up: {spent:.1} of {budget:.1} member-hours in 24 hours")
    })
}
