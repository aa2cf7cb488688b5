//! The task: what is wanted is looked up at once, and again when its records run out or failed.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::*;

const PACE: Pace = Pace {
    timeout: Duration::from_secs(10),
    min_ttl: Duration::from_secs(5),
    max_ttl: Duration::from_secs(300),
    family: Family::Ipv4,
};

fn wanted(uris: &[&str]) -> BTreeSet<String> {
    uris.iter().map(|uri| (*uri).to_owned()).collect()
}

/// The next finding, and after how many seconds it came.
async fn next(names: &mut Names) -> (Finding, f64) {
    let began = Instant::now();
    loop {
        if let Some(finding) = names.found().pop() {
            return (finding, began.elapsed().as_secs_f64());
        }
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_is_looked_up_again_when_its_records_run_out_within_bounds() {
    for (ttl_s, expected_s) in [(0, 5.0), (60, 60.0), (86_400, 300.0)] {
        let zone = Zone {
            ttl_s,
            ..Zone::new().with_ip("conf", &["10.0.0.1"])
        };
        let mut names = Names::start(Arc::new(zone), PACE);
        names.want(wanted(&["sip:conf"]));
        let (finding, after_s) = next(&mut names).await;
        assert!(finding.located.is_ok() && after_s < 1.0, "{after_s} s");
        let (_, after_s) = next(&mut names).await;
        let range = expected_s * 0.89..=expected_s + 0.1;
        assert!(range.contains(&after_s), "ttl {ttl_s}: after {after_s} s");
    }
}

#[tokio::test(start_paused = true)]
async fn failures_are_tried_again_ever_later_but_not_too_late() {
    let zone = Zone {
        broken: vec!["conf".into()],
        ..Zone::new()
    };
    let mut names = Names::start(Arc::new(zone), PACE);
    names.want(wanted(&["sip:conf:5060"]));
    let mut waits = Vec::new();
    for _ in 0..9 {
        let (finding, after_s) = next(&mut names).await;
        finding.located.unwrap_err();
        waits.push(after_s);
    }
    for (wait_s, expected_s) in waits[1..]
        .iter()
        .zip([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0])
    {
        let range = expected_s * 0.88..=expected_s + 0.1;
        assert!(range.contains(wait_s), "{waits:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_without_an_answer_delays_no_other_and_ends() {
    let zone = Zone {
        silent: vec!["silent".into()],
        ..Zone::new().with_ip("conf", &["10.0.0.1"])
    };
    let mut names = Names::start(Arc::new(zone), PACE);
    names.want(wanted(&["sip:conf", "sip:silent"]));
    let (finding, after_s) = next(&mut names).await;
    assert!(finding.uri == "sip:conf" && after_s < 1.0, "{finding:?}");
    let (finding, after_s) = next(&mut names).await;
    assert_eq!(finding.uri, "sip:silent");
    let problem = finding.located.unwrap_err().to_string();
    assert!(problem.contains("no answer within 10 s"), "{problem}");
    assert!((9.5..10.5).contains(&after_s), "{after_s}");
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_names_are_found_and_what_is_not_wanted_any_more_is_forgotten() {
    const COUNT: usize = 10_000;
    let hosts: Vec<String> = (0..COUNT).map(|n| format!("m{n}")).collect();
    let zone = hosts
        .iter()
        .fold(Zone::new(), |zone, host| zone.with_ip(host, &["10.0.0.1"]));
    let mut names = Names::start(Arc::new(zone), PACE);
    names.want(hosts.iter().map(|host| format!("sip:{host}")).collect());
    let mut found = BTreeSet::new();
    while found.len() < COUNT {
        found.extend(names.found().into_iter().map(|finding| finding.uri));
        sleep(Duration::from_millis(20)).await;
    }
    names.want(wanted(&["sip:m1"]));
    sleep(Duration::from_secs(1)).await;
    names.found();
    sleep(Duration::from_secs(130)).await;
    let again: Vec<_> = names
        .found()
        .into_iter()
        .map(|finding| finding.uri)
        .collect();
    assert_eq!(again, ["sip:m1", "sip:m1"], "60 s is its time");
}
