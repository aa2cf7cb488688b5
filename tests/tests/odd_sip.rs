//! Messages that no decent phone sends: nothing that comes over the network ends a process, is a
//! panic, or leaves a call counted.

use std::net::UdpSocket;

use kamscale_tests::{Answer, Kamailio, Member, PATIENCE, RunDir, SipClient, wait_until};

use crate::support::{calls, config, lines, member, pool, publisher};

/// Everything that the module reads of a message is read, of whatever comes.
const ROUTES: &str = r#"
request_route {
    if ($rU == "probe") { sl_send_reply("200", "OK"); exit; }
    ks_count("calls");
    ks_is_from_pool();
    ks_next_dst();
    ks_mark_dst("$hdr(X-State)");
    ks_pool_exists("$hdr(X-Key)");
    ks_is_active("p", "$ru");
    ks_select_dst("$hdr(X-Key)");
    ks_select_dst("p", "hash", "$hdr(X-Key)$hdr(X-Key)");
    ks_select_domain("p", "hash", "$hdr(X-Key)");
    if (!ks_select_dst("p", "hash")) { sl_send_reply("503", "No Member"); exit; }
    if ($rU == "refused") { sl_send_reply("480", "$ks_member $ks_pool"); exit; }
    t_on_failure("NEXT");
    if (!t_relay()) { sl_reply_error(); }
}
failure_route[NEXT] {
    if (ks_next_dst()) t_relay();
}
"#;

/// An INVITE, with one of its lines replaced (or without it, if the other is empty).
fn invite(number: usize, name: &str, line: &str) -> Vec<u8> {
    let user = if number.is_multiple_of(2) {
        "refused"
    } else {
        "relayed"
    };
    let lines = [
        format!("INVITE sip:{user}@127.0.0.1 SIP/2.0"),
        format!("Via: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK{number}"),
        format!("From: <sip:a@127.0.0.1>;tag=f{number}"),
        "To: <sip:b@127.0.0.1>".to_owned(),
        format!("Call-ID: odd-{number}"),
        "CSeq: 1 INVITE".to_owned(),
        "Contact: <sip:a@127.0.0.1:9>".to_owned(),
        "Max-Forwards: 70".to_owned(),
        "Content-Length: 0".to_owned(),
    ];
    let mut text = String::new();
    for own in lines {
        let chosen = if own.starts_with(name) { line } else { &own };
        if !chosen.is_empty() {
            text.push_str(chosen);
            text.push_str("\r\n");
        }
    }
    text.push_str("\r\n");
    text.into_bytes()
}

/// Lines that are missing, empty, doubled, cut, far too long or of the wrong kind.
fn odd_lines() -> Vec<(&'static str, String)> {
    let long = "k".repeat(60_000);
    let mut odd: Vec<(&str, String)> = Vec::new();
    for name in [
        "Via",
        "From",
        "To",
        "Call-ID",
        "CSeq",
        "Contact",
        "Max-Forwards",
        "Content-Length",
    ] {
        odd.push((name, String::new()));
        odd.push((name, format!("{name}:")));
        odd.push((name, format!("{name}: ;;;,\"<>:tag==%00\u{1}\u{fffd}")));
        odd.push((name, format!("{name}: {long}")));
    }
    for line in [
        "To: <sip:b@127.0.0.1>;tag=",
        "To: <sip:b@127.0.0.1>;tag",
        "To: <sip:b@127.0.0.1>;tag=x;tag=y",
        "To: \"b <sip:b@127.0.0.1>",
        "To: <sip:b@127.0.0.1>\r\nTo: <sip:c@127.0.0.1>;tag=2",
        "t: <sip:b@127.0.0.1>\r\n ;tag=folded",
    ] {
        odd.push(("To", line.to_owned()));
    }
    odd.push(("Call-ID", "Call-ID: one\r\nCall-ID: two".to_owned()));
    odd.push(("From", "From: <sip:a@127.0.0.1>".to_owned()));
    for line in ["CSeq: 1 BYE", "CSeq: INVITE", "CSeq: 99999999999 INVITE"] {
        odd.push(("CSeq", line.to_owned()));
    }
    for line in ["X-Key: ", "X-Key: $var(x)%s%n"] {
        odd.push(("Max-Forwards", line.to_owned()));
    }
    odd.push(("Max-Forwards", format!("X-Key: {long}")));
    for line in [
        "INVITE sip: SIP/2.0",
        "INVITE tel:+49123 SIP/2.0",
        "INVITE sip:refused@[::1 SIP/2.0",
        "INVITE sip:a@b;transport=carrier-pigeon SIP/2.0",
        "invite sip:refused@127.0.0.1 SIP/2.0",
        "SIP/2.0 200 OK",
        "SIP/2.0 999999 OK",
        "ACK sip:refused@127.0.0.1 SIP/2.0",
        "CANCEL sip:refused@127.0.0.1 SIP/2.0",
    ] {
        odd.push(("INVITE", line.to_owned()));
    }
    odd
}

