//! Removal: which members may be drained.
//!
//! Every condition is a reason not to remove; the default is to hold.

use super::decide::{Look, Verdict};
use super::number::{count, nearest, round_down, round_up};
use super::{Action, Cause, MemberView, Phase, Quality, Target, want};

/// No removal for so many `create_retry_s` (600 s) after a failed creation: what goes may not come
/// back.
const AFTER_FAILURE_RETRIES: f64 = 10.0;
/// Early drains look ahead by so many holding times, but not further than this ...
const EARLY_HOLDS: f64 = 2.0;
const EARLY_MOST_S: f64 = 3600.0;
/// ... nor for a fall deeper than this share.
const EARLY_MOST_SHARE: f64 = 0.3;
/// A removal leaves the others so far below what takes drains back.
const HOT_MARGIN: f64 = 0.05;
/// The time over which `max_shrink_share` is meant.
pub(super) const SHRINK_S: f64 = 600.0;

/// Drains the emptiest members, or says why none.
pub(super) fn shrink(look: &Look<'_>) -> Verdict {
    if look.observation.quality != Quality::Good {
        return Verdict::hold(Cause::NoData, "nothing is removed without complete data");
    }
    let surplus = match surplus(look).and_then(|found| quiet(look).map(|()| found)) {
        Ok(found) => found,
        Err((cause, why)) => return Verdict::hold(cause, why),
    };
    let victims = emptiest(look, surplus.members.min(allowed(look)));
    if victims.is_empty() {
        return Verdict::hold(
            Cause::Protected,
            "every member is fixed or too new to be drained",
        );
    }
    let names: Vec<&str> = victims.iter().map(|member| member.name.as_str()).collect();
    let words = format!(
        "draining {}, the emptiest: {}",
        names.join(", "),
        why(look, &surplus, &victims)
    );
    let drain = |member: &&MemberView| Action::Drain {
        member: member.name.clone(),
    };
    Verdict {
        actions: victims.iter().map(drain).collect(),
        cause: Cause::Surplus,
        words,
    }
}

/// Why these may go.
fn why(look: &Look<'_>, surplus: &Surplus, victims: &[&MemberView]) -> String {
    if surplus.early {
        let (calls, drains) = (look.supply.all_calls, look.supply.draining);
        let drains = drains + u32::try_from(victims.len()).unwrap_or(u32::MAX);
        return format!(
            "demand falls, {calls} calls now after a peak of {} within {:.0} s; until it is empty \
             it can be taken back, as all {drains} that drain",
            surplus.peak_calls, look.policy.stabilization_s
        );
    }
    let left: u64 = victims
        .iter()
        .map(|member| u64::from(member.capacity))
        .sum();
    let percent = |capacity: u64| 100.0 * count(surplus.peak_calls) / count(capacity.max(1));
    format!(
        "the peak of {:.0} s was {} calls, {:.0} %, and would be {:.0} % without",
        look.policy.stabilization_s,
        surplus.peak_calls,
        percent(look.supply.capacity),
        percent(look.supply.capacity.saturating_sub(left)),
    )
}

/// "1 member is", "2 members are".
fn members(count: u32) -> String {
    match count {
        1 => "1 member is".into(),
        _ => format!("{count} members are"),
    }
}

type Hold = (Cause, String);

/// What may go.
#[derive(Debug)]
struct Surplus {
    /// How many members were too many all the time.
    members: u32,
    /// The most calls meanwhile.
    peak_calls: u64,
    /// Whether they are only too many because demand falls.
    early: bool,
}

/// How many members may go, or why none.
fn surplus(look: &Look<'_>) -> Result<Surplus, Hold> {
    let (serving, policy) = (look.supply.serving, look.policy);
    if look.supply.booting > 0 || look.observation.unconfirmed_creates > 0 {
        let booting = look
            .supply
            .booting
            .max(look.observation.unconfirmed_creates);
        return Err((Cause::Booting, format!("{} booting", members(booting))));
    }
    let least = look.want.least.max(1);
    let wanted = look.want.members;
    if serving <= least {
        let cause = if wanted > least {
            look.want.cause
        } else {
            Cause::Minimum
        };
        let why = if wanted > serving {
            format!("{wanted} are wanted and there, as drains can be taken back")
        } else {
            format!("at the minimum of {least}")
        };
        return Err((cause, why));
    }
    let (peak_calls, peak_keep) = look.memory.peak();
    let keep = early(look, peak_calls)
        .map_or(peak_keep, |early| early.min(peak_keep))
        .max(least);
    if keep < serving {
        return Ok(Surplus {
            members: serving - keep,
            peak_calls,
            early: serving <= peak_keep,
        });
    }
    if wanted >= serving {
        let cause = look.want.limited.unwrap_or(Cause::Steady);
        let drains = if wanted > serving {
            ", as drains can be taken back"
        } else {
            ""
        };
        return Err((cause, format!("{wanted} are wanted and there{drains}")));
    }
    if look.want.keep >= serving {
        let why = format!("with one of {serving} less the load would be too near to what adds one");
        return Err((Cause::Projection, why));
    }
    let why = format!(
        "within the last {} s all {serving} were needed",
        nearest(policy.stabilization_s)
    );
    Err((Cause::Stabilizing, why))
}

