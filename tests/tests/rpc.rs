//! What an operator sees and sets: the RPC commands, over ctl and jsonrpcs alike.

use kamscale_shm::MemberSpec;
use kamscale_tests::{Kamailio, Member, PATIENCE, RunDir, SipClient, wait_until};
use serde_json::{Value, json};

pub(crate) use crate::jsonrpc::jsonrpc;
use crate::support::{config, member, pool, publish, publisher, shown};

const ROUTES: &str = r#"
request_route {
    if ($hdr(X-Take) != $null) {
        ks_select_dst("conference", "round_robin");
        append_to_reply("X-Member: $ks_member\r\nX-Process: $pp\r\n");
    }
    route(IN_DIALOG);
    record_route();
    ks_count("calls");
    if (!ks_select_dst("conference", "least_calls")) { send_reply("503", "No Member"); exit; }
    t_relay();
}
"#;

/// A Kamailio that also takes commands over a unix socket of jsonrpcs.
pub(crate) fn start<'a>(run: &'a RunDir, parameters: &str, routes: &str) -> Kamailio<'a> {
    let jsonrpcs = r#"
loadmodule "jsonrpcs.so"
modparam("jsonrpcs", "transport", 4)
modparam("jsonrpcs", "dgram_socket", KS_JSONRPC)
modparam("kamscale", "feature", "calls")
modparam("kamscale", "feature", "queue")
"#;
    Kamailio::with_text(run, &config(&format!("{jsonrpcs}{parameters}"), routes))
        .define_text("KS_JSONRPC", run.file("jsonrpc").display())
        .start()
}

/// The same question over both transports must get the same names, for each structure.
#[track_caller]
fn both(run: &RunDir, kamailio: &Kamailio<'_>, words: &[&str], names: &[&str]) -> Vec<Value> {
    let over_ctl = kamailio.rpc(words);
    let over_json = match jsonrpc(run, words[0], &words[1..]) {
        Ok(Value::Array(items)) => items,
        Ok(one) => vec![one],
        Err(e) => panic!("{words:?} over jsonrpcs: {e:?}"),
    };
    assert_eq!(
        over_ctl.len(),
        over_json.len(),
        "{words:?}: {over_ctl:?} {over_json:?}"
    );
    let mut wanted = names.to_vec();
    wanted.sort_unstable();
    for item in over_ctl.iter().chain(&over_json) {
        let fields = item
            .as_object()
            .unwrap_or_else(|| panic!("{words:?}: {item}"));
        let mut is: Vec<&str> = fields.keys().map(String::as_str).collect();
        is.sort_unstable();
        assert_eq!(is, wanted, "{words:?}");
    }
    over_json
}

const STATUS: [&str; 17] = [
    "version",
    "instance",
    "uptime_s",
    "generation",
    "pools",
    "members",
    "features",
    "processes",
    "calls_tracked",
    "probing",
    "agent_pid",
    "agent_age_ms",
    "tables_applied",
    "tables_rejected",
    "tables_torn",
    "sticky_keys",
    "sticky_refused",
];
const POOL: [&str; 10] = [
    "pool",
    "members",
    "active",
    "usable",
    "calls",
    "capacity",
    "selected",
    "refused",
    "hash_bits",
    "panic",
];
const MEMBER: [&str; 14] = [
    "member",
    "uri",
    "state",
    "override",
    "usable",
    "calls",
    "calls_elsewhere",
    "capacity",
    "weight",
    "priority",
    "failures",
    "refusals",
    "share",
    "slot",
];
const WORKER: [&str; 11] = [
    "process",
    "pid",
    "rank",
    "kind",
    "generation",
    "behind",
    "age_ms",
    "applied",
    "rejected",
    "torn",
    "panics",
];

const NODES: [&str; 9] = [
    "sharing",
    "sent",
    "not_sent",
    "received",
    "refused",
    "lost",
    "keys_elsewhere",
    "keys_unplaced",
    "nodes",
];

#[test]
fn every_command_answers_alike_over_both_transports() {
    let run = RunDir::new("rpc");
    let callee = Member::start(run.endpoint());
    let m0 = MemberSpec {
        capacity: 20,
        weight: 50,
        ..member("m0", callee.uri())
    };
    let pools = vec![pool("conference", vec![m0]), pool("empty", Vec::new())];
    let _publisher = publisher(&run, pools);
    let kamailio = start(&run, "children=4\n", ROUTES);
    let client = SipClient::new(&run);
    let mut call = client.invite(kamailio.sip(), "conf-1");
    call.answered();

    let status = both(&run, &kamailio, &["kamscale.status"], &STATUS);
    let of = |name: &str| status[0][name].as_i64().unwrap_or(-1);
    assert_eq!(
        (of("generation"), of("pools"), of("members"), of("features")),
        (1, 2, 1, 2)
    );
    assert_eq!(of("agent_pid"), i64::from(std::process::id()));
    assert_eq!(status[0]["calls_tracked"], "yes");
    let pools = both(&run, &kamailio, &["kamscale.pools"], &POOL);
    assert_eq!(pools.len(), 2);
    let of = |name: &str| pools[0][name].as_i64().unwrap_or(-1);
    assert_eq!(pools[0]["pool"], "conference");
    assert_eq!(
        (of("calls"), of("capacity"), of("selected"), of("usable")),
        (1, 20, 1, 1)
    );
    let members = both(
        &run,
        &kamailio,
        &["kamscale.members", "conference"],
        &MEMBER,
    );
    assert_eq!(members[0]["uri"], Value::from(callee.uri()));
    assert_eq!(
        (&members[0]["calls"], &members[0]["weight"]),
        (&1.into(), &50.into())
    );
    let features = both(
        &run,
        &kamailio,
        &["kamscale.features"],
        &[
            "feature",
            "requests",
            "admitted",
            "refused",
            "allowed_per_s",
        ],
    );
    let calls = (&features[0]["feature"], &features[0]["requests"]);
    assert_eq!(calls, (&"calls".into(), &1.into()));
    let workers = both(&run, &kamailio, &["kamscale.workers"], &WORKER);
    let pids: Vec<u64> = workers.iter().filter_map(|w| w["pid"].as_u64()).collect();
    let all: Vec<u64> = kamailio.processes().keys().map(|p| u64::from(*p)).collect();
    assert!(all.iter().all(|p| pids.contains(p)), "{pids:?} of {all:?}");
    assert_eq!(jsonrpc(&run, "kamscale.members", &["empty"]), Ok(json!([])));
    let nodes = both(&run, &kamailio, &["kamscale.nodes"], &NODES);
    assert_eq!(
        (&nodes[0]["sharing"], &nodes[0]["nodes"]),
        (&"no".into(), &json!([]))
    );
    let words = ["kamscale.set_state", "conference", "m0", "draining"];
    let set = both(&run, &kamailio, &words, &MEMBER);
    assert_eq!(
        (&set[0]["override"], &set[0]["usable"]),
        (&"draining".into(), &"no".into())
    );
    assert_eq!(call.bye(), 200);
}

