//! What the sink does when Gnocchi fails or forgets.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;

use super::{push, report};
use crate::cloud::{Answer, Cloud, CloudError, Request};
use crate::gnocchi::{GnocchiError, Sink, check, read_hosts, read_nodes};

type Script = dyn Fn(&Request, usize) -> (u16, &'static str) + Send + Sync;

/// Plays answers; keeps what was asked.
struct Played {
    script: Box<Script>,
    asked: Mutex<Vec<String>>,
}

impl std::fmt::Debug for Played {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Played")
    }
}

impl Played {
    fn new(
        script: impl Fn(&Request, usize) -> (u16, &'static str) + Send + Sync + 'static,
    ) -> Self {
        Played {
            script: Box::new(script),
            asked: Mutex::default(),
        }
    }

    fn count(&self, part: &str) -> usize {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|it| it.contains(part)).count()
    }
}

#[async_trait]
impl Cloud for Played {
    async fn request(&self, request: Request) -> Result<Answer, CloudError> {
        let what = request.what();
        let before = self.count(&what);
        self.asked.lock().unwrap().push(what.clone());
        let (status, body) = (self.script)(&request, before);
        let service = request.service;
        match status {
            200..300 => Ok(Answer {
                status,
                body: body.into(),
                request_id: None,
                service,
            }),
            0 => Err(CloudError::Unreachable {
                service,
                what,
                reason: "away".into(),
            }),
            _ => Err(CloudError::Refused {
                service,
                what,
                status,
                message: body.into(),
                request_id: None,
                retry_after_s: None,
            }),
        }
    }
}

/// Everything is prepared, nothing is there, and measures are taken.
fn empty(request: &Request) -> (u16, &'static str) {
    let path = request.path.as_str();
    if path.starts_with("/v1/archive_policy/") {
        let kept = r#"{"aggregation_methods":["count","last","max","mean","sum"],"back_window":60,
            "definition":[{"granularity":"0:00:01"},{"granularity":"0:01:00"}]}"#;
        (200, kept)
    } else if path.starts_with("/v1/resource_type/") {
        (
            200,
            r#"{"attributes":{"instance":{},"node":{},"pool":{},"member":{},"feature":{}}}"#,
        )
    } else if path.starts_with("/v1/search/") {
        (200, "[]")
    } else {
        (202, "{}")
    }
}

const BATCH: &str = "/v1/batch/";

async fn until(what: &str, done: impl Fn() -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(20), async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("never: {what}"));
}

fn start(sink: &Arc<Sink>, cloud: &Arc<Played>) -> tokio::task::JoinHandle<()> {
    let cloud: Arc<dyn Cloud> = cloud.clone();
    tokio::spawn(sink.clone().run(cloud))
}

#[tokio::test]
async fn what_is_pushed_is_created_and_sent_in_one_request_a_second() {
    let cloud = Arc::new(Played::new(|request, _| empty(request)));
    let sink = Sink::new("default");
    let task = start(&sink, &cloud);
    for second in 0..5 {
        push(
            &sink,
            &report("a", 1000 + second, 10, &[("m1", 1), ("m2", 2)]),
        );
        until("sent", || sink.report(2000.0).lag_s == 0.0).await;
    }
    assert_eq!(cloud.count(BATCH), 5);
    assert_eq!(
        cloud.count("POST /v1/resource/"),
        5,
        "node, pool, feature, two members"
    );
    assert_eq!(sink.report(2000.0).dropped, 0);
    task.abort();
}

#[tokio::test]
async fn an_outage_is_told_and_filled_back_in_order() {
    let away = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let is_away = away.clone();
    let bodies: Arc<Mutex<Vec<u8>>> = Arc::default();
    let kept = bodies.clone();
    let cloud = Arc::new(Played::new(move |request, _| {
        if is_away.load(std::sync::atomic::Ordering::SeqCst) {
            return (0, "");
        }
        if request.path.starts_with(BATCH) {
            kept.lock().unwrap().extend(request.body.iter().flatten());
        }
        empty(request)
    }));
    let sink = Sink::new("default");
    let task = start(&sink, &cloud);
    for second in 0..100 {
        push(&sink, &report("a", 1000 + second, 10, &[("m1", 1)]));
        until("tried", || sink.report(1100.0).problem.is_some()).await;
    }
    assert_eq!(sink.report(1100.0).lag_s, 100.0);
    away.store(false, std::sync::atomic::Ordering::SeqCst);
    push(&sink, &report("a", 1100, 10, &[("m1", 1)]));
    until("filled back", || sink.report(1100.0).lag_s == 0.0).await;
    let report = sink.report(1100.0);
    assert_eq!((report.dropped, report.problem), (0, None));
    assert_eq!(cloud.count(BATCH), 1, "one larger batch");
    let body = String::from_utf8(bodies.lock().unwrap().clone()).unwrap();
    let times = body.matches("\"timestamp\":1050,").count();
    assert!(
        times >= 3,
        "load, calls and the sign of life of every second: {times}"
    );
    task.abort();
}

