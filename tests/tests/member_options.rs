//! What members have beside their URI: the local socket that they are reached from, attributes that scripts
//! read, a proxy before them; and two members with one URI.

use kamscale_shm::{MemberOptions, MemberSpec};
use kamscale_tests::{Answer, Kamailio, Member, PATIENCE, RunDir, SipClient, wait_until};

use crate::support::{
    ask, await_calls, config, lines, member, pool, publish, publisher, request_at, shown,
};

const ROUTES: &str = r#"
request_route {
    if ($hdr(X-Take) != $null) {
        if ($hdr(X-Take) == "domain") ks_select_domain("conference", "serial");
        else ks_select_dst("conference", "serial");
        append_to_reply("X-Dst: $du\r\nX-R-Uri: $ru\r\nX-Attr: $ks_attr(site) $ks_attr(no)\r\n");
    }
    route(IN_DIALOG);
    record_route();
    if ($rU == "domain") {
        if (!ks_select_domain("conference", "serial")) { send_reply("503", "No Member"); exit; }
    } else if (!ks_select_dst("conference", "serial")) {
        send_reply("503", "No Member $rc");
        exit;
    }
    t_on_failure("NEXT");
    t_relay();
}
failure_route[NEXT] {
    if (t_is_canceled()) exit;
    if ($rU == "domain") ks_next_domain();
    else ks_next_dst();
    if ($rc > 0) {
        xlog("L_NOTICE", "NEXT $ks_member $ks_attr(site)\n");
        t_on_failure("NEXT");
        t_relay();
        exit;
    }
}
event_route[kamscale:member-down] {
    xlog("L_NOTICE", "DOWN $ks_member $ks_attr(site) $ks_attr(no)\n");
}
"#;

fn with(name: &str, uri: &str, priority: u16, options: MemberOptions) -> MemberSpec {
    MemberSpec {
        priority,
        options,
        ..member(name, uri)
    }
}

fn socket(text: impl std::fmt::Display) -> MemberOptions {
    MemberOptions {
        socket: text.to_string(),
        ..MemberOptions::default()
    }
}

fn attributes(text: &str) -> MemberOptions {
    MemberOptions {
        attributes: text.into(),
        ..MemberOptions::default()
    }
}

#[test]
fn each_member_is_reached_from_its_own_socket_and_failover_takes_it_along() {
    let run = RunDir::new("options");
    let members: Vec<Member> = (0..3).map(|_| Member::start(run.endpoint())).collect();
    let (of_address, of_name) = (run.endpoint(), run.endpoint());
    let specs = vec![
        with(
            "m0",
            &members[0].uri(),
            9,
            socket(format!("udp:{of_address}")),
        ),
        with("m1", &members[1].uri(), 8, socket("side")),
        with("m2", &members[2].uri(), 7, MemberOptions::default()),
    ];
    let mut publisher = publisher(&run, vec![pool("conference", specs)]);
    let sockets = format!("listen=udp:{of_address}\nlisten=udp:{of_name} name \"side\"\n");
    let kamailio = Kamailio::with_text(&run, &config(&sockets, ROUTES)).start();
    let client = SipClient::new(&run);
    for refuses in &members[..2] {
        refuses.answer_invites(Answer::Status(503));
    }
    let mut call = client.invite(kamailio.sip(), "conf-1");
    call.answered();
    let sources = |at: usize| members[at].counts().sources;
    assert_eq!(sources(0), [of_address]);
    assert_eq!(sources(1), [of_name]);
    let none = "a member without a socket gets it from where the caller is served";
    assert_eq!(sources(2), [kamailio.sip()], "{none}");
    assert_eq!(call.bye(), 200);

    // A socket that is not there is an error of this member, and says so.
    let nowhere = run.endpoint();
    let gone = with("m0", &members[0].uri(), 9, socket(format!("udp:{nowhere}")));
    publish(&mut publisher, vec![pool("conference", vec![gone])]);
    let mut call = client.invite(kamailio.sip(), "conf-1");
    assert_eq!(call.final_reply().start_line(), "SIP/2.0 503 No Member -1");
    let log = kamailio.log();
    let told = lines(&log, &["m0", "does not have", &nowhere.to_string()]);
    assert_eq!(told.len(), 1, "{log}");
}

