//! `kamscale explain POOL`: a page for a person at 3 a.m. What the pool does now, what it saw, how
//! the number came about, what it does not do and what would have to happen for that.

use std::fmt::Write;

use super::causes;
use super::table::{aligned, columns, duration};
use crate::decision::Decision;
use crate::journal::Event;
use crate::plan::{Action, Bound, Cause, Mode, Phase, Plan, Quality, SignalReading};
use crate::status::PoolStatus;

/// Lines of "last changes".
const CHANGES: usize = 8;

/// The page. Times are as of the decision.
pub(super) fn explain(
    pool: &str,
    status: &PoolStatus,
    decision: &Decision,
    events: &[Event],
) -> String {
    let now_s = decision.input.now_s;
    let mut page = format!("{pool}: {}\n", sentence(pool, status, decision));
    let mut section = |title: &str, text: String| {
        let _ = write!(page, "\n{title}\n{text}");
    };
    section("What it saw", signals(decision));
    section("How the number came about", bounds(decision));
    section("What it does not do, and why", restraint(decision));
    section("Members", members(status, decision));
    section("Last changes", changes(events, now_s));
    page
}

/// What the pool is doing now, in one sentence.
fn sentence(pool: &str, status: &PoolStatus, decision: &Decision) -> String {
    let (plan, now_s) = (&decision.plan, decision.input.now_s);
    let booting = match count(decision, Phase::Booting) {
        0 => String::new(),
        booting => format!("{booting} booting, "),
    };
    let active = count(decision, Phase::Active);
    let have = format!("{active} active, {booting}{} wanted", plan.want);
    if let Some(since_s) = status.paused_since_s {
        let ago = duration(now_s - since_s);
        return format!(
            "paused by an operator {ago} ago, nobody scales it ({have}); `kamscale resume {pool}` ends that."
        );
    }
    if decision.input.policy.mode == Mode::Paused {
        return format!("nobody scales it: mode = \"paused\" in agent.toml ({have}).");
    }
    let because = causes::phrase(plan.cause);
    match (steps(&plan.actions), steps(&plan.advice)) {
        (Some(steps), _) => format!("it is {steps}: {because} ({have})."),
        (None, Some(steps)) => {
            format!("it would be {steps}, but only advises: {because} ({have}).")
        }
        (None, None) => format!("it keeps what it has: {because} ({have})."),
    }
}

/// "adding 2, draining a"; nothing for nothing.
pub(super) fn steps(actions: &[Action]) -> Option<String> {
    let steps = actions.iter().filter_map(|action| {
        Some(match action {
            Action::Boot { count } => format!("adding {count}"),
            Action::TakeBack { member } => format!("taking back {member}"),
            Action::Drain { member } => format!("draining {member}"),
            Action::Remove { member } => format!("removing {member}"),
            Action::Hold => return None,
        })
    });
    let steps: Vec<String> = steps.collect();
    (!steps.is_empty()).then(|| steps.join(", "))
}

fn count(decision: &Decision, phase: Phase) -> usize {
    let members = decision.input.observation.members.iter();
    members.filter(|member| member.phase == phase).count()
}

fn signals(decision: &Decision) -> String {
    let observation = &decision.input.observation;
    let mut text = match &observation.quality {
        Quality::Good => String::new(),
        Quality::Partial(why) => format!("  Incomplete data: {why}\n"),
        Quality::Missing(why) => {
            format!(
                "  NO DATA: {why}\n  Nothing is removed without data; minimum, schedule and fallback are kept up.\n"
            )
        }
    };
    if decision.plan.signals.is_empty() {
        return text;
    }
    let mut rows = vec![columns([
        "  SIGNAL", "USED", "OF", "LOAD", "EXPECTED", "WANTS", "KEEPS", "DATA",
    ])];
    rows.extend(decision.plan.signals.iter().map(|s| signal(s, decision)));
    text.push_str(&aligned(&rows));
    text
}

fn signal(reading: &SignalReading, decision: &Decision) -> Vec<String> {
    let of = reading
        .of
        .as_ref()
        .map_or(String::new(), |of| format!(" of {of}"));
    let observed = decision.input.observation.signals.iter();
    let measured = observed
        .filter(|signal| signal.kind == reading.kind && signal.of == reading.of)
        .map(|signal| format!("{} old", duration(signal.age_s)))
        .next();
    let data = match (&reading.problem, reading.want) {
        (Some(problem), _) => problem.clone(),
        (None, Some(_)) => measured.unwrap_or("fresh".into()),
        (None, None) => "only shown: no signal of the policy".into(),
    };
    let known = reading.problem.is_none() || reading.want.is_some();
    let number = |value: f64| {
        if known {
            format!("{value:.1}").trim_end_matches(".0").to_owned()
        } else {
            "?".into()
        }
    };
    let members = |count: Option<u32>| count.map_or("-".into(), |count| count.to_string());
    vec![
        format!("  {}{of}", reading.kind.name()),
        number(reading.used),
        match reading.load {
            Some(_) => format!("{} {}", number(reading.capacity), reading.kind.unit()),
            None => reading.kind.unit().into(),
        },
        reading
            .load
            .map_or("-".into(), |load| format!("{:.0} %", load * 100.0)),
        number(reading.expected),
        members(reading.want),
        members(reading.want.map(|_| reading.keep)),
        data,
    ]
}