#[tokio::test]
async fn resources_that_were_deleted_are_made_again() {
    let cloud = Arc::new(Played::new(|request, before| {
        match request.path.starts_with(BATCH) && before == 1 {
            true => (400, "Unknown resources"),
            false => empty(request),
        }
    }));
    let sink = Sink::new("default");
    let task = start(&sink, &cloud);
    for second in 0..3 {
        push(&sink, &report("a", 1000 + second, 10, &[]));
        until("tried", || cloud.count(BATCH) > second as usize).await;
        until("told", || sink.report(0.0).sent > 0).await;
    }
    until("sent", || sink.report(1003.0).lag_s == 0.0).await;
    assert_eq!(
        cloud.count("POST /v1/resource/"),
        6,
        "node, pool and feature twice"
    );
    assert_eq!(sink.report(1003.0).dropped, 0);
    task.abort();
}

#[tokio::test]
async fn a_batch_that_gnocchi_will_never_take_is_given_up_alone() {
    let cloud = Arc::new(Played::new(|request, before| {
        match request.path.starts_with(BATCH) && before == 0 {
            true => (400, "Invalid input"),
            false => empty(request),
        }
    }));
    let sink = Sink::new("default");
    let task = start(&sink, &cloud);
    push(&sink, &report("a", 1000, 10, &[]));
    until("given up", || sink.report(0.0).dropped > 0).await;
    assert!(sink.report(0.0).problem.unwrap().contains("Invalid input"));
    push(&sink, &report("a", 1001, 10, &[]));
    until("sent", || sink.report(0.0).sent > 0).await;
    until("told", || sink.report(0.0).problem.is_none()).await;
    task.abort();
}

#[tokio::test]
async fn without_types_and_rights_the_remedy_is_named_and_nothing_is_lost() {
    let cloud = Arc::new(Played::new(|request, _| {
        match (request.path.as_str(), request.method) {
            ("/v1/resource_type/kamscale_pool", _) => (404, "not found"),
            ("/v1/resource_type", _) => (403, "Insufficient privileges"),
            _ => empty(request),
        }
    }));
    let error = check(cloud.as_ref()).await.unwrap_err();
    assert_eq!(
        error,
        GnocchiError::Unprepared("resource type kamscale_pool".into())
    );
    assert!(
        error.to_string().contains("kamscale cloud prepare"),
        "{error}"
    );
    let sink = Sink::new("default");
    let task = start(&sink, &cloud);
    push(&sink, &report("a", 1000, 10, &[]));
    until("told", || sink.report(1000.0).problem.is_some()).await;
    assert_eq!(sink.report(1010.0).lag_s, 10.0);
    task.abort();
}

#[tokio::test]
async fn hosts_are_found_by_their_pool_whatever_instance_they_are_of() {
    let cloud = Played::new(|request, _| {
        let body: serde_json::Value =
            serde_json::from_slice(request.body.as_ref().unwrap()).unwrap();
        let search = serde_json::json!({"and": [
            {"=": {"pool": "ccp"}}, {"in": {"node": ["10.77.1.51", "ccp-1"]}},
        ]});
        assert_eq!(body["search"], search);
        assert_eq!(body["resource_type"], "kamscale_node");
        let answer = r#"{"measures": {"id-1": {
            "kamscale.node.revision": {"last": [["2026-11-30T03:00:00+00:00", 1.0, 7.0]]},
            "kamscale.node.cpu": {"last": [["2026-11-30T03:00:00+00:00", 1.0, 0.5]]},
            "kamscale.node.memory": {"last": [["2026-11-30T03:00:00+00:00", 1.0, 0.25]]}}},
            "references": [{"id": "id-1", "node": "10.77.1.51", "instance": "ccp", "pool": "ccp"}]}"#;
        (200, answer)
    });
    let wanted = ["10.77.1.51".to_owned(), "ccp-1".to_owned()];
    let hosts = read_hosts(&cloud, "ccp", &wanted).await.unwrap();
    let found: Vec<_> = hosts
        .iter()
        .map(|it| (it.node.as_str(), it.pool.as_deref(), it.shares.unwrap().cpu))
        .collect();
    assert_eq!(found, [("10.77.1.51", Some("ccp"), 0.5)]);
    let away = Played::new(|_, _| (0, ""));
    read_hosts(&away, "ccp", &wanted).await.unwrap_err();
}

