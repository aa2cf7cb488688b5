//! Answers that the real Prometheus gives rarely or never.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use hyper::body::Frame;
use tokio::net::TcpListener;

use super::*;

/// A server that answers everything alike.
async fn answers<F, Fut>(answer: F) -> Prometheus
where
    F: Fn(HeaderMap, Bytes) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Response> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let router = Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Prometheus::new(&config(&url)).unwrap()
}

async fn says(status: u16, text: &'static str) -> Prometheus {
    let status = StatusCode::from_u16(status).unwrap();
    answers(move |_, _| async move { (status, text).into_response() }).await
}

async fn error(prometheus: &Prometheus) -> PrometheusError {
    prometheus.query("up", 60.0).await.unwrap_err()
}

#[tokio::test]
async fn garbage_is_named() {
    for text in [
        "",
        "<html>welcome</html>",
        "{}",
        r#"{"status":"success"}"#,
        r#"{"data":{"resultType":"vector","result":[{"metric":{},"value":[1,2]}]}}"#,
        r#"{"data":{"resultType":"vector","result":[{"metric":{},"value":[1,"two"]}]}}"#,
        r#"{"data":{"resultType":"matrix","result":[]}}"#,
        r#"{"data":{"resultType":"string","result":[1,"text"]}}"#,
    ] {
        let error = error(&says(200, text).await).await;
        assert!(
            matches!(error, PrometheusError::Garbage { .. }),
            "{text}: {error}"
        );
    }
}

#[tokio::test]
async fn a_refusal_says_why_in_one_line() {
    let text = "{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"1:3:\\nparse error\"}";
    let refused = error(&says(400, text).await).await.to_string();
    assert!(refused.contains("400 1:3: parse error"), "{refused}");
    let refused = error(&says(503, "down for maintenance").await)
        .await
        .to_string();
    assert!(refused.contains("503 down for maintenance"), "{refused}");
    let refused = error(&says(302, "").await).await;
    assert!(
        matches!(refused, PrometheusError::Refused { status: 302, .. }),
        "{refused}"
    );
}

#[tokio::test]
async fn half_an_answer_is_none() {
    let text =
        r#"{"data":{"resultType":"scalar","result":[1,"2"]},"warnings":["a store is away"]}"#;
    let error = error(&says(200, text).await).await;
    assert!(matches!(error, PrometheusError::Partial { .. }), "{error}");
}

#[tokio::test]
async fn a_scalar_is_a_value_of_nobody_in_particular() {
    let text = r#"{"data":{"resultType":"scalar","result":[1,"+Inf"]}}"#;
    let values = says(200, text)
        .await
        .query("1/0", 60.0)
        .await
        .unwrap()
        .values;
    assert_eq!(
        (values.len(), values[0].labels.len(), values[0].value),
        (1, 0, f64::INFINITY)
    );
}

/// A body that begins, and then says nothing more or never ends.
struct Endless {
    pauses: bool,
    begun: bool,
}

impl hyper::body::Body for Endless {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.pauses && self.begun {
            return Poll::Pending;
        }
        self.begun = true;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b' '; 4096])))))
    }
}

fn endless(pauses: bool) -> Response {
    let begun = false;
    Body::new(Endless { pauses, begun }).into_response()
}

#[tokio::test]
async fn who_hangs_is_not_waited_for() {
    for in_body in [false, true] {
        let mut prometheus = answers(move |_, _| async move {
            if !in_body {
                std::future::pending::<()>().await;
            }
            endless(true)
        })
        .await;
        let limited = Client::builder()
            .no_proxy()
            .timeout(Duration::from_millis(200));
        prometheus.client = limited.build().unwrap();
        let error = error(&prometheus).await;
        assert!(
            matches!(error, PrometheusError::Unreachable { .. }),
            "{error}"
        );
    }
}

#[tokio::test]
async fn an_endless_answer_is_cut() {
    let mut prometheus = answers(|_, _| async { endless(false) }).await;
    prometheus.most_bytes = 1 << 20;
    let error = error(&prometheus).await;
    assert!(matches!(error, PrometheusError::Garbage { .. }), "{error}");
}

#[tokio::test]
async fn nobody_there_is_unreachable() {
    let prometheus = says(200, "").await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop((listener, prometheus));
    let error = error(&Prometheus::new(&config(&url)).unwrap()).await;
    assert!(
        matches!(error, PrometheusError::Unreachable { .. }),
        "{error}"
    );
}

