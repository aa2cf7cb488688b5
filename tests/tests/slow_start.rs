//! Slow start in a real Kamailio: whoever comes up later gets a share that grows, on Kamailio's own clock.

use kamscale_shm::PoolSpec;
use kamscale_tests::{Kamailio, PATIENCE, RunDir, SipClient, wait_until};
use serde_json::Value;

use crate::rpc::{jsonrpc, start};
use crate::support::{ask, member, pool, publish, publisher, shown};

const ROUTES: &str = r#"
request_route {
    if ($hdr(X-Alg) != $null) {
        ks_select_dst("p", "$hdr(X-Alg)", "$hdr(X-Key)");
        append_to_reply("X-Member: $ks_member\r\n");
    }
    route(IN_DIALOG);
}
"#;

fn ramped(names: &[&str], slow_start_s: u32) -> Vec<PoolSpec> {
    let members = names.iter().zip(1..);
    let members = members.map(|(name, host)| member(name, format!("sip:192.0.2.{host}")));
    let mut pool = pool("p", members.collect());
    pool.options.slow_start_s = slow_start_s;
    vec![pool]
}

/// How many of 200 requests go to a member.
fn share(client: &SipClient, kamailio: &Kamailio<'_>, algorithm: &str, name: &str) -> usize {
    let to = |key: usize| {
        let key = format!("room-{key}");
        let headers = [("X-Alg", algorithm), ("X-Key", &*key)];
        ask(client, kamailio, &headers, "X-Member")
    };
    (0..200).filter(|key| to(*key) == name).count()
}

/// What is told of a member of the pool: its reasons.
fn reasons(run: &RunDir, name: &str) -> Vec<Value> {
    let told = jsonrpc(run, "kamscale.explain", &["p", "room", "random"]);
    let told = told.unwrap_or_else(|e| panic!("{e:?}"));
    let members = told["members"].as_array().cloned().unwrap_or_default();
    let found = members.iter().find(|m| m["member"] == name);
    let found = found.unwrap_or_else(|| panic!("no {name} in {told}"));
    found["reasons"].as_array().cloned().unwrap_or_default()
}

fn is_ramping(run: &RunDir, name: &str) -> bool {
    reasons(run, name).iter().any(|r| r["reason"] == "ramping")
}

#[test]
fn a_member_that_comes_later_or_is_back_gets_a_small_share_that_grows() {
    const LONG_S: u32 = 3600;
    let run = RunDir::new("slow");
    let mut publisher = publisher(&run, ramped(&["m0", "m1"], LONG_S));
    let kamailio = start(&run, "", ROUTES);
    let client = SipClient::new(&run);
    assert!(
        !is_ramping(&run, "m0") && !is_ramping(&run, "m1"),
        "there from the start"
    );
    // The timer process has seen those that were there.
    wait_until("m2 is known to be new", PATIENCE, || {
        publish(&mut publisher, ramped(&["m0", "m1"], LONG_S));
        publish(&mut publisher, ramped(&["m0", "m1", "m2"], LONG_S));
        is_ramping(&run, "m2")
    });
    for algorithm in [
        "random",
        "round_robin",
        "weight",
        "hash",
        "sticky",
        "bounded_hash",
    ] {
        let is = share(&client, &kamailio, algorithm, "m2");
        assert!(
            (1..35).contains(&is),
            "{algorithm}: {is} of 200, not about 7"
        );
    }
    for algorithm in ["least_calls", "p2c"] {
        let is = share(&client, &kamailio, algorithm, "m2");
        assert!(
            is < 20,
            "{algorithm}: {is} of 200, though the others are idle"
        );
    }
    // The time is over.
    publish(&mut publisher, ramped(&["m0", "m1", "m2"], 1));
    wait_until("m2 has its whole share", PATIENCE, || {
        !is_ramping(&run, "m2")
    });
    for algorithm in ["random", "round_robin", "weight", "hash", "sticky"] {
        let is = share(&client, &kamailio, algorithm, "m2");
        assert!(
            (40..95).contains(&is),
            "{algorithm}: {is} of 200, not about 67"
        );
    }
    // m0 was there from the start. Disabled by an operator and back, it begins anew.
    publish(&mut publisher, ramped(&["m0", "m1", "m2"], LONG_S));
    let share_of_m0 = || shown(&kamailio, "p", "m0")["share"].as_i64();
    assert_eq!(share_of_m0(), Some(100));
    kamailio.rpc(&["kamscale.set_state", "p", "m0", "disabled"]);
    wait_until(
        "the timer process has seen that it is out",
        PATIENCE,
        || share_of_m0() == Some(10),
    );
    kamailio.rpc(&["kamscale.set_state", "p", "m0", "active"]);
    assert!(is_ramping(&run, "m0"), "{:?}", reasons(&run, "m0"));
    let is = share(&client, &kamailio, "random", "m0");
    assert!((1..50).contains(&is), "{is} of 200, not about 17");
}

#[test]
fn where_all_are_new_all_are_used_alike() {
    let run = RunDir::new("slow");
    let mut publisher = publisher(&run, vec![]);
    let kamailio = start(&run, "", ROUTES);
    let client = SipClient::new(&run);
    publish(&mut publisher, ramped(&["m0", "m1", "m2"], 3600));
    for algorithm in ["random", "hash"] {
        let is = share(&client, &kamailio, algorithm, "m2");
        assert!(
            (40..95).contains(&is),
            "{algorithm}: {is} of 200, not about 67"
        );
    }
    assert!(!is_ramping(&run, "m2"));
}
