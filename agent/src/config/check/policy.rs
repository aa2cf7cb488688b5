//! The rules for the keys of a policy, whichever section they stand in.

use super::{At, Checked, check_source};
use crate::config::{Config, SignalConfig};
use crate::plan::{Floor, Policy, SignalKind, SignalPolicy, Target};

const WEEK_S: f64 = 604_800.0;
const DAY_S: f64 = 86_400.0;

/// Checks a policy whose section is at `path`.
pub(super) fn check_policy(path: &[&str], policy: &Policy) -> Checked {
    let at = At(path);
    check_loads(&at, policy)?;
    check_target(path, policy.target)?;
    check_sizes(&at, policy)?;
    at.seconds("stabilization_s", policy.stabilization_s, 0.0, WEEK_S)?;
    at.seconds("cooldown_out_s", policy.cooldown_out_s, 0.0, DAY_S)?;
    at.seconds("cooldown_in_s", policy.cooldown_in_s, 0.0, DAY_S)?;
    at.seconds("drain_timeout_s", policy.drain_timeout_s, 1.0, WEEK_S)?;
    at.seconds("empty_for_s", policy.empty_for_s, 0.0, 3_600.0)?;
    at.seconds("protect_new_s", policy.protect_new_s, 0.0, WEEK_S)?;
    at.seconds("boot_s", policy.boot_s, 0.0, 3_600.0)?;
    at.seconds("create_retry_s", policy.create_retry_s, 0.1, 900.0)?;
    at.seconds("outage_guard_s", policy.outage_guard_s, 0.0, WEEK_S)?;
    at.seconds("fallback_after_s", policy.fallback_after_s, 0.0, DAY_S)?;
    at.within("outage_drop", policy.outage_drop, 0.05, 1.0)?;
    at.within("trend_cap", policy.trend_cap, 1.0, 10.0)?;
    // Calls of the pools of a stack are signals that nobody wrote.
    let written: Vec<&SignalPolicy> = policy
        .signals
        .iter()
        .skip_while(|signal| signal.kind == SignalKind::Calls && signal.of.is_some())
        .collect();
    for (index, signal) in written.iter().enumerate() {
        let place = index.to_string();
        let path = [path, &["signals", &place]].concat();
        check_signal(&At(&path), signal, &written[..index])?;
    }
    for (index, floor) in policy.floors.iter().enumerate() {
        let place = index.to_string();
        let path = [path, &["floors", &place]].concat();
        check_floor(&At(&path), floor, policy.max)?;
    }
    Ok(())
}

fn check_loads(at: &At<'_>, policy: &Policy) -> Checked {
    check_band(at, policy.scale_in_load, policy.scale_out_load)?;
    let high = policy.scale_out_load;
    at.need(
        "surge_load",
        policy.surge_load >= high && policy.surge_load.is_finite(),
        format!(
            "{} must not be below scale_out_load {high}",
            policy.surge_load
        ),
    )?;
    at.within("surge_step", policy.surge_step, 1.0, 10.0)
}

fn check_band(at: &At<'_>, low: f64, high: f64) -> Checked {
    at.need(
        "scale_out_load",
        high > 0.0 && high <= 1.0,
        format!("{high} is not in 0 to 1"),
    )?;
    at.need(
        "scale_in_load",
        low >= 0.0 && low < high,
        format!("{low} must be below scale_out_load {high}, or the pool would flap"),
    )
}

fn check_target(path: &[&str], target: Target) -> Checked {
    let (name, faulty) = match target {
        Target::Load => return Ok(()),
        Target::ErlangB { blocking } => ("erlang_b", share("blocking", blocking)),
        Target::ErlangC { wait } => ("erlang_c", share("wait", wait)),
        Target::AnswerTime { answer_s, hold_s } => (
            "answer_time",
            duration("answer_s", answer_s).or(duration("hold_s", hold_s)),
        ),
    };
    match faulty {
        None => Ok(()),
        Some((key, problem)) => {
            let path = [path, &["target", name]].concat();
            Err(At(&path).fault(key, problem))
        }
    }
}

