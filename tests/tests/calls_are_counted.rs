//! Calls per member: counted while they last, and no longer, whichever way they end.

use kamscale_tests::{Answer, Kamailio, Member, PATIENCE, RunDir, SipClient};

use crate::support::{
    answer, await_calls, calls, config, member, pool, publisher, request_at, shown, uri_of,
};

/// Every way that a call can go has a user, and a pool of that name with the member `m`.
const ROUTES: &str = r#"
request_route {
    route(IN_DIALOG);
    record_route();
    if ($rU == "refused-by-transaction") { t_newtran(); }
    if (!ks_select_dst("$rU", "round_robin")) { sl_send_reply("503", "No Member"); exit; }
    if ($rU == "lost-bye") { dlg_set_timeout("2"); }
    if ($rU == "silence") { t_set_fr("0", "2000"); }
    if ($rU == "rings") { t_set_fr("2000", "2000"); }
    if ($rU == "refused-stateless") {
        append_to_reply("X-Calls: $ks_calls(refused-stateless)\r\n");
        sl_send_reply("480", "Refused");
        exit;
    }
    if ($rU == "refused-by-transaction") {
        append_to_reply("X-Calls: $ks_calls(refused-by-transaction)\r\n");
        t_reply("480", "Refused");
        exit;
    }
    if ($rU == "refused-late") {
        append_to_reply("X-Calls: $ks_calls(refused-late)\r\n");
        t_newtran();
        t_reply("480", "Refused");
        exit;
    }
    t_relay();
}
"#;

/// Starts a Kamailio with a pool for each way; all calls go to the one address.
fn start<'a>(run: &'a RunDir, ways: &[&str], to: &str) -> Kamailio<'a> {
    let pools = ways.iter().map(|w| pool(w, vec![member("m", to)]));
    let _publisher = publisher(run, pools.collect());
    Kamailio::with_text(run, &config("", ROUTES)).start()
}

#[test]
fn an_answered_call_counts_until_it_ends_whichever_way() {
    let run = RunDir::new("calls");
    let callee = Member::start(run.endpoint());
    let ways = ["bye", "lost-bye", "terminated"];
    let kamailio = start(&run, &ways, &callee.uri());
    let client = SipClient::new(&run);
    let mut open = Vec::new();
    for way in ways {
        let mut call = client.invite(kamailio.sip(), way);
        call.answered();
        await_calls(&kamailio, way, "m", 1, 1);
        open.push(call);
    }

    assert_eq!(open[0].bye(), 200);
    await_calls(&kamailio, "bye", "m", 0, 1);
    assert_eq!(open[0].bye(), 200, "a BYE that comes again");

    let (id, from) = (open[2].call_id(), "f");
    let from = dialog_tag(&kamailio, id, from);
    kamailio.rpc(&["dlg.terminate_dlg", id, &from, "member"]);
    await_calls(&kamailio, "terminated", "m", 0, 1);

    await_calls(&kamailio, "lost-bye", "m", 0, 1);
    open[1].bye();
    assert_eq!(
        calls(&kamailio, "lost-bye", "m"),
        (0, 1),
        "a BYE after the dialog's lifetime counts nothing below 0"
    );
}

/// The caller's tag, as the dialog module has it.
fn dialog_tag(kamailio: &Kamailio<'_>, call_id: &str, prefix: &str) -> String {
    let dialogs = kamailio.rpc(&["dlg.list"]);
    let found = dialogs.iter().find(|d| d["call-id"] == call_id);
    let tag = found.and_then(|d| d["caller"]["tag"].as_str());
    let tag = tag.unwrap_or_else(|| panic!("no dialog {call_id} in {dialogs:?}"));
    assert!(tag.starts_with(prefix), "{tag}");
    tag.to_owned()
}

