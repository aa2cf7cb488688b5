//! Against the real Gnocchi: `make openstack-up`, then `cargo test -- --ignored real_`.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::{push, report};
use crate::cloud::tests::real::cloud;
use crate::cloud::{Cloud, CloudError, Keystone, Request, Service};
use crate::gnocchi::{Sink, prepare, read_hosts, read_nodes};

fn now_s() -> u32 {
    let now_s = jiff::Timestamp::now().as_second();
    u32::try_from(now_s).unwrap()
}

/// An instance that no other run has.
fn instance(test: &str) -> String {
    let now = jiff::Timestamp::now().as_nanosecond();
    format!("{test}-{now}")
}

/// Asks until it is as wanted; Gnocchi works measures off in the background.
async fn until<T, F>(what: &str, mut ask: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let waited = tokio::time::timeout(Duration::from_secs(60), async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("never: {what}"))
}

async fn sent(sink: &Sink, seconds: std::ops::RangeInclusive<u32>) {
    let last_s = f64::from(*seconds.end());
    until("sent", || async {
        let report = sink.report(last_s);
        assert_eq!(report.dropped, 0, "{report:?}");
        (report.lag_s == 0.0 && report.sent > 0).then_some(())
    })
    .await;
}

/// Values by second of an aggregate over all nodes.
async fn sums(cloud: &Keystone, instance: &str, of: (&str, &str), every_s: u32) -> Vec<(i64, f64)> {
    let (kind, metric) = of;
    let body = json!({
        "operations": ["aggregate", "sum", ["metric", metric, "sum"]],
        "resource_type": kind,
        "search": {"=": {"instance": instance}},
    });
    let path = format!("/v1/aggregates?granularity={every_s}");
    let request = Request::post(Service::Metric, path, &body).repeatable();
    let answer: Value = match cloud.request(request).await {
        Ok(answer) => answer.json().unwrap(),
        Err(_) => return Vec::new(),
    };
    let measures = answer["measures"]["aggregated"].as_array().unwrap();
    let measures = measures.iter().map(|measure| {
        let at: jiff::Timestamp = measure[0].as_str().unwrap().parse().unwrap();
        (at.as_second(), measure[2].as_f64().unwrap())
    });
    measures.collect()
}

async fn two_nodes(instance: &str) -> (Arc<Keystone>, [Arc<Sink>; 2]) {
    prepare(&cloud("kamscale-admin")).await.unwrap();
    let cloud = Arc::new(cloud("kamscale"));
    let sinks = [Sink::new(instance), Sink::new(instance)];
    for sink in &sinks {
        let cloud: Arc<dyn Cloud> = cloud.clone();
        tokio::spawn(sink.clone().run(cloud));
    }
    (cloud, sinks)
}

#[tokio::test]
#[ignore = "needs services: scripts/openstack-agent.sh"]
async fn real_sums_of_two_nodes_are_right_at_every_granularity_and_repeated_batches_count_once() {
    let instance = instance("sums");
    let (cloud, sinks) = two_nodes(&instance).await;
    // A whole minute that is over.
    let begin_s = (now_s() / 60 - 2) * 60;
    for (node, sink) in sinks.iter().enumerate() {
        let name = format!("lb{node}");
        for second in 0..60 {
            // 10 and 20 requests a second; 30 and 40 of 100 calls.
            let each = u64::try_from(node + 1).unwrap() * 10;
            let calls = u32::try_from(node).unwrap() * 10 + 30;
            let offered = each * u64::from(second + 1);
            push(
                sink,
                &report(
                    &name,
                    begin_s - 1 + second,
                    offered - each,
                    &[("m1", calls)],
                ),
            );
            push(
                sink,
                &report(&name, begin_s + second, offered, &[("m1", calls)]),
            );
        }
        sent(sink, begin_s..=begin_s + 59).await;
    }
    let feature = ("kamscale_feature", "kamscale.feature.offered");
    // 0.3 and 0.4 each second: the pool's load is 0.7, and 42 in a minute.
    let load = ("kamscale_pool", "kamscale.pool.load");
    for (of, each, minute) in [(feature, 30.0, 1800.0), (load, 0.7, 42.0)] {
        let (cloud, instance) = (&cloud, &instance);
        until("each second and the minute", || async move {
            let per_second = sums(cloud, instance, of, 1).await;
            let in_minute = per_second.iter().filter(|it| it.0 >= i64::from(begin_s));
            let right = in_minute.filter(|it| (it.1 - each).abs() < 1e-6);
            let per_minute = sums(cloud, instance, of, 60).await;
            let sum = per_minute.iter().find(|it| it.0 == i64::from(begin_s))?.1;
            (right.count() == 60 && (sum - minute).abs() < 1e-6).then_some(())
        })
        .await;
    }
    repeated_batches_count_once(&cloud, &instance, begin_s).await;
}

