//! The JSON API, and the two probes.

use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::{LOOP_ALIVE, Shared};
use crate::journal::{Event, now_s};
use crate::runtime::{Command, CommandError, Control, MemberRequest, SignalRequest};
use crate::status::Status;

/// How long the loop may take to answer a command.
const COMMAND_PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/api/v1/status", get(status))
        .route("/api/v1/pools", get(pools))
        .route("/api/v1/stacks", get(stacks))
        .route("/api/v1/pools/{name}", get(pool))
        .route("/api/v1/pools/{name}/plan", get(plan))
        .route("/api/v1/pools/{name}/{action}", post(pool_action))
        .route("/api/v1/pause", post(pause_all))
        .route("/api/v1/resume", post(resume_all))
        .route("/api/v1/signals", post(signal))
        .route("/api/v1/events", get(events))
        .route("/api/v1/members/{action}", post(member))
        .fallback(async || {
            let what = "no such path; see /api/v1/status, /api/v1/pools, /api/v1/events, /metrics";
            error(StatusCode::NOT_FOUND, "not_found", what)
        })
        .method_not_allowed_fallback(async || {
            error(
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "use another method here",
            )
        })
}

pub(super) fn error(status: StatusCode, code: &str, message: impl Into<String>) -> Response {
    let body = json!({"error": {"code": code, "message": message.into()}});
    (status, Json(body)).into_response()
}

async fn healthz(State(shared): State<Shared>) -> Response {
    let age_s = now_s() - shared.pulse.borrow().now_s;
    if age_s > LOOP_ALIVE.as_secs_f64() {
        let message = format!("the control loop has not finished a round for {age_s:.0} s");
        return error(StatusCode::SERVICE_UNAVAILABLE, "loop_stuck", message);
    }
    Json(json!({"status": "ok", "round_age_s": age_s})).into_response()
}

async fn readyz(State(shared): State<Shared>) -> Response {
    let pulse = shared.pulse.borrow().clone();
    if pulse.ready {
        return Json(json!({"status": "ready", "generation": pulse.generation})).into_response();
    }
    let message = pulse
        .problem
        .unwrap_or_else(|| "no table is published yet".into());
    error(StatusCode::SERVICE_UNAVAILABLE, "not_ready", message)
}

async fn status(State(shared): State<Shared>) -> Response {
    Json(shared.status().await.as_ref()).into_response()
}

async fn pools(State(shared): State<Shared>) -> Response {
    Json(&shared.status().await.pools).into_response()
}

async fn stacks(State(shared): State<Shared>) -> Response {
    Json(&shared.status().await.stacks).into_response()
}

async fn pool(State(shared): State<Shared>, Path(name): Path<String>) -> Response {
    let status = shared.status().await;
    match status.pools.get(&name).or(status.stacks.get(&name)) {
        Some(pool) => Json(pool).into_response(),
        None => no_pool(&status, &name),
    }
}

fn no_pool(status: &Status, name: &str) -> Response {
    let names = status.pools.keys().chain(status.stacks.keys());
    let names: Vec<&str> = names.map(String::as_str).collect();
    let message = format!(
        "there is no pool {name}; agent.toml has: {}",
        names.join(", ")
    );
    error(StatusCode::NOT_FOUND, "not_found", message)
}

/// The newest decision, with all that it came from.
async fn plan(State(shared): State<Shared>, Path(name): Path<String>) -> Response {
    let status = shared.status().await;
    let pool = status.pools.get(&name);
    if pool.is_none() && !status.stacks.contains_key(&name) {
        return no_pool(&status, &name);
    }
    if let Some(stack) = pool.and_then(|pool| pool.stack.as_ref()) {
        let message = format!("pool {name} is scaled as a part of stack {stack}; ask about that");
        return error(StatusCode::CONFLICT, "conflict", message);
    }
    match shared.journal.newest_decision(&name) {
        Some(decision) => Json(decision.as_ref()).into_response(),
        None => {
            let message = format!("nothing was decided about {name} yet; try again in a second");
            error(StatusCode::SERVICE_UNAVAILABLE, "not_ready", message)
        }
    }
}

