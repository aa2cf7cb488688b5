//! Commands about whole pools: explain, pause, resume, signals.

use clap::Args;
use serde_json::{Value, json};

use super::client::Client;
use super::{Failure, explain as page, show};
use crate::decision::Decision;
use crate::journal::Event;
use crate::status::PoolStatus;

/// Events among which the last changes are looked for.
const EVENTS: usize = 200;

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct PoolOrAll {
    /// Its name
    pool: Option<String>,
    /// All pools
    #[arg(long)]
    all: bool,
}

#[derive(Debug, Args)]
pub(super) struct SignalArguments {
    /// Its pool
    pool: String,
    /// What was measured: cpu, memory, network or waiting
    kind: String,
    /// The sum over the members that reported: 1.5 is one and a half members' processors
    #[arg(allow_negative_numbers = true)]
    value: f64,
    /// How many active members reported [default: measured for the pool as a whole]
    #[arg(long)]
    reported: Option<u32>,
    /// In a stack: the pool of it that was measured
    #[arg(long)]
    of: Option<String>,
}

type Answer = Result<(Value, String), Failure>;

pub(super) async fn explain(client: &Client<'_>, pool: &str) -> Answer {
    let decision = client.get(&format!("/api/v1/pools/{pool}/plan")).await?;
    let status = client.get(&format!("/api/v1/pools/{pool}")).await?;
    let events = format!("/api/v1/events?pool={pool}&limit={EVENTS}");
    let events = client.get(&events).await?;
    let text = match (
        serde_json::from_value::<PoolStatus>(status.clone()),
        serde_json::from_value::<Decision>(decision.clone()),
        serde_json::from_value::<Vec<Event>>(events.clone()),
    ) {
        (Ok(status), Ok(decision), Ok(events)) => page::explain(pool, &status, &decision, &events),
        _ => show::MISMATCH.into(),
    };
    let value = json!({"pool": status, "decision": decision, "events": events});
    Ok((value, text))
}

/// `action` is pause or resume.
pub(super) async fn pause(client: &Client<'_>, action: &str, which: PoolOrAll) -> Answer {
    let path = match which.pool {
        Some(pool) => format!("/api/v1/pools/{pool}/{action}"),
        None => format!("/api/v1/{action}"),
    };
    message(client.post(&path, &json!({})).await?)
}

pub(super) async fn signal(client: &Client<'_>, arguments: SignalArguments) -> Answer {
    let mut body = json!({
        "pool": arguments.pool,
        "kind": arguments.kind,
        "used": arguments.value,
    });
    if let Some(reported) = arguments.reported {
        body["reported"] = reported.into();
    }
    if let Some(of) = arguments.of {
        body["of"] = of.into();
    }
    message(client.post("/api/v1/signals", &body).await?)
}

fn message(value: Value) -> Answer {
    let text = value["message"].as_str().unwrap_or_default().to_owned();
    Ok((value, text))
}