/// Gnocchi keeps one measure per metric and second: so a batch of unknown outcome may be repeated.
async fn repeated_batches_count_once(cloud: &Keystone, instance: &str, begin_s: u32) {
    let query = json!({"=": {"instance": instance}});
    let path = "/v1/search/resource/kamscale_feature";
    let found = cloud
        .request(Request::post(Service::Metric, path, &query))
        .await;
    let found: Value = found.unwrap().json().unwrap();
    let id = found[0]["id"].as_str().unwrap();
    let measure = json!([{"timestamp": begin_s + 60, "value": 5.0}]);
    let body = json!({id: {"kamscale.feature.offered": measure}});
    for _ in 0..2 {
        let path = "/v1/batch/resources/metrics/measures";
        cloud
            .request(Request::post(Service::Metric, path, &body))
            .await
            .unwrap();
    }
    // The one after shows that both were worked off.
    let after = json!([{"timestamp": begin_s + 61, "value": 1.0}]);
    let body = json!({id: {"kamscale.feature.offered": after}});
    let path = "/v1/batch/resources/metrics/measures";
    cloud
        .request(Request::post(Service::Metric, path, &body))
        .await
        .unwrap();
    let sums = until("worked off", || async {
        let feature = ("kamscale_feature", "kamscale.feature.offered");
        let sums = sums(cloud, instance, feature, 1).await;
        let sums: std::collections::BTreeMap<_, _> = sums.into_iter().collect();
        sums.contains_key(&i64::from(begin_s + 61)).then_some(sums)
    })
    .await;
    assert_eq!(sums[&i64::from(begin_s + 60)], 5.0);
}

#[tokio::test]
#[ignore = "needs services: scripts/openstack-agent.sh"]
async fn real_nodes_are_read_as_they_last_reported() {
    let instance = instance("read");
    let (cloud, sinks) = two_nodes(&instance).await;
    let names = ["lb0".to_owned(), "lb1".to_owned()];
    let empty = read_nodes(cloud.as_ref(), &instance, &names).await.unwrap();
    assert_eq!(empty, []);
    let mut at_s = now_s() - 5;
    let reports = until("read", || {
        at_s += 1;
        let members: [&[(&str, u32)]; 2] = [&[("m1", 3), ("m2", 0)], &[("m1", 4)]];
        for ((sink, name), members) in sinks.iter().zip(&names).zip(members) {
            let mut report = report(name, at_s, 50, members);
            report.pool = Some("proxies".into());
            report.shares = Some(crate::nodes::Shares {
                cpu: 0.25,
                memory: 0.5,
                network: None,
            });
            push(sink, &report);
        }
        let (cloud, instance, names) = (cloud.clone(), &instance, &names);
        async move {
            let reports = read_nodes(cloud.as_ref(), instance, names).await.unwrap();
            let members = reports.iter().map(|it| it.members.len()).sum::<usize>();
            let features = reports.iter().map(|it| it.features.len()).sum::<usize>();
            // Gnocchi takes in one metric after the other.
            let shares = reports.iter().filter(|it| it.shares.is_some()).count();
            (reports.len() == 2 && members == 3 && features == 2 && shares == 2).then_some(reports)
        }
    })
    .await;
    let first = &reports[0];
    assert_eq!((first.node.as_str(), first.revision), ("lb0", 3));
    assert_eq!(first.pool.as_deref(), Some("proxies"));
    assert_eq!(first.shares.unwrap().cpu, 0.25);
    let pool = first.pools["ccp"];
    assert_eq!(
        (pool.calls, pool.capacity, pool.started, pool.boot_id),
        (3, 100, 50, 7)
    );
    assert_eq!(reports[1].features["calls"].offered, 50);
    let calls = |of: usize| reports[of].members[&("ccp".into(), "m1".into())];
    assert_eq!((calls(0), calls(1)), (3, 4));
    assert!(f64::from(now_s()) - first.at_s < 60.0);
    // Whoever scales the pool that these hosts are members of is of another instance. Others that use
    // this Gnocchi may have nodes of the same name.
    let wanted = ["lb0".to_owned(), "elsewhere".to_owned()];
    let hosts = read_hosts(cloud.as_ref(), "proxies", &wanted)
        .await
        .unwrap();
    let cpu: Vec<f64> = hosts.iter().filter_map(|it| Some(it.shares?.cpu)).collect();
    assert!(cpu.contains(&0.25), "{cpu:?}");
    let nobody = read_hosts(cloud.as_ref(), "queue", &wanted).await.unwrap();
    assert_eq!(nobody, []);
}