#[derive(Debug, Deserialize)]
struct Recent {
    limit: Option<usize>,
    pool: Option<String>,
    event: Option<String>,
}

async fn events(State(shared): State<Shared>, Query(recent): Query<Recent>) -> Response {
    let wanted = |event: &Event| {
        let pool = recent.pool.is_none() || event.pool == recent.pool;
        pool && recent
            .event
            .as_ref()
            .is_none_or(|name| *name == event.event)
    };
    let limit = recent.limit.unwrap_or(100);
    Json(shared.journal.recent_of(limit, wanted)).into_response()
}

async fn pause_all(State(shared): State<Shared>) -> Response {
    ask(&shared, Command::PausePool(None)).await
}

async fn resume_all(State(shared): State<Shared>) -> Response {
    ask(&shared, Command::ResumePool(None)).await
}

async fn pool_action(
    State(shared): State<Shared>,
    Path((name, action)): Path<(String, String)>,
) -> Response {
    match action.as_str() {
        "pause" => ask(&shared, Command::PausePool(Some(name))).await,
        "resume" => ask(&shared, Command::ResumePool(Some(name))).await,
        _ => {
            let message = format!("no action {action}; there are pause and resume");
            error(StatusCode::NOT_FOUND, "not_found", message)
        }
    }
}

async fn signal(
    State(shared): State<Shared>,
    request: Result<Json<SignalRequest>, JsonRejection>,
) -> Response {
    match request {
        Ok(Json(request)) => ask(&shared, Command::Signal(request)).await,
        Err(rejection) => error(StatusCode::BAD_REQUEST, "invalid", rejection.body_text()),
    }
}

async fn member(
    State(shared): State<Shared>,
    Path(action): Path<String>,
    request: Result<Json<MemberRequest>, JsonRejection>,
) -> Response {
    let request = match request {
        Ok(Json(request)) => request,
        Err(rejection) => {
            return error(StatusCode::BAD_REQUEST, "invalid", rejection.body_text());
        }
    };
    let command = match action.as_str() {
        "add" => Command::Add(request),
        "drain" => Command::Drain(request),
        "resume" => Command::Resume(request),
        "set" => Command::Set(request),
        "remove" => Command::Remove(request),
        _ => {
            let message = format!("no action {action}; there are add, set, drain, resume, remove");
            return error(StatusCode::NOT_FOUND, "not_found", message);
        }
    };
    ask(&shared, command).await
}

/// Hands a command to the loop and answers what it answered.
async fn ask(shared: &Shared, command: Command) -> Response {
    let (answer, answered) = oneshot::channel();
    let asked = async {
        shared
            .controls
            .send(Control::Command(Box::new(command), answer))
            .await
            .ok()?;
        answered.await.ok()
    };
    match timeout(COMMAND_PATIENCE, asked).await {
        Ok(Some(Ok(message))) => Json(json!({"message": message})).into_response(),
        Ok(Some(Err(refused))) => {
            let (status, code) = match &refused {
                CommandError::NotFound(_) => (StatusCode::NOT_FOUND, "not_found"),
                CommandError::Conflict(_) => (StatusCode::CONFLICT, "conflict"),
                CommandError::Invalid(_) => (StatusCode::BAD_REQUEST, "invalid"),
            };
            error(status, code, refused.to_string())
        }
        Ok(None) => error(
            StatusCode::SERVICE_UNAVAILABLE,
            "stopping",
            "the agent is stopping; try again",
        ),
        Err(_) => {
            let message = "the control loop did not answer in time; the command may still be done";
            error(StatusCode::GATEWAY_TIMEOUT, "timeout", message)
        }
    }
}
