//! A member that refuses quickly looks idle: it must not attract the calls of the whole pool.

use kamscale_tests::{Answer, Kamailio, Member, PATIENCE, RunDir, SipClient, wait_until};

use crate::support::{await_calls, config, member, pool, publisher, shown};

/// Callers of `on` go on to the next member, the others are told.
const ROUTES: &str = r#"
request_route {
    route(IN_DIALOG);
    record_route();
    if (!ks_select_dst("p", "least_calls")) { send_reply("503", "No Member"); exit; }
    if ($rU == "on") t_on_failure("NEXT");
    t_relay();
}
failure_route[NEXT] {
    if (t_is_canceled()) exit;
    if (ks_next_dst()) t_relay();
}
"#;

#[test]
fn quick_refusals_do_not_attract_calls_whether_the_script_goes_on_or_not() {
    let run = RunDir::new("refusals");
    let (busy, good) = (Member::start(run.endpoint()), Member::start(run.endpoint()));
    let members = vec![member("busy", busy.uri()), member("good", good.uri())];
    let _publisher = publisher(&run, vec![pool("p", members)]);
    let kamailio = Kamailio::with_text(&run, &config("", ROUTES)).start();
    let client = SipClient::new(&run);
    // One call stays with the good one: by their calls alone everything would go to the other.
    busy.answer_invites(Answer::Status(503));
    let mut held = client.invite(kamailio.sip(), "on");
    while held.final_status() != 200 {
        held = client.invite(kamailio.sip(), "on");
    }
    held.ack();
    await_calls(&kamailio, "p", "good", 1, good.counts().invites);
    for (status, user) in [(486, "off"), (503, "on")] {
        busy.answer_invites(Answer::Status(status));
        // How often until it is known: at most for the second in which it was noted.
        wait_until("a call goes to the good one", PATIENCE, || {
            let before = (busy.counts().invites, good.counts().invites);
            let mut call = client.invite(kamailio.sip(), user);
            if call.final_status() == 200 {
                call.ack();
                assert_eq!(call.bye(), 200);
            }
            (busy.counts().invites, good.counts().invites) == (before.0, before.1 + 1)
        });
        let before = busy.counts().invites;
        for _ in 0..5 {
            let mut call = client.invite(kamailio.sip(), user);
            if call.final_status() == 200 {
                call.ack();
                assert_eq!(call.bye(), 200);
            }
        }
        let tried = busy.counts().invites - before;
        assert!(
            tried <= 2,
            "{user}, {status}: {tried} of 5 calls to a member that refuses"
        );
    }
    let refusals = shown(&kamailio, "p", "busy")["refusals"].as_i64();
    assert!(refusals.is_some_and(|n| n >= 2), "{refusals:?}");
    assert_eq!(held.bye(), 200);
}
