//! What an operator sees of publications: what each changed, and which process uses it.

use std::time::{SystemTime, UNIX_EPOCH};

use kamscale_shm::{DesiredState, MemberOptions, MemberSpec, PoolSpec};
use kamscale_tests::{PATIENCE, RunDir, SipClient, wait_until};
use serde_json::{Value, json};

use crate::rpc::{jsonrpc, start};
use crate::support::{ask, member, pool, publish, publisher};

const ROUTES: &str = r#"
request_route {
    if ($hdr(X-Take) != $null) {
        ks_select_dst("conference", "round_robin");
        append_to_reply("X-Process: $pp\r\n");
    }
    route(IN_DIALOG);
}
"#;

fn at(host: u8) -> String {
    format!("sip:192.0.2.{host}")
}

fn list(answer: Result<Value, (i64, String)>) -> Vec<Value> {
    match answer {
        Ok(Value::Array(items)) => items,
        other => panic!("no list: {other:?}"),
    }
}

/// A table that differs from the one before in every way that there is.
fn tables() -> [Vec<PoolSpec>; 2] {
    let old = pool("old", Vec::new());
    let before = vec![member("m0", at(1)), member("m1", at(2))];
    let changed = MemberSpec {
        state: DesiredState::Draining,
        weight: 50,
        priority: 3,
        capacity: 20,
        options: MemberOptions {
            attributes: "site=fra".into(),
            ..MemberOptions::default()
        },
        ..member("m0", at(11))
    };
    let after = vec![changed, member("m2", at(3))];
    [
        vec![pool("conference", before), old],
        vec![pool("conference", after), pool("new", Vec::new())],
    ]
}

fn change(pool: &str, member: &str, what: &str, from: &str, to: &str) -> Value {
    json!({"pool": pool, "member": member, "what": what, "from": from, "to": to})
}

#[test]
fn every_publication_is_told_by_what_it_changed_also_after_a_restart() {
    let run = RunDir::new("publications");
    let [first, second] = tables();
    let mut publisher = publisher(&run, first);
    publish(&mut publisher, second.clone());
    // Nobody has asked yet: the generations in between are known all the same.
    publish(&mut publisher, second);
    let mut kamailio = start(&run, "", ROUTES);
    let conference =
        |member: &str, what, from: &str, to: &str| change("conference", member, what, from, to);
    let wanted = [
        conference("m0", "state", "active", "draining"),
        conference("m0", "weight", "100", "50"),
        conference("m0", "priority", "0", "3"),
        conference("m0", "capacity", "0", "20"),
        conference("m0", "uri", &at(1), &at(11)),
        conference("m0", "attributes", "", "site=fra"),
        conference("m2", "member_added", "", &at(3)),
        conference("m1", "member_removed", &at(2), ""),
        change("new", "", "pool_added", "", ""),
        change("old", "", "pool_removed", "", ""),
    ];
    for restarted in [false, true] {
        if restarted {
            kamailio.restart();
        }
        let told = list(jsonrpc(&run, "kamscale.publications", &[]));
        let generations: Vec<_> = told.iter().map(|p| p["generation"].clone()).collect();
        assert_eq!(generations, [3, 2, 1], "restarted: {restarted}");
        assert_eq!(told[0]["changes"], json!([]), "the same table again");
        assert_eq!(told[1]["changes"], json!(wanted));
        assert_eq!(
            (&told[1]["total"], &told[1]["left_out"]),
            (&10.into(), &0.into())
        );
        let added = &told[2]["changes"];
        assert_eq!(added[0], change("conference", "", "pool_added", "", ""));
        assert_eq!(added.as_array().map(Vec::len), Some(4), "{added}");
    }
    let told = list(jsonrpc(&run, "kamscale.publications", &["1"]));
    assert_eq!(told.len(), 1);
    let now_s = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let time_s = told[0]["time_s"].as_u64().unwrap_or(0);
    assert!(
        time_s <= now_s && now_s - time_s < 600,
        "published {time_s}, now {now_s}"
    );
    // The other transport writes the same structure, lists in it too.
    let over_ctl = kamailio.rpc(&["kamscale.publications", "2"]);
    assert_eq!(over_ctl.len(), 2);
    let text = over_ctl[1].to_string();
    for says in ["member_removed", "pool_added", "draining", "192.0.2.11"] {
        assert!(text.contains(says), "{says}: {text}");
    }
    for wrong in ["0", "65", "many"] {
        let (code, text) = jsonrpc(&run, "kamscale.publications", &[wrong]).unwrap_err();
        assert!(
            code == 400 && text.contains("1 to 64"),
            "{wrong}: {code} {text}"
        );
    }
}

