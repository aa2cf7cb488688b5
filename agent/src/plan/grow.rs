//! Growth: drains are taken back first, then members are created, within every limit.

use super::decide::{Look, Verdict};
use super::number::round_down;
use super::{Action, Cause, MemberView, Phase, budget};

/// A small pool may grow by so many members in one step, whatever `max_growth_share` says.
const SMALL_STEP: u32 = 4;

/// Members that are to take calls beside those that do, or will once they booted.
pub(super) fn missing(look: &Look<'_>) -> u32 {
    let back = look.want.active.saturating_sub(look.supply.have());
    back.max(lacking(look))
}

/// Members that there are too few of even if every drain is taken back.
fn lacking(look: &Look<'_>) -> u32 {
    let reach = look.supply.have() + look.supply.draining;
    let lacking = look.want.members.saturating_sub(reach);
    // Then no drain stays.
    if lacking > 0 {
        lacking + look.supply.draining
    } else {
        0
    }
}

/// Takes drains back, fullest first, then creates what is still missing.
pub(super) fn grow(look: &Look<'_>) -> Verdict {
    let missing = missing(look);
    let drains = drains_to_take_back(look, missing);
    let mut actions: Vec<Action> = drains
        .iter()
        .map(|member| Action::TakeBack {
            member: member.name.clone(),
        })
        .collect();
    let mut words = Vec::new();
    if !drains.is_empty() {
        let names: Vec<&str> = drains.iter().map(|member| member.name.as_str()).collect();
        words.push(format!(
            "taking back {} instead of buying",
            names.join(", ")
        ));
    }
    let mut cause = look.want.cause;
    let missing = missing - u32::try_from(drains.len()).unwrap_or(u32::MAX);
    if missing > 0 {
        match creatable(look) {
            Ok((most, _, limit)) => {
                let count = missing.min(most);
                let limited = if count < missing {
                    format!(", not {missing}: {limit}")
                } else {
                    String::new()
                };
                words.push(format!("adding {count}{limited}"));
                actions.push(Action::Boot { count });
            }
            Err((why, words_of)) => {
                words.push(format!("{missing} more wanted, but {words_of}"));
                if actions.is_empty() {
                    cause = why;
                }
            }
        }
    }
    Verdict {
        actions,
        cause,
        words: words.join("; "),
    }
}

fn drains_to_take_back<'a>(look: &Look<'a>, missing: u32) -> Vec<&'a MemberView> {
    if look.supply.draining == 0 {
        return Vec::new();
    }
    let mut drains: Vec<&MemberView> = look
        .observation
        .members
        .iter()
        .filter(|member| member.phase == Phase::Draining && !member.down)
        .collect();
    drains.sort_by(|a, b| b.calls.cmp(&a.calls).then_with(|| a.name.cmp(&b.name)));
    drains.truncate(missing as usize);
    drains
}

type Limit = (u32, Cause, String);

/// How many members may be created now and which limit that is, or why none.
fn creatable(look: &Look<'_>) -> Result<Limit, (Cause, String)> {
    wait(look)?;
    let limits = limits(look);
    let least = limits.into_iter().min_by_key(|(most, _, _)| *most);
    let (most, cause, limit) = least.unwrap_or((0, Cause::Maximum, String::new()));
    if most == 0 {
        Err((cause, limit))
    } else {
        Ok((most, cause, limit))
    }
}

/// Whether creations must wait.
fn wait(look: &Look<'_>) -> Result<(), (Cause, String)> {
    let (memory, policy, supply) = (look.memory, look.policy, look.supply);
    let unconfirmed = look.observation.unconfirmed_creates;
    if unconfirmed > 0 {
        let why = match unconfirmed {
            1 => "the outcome of 1 creation is unknown and is looked up first".into(),
            _ => {
                format!("the outcome of {unconfirmed} creations is unknown and is looked up first")
            }
        };
        return Err((Cause::Unconfirmed, why));
    }
    if look.now_s < memory.no_create_before_s {
        let wait_s = memory.no_create_before_s - look.now_s;
        if memory.quota_reached {
            let why = format!(
                "a quota is used up, so {} members are all there is: next try in {wait_s:.0} s",
                supply.existing
            );
            return Err((Cause::Quota, why));
        }
        let why = match memory.failures_in_row {
            0 | 1 => format!("the last creation failed: next try in {wait_s:.0} s"),
            failures => {
                format!("creation failed {failures} times in a row: next try in {wait_s:.0} s")
            }
        };
        return Err((Cause::Backoff, why));
    }
    // The minimum is not a matter of demand: it is restored without waiting.
    let below_min = supply.serving + supply.down + supply.booting < policy.min;
    let cooled_s = memory
        .last_out_s
        .map_or(f64::INFINITY, |last_s| look.now_s - last_s);
    if cooled_s < policy.cooldown_out_s && !below_min {
        let wait_s = policy.cooldown_out_s - cooled_s;
        let why = format!("the last addition was {cooled_s:.0} s ago: {wait_s:.0} s to wait");
        return Err((Cause::Cooldown, why));
    }
    Ok(())
}

/// Every limit on the number of members created at once.
fn limits(look: &Look<'_>) -> Vec<Limit> {
    let (memory, policy, supply) = (look.memory, look.policy, look.supply);
    let (existing, booting) = (supply.existing, supply.booting + supply.overdue);
    // After failures one member tries the ground for the others.
    let step = if memory.failures_in_row > 0 {
        1
    } else {
        round_down(policy.max_growth_share * f64::from(supply.serving)).max(SMALL_STEP)
    };
    let step_words = match memory.failures_in_row {
        0 => format!("at most {step} in one step"),
        _ => "after a failed creation one is tried first".into(),
    };
    let mut limits = vec![
        (
            policy.max.saturating_sub(existing),
            Cause::Maximum,
            format!("{existing} of at most {} members exist", policy.max),
        ),
        (
            policy.max_booting.saturating_sub(booting),
            Cause::Booting,
            match supply.overdue {
                0 => format!("{booting} of at most {} are booting", policy.max_booting),
                overdue => format!(
                    "{booting} of at most {} are booting, {overdue} of them for too long",
                    policy.max_booting
                ),
            },
        ),
        (step, Cause::Growth, step_words),
    ];
    if let Some(words) = budget::used_up(memory, policy) {
        // Who leaves or is held by an operator serves nobody.
        let below_min = policy
            .min
            .saturating_sub(supply.serving + supply.down + supply.booting);
        limits.push((below_min, Cause::Budget, words));
    }
    limits
}
