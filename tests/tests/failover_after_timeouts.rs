//! Failover when a member says nothing, or rings and never answers: tm's timer process runs the failure route
//! then, and goes on by the table as it is, to whom the request was not sent, also in another pool.

use kamscale_shm::MemberSpec;
use kamscale_tests::{Kamailio, RunDir, SipClient, SipMessage};

use crate::support::{
    SILENCE, answer, await_calls, config, member, pool, publish, publisher, request_at, uri_of,
};

const PARAMETERS: &str = r#"
modparam("tm", "fr_timer", 900)
modparam("tm", "fr_inv_timer", 1200)
"#;

const ROUTES: &str = r#"
request_route {
    route(IN_DIALOG);
    record_route();
    if (!ks_select_dst("first,second", "serial")) { send_reply("503", "No Member"); exit; }
    append_hf("X-Process: $pp\r\n");
    t_on_failure("NEXT");
    t_relay();
}
failure_route[NEXT] {
    if (t_is_canceled()) exit;
    if (ks_next_dst()) {
        append_hf("X-Next-By: $pp\r\n");
        t_on_failure("NEXT");
        t_relay();
        exit;
    }
    append_to_reply("X-Code: $rc\r\n");
    t_reply("503", "All Tried");
}
"#;

fn ranked(name: &str, phone: &SipClient, priority: u16) -> MemberSpec {
    MemberSpec {
        priority,
        ..member(name, uri_of(phone))
    }
}

/// Which process sent it on last.
fn sent_by(invite: &SipMessage) -> String {
    let last = invite.headers("X-Next-By").last();
    let first = invite.header("X-Process");
    last.or(first).unwrap_or_default().to_owned()
}

#[test]
fn silence_and_ringing_without_an_end_go_on_in_the_timer_process_by_the_newest_table() {
    let run = RunDir::new("timeouts");
    let phones: [SipClient; 4] = std::array::from_fn(|_| SipClient::new(&run));
    let [a, b, c, d] = &phones;
    let first = vec![ranked("a", a, 9), ranked("b", b, 8)];
    let second = vec![ranked("c", c, 9)];
    let table = vec![pool("first", first), pool("second", second.clone())];
    let mut publisher = publisher(&run, table);
    let kamailio = Kamailio::with_text(&run, &config(PARAMETERS, ROUTES)).start();
    let client = SipClient::new(&run);
    let mut call = client.invite(kamailio.sip(), "desk");
    // a says nothing. Meanwhile b leaves, and d comes.
    let at_a = request_at(a, "INVITE");
    await_calls(&kamailio, "first", "a", 1, 1);
    let first = vec![ranked("a", a, 9), ranked("d", d, 1)];
    publish(
        &mut publisher,
        vec![pool("first", first), pool("second", second)],
    );
    // d rings and never answers.
    let at_d = request_at(d, "INVITE");
    answer(d, kamailio.sip(), &at_d, 180);
    assert_ne!(
        sent_by(&at_a),
        sent_by(&at_d),
        "the next one was found by another process"
    );
    await_calls(&kamailio, "first", "d", 1, 1);
    await_calls(&kamailio, "first", "a", 0, 1);
    let cancel = request_at(d, "CANCEL");
    answer(d, kamailio.sip(), &cancel, 200);
    answer(d, kamailio.sip(), &at_d, 487);
    // The next pool.
    let at_c = request_at(c, "INVITE");
    await_calls(&kamailio, "second", "c", 1, 1);
    answer(c, kamailio.sip(), &at_c, 503);
    let reply = call.final_reply();
    assert_eq!(reply.start_line(), "SIP/2.0 503 All Tried");
    assert_eq!(reply.header("X-Code"), Some("-3"));
    await_calls(&kamailio, "second", "c", 0, 1);
    await_calls(&kamailio, "first", "d", 0, 1);
    let more = std::iter::from_fn(|| b.receive(SILENCE));
    let at_b = more.filter(|m| m.method() == Some("INVITE")).count();
    assert_eq!(at_b, 0, "b has left");
}
