//! Failover: the next best member, from the table as it is then, never twice to the same, and the
//! call is counted where it is.

use kamscale_shm::MemberSpec;
use kamscale_tests::{Answer, Kamailio, Member, PATIENCE, RunDir, SipClient, wait_until};

use crate::support::{
    answer, await_calls, config, member, pool, publish, publisher, request_at, shown, uri_of,
};

const PARAMETERS: &str = r#"
modparam("tm", "fr_timer", 700)
modparam("kamscale", "mark_down_s", 2)
"#;

/// Users of whom more is asked: `mark` marks what failed, `careful` marks until it is answered,
/// `lost` asks for what was never selected.
const ROUTES: &str = r#"
request_route {
    route(IN_DIALOG);
    record_route();
    if ($rU == "lost") {
        ks_next_dst();
        $var(next) = $rc;
        ks_mark_dst("up");
        sl_send_reply("480", "Lost $var(next) $rc");
        exit;
    }
    if (!ks_select_dst("conference", "serial")) { send_reply("503", "No Member"); exit; }
    if ($rU == "careful") {
        ks_mark_dst("down");
        t_on_reply("ANSWERED");
    }
    t_on_failure("NEXT");
    t_relay();
}
onreply_route[ANSWERED] {
    if (t_check_status("200")) ks_mark_dst("up");
}
failure_route[NEXT] {
    if (t_is_canceled()) exit;
    if ($rU == "mark") ks_mark_dst();
    if (ks_next_dst()) {
        t_on_failure("NEXT");
        t_relay();
        exit;
    }
    append_to_reply("X-Code: $rc\r\n");
    t_reply("503", "All Tried");
}
"#;

/// A member that `serial` takes before those of lower priority.
fn ranked(name: &str, uri: &str, priority: u16) -> MemberSpec {
    MemberSpec {
        priority,
        ..member(name, uri)
    }
}

const NAMES: [&str; 4] = ["m0", "m1", "m2", "m3"];

/// So many members, the first one first.
fn start(run: &RunDir, count: usize) -> (Vec<Member>, Kamailio<'_>) {
    let members: Vec<Member> = (0..count).map(|_| Member::start(run.endpoint())).collect();
    let specs = members.iter().zip(NAMES).zip((0..9_u16).rev());
    let specs = specs.map(|((m, name), priority)| ranked(name, &m.uri(), priority));
    let _publisher = publisher(run, vec![pool("conference", specs.collect())]);
    let kamailio = Kamailio::with_text(run, &config(PARAMETERS, ROUTES)).start();
    (members, kamailio)
}

#[test]
fn every_member_is_tried_once_and_then_the_caller_gets_503() {
    let run = RunDir::new("failover");
    let (members, kamailio) = start(&run, 4);
    for member in &members {
        member.answer_invites(Answer::Status(503));
    }
    let client = SipClient::new(&run);
    let reply = client.invite(kamailio.sip(), "conf-1").final_reply();
    assert_eq!(reply.start_line(), "SIP/2.0 503 All Tried");
    assert_eq!(reply.header("X-Code"), Some("-3"), "NO_MEMBER in the end");
    for (member, name) in members.iter().zip(NAMES) {
        assert_eq!(member.counts().invites, 1, "INVITEs at {name}");
        await_calls(&kamailio, "conference", name, 0, 1);
    }
}

#[test]
fn a_call_goes_on_from_members_that_refuse_or_say_nothing_and_its_count_goes_along() {
    let run = RunDir::new("failover");
    let (members, kamailio) = start(&run, 4);
    members[0].answer_invites(Answer::Status(503));
    members[1].answer_invites(Answer::Silence);
    let client = SipClient::new(&run);
    let mut call = client.invite(kamailio.sip(), "conf-1");
    call.answered();
    for (name, now, ever) in [("m0", 0, 1), ("m1", 0, 1), ("m2", 1, 1), ("m3", 0, 0)] {
        await_calls(&kamailio, "conference", name, now, ever);
    }
    assert_eq!(call.bye(), 200);
    await_calls(&kamailio, "conference", "m2", 0, 1);
    let got: Vec<u64> = members.iter().map(|m| m.counts().calls).collect();
    assert_eq!(got, [0; 4], "calls that members still see");
    assert_eq!(members[3].counts().invites, 0, "m3 was not needed");
}

