//! Tokens, their renewal, and the catalog that comes with them.

use std::time::Duration;

use serde_json::{Value, json};

use super::faults::{GET, POST, TOKENS, create, stacks};
use super::recorded::{Play, Recorded, say, server, token};
use crate::cloud::{Cloud, CloudError, Request, Service};

#[tokio::test]
async fn a_refused_token_is_replaced_once() {
    let server = server(3600, |asked, _| match asked.token.as_deref() {
        Some("t0") => say(401, "{}"),
        _ => say(200, r#"{"stacks":[]}"#),
    })
    .await;
    let cloud = server.cloud(5.0);
    let answer = cloud.request(stacks()).await.unwrap();
    assert_eq!(answer.request_id.as_deref(), Some("req-7"));
    assert_eq!(answer.json::<Value>().unwrap(), json!({"stacks": []}));
    cloud.request(stacks()).await.unwrap();
    assert_eq!((server.count(TOKENS), server.count(GET)), (2, 3));
}

#[tokio::test]
async fn a_service_that_refuses_fresh_tokens_too_is_a_matter_of_credentials() {
    let server = server(3600, |_, _| say(401, "{}")).await;
    let error = server.cloud(5.0).request(create()).await.unwrap_err();
    assert!(matches!(error, CloudError::Credentials { .. }), "{error}");
    assert!(error.to_string().contains("req-7"), "{error}");
    assert_eq!((server.count(TOKENS), server.count(POST)), (2, 2));
}

#[tokio::test]
async fn a_token_near_its_end_is_replaced_before_it_is_used() {
    let server = server(0, |_, _| say(200, "{}")).await;
    let cloud = server.cloud(5.0);
    for _ in 0..3 {
        cloud.request(stacks()).await.unwrap();
    }
    let tokens: Vec<_> = server
        .asked()
        .into_iter()
        .filter_map(|it| it.token)
        .collect();
    assert_eq!(tokens, ["t0", "t1", "t2"]);
}

#[tokio::test]
async fn while_keystone_hangs_a_token_is_used_to_its_end() {
    let url = std::sync::Arc::new(std::sync::OnceLock::<String>::new());
    let own = url.clone();
    let server = Recorded::start(move |asked, before| match (asked.line.as_str(), before) {
        (TOKENS, 0) => token(own.get().unwrap(), "t0", 3600),
        (TOKENS, _) => Play::Hang,
        _ => say(200, "{}"),
    })
    .await;
    url.set(server.url.clone()).unwrap();
    let cloud = server.cloud(30.0);
    cloud.request(stacks()).await.unwrap();
    cloud.age().await;
    for _ in 0..5 {
        cloud.request(stacks()).await.unwrap();
    }
    assert_eq!((server.count(TOKENS), server.count(GET)), (2, 6));
}

#[tokio::test]
async fn wrong_credentials_name_the_cloud_and_are_not_tried_in_a_row() {
    let refused = r#"{"error":{"code":401,"message":"The request you have made requires
        authentication.","title":"Unauthorized"}}"#;
    let refused = refused.replace('\n', " ");
    let server = Recorded::start(move |_, _| say(401, &refused)).await;
    let cloud = server.cloud(5.0);
    for _ in 0..3 {
        let error = cloud.request(stacks()).await.unwrap_err();
        assert!(matches!(error, CloudError::Credentials { .. }), "{error}");
        let text = error.to_string();
        for part in [
            "cloud rec in",
            "clouds.yaml",
            "user demo",
            "requires",
            "req-7",
        ] {
            assert!(text.contains(part), "no {part} in {text}");
        }
        assert!(!text.contains("s3same"), "{text}");
    }
    assert_eq!(server.asked().len(), 1, "accounts are locked by many");
}

#[tokio::test]
async fn without_keystone_nothing_was_carried_out() {
    let server = Recorded::start(|_, _| Play::Hang).await;
    let cloud = server.cloud(0.2);
    let asked = create().with_patience(Duration::ZERO);
    let error = cloud.request(asked).await.unwrap_err();
    assert!(matches!(error, CloudError::Unreachable { .. }), "{error}");
    assert!(
        error.to_string().contains("Keystone at http://127.0.0.1"),
        "{error}"
    );
}

#[tokio::test]
async fn a_service_that_the_catalog_lacks_is_told_with_what_it_has() {
    let server = server(3600, |_, _| say(200, "{}")).await;
    let alarms = Request::get(Service::Alarming, "/v2/alarms");
    let error = server.cloud(5.0).request(alarms.clone()).await.unwrap_err();
    let text = error.to_string();
    for part in [
        "alarming",
        "interface public",
        "region One",
        "metric (public in One)",
    ] {
        assert!(text.contains(part), "no {part} in {text}");
    }
    let own = format!(
        "clouds: {{rec: {{alarming_endpoint_override: '{}/aodh'}}}}",
        server.url
    );
    let cloud = server.try_cloud(5.0, &own).unwrap();
    cloud.request(alarms).await.unwrap();
    assert_eq!(server.count("GET /aodh/v2/alarms"), 1);
}

#[tokio::test]
async fn neither_password_nor_token_is_shown() {
    let server = server(3600, |_, _| say(200, "{}")).await;
    let cloud = server.cloud(5.0);
    cloud.request(stacks()).await.unwrap();
    let shown = format!("{cloud:?}");
    assert!(
        !shown.contains("s3same") && !shown.contains("t0"),
        "{shown}"
    );
}
