//! The same numbers everywhere: RPC, Kamailio's statistics, pseudo-variables and shared memory.

use std::collections::BTreeMap;

use kamscale_shm::MemberSpec;
use kamscale_tests::{Kamailio, Member, RunDir, SipClient};
use serde_json::Value;

use crate::rpc::start;
use crate::support::{ask, member, pool, publish, publisher};

const ROUTES: &str = r#"
request_route {
    if ($hdr(X-Take) != $null) {
        ks_count("queue");
        ks_select_dst("$hdr(X-Take)", "round_robin");
        append_to_reply("X-Request: $rc <$ks_member> <$ks_pool>\r\n");
        append_to_reply("X-Numbers: generation=$ks_generation calls=$ks_calls(conference) ");
        append_to_reply("capacity=$ks_capacity(conference) active=$ks_active(conference) ");
        append_to_reply("queue=$ks_requests(queue) nowhere=<$ks_calls(nowhere)>");
        append_to_reply("<$ks_capacity(nowhere)><$ks_active(nowhere)><$ks_requests(nothing)>\r\n");
    }
    route(IN_DIALOG);
    record_route();
    ks_count("calls");
    if (!ks_select_dst("conference", "least_calls")) { send_reply("503", "No Member"); exit; }
    t_relay();
}
"#;

/// The statistics of the group, by stats.get_statistics.
fn statistics(kamailio: &Kamailio<'_>) -> BTreeMap<String, i64> {
    let lines = kamailio.rpc(&["stats.get_statistics", "kamscale:"]);
    let one = |line: &Value| {
        let (name, value) = line.as_str()?.split_once(" = ")?;
        let name = name.strip_prefix("kamscale:")?;
        Some((name.to_owned(), value.trim().parse().ok()?))
    };
    lines.iter().filter_map(one).collect()
}

#[test]
fn statistics_counters_and_features_show_the_same_numbers() {
    let run = RunDir::new("statistics");
    let callee = Member::start(run.endpoint());
    let pools = vec![
        pool("conference", vec![member("m0", callee.uri())]),
        pool("empty", vec![]),
    ];
    let mut publisher = publisher(&run, pools.clone());
    let kamailio = start(&run, "loadmodule \"counters.so\"", ROUTES);
    let client = SipClient::new(&run);
    for _ in 0..3 {
        let mut call = client.invite(kamailio.sip(), "conf-1");
        call.answered();
        assert_eq!(call.bye(), 200);
    }
    publish(&mut publisher, pools);
    for (pool, times) in [("conference", 5), ("empty", 2)] {
        for _ in 0..times {
            ask(&client, &kamailio, &[("X-Take", pool)], "X-Request");
        }
    }
    let seen = statistics(&kamailio);
    let of = |name: &str| seen.get(name).copied().unwrap_or(-1);
    assert_eq!(
        (of("requests-calls"), of("requests-queue")),
        (3, 7),
        "{seen:?}"
    );
    assert_eq!((of("selected"), of("refused")), (8, 2), "{seen:?}");
    assert!(
        of("tables-applied") >= 1 && of("tables-rejected") == 0,
        "{seen:?}"
    );
    for feature in kamailio.rpc(&["kamscale.features"]) {
        let name = format!(
            "requests-{}",
            feature["feature"].as_str().unwrap_or_default()
        );
        assert_eq!(feature["requests"], of(&name), "kamscale.features");
        let counter = kamailio.rpc(&["cnt.get", "kamscale", &name]);
        assert_eq!(counter, [Value::from(of(&name))], "cnt.get {name}");
    }
    let group = kamailio.rpc(&["cnt.grp_get_all", "kamscale"]);
    assert_eq!(group[0]["selected"], 8, "{group:?}");
    let snapshot = kamailio.observed("default");
    let requests: Vec<u64> = snapshot.features.iter().map(|f| f.requests).collect();
    assert_eq!(requests, [3, 7], "shared memory");
    let (selected, refused) = snapshot
        .pools
        .iter()
        .fold((0, 0), |sum, p| (sum.0 + p.selected, sum.1 + p.refused));
    assert_eq!((selected, refused), (8, 2), "shared memory");
    kamailio
        .try_rpc(&["cnt.reset", "kamscale", "selected"])
        .ok();
    assert_eq!(statistics(&kamailio)["selected"], 8, "counters only grow");
}

#[test]
fn pseudo_variables_show_the_pool_and_what_was_selected() {
    let run = RunDir::new("statistics");
    let callee = Member::start(run.endpoint());
    let m0 = MemberSpec {
        capacity: 20,
        ..member("m0", callee.uri())
    };
    let mut publisher = publisher(&run, vec![pool("conference", vec![m0.clone()])]);
    let kamailio = start(&run, "", ROUTES);
    let client = SipClient::new(&run);
    let mut call = client.invite(kamailio.sip(), "conf-1");
    call.answered();
    let one = |pool, header| ask(&client, &kamailio, &[("X-Take", pool)], header);
    assert_eq!(one("conference", "X-Request"), "1 <m0> <conference>");
    assert_eq!(
        one("nowhere", "X-Request"),
        "-2 <<null>> <<null>>",
        "nothing was selected"
    );
    let nothing = "nowhere=<<null>><<null>><<null>><<null>>";
    assert_eq!(
        one("conference", "X-Numbers"),
        format!("generation=1 calls=1 capacity=20 active=1 queue=3 {nothing}")
    );
    let m1 = MemberSpec {
        name: "m1".into(),
        capacity: 30,
        ..m0.clone()
    };
    publish(&mut publisher, vec![pool("conference", vec![m0, m1])]);
    assert_eq!(
        one("conference", "X-Numbers"),
        format!("generation=2 calls=1 capacity=50 active=2 queue=4 {nothing}"),
        "the new table at once"
    );
    assert_eq!(call.bye(), 200);
}
