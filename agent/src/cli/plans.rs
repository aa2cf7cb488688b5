//! `kamscale plan`: what was decided, now, lately, and again from an audit file.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::Value;

use super::client::Client;
use super::explain::steps;
use super::show::MISMATCH;
use super::table::{aligned, columns, moment};
use super::{Failure, exit};
use crate::decision::{Decision, Replayed, replay};
use crate::journal::Event;
use crate::plan::{Action, Plan};
use crate::status::PoolStatus;

#[derive(Debug, Args)]
pub(super) struct PlanArguments {
    /// Only this pool
    pool: Option<String>,
    /// Decisions on record since the agent started, one line each
    #[arg(long)]
    history: bool,
    /// How many of them
    #[arg(long, default_value_t = 20, requires = "history")]
    limit: usize,
    /// Decide everything in this audit file again: exit code 1 if anything comes out differently
    #[arg(long, value_name = "FILE", conflicts_with_all = ["pool", "history"])]
    replay: Option<PathBuf>,
}

/// Carries `kamscale plan` out.
///
/// # Errors
/// [`Failure`].
pub(super) async fn plan(
    client: &Client<'_>,
    arguments: PlanArguments,
) -> Result<(Value, String), Failure> {
    if let Some(file) = &arguments.replay {
        return replayed(file);
    }
    let pool = arguments.pool.as_deref();
    if arguments.history {
        let pool = pool.map_or(String::new(), |pool| format!("&pool={pool}"));
        let limit = arguments.limit;
        let path = format!("/api/v1/events?event=decision&limit={limit}{pool}");
        let value = client.get(&path).await?;
        let text = history(&value);
        return Ok((value, text));
    }
    let (value, text) = match pool {
        Some(pool) => {
            let value = client.get(&format!("/api/v1/pools/{pool}/plan")).await?;
            let text = one(pool, &value);
            (value, text)
        }
        None => {
            let mut value = client.get("/api/v1/pools").await?;
            let stacks = client.get("/api/v1/stacks").await?;
            if let (Value::Object(all), Value::Object(stacks)) = (&mut value, stacks) {
                // What is a part of a stack is not decided about.
                all.retain(|_, pool| pool["stack"].is_null());
                all.extend(stacks);
            }
            let text = all(&value);
            (value, text)
        }
    };
    Ok((value, text))
}

/// The newest decision of every pool.
fn all(value: &Value) -> String {
    let Ok(pools) = serde_json::from_value::<BTreeMap<String, PoolStatus>>(value.clone()) else {
        return MISMATCH.into();
    };
    let mut rows = vec![columns(["POOL", "WANT", "DOES", "CAUSE", "REASON"])];
    for (name, pool) in &pools {
        let does = steps(&pool.actions).unwrap_or("nothing".into());
        let want = pool.want.to_string();
        rows.push(columns([name, &want, &does, &pool.cause, &pool.reason]));
    }
    aligned(&rows)
}

/// The newest decision of one pool.
fn one(pool: &str, value: &Value) -> String {
    let Ok(decision) = serde_json::from_value::<Decision>(value.clone()) else {
        return MISMATCH.into();
    };
    let plan = &decision.plan;
    let mut text = format!("{} {pool}: {}\n", moment(decision.input.now_s), does(plan));
    let _ = writeln!(
        text,
        "wanted {}, because of {}",
        plan.want,
        plan.cause.name()
    );
    let _ = writeln!(text, "{}", plan.reason);
    text
}

fn does(plan: &Plan) -> String {
    match (steps(&plan.actions), steps(&plan.advice)) {
        (Some(steps), _) => steps,
        (None, Some(steps)) => format!("advising: {steps}"),
        (None, None) => "holding".into(),
    }
}

/// One line for each decision on record.
fn history(value: &Value) -> String {
    let Ok(events) = serde_json::from_value::<Vec<Event>>(value.clone()) else {
        return MISMATCH.into();
    };
    if events.is_empty() {
        return "no decision is on record since the agent started".into();
    }
    let rows: Vec<Vec<String>> = events
        .iter()
        .map(|event| {
            let actions = |name: &str| {
                let actions = event.detail.get(name).cloned().unwrap_or_default();
                steps(&serde_json::from_value::<Vec<Action>>(actions).unwrap_or_default())
            };
            let advice = actions("advice").map(|steps| format!("advising: {steps}"));
            let does = actions("actions").or(advice).unwrap_or("holding".into());
            let pool = event.pool.as_deref().unwrap_or_default();
            columns([&moment(event.t), pool, &does, &event.reason])
        })
        .collect();
    aligned(&rows)
}

/// Decides an audit file again.
///
/// # Errors
/// If it cannot be read, holds no decision, or a decision came out differently.
fn replayed(file: &Path) -> Result<(Value, String), Failure> {
    let refused = |message: String| Failure {
        code: exit::REFUSED,
        message,
    };
    let replayed = replay(file).map_err(|error| refused(error.to_string()))?;
    let shown = file.display();
    if replayed.decisions == 0 {
        let why = "holds no decision; is it the agent's audit_file?";
        return Err(refused(format!("{shown}: {why}")));
    }
    if replayed.same < replayed.decisions {
        return Err(refused(differences(&replayed, file)));
    }
    let text = format!("{shown}: {} decisions, all the same", replayed.decisions);
    Ok((serde_json::to_value(&replayed).unwrap_or_default(), text))
}

fn differences(replayed: &Replayed, file: &Path) -> String {
    let other = replayed.decisions - replayed.same;
    let mut text = format!(
        "{}: {other} of {} decisions come out differently:",
        file.display(),
        replayed.decisions
    );
    for difference in &replayed.differences {
        let at = moment(difference.now_s);
        let _ = write!(
            text,
            "\nline {}, {}, {at}",
            difference.line, difference.pool
        );
        for part in &difference.parts {
            let _ = write!(text, "\n  {}: {}", part.name, part.recorded);
            let _ = write!(
                text,
                "\n  {}  now {}",
                " ".repeat(part.name.len()),
                part.replayed
            );
        }
    }
    let hidden = other - replayed.differences.len();
    if hidden > 0 {
        let _ = write!(text, "\n... and {hidden} more");
    }
    text
}
