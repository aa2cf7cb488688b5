//! What the cloud does when a service fails: retried where that is safe, and told as what it is.

use std::time::Duration;

use serde_json::{Value, json};

use super::recorded::{Asked, Play, Recorded, say, server, token};
use crate::cloud::{Cloud, CloudError, Method, Request, Service};

pub(super) fn stacks() -> Request {
    Request::get(Service::Orchestration, "/stacks")
}

pub(super) fn create() -> Request {
    Request::post(
        Service::Orchestration,
        "/stacks",
        &json!({"stack_name": "x"}),
    )
}

pub(super) const GET: &str = "GET /heat/v1/p/stacks";
pub(super) const POST: &str = "POST /heat/v1/p/stacks";
pub(super) const TOKENS: &str = "POST /v3/auth/tokens";

#[tokio::test]
async fn too_many_requests_are_asked_again_when_the_service_says() {
    let server = server(3600, |_, before| match before {
        0 => Play::Say(429, "Retry-After: 0\r\n".into(), "{}".into()),
        _ => say(201, "{}"),
    })
    .await;
    server.cloud(5.0).request(create()).await.unwrap();
    assert_eq!(server.count(POST), 2);
}

#[tokio::test]
async fn a_wait_longer_than_the_patience_is_not_begun() {
    let late = |_: &Asked, _| Play::Say(429, "Retry-After: 3600\r\n".into(), "{}".into());
    let server = server(3600, late).await;
    let error = server.cloud(5.0).request(create()).await.unwrap_err();
    let CloudError::Refused {
        status,
        retry_after_s,
        ..
    } = error
    else {
        panic!("{error}");
    };
    assert_eq!((status, retry_after_s), (429, Some(3600.0)));
    assert_eq!(server.count(POST), 1);
}

#[tokio::test]
async fn unavailable_is_asked_again_for_reads_and_unknown_for_changes() {
    let server = server(3600, |asked, before| match asked.line.as_str() {
        GET if before > 0 => say(200, "{}"),
        _ => say(503, "{}"),
    })
    .await;
    let cloud = server.cloud(5.0);
    cloud.request(stacks()).await.unwrap();
    let error = cloud.request(create()).await.unwrap_err();
    assert!(matches!(error, CloudError::Unknown { .. }), "{error}");
    assert!(!error.is_undone());
    assert_eq!((server.count(GET), server.count(POST)), (2, 1));
}

#[tokio::test]
async fn a_change_that_may_be_repeated_is() {
    let server = server(3600, |_, before| match before {
        0 => say(502, "<html>"),
        _ => say(200, "{}"),
    })
    .await;
    server
        .cloud(5.0)
        .request(create().repeatable())
        .await
        .unwrap();
    assert_eq!(server.count(POST), 2);
}

#[tokio::test]
async fn a_service_that_hangs_is_asked_again_for_reads_and_unknown_for_changes() {
    let server = server(3600, |asked, before| match asked.line.as_str() {
        GET if before > 0 => say(200, "{}"),
        _ => Play::Hang,
    })
    .await;
    let cloud = server.cloud(0.3);
    let patient = stacks().with_patience(Duration::from_secs(30));
    cloud.request(patient).await.unwrap();
    let error = cloud.request(create()).await.unwrap_err();
    assert!(matches!(error, CloudError::Unknown { .. }), "{error}");
    assert_eq!((server.count(GET), server.count(POST)), (2, 1));
}

#[tokio::test]
async fn a_truncated_answer_to_a_change_leaves_it_unknown() {
    let server = server(3600, |_, _| Play::Cut).await;
    let cloud = server.cloud(5.0);
    let error = cloud.request(create()).await.unwrap_err();
    assert!(matches!(error, CloudError::Unknown { .. }), "{error}");
    let once = stacks().with_patience(Duration::ZERO);
    let error = cloud.request(once).await.unwrap_err();
    assert!(matches!(error, CloudError::Unreachable { .. }), "{error}");
    assert_eq!((server.count(GET), server.count(POST)), (1, 1));
}

#[tokio::test]
async fn an_answer_that_is_no_json_is_garbage() {
    let server = server(3600, |_, _| say(200, "<html>hello</html>")).await;
    let answer = server.cloud(5.0).request(stacks()).await.unwrap();
    let error = answer.json::<Value>().unwrap_err();
    assert!(matches!(error, CloudError::Garbage { .. }), "{error}");
}

#[tokio::test]
async fn a_service_without_a_listener_is_unreachable_and_asked_again() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let server = Recorded::start(move |_, _| token(&gone, "t", 3600)).await;
    let cloud = server.cloud(5.0);
    let asked = create().with_patience(Duration::from_millis(700));
    let error = cloud.request(asked).await.unwrap_err();
    assert!(matches!(error, CloudError::Unreachable { .. }), "{error}");
    let heat = cloud.traffic().snapshot()[&("orchestration", Method::Post)];
    assert!(
        heat.requests >= 2 && heat.errors == heat.requests,
        "{heat:?}"
    );
}

#[tokio::test]
async fn redirects_are_followed_within_the_service_only() {
    let server = server(3600, |asked, _| match asked.line.as_str() {
        "PATCH /heat/v1/p/stacks/x" => Play::Say(
            302,
            "Location: /heat/v1/p/stacks/x/1\r\n".into(),
            String::new(),
        ),
        "DELETE /heat/v1/p/stacks/y" => Play::Say(
            302,
            "Location: http://127.0.0.2/y\r\n".into(),
            String::new(),
        ),
        GET => Play::Say(302, "Location: /heat/v1/p/stacks\r\n".into(), String::new()),
        _ => say(202, "{}"),
    })
    .await;
    let cloud = server.cloud(5.0);
    let body = json!({"parameters": {"desired": 4}});
    let change = Request::patch(Service::Orchestration, "/stacks/x", &body);
    cloud.request(change).await.unwrap();
    let asked = server.asked().pop().unwrap();
    assert_eq!(asked.line, "PATCH /heat/v1/p/stacks/x/1");
    assert_eq!(asked.body, body.to_string());
    for outside in [
        stacks(),
        Request::delete(Service::Orchestration, "/stacks/y"),
    ] {
        let error = cloud.request(outside).await.unwrap_err();
        assert!(matches!(error, CloudError::Garbage { .. }), "{error}");
    }
}

#[tokio::test]
async fn after_an_internal_error_of_a_change_the_next_request_has_another_token() {
    let server = server(3600, |asked, before| match asked.line.as_str() {
        POST if before == 0 => say(500, "{}"),
        _ => say(200, "{}"),
    })
    .await;
    let cloud = server.cloud(5.0);
    cloud.request(create()).await.unwrap_err();
    assert_eq!((server.count(POST), server.count(TOKENS)), (1, 1));
    cloud.request(stacks()).await.unwrap();
    cloud.request(stacks()).await.unwrap();
    assert_eq!(server.count(TOKENS), 2, "one new token, and no more");
}