#[tokio::test]
async fn the_password_comes_from_its_file_and_stands_in_no_error() {
    let seen = Arc::new(Mutex::new(None));
    let saw = Arc::clone(&seen);
    let server = answers(move |headers, _| {
        *saw.lock().unwrap() = headers.get("authorization").cloned();
        async { (StatusCode::UNAUTHORIZED, "who are you?").into_response() }
    })
    .await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("password");
    let with_password = PrometheusConfig {
        user: Some("me".into()),
        password_file: Some(file.clone()),
        ..server.config.clone()
    };
    let missing = Prometheus::new(&with_password).unwrap_err().to_string();
    assert!(missing.contains("password_file"), "{missing}");
    std::fs::write(&file, "secret\n").unwrap();
    let error = error(&Prometheus::new(&with_password).unwrap())
        .await
        .to_string();
    assert!(
        error.contains("credentials") && !error.contains("secret"),
        "{error}"
    );
    let header = seen.lock().unwrap().take().unwrap();
    assert_eq!(header, "Basic bWU6c2VjcmV0");
}

#[test]
fn a_ca_file_must_hold_certificates() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ca.pem");
    std::fs::write(&file, "no certificate").unwrap();
    let config = PrometheusConfig {
        ca_file: Some(file),
        ..config("https://127.0.0.1:1")
    };
    let error = Prometheus::new(&config).unwrap_err().to_string();
    assert!(
        error.contains("ca_file") && error.contains("PEM"),
        "{error}"
    );
}

/// The two queries of `read_nodes`: who there is, and what they say.
async fn nodes(who: &'static str, what: &'static str) -> Prometheus {
    answers(move |_, body| async move {
        let is_first = body.starts_with(b"query=timestamp");
        let result = if is_first { who } else { what };
        let text = format!(r#"{{"data":{{"resultType":"vector","result":[{result}]}}}}"#);
        text.into_response()
    })
    .await
}

#[tokio::test]
async fn a_label_of_the_scrape_does_not_hide_ours() {
    let prometheus = nodes(
        r#"{"metric":{"instance":"a","node":"rack-7","exported_node":"lb1"},"value":[110,"108"]}"#,
        r#"{"metric":{"__name__":"kamscale_last_round_timestamp_seconds","instance":"a"},"value":[110,"107.5"]},
           {"metric":{"__name__":"kamscale_shared_revision","instance":"a"},"value":[110,"NaN"]},
           {"metric":{"__name__":"kamscale_kamailio_attached","instance":"a"},"value":[110,"0"]},
           {"metric":{"__name__":"kamscale_pool_calls","pool":"ccp","instance":"a"},"value":[110,"5"]}"#,
    )
    .await;
    let reports = prometheus.read_nodes("own", 1000.0).await.unwrap();
    let expected = NodeReport {
        names_all: true,
        node: "lb1".into(),
        at_s: 997.5,
        ..NodeReport::default()
    };
    assert_eq!(
        reports,
        [expected],
        "as old as the last round, and without Kamailio no calls"
    );
}

#[tokio::test]
async fn who_vanished_meanwhile_did_not_report() {
    let who = r#"{"metric":{"instance":"a","node":"lb1"},"value":[110,"108"]}"#;
    let prometheus = nodes(who, "").await;
    assert_eq!(prometheus.read_nodes("own", 1000.0).await.unwrap(), []);
    assert_eq!(
        prometheus.read_nodes("lb1", 1000.0).await.unwrap(),
        [],
        "itself"
    );
}

#[tokio::test]
async fn two_agents_of_one_name_are_refused() {
    let prometheus = nodes(
        r#"{"metric":{"instance":"a","node":"lb1"},"value":[110,"108"]},
           {"metric":{"instance":"b","node":"lb1"},"value":[110,"109"]}"#,
        r#"{"metric":{"__name__":"kamscale_last_round_timestamp_seconds","instance":"a"},"value":[110,"110"]},
           {"metric":{"__name__":"kamscale_last_round_timestamp_seconds","instance":"b"},"value":[110,"110"]},
           {"metric":{"__name__":"kamscale_kamailio_info","boot_id":"1","instance":"a"},"value":[110,"1"]},
           {"metric":{"__name__":"kamscale_kamailio_info","boot_id":"2","instance":"b"},"value":[110,"1"]}"#,
    )
    .await;
    let error = prometheus.read_nodes("own", 1000.0).await.unwrap_err();
    assert!(
        matches!(error, PrometheusError::Ambiguous { .. }),
        "{error}"
    );
}