/// Bytes that look more or less like an INVITE, the same ones in every run.
fn garbage() -> Vec<Vec<u8>> {
    let whole = invite(9_999, "-", "");
    let mut all: Vec<Vec<u8>> = (0..whole.len())
        .step_by(3)
        .map(|n| whole[..n].to_vec())
        .collect();
    all.extend([
        vec![0; 1000],
        b"\r\n\r\n".to_vec(),
        vec![0xff; 65_000],
        b"\r\n".repeat(3000),
    ]);
    let mut random = 0x9e37_79b9_u32;
    for number in 0..400 {
        let mut bytes = invite(10_000 + number, "-", "");
        for _ in 0..=number / 40 {
            random ^= random << 13;
            random ^= random >> 17;
            random ^= random << 5;
            let at = random as usize % bytes.len();
            bytes[at] = random.to_be_bytes()[0];
        }
        all.push(bytes);
    }
    all
}

#[test]
fn nothing_that_comes_over_the_network_ends_a_process_or_leaves_a_call_counted() {
    let run = RunDir::new("odd-sip");
    let members = [Member::start(run.endpoint()), Member::start(run.endpoint())];
    members[0].answer_invites(Answer::Status(486));
    members[1].answer_invites(Answer::Status(503));
    let names = ["m0", "m1"];
    let specs = members.iter().zip(names).map(|(m, n)| member(n, m.uri()));
    let _publisher = publisher(&run, vec![pool("p", specs.collect())]);
    let parameters = "modparam(\"kamscale\", \"feature\", \"calls\")\n\
                      modparam(\"tm\", \"fr_timer\", 1000)";
    let kamailio = Kamailio::with_text(&run, &config(parameters, ROUTES)).start();
    let before = kamailio.processes();
    let socket = UdpSocket::bind(run.endpoint()).unwrap();
    let client = SipClient::new(&run);
    let alive = || {
        let probe = client.request("OPTIONS", &format!("sip:probe@{}", kamailio.sip()));
        let reply = client.exchange(&probe, kamailio.sip(), PATIENCE);
        assert!(
            reply.is_some(),
            "Kamailio answers no longer:\n{}",
            kamailio.log()
        );
    };
    let mut messages = garbage();
    let odd = odd_lines();
    for (number, (name, line)) in odd.iter().flat_map(|o| [o, o]).enumerate() {
        messages.push(invite(number, name, line));
    }
    for (number, bytes) in messages.iter().enumerate() {
        socket.send_to(bytes, kamailio.sip()).unwrap();
        if number.is_multiple_of(20) {
            alive(); // and not too much at once for its socket
        }
    }
    alive();
    assert_eq!(
        kamailio.processes(),
        before,
        "processes are others than before"
    );
    let requests = kamailio.observed("default").features[0].requests;
    assert!(
        requests > 100,
        "only {requests} of {} came as far as our module",
        messages.len()
    );
    let ever: u64 = names.iter().map(|n| calls(&kamailio, "p", n).1).sum();
    assert!(ever > 50, "only {ever} calls were counted");
    wait_until("no call is counted any longer", PATIENCE, || {
        names.iter().all(|n| calls(&kamailio, "p", n).0 == 0)
    });
    let log = kamailio.log();
    assert!(
        lines(&log, &["panic"]).is_empty(),
        "{:?}",
        lines(&log, &["panic"])
    );
    let workers = kamailio.observed("default").workers;
    assert!(workers.iter().all(|w| w.panics == 0), "{workers:?}");
}
