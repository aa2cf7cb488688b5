//! Several pools in one selection, with real calls: the first in which a member takes the call, then the
//! others in order, also from the failure route.

use kamscale_shm::DesiredState;
use kamscale_tests::{Answer, Kamailio, Member, RunDir, SipClient};

use crate::support::{
    answer, ask, await_calls, config, member, pool, publish, publisher, refusal, request_at, uri_of,
};

const PARAMETERS: &str = "modparam(\"tm\", \"fr_timer\", 700)\n";

/// OPTIONS have a list in a header.
const ROUTES: &str = r#"
request_route {
    if ($hdr(X-Pools) != $null) {
        ks_select_dst("$hdr(X-Pools)", "serial");
        append_to_reply("X-Code: $rc\r\nX-Member: $ks_pool/$ks_member\r\n");
    }
    route(IN_DIALOG);
    record_route();
    if ($rU == "room") {
        ks_select_dst("conference,overflow", "sticky", "$rU");
    } else {
        ks_select_dst("conference,overflow=serial,later", "least_calls");
    }
    if ($rc < 0) {
        append_to_reply("X-Code: $rc\r\n");
        send_reply("503", "No Member");
        exit;
    }
    append_hf("X-Pool: $ks_pool\r\n");
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
    append_to_reply("X-Code: $rc\r\nX-Pool: $ks_pool\r\n");
    t_reply("503", "All Tried");
}
"#;

#[test]
fn a_call_goes_to_the_first_pool_that_takes_it_and_fails_over_through_the_others_in_order() {
    let run = RunDir::new("several");
    let members: Vec<Member> = (0..4).map(|_| Member::start(run.endpoint())).collect();
    let at = |i: usize, name: &str| member(name, members[i].uri());
    let _publisher = publisher(
        &run,
        vec![
            pool("conference", vec![at(0, "c0"), at(1, "c1")]),
            pool("overflow", vec![at(2, "o0"), at(3, "o1")]),
        ],
    );
    let kamailio = Kamailio::with_text(&run, &config(PARAMETERS, ROUTES)).start();
    let client = SipClient::new(&run);
    let mut call = client.invite(kamailio.sip(), "one");
    call.answered();
    assert_eq!(call.bye(), 200);
    let first: u64 = members[..2].iter().map(|m| m.counts().invites).sum();
    assert_eq!(first, 1, "the first pool has room");

    // One of the first pool refuses, the other one says nothing, o0 refuses.
    members[0].answer_invites(Answer::Status(503));
    members[1].answer_invites(Answer::Silence);
    members[2].answer_invites(Answer::Status(486));
    let mut call = client.invite(kamailio.sip(), "two");
    call.answered();
    await_calls(&kamailio, "overflow", "o1", 1, 1);
    assert_eq!(call.bye(), 200);
    await_calls(&kamailio, "overflow", "o1", 0, 1);

    members[3].answer_invites(Answer::Status(503));
    let reply = client.invite(kamailio.sip(), "three").final_reply();
    assert_eq!(reply.start_line(), "SIP/2.0 503 All Tried");
    assert_eq!(reply.header("X-Code"), Some("-3"));
    assert_eq!(
        reply.header("X-Pool"),
        Some("overflow"),
        "the last one that was tried"
    );
    let tried: Vec<u64> = members.iter().map(|m| m.counts().invites).collect();
    assert_eq!(tried[0] + tried[1], 1 + 2 + 2, "each once: {tried:?}");
    assert_eq!(tried[2..], [2, 2], "each once: {tried:?}");
    for name in ["c0", "c1"] {
        let counted = crate::support::calls(&kamailio, "conference", name);
        assert_eq!(counted.0, 0, "{name}");
    }
}

#[test]
fn the_pools_are_those_of_the_table_when_the_next_one_is_looked_for() {
    let run = RunDir::new("several");
    let phones: [SipClient; 3] = std::array::from_fn(|_| SipClient::new(&run));
    let at = |i: usize, name: &str| member(name, uri_of(&phones[i]));
    let mut publisher = publisher(&run, vec![pool("conference", vec![at(0, "c0")])]);
    let kamailio = Kamailio::with_text(&run, &config(PARAMETERS, ROUTES)).start();
    let client = SipClient::new(&run);
    let mut call = client.invite(kamailio.sip(), "one");
    let at_first = request_at(&phones[0], "INVITE");
    // While it rings, its pool goes, and the second and third come.
    let draining = kamscale_shm::MemberSpec {
        state: DesiredState::Draining,
        ..at(1, "o0")
    };
    publish(
        &mut publisher,
        vec![
            pool("overflow", vec![draining]),
            pool("later", vec![at(2, "l0")]),
        ],
    );
    answer(&phones[0], kamailio.sip(), &at_first, 503);
    let at_last = request_at(&phones[2], "INVITE");
    await_calls(&kamailio, "later", "l0", 1, 1);
    answer(&phones[2], kamailio.sip(), &at_last, 486);
    let reply = call.final_reply();
    assert_eq!(reply.header("X-Code"), Some("-3"));
    assert_eq!(reply.header("X-Pool"), Some("later"));
    assert_eq!(
        phones[1]
            .receive(crate::support::SILENCE)
            .map(|m| m.start_line().to_owned()),
        None
    );
}

#[test]
fn a_computed_list_answers_the_documented_codes() {
    let run = RunDir::new("several");
    let at = |host: u8, name: &str| member(name, format!("sip:192.0.2.{host}"));
    let _publisher = publisher(
        &run,
        vec![
            pool("empty", vec![]),
            pool("a", vec![at(1, "a0")]),
            pool("b", vec![at(2, "b0")]),
        ],
    );
    let kamailio = Kamailio::with_text(&run, &config(PARAMETERS, ROUTES)).start();
    let client = SipClient::new(&run);
    for (list, wanted) in [
        ("nowhere,empty", "-3"),
        ("nowhere,never", "-2"),
        ("a,b=fastest", "-4"),
        ("a,,b", "-4"),
        ("a,b,c,d,e,f,g,h", "-4"),
        ("a,a", "-4"),
        ("nowhere, empty=hash, b", "1"),
        ("a=p2c", "1"),
    ] {
        let code = ask(&client, &kamailio, &[("X-Pools", list)], "X-Code");
        assert_eq!(code, wanted, "{list}");
    }
    for (list, wanted) in [("nowhere, empty=hash, b", "b/b0"), ("a=p2c", "a/a0")] {
        let used = ask(&client, &kamailio, &[("X-Pools", list)], "X-Member");
        assert_eq!(used, wanted, "{list}");
    }
}

#[test]
fn a_list_in_the_script_is_checked_at_the_start() {
    let run = RunDir::new("several");
    let file = run.write("pools.txt", "conference c1 sip:127.0.0.1:9\n");
    let parameters = format!(
        "modparam(\"kamscale\", \"pools_file\", \"{}\")\n",
        file.display()
    );
    for (list, words) in [
        (
            "conference,nowhere",
            ["no pool \\\"nowhere\\\"", "conference"],
        ),
        ("conference=fastest", ["no algorithm", "least_calls"]),
        ("conference,conference", ["listed twice", "conference"]),
    ] {
        let routes = format!("request_route {{ ks_select_dst(\"{list}\"); }}");
        let setup = Kamailio::with_text(&run, &config(&parameters, &routes));
        let log = refusal(&run, &setup);
        for word in words {
            let word = word.replace('\\', "");
            assert!(log.contains(&word), "{list}: no {word} in\n{log}");
        }
    }
}