/// Two nodes, of which one has not all values yet.
fn half_arrived(request: &Request, _: usize) -> (u16, &'static str) {
    let body: serde_json::Value = serde_json::from_slice(request.body.as_ref().unwrap()).unwrap();
    let answer = match body["resource_type"].as_str().unwrap() {
        "kamscale_node" => {
            r#"{"measures": {
            "n1": {"kamscale.node.revision": {"last": [["2026-11-30T03:00:00+00:00", 1.0, 7.0]]},
                   "kamscale.node.boot": {"last": [["2026-11-30T03:00:00+00:00", 1.0, 5.0]]}},
            "n2": {"kamscale.node.revision": {"last": [["2026-11-30T03:00:00+00:00", 1.0, 7.0]]}}},
            "references": [{"id": "n1", "node": "lb1"}, {"id": "n2", "node": "lb2"}]}"#
        }
        "kamscale_pool" => {
            r#"{"measures": {
            "p1": {"kamscale.pool.started": {"last": [["2026-11-30T03:00:00+00:00", 1.0, 416.0]]},
                   "kamscale.pool.refused_total": {"last": [["2026-11-30T03:00:00+00:00", 1.0, 3.0]]},
                   "kamscale.pool.calls": {"last": [["2026-11-30T03:00:00+00:00", 1.0, 2.0]]},
                   "kamscale.pool.capacity": {"last": [["2026-11-30T03:00:00+00:00", 1.0, 50.0]]}},
            "p2": {"kamscale.pool.calls": {"last": [["2026-11-30T03:00:00+00:00", 1.0, 2.0]]},
                   "kamscale.pool.capacity": {"last": [["2026-11-30T03:00:00+00:00", 1.0, 50.0]]}},
            "p3": {"kamscale.pool.started": {"last": [["2026-11-30T03:00:00+00:00", 1.0, 9.0]]},
                   "kamscale.pool.refused_total": {"last": [["2026-11-30T03:00:00+00:00", 1.0, 0.0]]},
                   "kamscale.pool.calls": {"last": [["2026-11-30T03:00:00+00:00", 1.0, 1.0]]},
                   "kamscale.pool.capacity": {"last": [["2026-11-30T03:00:00+00:00", 1.0, 50.0]]}}},
            "references": [{"id": "p1", "node": "lb1", "pool": "ccp"}, {"id": "p2", "node": "lb1", "pool": "queue"},
                           {"id": "p3", "node": "lb2", "pool": "ccp"}]}"#
        }
        _ => r#"{"measures": {}}"#,
    };
    (200, answer)
}

#[tokio::test]
async fn a_counter_that_has_not_arrived_is_not_one_that_begins_anew() {
    let nodes = ["lb1".to_owned(), "lb2".to_owned()];
    let reports = read_nodes(&Played::new(half_arrived), "default", &nodes).await;
    let told: Vec<_> = reports
        .unwrap()
        .into_iter()
        .map(|it| (it.node, it.pools))
        .collect();
    let [(_, lb1), (_, lb2)] = &told[..] else {
        panic!("two nodes gave a sign of life: {told:?}");
    };
    let pools: Vec<_> = lb1
        .iter()
        .map(|(name, pool)| (name.as_str(), pool.started))
        .collect();
    assert_eq!(
        pools,
        [("ccp", 416)],
        "nothing is said of a pool of which a part is missing"
    );
    assert!(
        lb2.is_empty(),
        "nor by a node of which it is not known since when it counts"
    );
}