#[test]
fn a_call_that_is_not_answered_counts_until_it_is_over() {
    let run = RunDir::new("calls");
    let phone = SipClient::new(&run);
    let ways = ["cancelled", "busy", "member-says-408", "silence", "rings"];
    let kamailio = start(&run, &ways, &uri_of(&phone));
    let client = SipClient::new(&run);
    for (way, status) in [("busy", 486), ("member-says-408", 408)] {
        let mut call = client.invite(kamailio.sip(), way);
        let invite = request_at(&phone, "INVITE");
        await_calls(&kamailio, way, "m", 1, 1);
        answer(&phone, kamailio.sip(), &invite, status);
        assert_eq!(call.final_status(), status);
        await_calls(&kamailio, way, "m", 0, 1);
    }

    let mut call = client.invite(kamailio.sip(), "cancelled");
    let invite = request_at(&phone, "INVITE");
    answer(&phone, kamailio.sip(), &invite, 180);
    await_calls(&kamailio, "cancelled", "m", 1, 1);
    call.cancel();
    let cancel = request_at(&phone, "CANCEL");
    answer(&phone, kamailio.sip(), &cancel, 200);
    answer(&phone, kamailio.sip(), &invite, 487);
    assert_eq!(call.final_status(), 487);
    await_calls(&kamailio, "cancelled", "m", 0, 1);

    for way in ["silence", "rings"] {
        let mut call = client.invite(kamailio.sip(), way);
        let invite = request_at(&phone, "INVITE");
        if way == "rings" {
            answer(&phone, kamailio.sip(), &invite, 180);
        }
        await_calls(&kamailio, way, "m", 1, 1);
        assert_eq!(call.final_status(), 408, "{way}: the server's own answer");
        await_calls(&kamailio, way, "m", 0, 1);
    }
}

#[test]
fn a_call_that_the_script_refuses_after_all_is_not_counted_on() {
    let run = RunDir::new("calls");
    let ways = [
        "refused-stateless",
        "refused-by-transaction",
        "refused-late",
    ];
    let kamailio = start(&run, &ways, "sip:127.0.0.1:9");
    let client = SipClient::new(&run);
    for way in ways {
        let mut call = client.invite(kamailio.sip(), way);
        let refused = call.final_reply();
        assert_eq!(refused.status(), Some(480), "{way}");
        assert_eq!(refused.header("X-Calls"), Some("1"), "{way}: selected");
        await_calls(&kamailio, way, "m", 0, 1);
    }
}

#[test]
fn calls_of_two_callers_at_once_add_up_and_go_back_to_none() {
    const CALLS: u32 = 50;
    let run = RunDir::new("calls");
    let callees: Vec<Member> = (0..3).map(|_| Member::start(run.endpoint())).collect();
    let names = ["m0", "m1", "m2"];
    let members = callees.iter().zip(names).map(|(m, n)| member(n, m.uri()));
    let _publisher = publisher(&run, vec![pool("conference", members.collect())]);
    let kamailio = Kamailio::minimal(&run).start();
    let clients = [SipClient::new(&run), SipClient::new(&run)];
    let sip = kamailio.sip();
    let talk = |client: &SipClient, hang_up: &std::sync::Barrier| {
        let mut open = Vec::new();
        for _ in 0..CALLS {
            let mut call = client.invite(sip, "conf-1");
            call.answered();
            open.push(call.in_dialog("BYE", 2));
        }
        hang_up.wait();
        hang_up.wait();
        for bye in open {
            let reply = client.exchange(&bye, sip, PATIENCE);
            assert_eq!(reply.and_then(|r| r.status()), Some(200), "{bye}");
        }
    };
    let sum = || {
        let each = names.map(|n| calls(&kamailio, "conference", n));
        each.iter().fold((0, 0), |s, c| (s.0 + c.0, s.1 + c.1))
    };
    let all_talk = std::sync::Barrier::new(3);
    std::thread::scope(|scope| {
        for client in &clients {
            scope.spawn(|| talk(client, &all_talk));
        }
        all_talk.wait();
        let (now, ever) = sum();
        let rpc = names.map(|n| shown(&kamailio, "conference", n)["calls"].as_u64());
        let at_members: u64 = callees.iter().map(|m| m.counts().calls).sum();
        all_talk.wait();
        assert_eq!((now, ever), (2 * CALLS, u64::from(2 * CALLS)));
        assert_eq!(rpc.into_iter().flatten().sum::<u64>(), u64::from(2 * CALLS));
        assert_eq!(at_members, u64::from(2 * CALLS));
    });
    for name in names {
        let ever = calls(&kamailio, "conference", name).1;
        await_calls(&kamailio, "conference", name, 0, ever);
    }
    let busy = Answer::Status(486);
    callees.iter().for_each(|c| c.answer_invites(busy));
    assert_eq!(clients[0].invite(sip, "conf-1").final_status(), 486);
}