#[test]
fn the_next_member_comes_from_the_table_as_it_is_then() {
    let run = RunDir::new("failover");
    let phones: [SipClient; 4] = std::array::from_fn(|_| SipClient::new(&run));
    let [a, b, c, d] = [0, 1, 2, 3].map(|i| uri_of(&phones[i]));
    let table = |members| vec![pool("conference", members)];
    let first = vec![ranked("a", &a, 9), ranked("b", &b, 8)];
    let mut publisher = publisher(&run, table(first));
    let kamailio = Kamailio::with_text(&run, &config(PARAMETERS, ROUTES)).start();
    let client = SipClient::new(&run);
    let refuse = |phone: &SipClient| {
        answer(phone, kamailio.sip(), &request_at(phone, "INVITE"), 503);
    };

    let mut call = client.invite(kamailio.sip(), "conf-1");
    let at_a = request_at(&phones[0], "INVITE");
    await_calls(&kamailio, "conference", "a", 1, 1);
    // b goes and c comes, while a still rings; a stays first.
    let second = vec![ranked("a", &a, 9), ranked("c", &c, 7)];
    publish(&mut publisher, table(second));
    answer(&phones[0], kamailio.sip(), &at_a, 503);
    let at_c = request_at(&phones[2], "INVITE");
    await_calls(&kamailio, "conference", "c", 1, 1);
    // Now a itself goes, and d comes.
    publish(
        &mut publisher,
        table(vec![ranked("c", &c, 7), ranked("d", &d, 1)]),
    );
    answer(&phones[2], kamailio.sip(), &at_c, 503);
    refuse(&phones[3]);
    let reply = call.final_reply();
    assert_eq!(reply.header("X-Code"), Some("-3"), "NO_MEMBER in the end");
    for name in ["c", "d"] {
        await_calls(&kamailio, "conference", name, 0, 1);
    }
    let counted = kamailio.observed("default").members;
    assert_eq!(
        counted.iter().map(|m| m.calls).sum::<u32>(),
        0,
        "{counted:?}"
    );
    for (phone, name) in [(&phones[0], "a"), (&phones[1], "b"), (&phones[2], "c")] {
        let more = std::iter::from_fn(|| phone.receive(crate::support::SILENCE));
        let again = more.filter(|m| m.method() == Some("INVITE")).count();
        assert_eq!(again, 0, "INVITEs at {name} that must not be");
    }
}

#[test]
fn a_member_that_is_marked_down_stays_out_for_its_time_and_comes_back() {
    let run = RunDir::new("failover");
    let (members, kamailio) = start(&run, 2);
    members[0].answer_invites(Answer::Status(503));
    let client = SipClient::new(&run);
    let mut calls = vec![client.invite(kamailio.sip(), "mark")];
    calls[0].answered();
    let down = shown(&kamailio, "conference", "m0");
    assert_eq!(
        (&down["usable"], &down["failures"]),
        (&"no".into(), &1.into()),
        "{down}"
    );
    assert_eq!(down["state"], "active", "down is not the agent's state");
    calls.push(client.invite(kamailio.sip(), "conf-1"));
    calls[1].answered();
    assert_eq!(members[0].counts().invites, 1, "m0 is out");
    let seen = kamailio.observed("default").members;
    assert!(seen.iter().any(|m| m.down && m.failures == 1), "{seen:?}");

    members[0].answer_invites(Answer::Status(200));
    wait_until("m0 is back", PATIENCE, || {
        shown(&kamailio, "conference", "m0")["usable"] == "yes"
    });
    calls.push(client.invite(kamailio.sip(), "conf-1"));
    calls[2].answered();
    assert_eq!(members[0].counts().invites, 2, "m0 is used again");
    for call in &calls {
        assert_eq!(call.bye(), 200);
    }
    await_calls(&kamailio, "conference", "m0", 0, 2);
    await_calls(&kamailio, "conference", "m1", 0, 2);
}

#[test]
fn a_mark_is_taken_back_by_up_and_needs_a_selection() {
    let run = RunDir::new("failover");
    let (members, kamailio) = start(&run, 2);
    let client = SipClient::new(&run);
    let reply = client.invite(kamailio.sip(), "lost").final_reply();
    assert_eq!(
        reply.start_line(),
        "SIP/2.0 480 Lost -5 -5",
        "NOT_SELECTED for ks_next_dst() and ks_mark_dst()"
    );
    for times in 1..=2 {
        let mut call = client.invite(kamailio.sip(), "careful");
        call.answered();
        let m0 = shown(&kamailio, "conference", "m0");
        assert_eq!(m0["usable"], "yes", "up in the reply's route: {m0}");
        assert_eq!(m0["failures"], times, "down before it was sent");
        assert_eq!(call.bye(), 200);
    }
    assert_eq!(members[0].counts().invites, 2);
}

#[test]
fn minimal_cfg_goes_on_to_the_next_and_tells_the_caller_when_all_failed() {
    let run = RunDir::new("failover");
    let members: Vec<Member> = (0..2).map(|_| Member::start(run.endpoint())).collect();
    let specs = members.iter().zip(NAMES).map(|(m, n)| member(n, m.uri()));
    let _publisher = publisher(&run, vec![pool("queue", specs.collect())]);
    let kamailio = Kamailio::minimal(&run).start();
    let client = SipClient::new(&run);
    for member in &members {
        member.answer_invites(Answer::Status(503));
    }
    let status = client.invite(kamailio.sip(), "queue-1").final_status();
    assert_eq!(status, 503, "every member failed");
    assert_eq!(members[0].counts().invites, 1);
    assert_eq!(members[1].counts().invites, 1);
    let status = client.invite(kamailio.sip(), "queue-1").final_status();
    assert_eq!(status, 503, "both are marked as down");
    let tried: u64 = members.iter().map(|m| m.counts().invites).sum();
    assert_eq!(tried, 2, "members that are down were tried");
}
