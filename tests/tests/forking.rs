//! Forking to a whole pool, with real calls: one answers, the others are cancelled, and the call counts once.

use kamscale_tests::{Answer, Kamailio, Member, PATIENCE, RunDir, SipClient, wait_until};

use crate::support::{await_calls, calls, config, member, pool, publisher};

const ROUTES: &str = r#"
request_route {
    route(IN_DIALOG);
    record_route();
    if (!ks_select_dst("phones", "fork")) {
        append_to_reply("X-Code: $rc\r\n");
        send_reply("503", "No Member");
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
    t_reply("480", "Nobody");
}
"#;

const NAMES: [&str; 4] = ["m0", "m1", "m2", "m3"];

fn start<'a>(run: &'a RunDir, parameters: &str) -> (Vec<Member>, Kamailio<'a>) {
    let members: Vec<Member> = NAMES
        .iter()
        .map(|_| Member::start(run.endpoint()))
        .collect();
    let specs = members.iter().zip(NAMES).map(|(m, n)| member(n, m.uri()));
    let _publisher = publisher(run, vec![pool("phones", specs.collect())]);
    let kamailio = Kamailio::with_text(run, &config(parameters, ROUTES)).start();
    (members, kamailio)
}

fn await_at(members: &[Member], what: &str, of: impl Fn(&Member) -> bool) {
    wait_until(what, PATIENCE, || members.iter().all(&of));
}

fn all_calls(kamailio: &Kamailio<'_>) -> u32 {
    NAMES
        .iter()
        .map(|name| calls(kamailio, "phones", name).0)
        .sum()
}

#[test]
fn one_answers_the_others_are_cancelled_and_the_call_counts_once_on_who_answered() {
    let run = RunDir::new("forking");
    // One worker: with more, tm may miss that a branch rings while another one is answered, and not cancel it.
    let (members, kamailio) = start(&run, "children=1\n");
    let client = SipClient::new(&run);
    // Whoever is the first one in turn: over four calls each of them is the winner of one.
    for (number, winner) in members.iter().enumerate() {
        let rings = |m: &Member| m.address() != winner.address();
        for member in &members {
            let how = if rings(member) {
                Answer::Ring
            } else {
                Answer::Status(200)
            };
            member.answer_invites(how);
        }
        let mut call = client.invite(kamailio.sip(), "desk");
        call.answered();
        await_at(&members, "everybody was asked", |m| {
            m.counts().invites == number as u64 + 1
        });
        wait_until("the others are cancelled", PATIENCE, || {
            let sum: u64 = members.iter().map(|m| m.counts().cancels).sum();
            sum == 3 * (number as u64 + 1)
        });
        wait_until("it counts on the winner", PATIENCE, || {
            calls(&kamailio, "phones", NAMES[number]).0 == 1
        });
        assert_eq!(all_calls(&kamailio), 1, "one call is one count");
        assert_eq!(call.bye(), 200);
        wait_until("it counts nowhere", PATIENCE, || all_calls(&kamailio) == 0);
        assert_eq!(winner.counts().byes, 1, "the BYE goes to who answered");
    }
}

#[test]
fn a_forked_call_that_nobody_takes_or_that_is_given_up_counts_nowhere() {
    let run = RunDir::new("forking");
    let (members, kamailio) = start(&run, "");
    let client = SipClient::new(&run);
    for member in &members {
        member.answer_invites(Answer::Status(486));
    }
    let reply = client.invite(kamailio.sip(), "desk").final_reply();
    assert_eq!(reply.start_line(), "SIP/2.0 480 Nobody");
    assert_eq!(reply.header("X-Code"), Some("-3"), "each was tried once");
    await_at(&members, "everybody was asked once", |m| {
        m.counts().invites == 1
    });
    for member in &members {
        member.answer_invites(Answer::Ring);
    }
    let mut call = client.invite(kamailio.sip(), "desk");
    await_at(&members, "everybody rings", |m| m.counts().invites == 2);
    assert_eq!(all_calls(&kamailio), 1, "while it rings it counts on one");
    call.cancel();
    assert_eq!(call.final_status(), 487);
    await_at(&members, "everybody is cancelled", |m| {
        m.counts().cancels == 1
    });
    wait_until("it counts nowhere", PATIENCE, || all_calls(&kamailio) == 0);
}

#[test]
fn the_servers_limit_of_branches_bounds_a_fork_and_the_operators_word_is_heard() {
    let run = RunDir::new("forking");
    let (members, kamailio) = start(&run, "max_branches=3\n");
    let client = SipClient::new(&run);
    let reached = |m: &[Member]| m.iter().filter(|m| m.counts().invites > 0).count();
    for member in &members {
        member.answer_invites(Answer::Status(486));
    }
    let status = client.invite(kamailio.sip(), "desk").final_status();
    assert!(status >= 480, "{status}");
    assert_eq!(reached(&members), 3);
    for name in NAMES {
        kamailio.rpc(&["kamscale.set_state", "phones", name, "disabled"]);
    }
    kamailio.rpc(&["kamscale.set_state", "phones", "m2", "active"]);
    members[2].answer_invites(Answer::Status(200));
    let before: u64 = members.iter().map(|m| m.counts().invites).sum();
    let mut call = client.invite(kamailio.sip(), "desk");
    call.answered();
    await_calls(
        &kamailio,
        "phones",
        "m2",
        1,
        calls(&kamailio, "phones", "m2").1,
    );
    assert_eq!(call.bye(), 200);
    let after: u64 = members.iter().map(|m| m.counts().invites).sum();
    assert_eq!(after, before + 1, "one is left");
}
