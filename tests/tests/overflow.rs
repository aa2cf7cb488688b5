//! Capacity that is respected, with real calls: who is full gets nothing more, and what a full pool cannot take
//! goes to the pool that it overflows into.

use kamscale_shm::{MemberSpec, PoolSpec};
use kamscale_tests::{Answer, Kamailio, Member, PATIENCE, RunDir, SipClient, wait_until};

use crate::support::{await_calls, calls, config, member, pool, publisher};

const JSONRPC: &str = "loadmodule \"jsonrpcs.so\"\n";

const ROUTES: &str = r#"
request_route {
    route(IN_DIALOG);
    record_route();
    if (!ks_select_dst("conference", "$rU", "$ci")) {
        append_to_reply("X-Code: $rc\r\n");
        send_reply("503", "No Room");
        exit;
    }
    t_on_failure("NEXT");
    t_relay();
}
failure_route[NEXT] {
    if (t_is_canceled()) exit;
    if (ks_next_dst()) {
        t_on_failure("NEXT");
        t_relay();
        exit;
    }
    append_to_reply("X-Code: $rc\r\n");
    t_reply("503", "All Tried");
}
"#;

/// Members with room for one call each.
fn tight(name: &str, overflow: &str, members: &[(&str, &Member)]) -> PoolSpec {
    let one = |(name, at): &(&str, &Member)| MemberSpec {
        capacity: 1,
        ..member(name, at.uri())
    };
    let mut pool = pool(name, members.iter().map(one).collect());
    pool.options.respect_capacity = true;
    pool.options.overflow = overflow.into();
    pool
}

#[test]
fn who_is_full_gets_no_call_and_what_a_full_pool_cannot_take_overflows() {
    let run = RunDir::new("overflow");
    let at: Vec<Member> = (0..3).map(|_| Member::start(run.endpoint())).collect();
    let pools = vec![
        tight("conference", "spill", &[("c0", &at[0]), ("c1", &at[1])]),
        tight("spill", "", &[("s0", &at[2])]),
    ];
    let _publisher = publisher(&run, pools);
    let kamailio = Kamailio::with_text(&run, &config(JSONRPC, ROUTES)).start();
    let client = SipClient::new(&run);
    for algorithm in [
        "least_calls",
        "p2c",
        "hash",
        "round_robin",
        "serial",
        "sticky",
    ] {
        let mut open = Vec::new();
        for name in ["conference", "conference", "spill"] {
            let before = calls_of(&kamailio, name);
            let mut call = client.invite(kamailio.sip(), algorithm);
            call.answered();
            wait_until("it is counted", PATIENCE, || {
                calls_of(&kamailio, name) == before + 1
            });
            open.push(call);
        }
        let reply = client.invite(kamailio.sip(), algorithm).final_reply();
        assert_eq!(reply.start_line(), "SIP/2.0 503 No Room", "{algorithm}");
        assert_eq!(reply.header("X-Code"), Some("-3"), "{algorithm}");
        assert_eq!(open[0].bye(), 200);
        wait_until("there is room", PATIENCE, || {
            calls_of(&kamailio, "conference") == 1
        });
        let mut call = client.invite(kamailio.sip(), algorithm);
        call.answered();
        wait_until("the first pool is used again", PATIENCE, || {
            calls_of(&kamailio, "conference") == 2
        });
        open[0] = call;
        for call in &open {
            assert_eq!(call.bye(), 200, "{algorithm}");
        }
        wait_until("all have ended", PATIENCE, || {
            calls_of(&kamailio, "conference") + calls_of(&kamailio, "spill") == 0
        });
    }
    let pools = kamailio.rpc(&["kamscale.pools"]);
    let refused: Vec<i64> = ["conference", "spill"]
        .iter()
        .filter_map(|name| pools.iter().find(|p| p["pool"] == *name)?["refused"].as_i64())
        .collect();
    assert_eq!(
        refused,
        [12, 6],
        "what a pool could not take, also if another one took it"
    );
}

fn calls_of(kamailio: &Kamailio<'_>, pool: &str) -> u32 {
    let names: &[&str] = if pool == "spill" {
        &["s0"]
    } else {
        &["c0", "c1"]
    };
    names.iter().map(|name| calls(kamailio, pool, name).0).sum()
}

#[test]
fn a_retransmission_to_a_full_pool_and_failover_into_the_next_one_work() {
    let run = RunDir::new("overflow");
    let at: Vec<Member> = (0..2).map(|_| Member::start(run.endpoint())).collect();
    let pools = vec![
        tight("conference", "spill", &[("c0", &at[0])]),
        tight("spill", "", &[("s0", &at[1])]),
    ];
    let _publisher = publisher(&run, pools);
    let kamailio = Kamailio::with_text(&run, &config(JSONRPC, ROUTES)).start();
    let client = SipClient::new(&run);
    at[0].answer_invites(Answer::Ring);
    let mut call = client.invite(kamailio.sip(), "least_calls");
    await_calls(&kamailio, "conference", "c0", 1, 1);
    call.send_again();
    call.send_again();
    call.cancel();
    assert_eq!(
        call.final_status(),
        487,
        "no 503, though the pool was full of this very call"
    );
    await_calls(&kamailio, "conference", "c0", 0, 1);
    assert_eq!(at[1].counts().invites, 0, "it did not overflow");
    at[0].answer_invites(Answer::Status(503));
    let mut call = client.invite(kamailio.sip(), "least_calls");
    call.answered();
    await_calls(&kamailio, "spill", "s0", 1, 1);
    await_calls(&kamailio, "conference", "c0", 0, 2);
    assert_eq!(call.bye(), 200);
    at[1].answer_invites(Answer::Status(503));
    let reply = client.invite(kamailio.sip(), "hash").final_reply();
    assert_eq!(reply.header("X-Code"), Some("-3"));
    assert_eq!(
        (at[0].counts().invites, at[1].counts().invites),
        (3, 2),
        "each once"
    );
}

#[test]
fn explain_tells_who_is_full_and_where_the_rest_goes() {
    let run = RunDir::new("overflow");
    let at: Vec<Member> = (0..2).map(|_| Member::start(run.endpoint())).collect();
    let pools = vec![
        tight("conference", "spill", &[("c0", &at[0])]),
        tight("spill", "", &[("s0", &at[1])]),
    ];
    let _publisher = publisher(&run, pools);
    let kamailio = crate::rpc::start(&run, "", ROUTES);
    let client = SipClient::new(&run);
    let mut call = client.invite(kamailio.sip(), "least_calls");
    call.answered();
    await_calls(&kamailio, "conference", "c0", 1, 1);
    let told = crate::rpc::jsonrpc(&run, "kamscale.explain", &["conference", "room"]);
    let told = told.unwrap_or_else(|e| panic!("{e:?}"));
    assert_eq!(told["overflow"], "spill", "{told}");
    let c0 = &told["members"][0];
    assert_eq!(c0["takes"], "no", "{told}");
    let reason = serde_json::json!({"reason": "full", "calls": 1, "capacity": 1});
    assert_eq!(c0["reasons"][0], reason, "{told}");
    assert_eq!(call.bye(), 200);
}