fn bounds(decision: &Decision) -> String {
    let plan = &decision.plan;
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut before = 0;
    for (index, (bound, members)) in plan.bounds.iter().enumerate() {
        let step = match (index, members.cmp(&before)) {
            (0, _) => "  start",
            (_, std::cmp::Ordering::Less) => "  lowered to",
            _ => "  raised to",
        };
        rows.push(columns([
            step,
            &members.to_string(),
            &bound_words(*bound, decision),
        ]));
        before = *members;
    }
    rows.push(columns(["  wanted", &plan.want.to_string(), ""]));
    aligned(&rows)
}

fn bound_words(bound: Bound, decision: &Decision) -> String {
    let policy = &decision.input.policy;
    match bound {
        Bound::Signals if decision.plan.signals.is_empty() => {
            "what is there, as nothing was seen".into()
        }
        Bound::Signals => match largest(&decision.plan) {
            Some(signal) => format!("asked for by {}", signal.kind.name()),
            None => "what is there, as no signal can be used".into(),
        },
        Bound::Surge => format!("surge_step: {} times the active members", policy.surge_step),
        Bound::Spare => format!("spare = {}", policy.spare),
        Bound::Losses => format!("survive_losses = {}", policy.survive_losses),
        Bound::Fallback => format!(
            "fallback_members = {}: no data for {} s",
            policy.fallback_members, policy.fallback_after_s
        ),
        Bound::Minimum => format!("min = {}", policy.min),
        Bound::Schedule => "a schedule floor holds".into(),
        Bound::Maximum => format!("max = {}", policy.max),
    }
}

fn largest(plan: &Plan) -> Option<&SignalReading> {
    let asking = plan.signals.iter().filter(|signal| signal.want.is_some());
    asking.reduce(|best, signal| {
        if signal.want > best.want {
            signal
        } else {
            best
        }
    })
}

fn restraint(decision: &Decision) -> String {
    let plan = &decision.plan;
    let mut text = format!("  In its own words: {}.\n", verdict(&plan.reason));
    if plan.cause == Cause::Mode || !plan.acts() {
        let _ = writeln!(
            text,
            "  What would have to happen: {}",
            causes::remedy(plan.cause)
        );
    }
    if plan.want < least_needed(decision) {
        text.push_str(
            "  More is needed than may be had: raise the limit above, or expect refused calls.\n",
        );
    }
    text
}

/// The part of a reason behind the facts, which end with the number wanted and, in brackets, why.
fn verdict(reason: &str) -> &str {
    let Some((_, rest)) = reason.split_once("wanted ") else {
        return reason;
    };
    let number = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    let behind = match number.strip_prefix(" (") {
        Some(why) => why.split_once(')').map_or(number, |(_, behind)| behind),
        None => number,
    };
    behind.strip_prefix("; ").unwrap_or(reason)
}

/// What the signals ask for before anything limits it.
fn least_needed(decision: &Decision) -> u32 {
    largest(&decision.plan)
        .and_then(|signal| signal.want)
        .unwrap_or(0)
}

fn members(status: &PoolStatus, decision: &Decision) -> String {
    if status.members.is_empty() {
        return "  none\n".into();
    }
    let now_s = decision.input.now_s;
    let mut rows = vec![columns(["  MEMBER", "STATE", "FOR", "CALLS", "NOTE"])];
    for (name, member) in &status.members {
        let calls = member.calls.map_or("?".into(), |calls| calls.to_string());
        let mut notes = Vec::new();
        if member.down {
            notes.push("DOWN: Kamailio gets no answer");
        }
        if member.held {
            notes.push("held by an operator");
        }
        if member.origin != "plan" {
            notes.push("fixed: never drained by the plan");
        }
        rows.push(columns([
            &format!("  {name}"),
            &member.state,
            &duration(now_s - member.since_s),
            &format!("{calls}/{}", member.capacity_calls),
            &notes.join(", "),
        ]));
    }
    aligned(&rows)
}

fn changes(events: &[Event], now_s: f64) -> String {
    let told = events.iter().filter(|event| event.event != "decision");
    let mut told: Vec<&Event> = told.collect();
    told.drain(..told.len().saturating_sub(CHANGES));
    if told.is_empty() {
        return "  none since the agent started\n".into();
    }
    let rows: Vec<Vec<String>> = told
        .iter()
        .map(|event| {
            // The verdict is enough: the facts stood in the decision.
            let reason = event.reason.rsplit("; ").next().unwrap_or_default();
            columns([
                &format!("  {} ago", duration(now_s - event.t)),
                &event.event.replace('_', " "),
                event.member.as_deref().unwrap_or_default(),
                reason,
            ])
        })
        .collect();
    aligned(&rows)
}

#[cfg(test)]
mod tests;
