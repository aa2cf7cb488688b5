//! `kamscale.explain`: what it says of a key is what requests with that key get.

use kamscale_shm::{DesiredState, MemberSpec};
use kamscale_tests::{Kamailio, Member, PATIENCE, RunDir, SipClient, wait_until};
use serde_json::{Value, json};

use crate::rpc::{jsonrpc, start};
use crate::support::{ask, await_calls, member, pool, publisher};

const ROUTES: &str = r#"
request_route {
    if ($hdr(X-Key) != $null) {
        ks_select_dst("conference", "hash", "$hdr(X-Key)");
        if ($hdr(X-Tries) == "2") ks_next_dst();
        if ($hdr(X-Mark) != $null) ks_mark_dst();
        append_to_reply("X-Member: $ks_member\r\n");
    }
    route(IN_DIALOG);
    record_route();
    if (!ks_select_dst("calls", "serial")) { send_reply("503", "No Member"); exit; }
    t_relay();
}
"#;

fn at(host: u8) -> String {
    format!("sip:192.0.2.{host}")
}

fn explain(run: &RunDir, words: &[&str]) -> Value {
    let answer = jsonrpc(run, "kamscale.explain", words);
    answer.unwrap_or_else(|e| panic!("{words:?}: {e:?}"))
}

fn of<'a>(explained: &'a Value, name: &str) -> &'a Value {
    let members = explained["members"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    let found = members.iter().find(|m| m["member"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {explained}"))
}

fn asked(client: &SipClient, kamailio: &Kamailio<'_>, key: &str, more: &[(&str, &str)]) -> String {
    let mut headers = vec![("X-Key", key)];
    headers.extend(more);
    ask(client, kamailio, &headers, "X-Member")
}

#[test]
fn the_member_of_a_key_is_the_one_that_requests_get_and_every_other_one_says_why_not() {
    let run = RunDir::new("explain");
    let with = |name, host, state, weight| MemberSpec {
        state,
        weight,
        ..member(name, at(host))
    };
    let conference = vec![
        member("a", at(1)),
        member("b", at(2)),
        member("c", at(3)),
        with("joins", 4, DesiredState::Joining, 100),
        with("drains", 5, DesiredState::Draining, 100),
        with("weightless", 6, DesiredState::Active, 0),
    ];
    let _publisher = publisher(&run, vec![pool("conference", conference)]);
    let kamailio = start(&run, "", ROUTES);
    let client = SipClient::new(&run);
    for number in 0..40 {
        let key = format!("room-{number}");
        let told = explain(&run, &["conference", &key]);
        assert_eq!(
            told["member"],
            asked(&client, &kamailio, &key, &[]),
            "{key}"
        );
        let second = asked(&client, &kamailio, &key, &[("X-Tries", "2")]);
        assert_eq!(of(&told, &second)["place"], 2, "{key} fails over: {told}");
    }
    let told = explain(&run, &["conference", "room-1"]);
    assert_eq!(
        (&told["by"], &told["algorithm"]),
        (&"key".into(), &"hash".into())
    );
    assert_eq!(told["generation"], 1);
    let owner = told["member"].as_str().unwrap_or_default().to_owned();
    assert_eq!(of(&told, &owner)["place"], 1);
    assert_eq!(of(&told, &owner)["reasons"], json!([]));
    let other = ["a", "b", "c"].into_iter().find(|n| *n != owner).unwrap();
    for (name, takes, reasons) in [
        (other, "yes", json!([{"reason": "not_owner"}])),
        ("joins", "no", json!([{"reason": "state", "is": "joining"}])),
        (
            "drains",
            "no",
            json!([{"reason": "state", "is": "draining"}]),
        ),
        ("weightless", "yes", json!([{"reason": "no_weight"}])),
    ] {
        let member = of(&told, name);
        assert_eq!(
            (&member["takes"], &member["reasons"]),
            (&takes.into(), &reasons),
            "{name}"
        );
    }

    kamailio.rpc(&["kamscale.set_state", "conference", &owner, "draining"]);
    let told = explain(&run, &["conference", "room-1"]);
    let heir = asked(&client, &kamailio, "room-1", &[]);
    assert_ne!(heir, owner);
    assert_eq!(told["member"], *heir);
    let reasons = json!([{"reason": "override", "is": "draining"}]);
    assert_eq!(of(&told, &owner)["reasons"], reasons);

    let marked = asked(&client, &kamailio, "room-1", &[("X-Mark", "1")]);
    assert_eq!(marked, heir);
    let told = explain(&run, &["conference", "room-1"]);
    let down = &of(&told, &heir)["reasons"][0];
    assert_eq!(down["reason"], "down");
    assert!(
        (1..=30).contains(&down["left_s"].as_i64().unwrap_or(0)),
        "{down}"
    );
    assert_eq!(told["member"], asked(&client, &kamailio, "room-1", &[]));
    // The other transport writes the same structure, lists of lists too.
    let text = kamailio.rpc(&["kamscale.explain", "conference", "room-1"])[0].to_string();
    for says in ["left_s", "joining", "no_weight", "room-1"] {
        assert!(text.contains(says), "{says}: {text}");
    }
}

#[test]
fn what_decides_is_told_for_every_algorithm() {
    let run = RunDir::new("explain");
    let callee = Member::start(run.endpoint());
    let busy = MemberSpec {
        priority: 9,
        capacity: 10,
        ..member("busy", callee.uri())
    };
    let idle = MemberSpec {
        capacity: 10,
        ..member("idle", at(1))
    };
    let _publisher = publisher(&run, vec![pool("calls", vec![busy, idle])]);
    let kamailio = start(&run, "", ROUTES);
    let client = SipClient::new(&run);
    let mut call = client.invite(kamailio.sip(), "anybody");
    call.answered();
    await_calls(&kamailio, "calls", "busy", 1, 1);
    let told = explain(&run, &["calls", "any", "serial"]);
    assert_eq!(
        (&told["by"], &told["member"]),
        (&"priority".into(), &"busy".into())
    );
    assert_eq!(
        of(&told, "idle")["reasons"],
        json!([{"reason": "lower_priority", "is": 0}])
    );
    let told = explain(&run, &["calls", "any", "least_calls"]);
    assert_eq!(
        (&told["by"], &told["member"]),
        (&"load".into(), &"idle".into())
    );
    let loaded = json!([{"reason": "more_loaded", "calls": 1, "capacity": 10}]);
    assert_eq!(of(&told, "busy")["reasons"], loaded);
    for (algorithm, by) in [
        ("round_robin", "turn"),
        ("random", "chance"),
        ("weight", "weight"),
    ] {
        let told = explain(&run, &["calls", "any", algorithm]);
        assert_eq!(
            (&told["by"], &told["member"]),
            (&by.into(), &"".into()),
            "{algorithm}"
        );
        assert_eq!(of(&told, "idle")["takes"], "yes");
    }
    assert_eq!(call.bye(), 200);
    wait_until("the call is over", PATIENCE, || {
        explain(&run, &["calls", "any", "least_calls"])["members"]
            .to_string()
            .contains("\"calls\":0")
    });
    for (words, code, says) in [
        (&["calls"][..], 400, "KEY"),
        (&["nowhere", "k"], 404, "kamscale.pools"),
        (&["calls", "k", "fastest"], 400, "least_calls"),
        (&["calls", "k", "hash", "first"], 400, "FIRST"),
    ] {
        let (is, text) = jsonrpc(&run, "kamscale.explain", words).unwrap_err();
        assert!(is == code && text.contains(says), "{words:?}: {is} {text}");
    }
}

#[test]
fn a_room_with_live_calls_is_told_from_one_without() {
    let run = RunDir::new("explain");
    let callees = [Member::start(run.endpoint()), Member::start(run.endpoint())];
    let of_one = |i: usize| MemberSpec {
        capacity: 1,
        ..member(["m0", "m1"][i], callees[i].uri())
    };
    let _publisher = publisher(&run, vec![pool("calls", vec![of_one(0), of_one(1)])]);
    let kamailio = start(
        &run,
        "",
        &ROUTES.replace("\"serial\"", "\"sticky\", \"$rU\""),
    );
    let client = SipClient::new(&run);
    let told = explain(&run, &["calls", "room-1", "sticky"]);
    assert_eq!(told["by"], "key_and_room");
    let home = told["member"].as_str().unwrap_or_default().to_owned();
    let other = if home == "m0" { "m1" } else { "m0" };
    let mut call = client.invite(kamailio.sip(), "room-1");
    call.answered();
    await_calls(&kamailio, "calls", &home, 1, 1);
    let told = explain(&run, &["calls", "room-1", "sticky"]);
    assert_eq!(
        (&told["by"], &told["member"]),
        (&"live_calls".into(), &Value::from(home.as_str()))
    );
    assert_eq!(
        of(&told, other)["reasons"],
        json!([{"reason": "live_elsewhere"}])
    );
    // Another room whose home this would be finds no room there.
    let neighbour = (0..100).map(|n| format!("room-{n}")).find(|room| {
        let told = explain(&run, &["calls", room, "hash"]);
        room != "room-1" && told["member"] == *home
    });
    let told = explain(&run, &["calls", &neighbour.unwrap(), "sticky"]);
    assert_eq!(told["member"], other);
    let full = json!([{"reason": "full", "calls": 1, "capacity": 1}]);
    assert_eq!(of(&told, &home)["reasons"], full);
    assert_eq!(call.bye(), 200);
    wait_until("the room is empty", PATIENCE, || {
        explain(&run, &["calls", "room-1", "sticky"])["by"] == "key_and_room"
    });
}

#[test]
fn a_large_pool_is_explained_in_parts() {
    let run = RunDir::new("explain");
    let many = (0..1000_u32).map(|n| {
        member(
            &format!("m{n}"),
            format!("sip:10.0.{}.{}", n / 250, n % 250),
        )
    });
    let _publisher = publisher(&run, vec![pool("conference", many.collect())]);
    let kamailio = start(&run, "", ROUTES);
    let client = SipClient::new(&run);
    let (code, text) = jsonrpc(&run, "kamscale.explain", &["conference", "k"]).unwrap_err();
    let hint = "e.g. POOL KEY ALGORITHM 0 150";
    assert!(code == 400 && text.contains(hint), "{code} {text}");
    let told = explain(&run, &["conference", "k", "hash", "990", "20"]);
    assert_eq!(told["members"].as_array().map(Vec::len), Some(10));
    assert_eq!(told["member"], asked(&client, &kamailio, "k", &[]));
}