fn share(key: &'static str, value: f64) -> Option<(&'static str, String)> {
    let holds = value > 0.0 && value < 1.0;
    (!holds).then(|| {
        let problem = format!("{value} is no probability above 0 and below 1, as 0.001");
        (key, problem)
    })
}

fn duration(key: &'static str, value: f64) -> Option<(&'static str, String)> {
    let holds = value > 0.0 && value <= DAY_S;
    (!holds).then(|| {
        let problem = format!("{value} is not above 0 and up to {DAY_S} seconds");
        (key, problem)
    })
}

fn check_sizes(at: &At<'_>, policy: &Policy) -> Checked {
    let max = policy.max;
    at.need(
        "max_booting",
        policy.max_booting > 0,
        "0 would never add a member; write 1 or more",
    )?;
    at.within("max_growth_share", policy.max_growth_share, 0.01, 10.0)?;
    at.within("max_shrink_share", policy.max_shrink_share, 0.01, 1.0)?;
    at.need(
        "spare",
        policy.spare < max,
        format!("{} spare members leave none of max {max}", policy.spare),
    )?;
    at.need(
        "survive_losses",
        policy.survive_losses < max,
        format!(
            "a pool of at most {max} cannot lose {} members and serve on",
            policy.survive_losses
        ),
    )?;
    at.need(
        "fallback_members",
        policy.fallback_members <= max,
        format!("{} is above max {max}", policy.fallback_members),
    )?;
    at.need(
        "budget_member_hours",
        policy
            .budget_member_hours
            .is_none_or(|hours| hours.is_finite() && hours > 0.0),
        "must be above 0; leave it out for no budget",
    )
}

fn check_signal(at: &At<'_>, signal: &SignalPolicy, before: &[&SignalPolicy]) -> Checked {
    let builtin = signal.kind == SignalKind::Calls;
    at.need(
        "kind",
        !builtin,
        "calls always count; their loads are scale_out_load and scale_in_load of the pool itself",
    )?;
    let twice = |other: &&SignalPolicy| other.kind == signal.kind && other.of == signal.of;
    at.need(
        "kind",
        !before.iter().any(twice),
        format!("\"{}\" is there twice", signal.kind.name()),
    )?;
    at.need(
        "capacity",
        signal.capacity.is_finite() && signal.capacity > 0.0,
        format!(
            "{} must be above 0: what one member can bear",
            signal.capacity
        ),
    )?;
    check_band(at, signal.scale_in_load, signal.scale_out_load)?;
    at.seconds("max_age_s", signal.max_age_s, 1.0, DAY_S)
}

/// A share of a member has a natural capacity; the others must be known.
pub(super) fn check_signals_written(
    config: &Config,
    path: &[&str],
    signals: &[SignalConfig],
) -> Checked {
    for (index, signal) in signals.iter().enumerate() {
        let place = index.to_string();
        let path = [path, &["signals", &place]].concat();
        check_source(config, &At(&path), signal)?;
        At(&path).need(
            "capacity",
            signal.capacity.is_some() || signal.kind.is_share(),
            format!(
                "missing; write how many {} one member can bear",
                signal.kind.unit()
            ),
        )?;
    }
    Ok(())
}

fn check_floor(at: &At<'_>, floor: &Floor, max: u32) -> Checked {
    at.need(
        "min",
        floor.min <= max,
        format!("{} is above max {max}", floor.min),
    )?;
    floor.check().map_err(|problem| {
        // The words begin with the key, or say what of it is wrong.
        let named = ["duration_s", "min", "name"];
        let key = match named.into_iter().find(|key| problem.starts_with(key)) {
            Some(key) => key,
            None if problem.contains("time zone") => "time_zone",
            None => "cron",
        };
        at.fault(key, problem)
    })
}