#[tokio::test]
#[ignore = "needs services: scripts/openstack-agent.sh"]
async fn real_preparation_needs_an_administrator_once() {
    prepare(&cloud("kamscale-admin")).await.unwrap();
    let user = cloud("kamscale");
    assert_eq!(prepare(&user).await.unwrap(), Vec::<String>::new());
    let policy = json!({"name": "x", "definition": [{"granularity": 1, "points": 1}]});
    let kind = json!({"name": "kamscale_x", "attributes": {}});
    for (path, body) in [("/v1/archive_policy", policy), ("/v1/resource_type", kind)] {
        let error = user
            .request(Request::post(Service::Metric, path, &body))
            .await;
        let error = error.unwrap_err();
        assert!(
            matches!(error, CloudError::Refused { status: 403, .. }),
            "{error}"
        );
    }
}

/// Stops and starts a service of a test bed of its own: others may be using the usual one.
async fn service(action: &str, name: &str) {
    let bed = std::env::var("KAMSCALE_OPENSTACK").expect("the directory of a test bed of your own");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/openstack/service.sh");
    let mut command = tokio::process::Command::new(script);
    let command = command
        .args([action, name])
        .env("KAMSCALE_OPENSTACK_DIR", bed);
    assert!(command.status().await.unwrap().success());
}

#[tokio::test]
#[ignore = "stops a service: scripts/openstack-agent.sh"]
async fn alone_an_outage_of_gnocchi_is_filled_back() {
    let instance = instance("outage");
    let (cloud, sinks) = two_nodes(&instance).await;
    let begin_s = now_s() - 300;
    let push = |seconds: std::ops::Range<u32>| {
        for second in seconds {
            for (node, sink) in sinks.iter().enumerate() {
                let at_s = begin_s + second;
                let offered = u64::from(second) * 10;
                push(
                    sink,
                    &report(&format!("lb{node}"), at_s, offered, &[("m1", second % 7)]),
                );
            }
        }
    };
    push(0..10);
    for sink in &sinks {
        sent(sink, begin_s..=begin_s + 9).await;
    }
    service("stop", "gnocchi-api").await;
    push(10..200);
    until("told", || async { sinks[0].report(0.0).problem }).await;
    service("start", "gnocchi-api").await;
    push(200..210);
    for sink in &sinks {
        sent(sink, begin_s..=begin_s + 209).await;
        assert_eq!(sink.report(0.0).problem, None);
    }
    let feature = ("kamscale_feature", "kamscale.feature.offered");
    // 10 from each node, every second once.
    until("all seconds", || async {
        let sums = sums(&cloud, &instance, feature, 1).await;
        (sums.len() == 209 && sums.iter().all(|(_, sum)| *sum == 20.0)).then_some(())
    })
    .await;
}