#[test]
fn scripts_read_the_attributes_of_what_was_selected_also_by_failover_and_in_event_routes() {
    let run = RunDir::new("options");
    let members: Vec<Member> = (0..2).map(|_| Member::start(run.endpoint())).collect();
    let specs = vec![
        with(
            "m0",
            &members[0].uri(),
            9,
            attributes("site=fra mitte;rate="),
        ),
        with("m1", &members[1].uri(), 8, attributes("rate=3;site=ber")),
    ];
    let _publisher = publisher(&run, vec![pool("conference", specs)]);
    let kamailio = Kamailio::with_text(&run, &config("", ROUTES)).start();
    let client = SipClient::new(&run);
    let attr = ask(&client, &kamailio, &[("X-Take", "1")], "X-Attr");
    assert_eq!(attr, "fra mitte <null>");
    assert_eq!(
        shown(&kamailio, "conference", "m1")["attributes"],
        "rate=3;site=ber"
    );
    members[0].answer_invites(Answer::Status(503));
    client.invite(kamailio.sip(), "conf-1").answered();
    assert_eq!(lines(&kamailio.log(), &["NEXT m1 ber"]).len(), 1);
    kamailio.rpc(&["kamscale.set_state", "conference", "m0", "disabled"]);
    wait_until("the event route wrote", PATIENCE, || {
        lines(&kamailio.log(), &["DOWN m0 fra mitte <null>"]).len() == 1
    });
}

#[test]
fn a_proxy_before_a_member_gets_what_select_domain_sends_and_failover_takes_it_back() {
    let run = RunDir::new("options");
    let proxy = SipClient::new(&run);
    let (behind, direct) = (run.endpoint(), Member::start(run.endpoint()));
    let proxied = MemberOptions {
        proxy: format!("sip:{}", proxy.address()),
        ..MemberOptions::default()
    };
    let specs = vec![
        with("m0", &format!("sip:{behind}"), 9, proxied),
        with("m1", &direct.uri(), 8, MemberOptions::default()),
    ];
    let _publisher = publisher(&run, vec![pool("conference", specs)]);
    let kamailio = Kamailio::with_text(&run, &config("", ROUTES)).start();
    let client = SipClient::new(&run);
    let dst = |how| ask(&client, &kamailio, &[("X-Take", how)], "X-Dst");
    assert_eq!(dst("dst"), format!("sip:{behind}"), "as dispatcher does");
    assert_eq!(dst("domain"), format!("sip:{}", proxy.address()));
    let mut call = client.invite(kamailio.sip(), "domain");
    let invite = request_at(&proxy, "INVITE");
    assert!(
        invite.start_line().contains(&format!("@{behind}")),
        "the proxy is told who is meant: {}",
        invite.start_line()
    );
    let refusal = kamscale_tests::SipMessage::reply(&invite, 503, "Full", "proxy");
    proxy.send(&refusal, kamailio.sip());
    call.answered();
    assert_eq!(direct.counts().invites, 1, "the proxy is taken back");
}

#[test]
fn two_members_with_one_uri_are_two_members() {
    let run = RunDir::new("options");
    let callee = Member::start(run.endpoint());
    let specs = vec![
        with("a", &callee.uri(), 0, attributes("site=a")),
        with("b", &callee.uri(), 0, attributes("site=b")),
    ];
    let _publisher = publisher(&run, vec![pool("conference", specs)]);
    let routes = ROUTES.replace("\"serial\"", "\"least_calls\"");
    let kamailio = Kamailio::with_text(&run, &config("", &routes)).start();
    let client = SipClient::new(&run);
    let mut calls: Vec<_> = (0..4)
        .map(|_| client.invite(kamailio.sip(), "conf-1"))
        .collect();
    // One after the other: each finds the load that those before it left.
    for call in &mut calls {
        call.answered();
    }
    for name in ["a", "b"] {
        wait_until("calls are counted apart", PATIENCE, || {
            shown(&kamailio, "conference", name)["calls"].as_u64() > Some(0)
        });
    }
    let both = ["a", "b"].map(|name| shown(&kamailio, "conference", name)["calls"].as_u64());
    assert_eq!(both.iter().flatten().sum::<u64>(), 4);
    kamailio.rpc(&["kamscale.set_state", "conference", "b", "draining"]);
    for _ in 0..3 {
        let attr = ask(&client, &kamailio, &[("X-Take", "1")], "X-Attr");
        assert_eq!(attr, "a <null>", "b takes nothing new");
    }
    assert_eq!(shown(&kamailio, "conference", "b")["state"], "active");
    for call in &calls {
        assert_eq!(call.bye(), 200);
    }
    let ever = both.map(Option::unwrap_or_default);
    for (name, ever) in ["a", "b"].iter().zip(ever) {
        await_calls(&kamailio, "conference", name, 0, ever);
    }
}