/// Members that must stay while demand falls from window to window. A drain takes as long as its
/// last call and can be taken back until then, so it may begin before its member is a surplus: the
/// others then run hotter than they would for long, with the drains as their reserve.
fn early(look: &Look<'_>, peak_calls: u64) -> Option<u32> {
    let (memory, policy) = (look.memory, look.policy);
    if policy.target != Target::Load {
        return None;
    }
    let fall_per_s = memory.fall_per_s(look.now_s, policy.stabilization_s)?;
    let ahead_s = (EARLY_HOLDS * memory.flow.hold_s()?).min(EARLY_MOST_S);
    let peak = count(peak_calls);
    let fallen = (fall_per_s * ahead_s).min(EARLY_MOST_SHARE * peak);
    let each = look.supply.each(policy);
    let (_, later) = want::members_for(policy, peak - fallen, each);
    let hot = want::hot_load(policy) - HOT_MARGIN;
    let now = round_up(count(look.supply.calls) / (hot * each));
    let least = look.want.active.max(look.want.least);
    // Only calls are known to fall: the rest must fit as after any removal.
    let least = least.max(look.want.measured_keep);
    // All that is there, drains included, must do for what was needed lately.
    let reach = look.supply.serving + look.supply.draining;
    let (_, keep) = memory.peak();
    (reach >= keep).then(|| later.max(now).max(least))
}

/// Whether things have been calm and well seen for long enough.
fn quiet(look: &Look<'_>) -> Result<(), Hold> {
    let (memory, supply) = (look.memory, look.supply);
    if let Some(problem) = look.problem {
        return Err((Cause::NoData, problem.into()));
    }
    if supply.down > 0 {
        return Err((Cause::MembersDown, format!("{} down", members(supply.down))));
    }
    if look.rising || memory.rises(look.now_s, look.policy.stabilization_s) {
        return Err((Cause::Forecast, "demand is rising".into()));
    }
    if look.now_s < memory.guard_until_s {
        let wait_s = memory.guard_until_s - look.now_s;
        return Err((
            Cause::OutageGuard,
            format!("{}: {wait_s:.0} s to wait", memory.guard_because),
        ));
    }
    if let Some((floor, until_s)) = &look.want.inhibited {
        let why = format!(
            "nothing is removed during \"{floor}\": {:.0} s",
            until_s - look.now_s
        );
        return Err((Cause::Schedule, why));
    }
    if look.now_s < memory.no_removal_before_s {
        let wait_s = memory.no_removal_before_s - look.now_s;
        let why = format!("{}: {wait_s:.0} s to wait", memory.no_removal_because);
        return Err((Cause::Restarted, why));
    }
    waited(look)
}

/// Whether each pause is over.
fn waited(look: &Look<'_>) -> Result<(), Hold> {
    let (memory, policy, now_s) = (look.memory, look.policy, look.now_s);
    let since = |moment: Option<f64>| moment.map_or(f64::INFINITY, |moment_s| now_s - moment_s);
    let window_s = policy.stabilization_s;
    let watched_s = memory
        .watching_since_s
        .map_or(0.0, |since_s| now_s - since_s);
    let failed_s = since(memory.last_failure_s);
    let after_failure_s = window_s.max(AFTER_FAILURE_RETRIES * policy.create_retry_s);
    let (out_s, in_s) = (since(memory.last_out_s), since(memory.last_in_s));
    let waits = [
        (
            watched_s,
            window_s,
            Cause::Stabilizing,
            "demand has been watched for",
        ),
        (
            out_s,
            window_s,
            Cause::Stabilizing,
            "the time since the last addition is",
        ),
        (
            in_s,
            policy.cooldown_in_s,
            Cause::Cooldown,
            "the time since the last removal is",
        ),
        (
            failed_s,
            after_failure_s,
            Cause::Backoff,
            "the time since the last failed creation is",
        ),
    ];
    for (is_s, needed_s, cause, what) in waits {
        if is_s < needed_s {
            let (is_s, needed_s) = (nearest(is_s), nearest(needed_s));
            return Err((cause, format!("{what} {is_s} s of {needed_s} s")));
        }
    }
    Ok(())
}

/// How many may be drained at once: a big pool shrinks by its share, a small one by one.
fn allowed(look: &Look<'_>) -> u32 {
    let (memory, policy) = (look.memory, look.policy);
    let drained: u32 = memory.drained.iter().map(|(_, members)| members).sum();
    let before = f64::from(look.supply.serving.saturating_add(drained));
    let within = round_down(policy.max_shrink_share * before).saturating_sub(drained);
    let share = policy.cooldown_in_s / SHRINK_S;
    let once = round_down(policy.max_shrink_share * share.min(1.0) * before);
    // One at a time is always allowed: cooldown_in_s paces it.
    within.min(once).max(1)
}

/// The members with the fewest calls; of those the oldest.
fn emptiest<'a>(look: &Look<'a>, most: u32) -> Vec<&'a MemberView> {
    let elastic = |member: &&MemberView| {
        member.phase == Phase::Active
            && !member.down
            && member.elastic
            && member.age_s >= look.policy.protect_new_s
    };
    let mut members: Vec<&MemberView> = look.observation.members.iter().filter(elastic).collect();
    members.sort_by(|a, b| {
        let calls = a
            .calls
            .unwrap_or(u32::MAX)
            .cmp(&b.calls.unwrap_or(u32::MAX));
        calls
            .then(b.age_s.total_cmp(&a.age_s))
            .then_with(|| a.name.cmp(&b.name))
    });
    members.truncate(most as usize);
    members
}
