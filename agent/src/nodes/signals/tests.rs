//! Signals from recorded reports and answers.

use super::*;
use crate::prometheus::Value;

fn wanted(kind: SignalKind) -> Wanted<'static> {
    Wanted {
        pool: "ccp",
        kind,
        of: None,
        max_age_s: 60.0,
    }
}

fn host(node: &str, pool: &str, at_s: f64, cpu: f64) -> NodeReport {
    NodeReport {
        node: node.into(),
        pool: Some(pool.into()),
        at_s,
        shares: Some(Shares {
            cpu,
            memory: 0.5,
            network: None,
        }),
        ..NodeReport::default()
    }
}

#[test]
fn hosts_of_active_members_are_added_up_and_the_oldest_tells_the_age() {
    let reports = [
        host("ccp-1", "ccp", 100.0, 0.25),
        host("ccp-2", "ccp", 90.0, 0.5),
        host("ccp-3", "ccp", 30.0, 1.0),
        host("drains", "ccp", 100.0, 1.0),
        host("lb", "proxies", 100.0, 1.0),
    ];
    let serves_since_s = |node: &str| (node != "drains").then_some(0.0);
    let read = |kind| from_nodes(wanted(kind), &reports, serves_since_s, 100.0);
    let cpu = read(SignalKind::Cpu).unwrap();
    assert_eq!((cpu.used, cpu.reported, cpu.age_s), (0.75, Some(2), 10.0));
    assert_eq!(read(SignalKind::Network), None, "not measured is not 0");
    assert_eq!(read(SignalKind::Waiting), None);
}

#[test]
fn what_a_host_said_while_it_booted_is_not_its_share_of_the_load() {
    let serves_since_s = |node: &str| Some(if node == "ccp-3" { 95.0 } else { 0.0 });
    let read = |at_s, cpu| {
        let reports = [
            host("ccp-1", "ccp", 100.0, 0.25),
            host("ccp-3", "ccp", at_s, cpu),
        ];
        let signal = from_nodes(wanted(SignalKind::Cpu), &reports, serves_since_s, 100.0);
        signal.map(|signal| (signal.used, signal.reported))
    };
    assert_eq!(read(94.0, 1.0), Some((0.25, Some(1))));
    assert_eq!(read(95.0, 0.5), Some((0.75, Some(2))));
}

fn read(kind: SignalKind, values: &[Value]) -> Result<Option<Signal>, SignalError> {
    let values = Values {
        values: values.to_vec(),
        age_s: 4.0,
    };
    from_values(wanted(kind), &values)
}

fn value(instance: Option<&str>, value: f64) -> Value {
    let labels = instance.map(|name| ("instance".to_owned(), name.to_owned()));
    Value {
        labels: labels.into_iter().collect(),
        value,
    }
}

#[test]
fn each_series_of_shares_is_a_member() {
    let values = [
        value(Some("a"), 0.25),
        value(Some("b"), 0.5),
        value(Some("c"), f64::NAN),
        value(Some("d"), -1.0),
        value(Some("e"), f64::INFINITY),
    ];
    let cpu = read(SignalKind::Cpu, &values).unwrap().unwrap();
    assert_eq!((cpu.used, cpu.reported, cpu.age_s), (0.75, Some(2), 4.0));
    assert_eq!(read(SignalKind::Cpu, &[]).unwrap(), None);
}

#[test]
fn a_mean_over_all_members_is_no_share() {
    let error = read(SignalKind::Cpu, &[value(None, 0.6)]).unwrap_err();
    assert!(error.to_string().contains("by (instance)"), "{error}");
}

#[test]
fn other_kinds_are_of_the_pool_as_a_whole() {
    let values = [value(Some("queue-a"), 3.0), value(Some("queue-b"), 4.0)];
    let waiting = read(SignalKind::Waiting, &values).unwrap().unwrap();
    assert_eq!((waiting.used, waiting.reported), (7.0, None));
}

fn gnocchi() -> GnocchiSignal {
    GnocchiSignal {
        metric: "cpu".into(),
        resource_type: "instance".into(),
        aggregation: "rate:mean".into(),
        granularity_s: 300.0,
        search: None,
        full: Some(300e9),
    }
}

#[test]
fn the_newest_measure_of_each_resource_counts() {
    let answer = r#"{"measures": {
        "a": {"cpu": {"rate:mean": [
            ["2026-11-22T07:10:00+00:00", 300.0, 3e10], ["2026-11-22T07:15:00+00:00", 300.0, 6e10]]}},
        "b": {"cpu": {"rate:mean": [["2026-11-22T07:15:00+00:00", 300.0, 1.5e11]]}},
        "gone": {"cpu": {"rate:mean": [["2026-11-22T07:00:00+00:00", 300.0, 3e11]]}},
        "new": {"cpu": {"rate:mean": []}},
        "other": {"memory": {"mean": [["2026-11-22T07:15:00+00:00", 300.0, 1.0]]}}
    }, "references": []}"#;
    let answer: Measures = serde_json::from_str(answer).unwrap();
    let now: jiff::Timestamp = "2026-11-22T07:20:30Z".parse().unwrap();
    let now_s = now.as_duration().as_secs_f64();
    let cpu = from_measures(wanted(SignalKind::Cpu), &gnocchi(), &answer, now_s).unwrap();
    assert!((cpu.used - 0.7).abs() < 1e-9, "{}", cpu.used);
    assert_eq!((cpu.reported, cpu.age_s), (Some(2), 30.0));
    assert_eq!(
        from_measures(wanted(SignalKind::Cpu), &gnocchi(), &answer, now_s + 600.0),
        None
    );
}

#[test]
fn gnocchi_is_asked_for_resources_of_the_pool_that_have_not_ended() {
    let request = measures_request(wanted(SignalKind::Cpu), &gnocchi());
    assert_eq!(request.path, "/v1/aggregates?granularity=300&start=-960s");
    assert!(request.repeatable);
    let body: serde_json::Value = serde_json::from_slice(&request.body.unwrap()).unwrap();
    assert_eq!(body["operations"], json!(["metric", "cpu", "rate:mean"]));
    assert_eq!(body["search"]["and"][0]["="]["server_group"], "ccp");
}
