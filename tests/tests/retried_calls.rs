//! A caller that was refused tries again with the same Call-ID and tag. While tm keeps the refused
//! transaction, the dialog module keeps its dialog, though that has ended: what counts is the new one.

use kamscale_tests::{Answer, Call, Kamailio, Member, PATIENCE, RunDir, SipClient, wait_until};

use crate::support::{calls, config, member, pool, publisher};

/// One worker: the next attempt is not looked at before the refusal is done with.
const PARAMETERS: &str = r#"
children=1
modparam("tm", "wt_timer", 1500)
"#;

/// Users by whose name the members go by a sticky key; all others are taken in turn.
const ROUTES: &str = r#"
request_route {
    route(IN_DIALOG);
    record_route();
    if ($rU =~ "^sticky") { ks_select_dst("conference", "sticky", "$rU"); }
    else { ks_select_dst("conference", "serial"); }
    if ($rc < 0) { sl_send_reply("480", "No Member"); exit; }
    t_on_failure("NEXT");
    t_relay();
}
failure_route[NEXT] {
    if (t_is_canceled() || !t_check_status("503") || !($rU =~ "next$")) exit;
    if (ks_next_dst()) { t_on_failure("NEXT"); t_relay(); exit; }
    t_reply("480", "Nowhere Else");
}
"#;

fn start<'a>(run: &'a RunDir, members: &[Member]) -> Kamailio<'a> {
    let specs = members.iter().zip(["m0", "m1"]);
    let specs = specs.map(|(m, name)| member(name, m.uri())).collect();
    let _publisher = publisher(run, vec![pool("conference", specs)]);
    Kamailio::with_text(run, &config(PARAMETERS, ROUTES)).start()
}

/// Awaits that the dialogs of what was refused are gone: only so many are left.
#[track_caller]
fn await_dialogs(kamailio: &Kamailio<'_>, left: usize) {
    wait_until(&format!("{left} dialogs"), PATIENCE, || {
        let of_refused = |d: &&serde_json::Value| d["state"] == 5;
        let dialogs = kamailio.rpc(&["dlg.list"]);
        dialogs.iter().filter(of_refused).count() == 0
    });
    assert_eq!(kamailio.rpc(&["dlg.list"]).len(), left, "live dialogs");
}

fn keys(kamailio: &Kamailio<'_>) -> Option<u64> {
    kamailio.rpc(&["kamscale.status"])[0]["sticky_keys"].as_u64()
}

/// An attempt that ends without a call.
#[track_caller]
fn refused<'c>(call: Call<'c>, member: &Member, way: Answer) -> Call<'c> {
    let mut call = call;
    if way == Answer::Ring {
        wait_until("it rings", PATIENCE, || {
            call.next_reply(PATIENCE).and_then(|r| r.status()) == Some(180)
        });
        call.cancel();
        assert_eq!(call.final_status(), 487);
    } else {
        let Answer::Status(status) = way else {
            panic!("{way:?} is no end")
        };
        // tm passes a 503 on as a 500.
        let status = if status == 503 { 500 } else { status };
        assert_eq!(call.final_status(), status);
    }
    member.answer_invites(Answer::Status(200));
    call
}

const WAYS: [Answer; 7] = [
    Answer::Status(401),
    Answer::Status(407),
    Answer::Status(422),
    Answer::Status(302),
    Answer::Status(486),
    Answer::Status(503),
    Answer::Ring,
];

/// A call for every way to be refused first; it dials `user` and the number of the way.
fn refused_then_answered(user: &str, is_sticky: bool) {
    let run = RunDir::new("retried");
    let callee = [Member::start(run.endpoint())];
    let kamailio = start(&run, &callee);
    let client = SipClient::new(&run);
    let mut open = Vec::new();
    for (number, way) in WAYS.into_iter().enumerate() {
        callee[0].answer_invites(way);
        let first = client.invite(kamailio.sip(), &format!("{user}-{number}"));
        let first = refused(first, &callee[0], way);
        let mut call = first.try_again();
        call.answered();
        // tm knows the refused one still, and says so again; that is no call.
        first.send_again();
        open.push(call);
    }
    await_dialogs(&kamailio, open.len());
    let live = u32::try_from(open.len()).unwrap();
    let now = || calls(&kamailio, "conference", "m0").0;
    assert_eq!(now(), live, "calls of members who talk");
    assert_eq!(
        keys(&kamailio),
        Some(if is_sticky { live.into() } else { 0 })
    );
    for call in &open {
        assert_eq!(call.bye(), 200);
    }
    wait_until("no call is counted", PATIENCE, || now() == 0);
    assert_eq!(keys(&kamailio), Some(0), "keys of calls that are over");
}

#[test]
fn a_call_that_is_answered_only_when_it_is_sent_again_counts_until_it_ends() {
    refused_then_answered("user", false);
}

#[test]
fn a_room_whose_first_caller_was_challenged_is_held_until_he_leaves() {
    refused_then_answered("sticky", true);
}

#[test]
fn a_second_attempt_that_fails_over_is_counted_where_it_ends_up() {
    let run = RunDir::new("retried");
    let members = [Member::start(run.endpoint()), Member::start(run.endpoint())];
    let kamailio = start(&run, &members);
    let client = SipClient::new(&run);
    for user in ["serial-next", "sticky-next"] {
        members
            .iter()
            .for_each(|m| m.answer_invites(Answer::Status(407)));
        let mut first = client.invite(kamailio.sip(), user);
        assert_eq!(first.final_status(), 407);
        let is_first =
            |m: &&Member| m.counts().call_ids.last().map(String::as_str) == Some(first.call_id());
        let chosen = members.iter().position(|m| is_first(&m)).unwrap();
        let other = 1 - chosen;
        members[chosen].answer_invites(Answer::Status(503));
        members[other].answer_invites(Answer::Status(200));
        let mut call = first.try_again();
        call.answered();
        await_dialogs(&kamailio, 1);
        let now = |i: usize| calls(&kamailio, "conference", ["m0", "m1"][i]).0;
        assert_eq!((now(chosen), now(other)), (0, 1), "{user}");
        let held = u64::from(user.starts_with("sticky"));
        assert_eq!(keys(&kamailio), Some(held), "{user}");
        assert_eq!(call.bye(), 200);
        wait_until("nothing is counted", PATIENCE, || {
            (now(0), now(1)) == (0, 0)
        });
        assert_eq!(keys(&kamailio), Some(0), "{user}");
        await_dialogs(&kamailio, 0);
    }
}