#[test]
fn a_large_change_is_counted_in_full_and_told_as_far_as_there_is_room() {
    let run = RunDir::new("publications");
    let many = (0..2000_u32).map(|n| {
        member(
            &format!("m{n}"),
            format!("sip:10.0.{}.{}", n / 250, n % 250),
        )
    });
    let mut publisher = publisher(&run, vec![pool("conference", many.collect())]);
    for _ in 0..12 {
        publish(&mut publisher, Vec::new());
        let few = (0..100).map(|n| member(&format!("m{n}"), at(1)));
        publish(&mut publisher, vec![pool("conference", few.collect())]);
    }
    let kamailio = start(&run, "", ROUTES);
    let told = list(jsonrpc(&run, "kamscale.publications", &["64"]));
    assert_eq!(told.len(), 25);
    assert_eq!(told[24]["total"], 2001, "a pool and its members");
    let shown = |one: &Value| one["changes"].as_array().map_or(0, Vec::len);
    let newest = shown(&told[0]);
    assert!(
        newest > 50,
        "{newest} of 101 changes are told of the newest"
    );
    for one in &told {
        let total = one["total"].as_u64().unwrap_or(0);
        assert_eq!(one["left_out"], total - shown(one) as u64, "{one}");
    }
    assert_eq!(kamailio.rpc(&["kamscale.publications"]).len(), 10);
}

#[test]
fn a_worker_that_serves_nobody_is_shown_behind_until_its_next_request() {
    let run = RunDir::new("publications");
    let table = vec![pool("conference", vec![member("m0", at(1))])];
    let mut publisher = publisher(&run, table.clone());
    let kamailio = start(&run, "children=3\n", ROUTES);
    let client = SipClient::new(&run);
    let workers = || {
        let all = kamailio.rpc(&["kamscale.workers"]);
        let serve = all.into_iter().filter(|w| w["kind"] == "worker");
        serve.collect::<Vec<_>>()
    };
    // core.psx tells which processes take SIP.
    let receivers: Vec<u32> = kamailio
        .processes()
        .into_iter()
        .filter(|(_, what)| what.contains("receiver"))
        .map(|(pid, _)| pid)
        .collect();
    assert_eq!(receivers.len(), 3);
    let pids: Vec<u64> = workers().iter().filter_map(|w| w["pid"].as_u64()).collect();
    let all_there = receivers.iter().all(|p| pids.contains(&u64::from(*p)));
    assert!(all_there, "{receivers:?} in {pids:?}");
    assert!(
        workers().iter().all(|w| w["behind"] == 0),
        "{:?}",
        workers()
    );
    publish(&mut publisher, table.clone());
    publish(&mut publisher, table);
    assert!(
        workers()
            .iter()
            .all(|w| w["behind"] == 2 && w["generation"] == 1),
        "{:?}",
        workers()
    );
    wait_until("every worker has served a request", PATIENCE, || {
        ask(&client, &kamailio, &[("X-Take", "1")], "X-Process");
        let is_receiver = |w: &&Value| receivers.iter().any(|p| w["pid"] == *p);
        let all = workers();
        let mut served = all.iter().filter(is_receiver);
        served.all(|w| w["behind"] == 0 && w["generation"] == 3)
    });
}