#[test]
fn a_wrong_argument_is_400_or_404_and_says_what_would_be_right() {
    let run = RunDir::new("rpc");
    let _publisher = publisher(
        &run,
        vec![pool("conference", vec![member("m0", "sip:127.0.0.1:9")])],
    );
    let kamailio = start(&run, "children=4\n", ROUTES);
    for (words, code, says) in [
        (&["kamscale.members"][..], 400, "POOL"),
        (&["kamscale.members", "nowhere"], 404, "kamscale.pools"),
        (&["kamscale.set_state", "conference"], 400, "MEMBER"),
        (&["kamscale.set_state", "conference", "m0"], 400, "STATE"),
        (
            &["kamscale.set_state", "conference", "m0", "tired"],
            400,
            "draining or disabled",
        ),
        (
            &["kamscale.set_state", "nowhere", "m0", "active"],
            404,
            "kamscale.pools",
        ),
        (
            &["kamscale.set_state", "conference", "m9", "active"],
            404,
            "kamscale.members conference",
        ),
        (
            &["kamscale.set_state", "conference", "m%s%n", "active"],
            404,
            "m%s%n",
        ),
    ] {
        let over_ctl = kamailio.try_rpc(words).expect_err("an error over ctl");
        assert!(
            over_ctl.contains(&code.to_string()),
            "{words:?}: {over_ctl}"
        );
        assert!(over_ctl.contains(says), "{words:?}: {over_ctl}");
        let (is, text) = jsonrpc(&run, words[0], &words[1..]).expect_err("an error over jsonrpcs");
        assert_eq!(is, code, "{words:?}: {text}");
        assert!(text.contains(says), "{words:?}: {text}");
    }
    let member = shown(&kamailio, "conference", "m0");
    assert_eq!(
        member["override"], "none",
        "an error changed something: {member}"
    );
}

/// Asks until every worker has answered; the members that they took.
fn taken_by_every_worker(client: &SipClient, kamailio: &Kamailio<'_>) -> Vec<String> {
    let mut workers = std::collections::BTreeSet::new();
    let mut taken = std::collections::BTreeSet::new();
    wait_until("every worker takes a request", PATIENCE, || {
        for _ in 0..20 {
            let request = client.request("OPTIONS", &format!("sip:{}", kamailio.sip()));
            let request = request.with("X-Take", "1");
            let reply = client.exchange(&request, kamailio.sip(), PATIENCE).unwrap();
            workers.insert(reply.header("X-Process").unwrap_or_default().to_owned());
            taken.insert(reply.header("X-Member").unwrap_or_default().to_owned());
        }
        workers.len() == 4
    });
    taken.into_iter().collect()
}

#[test]
fn a_members_state_counts_at_the_next_request_in_every_worker_and_after_a_restart() {
    let run = RunDir::new("rpc");
    let uri = |n: u16| format!("sip:127.0.0.1:{}", 7000 + n);
    let two = vec![member("m0", uri(0)), member("m1", uri(1))];
    let mut publisher = publisher(&run, vec![pool("conference", two.clone())]);
    let mut kamailio = start(&run, "children=4\n", ROUTES);
    let client = SipClient::new(&run);
    assert_eq!(taken_by_every_worker(&client, &kamailio), ["m0", "m1"]);
    for state in ["draining", "disabled"] {
        kamailio.rpc(&["kamscale.set_state", "conference", "m0", state]);
        assert_eq!(
            taken_by_every_worker(&client, &kamailio),
            ["m1"],
            "m0 is {state}"
        );
        assert_eq!(shown(&kamailio, "conference", "m0")["override"], state);
    }
    publish(&mut publisher, vec![pool("conference", two)]);
    assert_eq!(
        taken_by_every_worker(&client, &kamailio),
        ["m1"],
        "m0 after a new table"
    );
    kamailio.restart();
    assert_eq!(shown(&kamailio, "conference", "m0")["override"], "disabled");
    assert_eq!(
        taken_by_every_worker(&client, &kamailio),
        ["m1"],
        "m0 after a restart"
    );
    kamailio.rpc(&["kamscale.set_state", "conference", "m0", "active"]);
    assert_eq!(
        taken_by_every_worker(&client, &kamailio),
        ["m0", "m1"],
        "m0 is active"
    );
}
