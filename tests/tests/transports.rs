//! Members that are not reached by UDP over IPv4: a member's URI says how.

use std::net::{Ipv6Addr, SocketAddr};
use std::time::Duration;

use kamscale_tests::{Kamailio, Member, PATIENCE, RunDir, SipClient, SippSetup};

use crate::support::{await_calls, config, member, pool, publisher};

const ROUTES: &str = r#"
request_route {
    route(IN_DIALOG);
    record_route();
    if (!ks_is_from_pool("conference")) append_to_reply("X-From-Pool: no\r\n");
    if (!ks_select_dst("conference", "hash")) { send_reply("503", "No Member"); exit; }
    t_on_reply("ANSWERED");
    t_relay();
}
onreply_route[ANSWERED] {
    if (ks_is_from_pool("conference")) xlog("L_NOTICE", "an answer of a member\n");
}
"#;

/// Ports of ::1 that no other run uses, as each run has an IPv4 network of its own.
fn v6(run: &RunDir, number: u16) -> SocketAddr {
    let [_, a, b, _] = run.address(100).octets();
    let net = u16::from_be_bytes([a, b]);
    SocketAddr::from((Ipv6Addr::LOCALHOST, 10_000 + net % 5000 * 10 + number))
}

#[test]
fn calls_go_over_ipv6_from_end_to_end() {
    let run = RunDir::new("ipv6");
    let at = v6(&run, 0);
    let callee = Member::start(v6(&run, 1));
    assert!(callee.uri().starts_with("sip:[::1]:"), "{}", callee.uri());
    let _publisher = publisher(
        &run,
        vec![pool("conference", vec![member("m0", callee.uri())])],
    );
    let listen = format!("listen=udp:{at}\n");
    let kamailio = Kamailio::with_text(&run, &config(&listen, ROUTES)).start();
    let client = SipClient::at(v6(&run, 2));
    let mut call = client.invite(at, "conf-1");
    call.answered();
    await_calls(&kamailio, "conference", "m0", 1, 1);
    assert_eq!(callee.counts().sources, [at]);
    assert!(
        kamailio.log().contains("an answer of a member"),
        "its address is known: {}",
        kamailio.log()
    );
    assert_eq!(call.bye(), 200);
    await_calls(&kamailio, "conference", "m0", 0, 1);
}

#[test]
fn calls_go_over_tcp_where_the_uri_says_so() {
    let run = RunDir::new("tcp");
    let address = run.endpoint();
    let uri = format!("sip:{address};transport=tcp");
    let _publisher = publisher(&run, vec![pool("conference", vec![member("m0", uri)])]);
    let sip = run.endpoint();
    let listen = format!("disable_tcp=no\ntcp_children=2\nlisten=tcp:{sip}\n");
    let setup = Kamailio::with_text(&run, &config(&listen, ROUTES)).at(sip);
    let kamailio = setup.start();
    let callee = SippSetup::member(&run, "tcp", address);
    let _callee = callee.option(&["-t", "t1"]).start();
    let mut caller = SippSetup::caller(&run, "caller", kamailio.sip(), "conf-1")
        .calls(3)
        .rate(10, Duration::from_secs(1))
        .talk(Duration::from_millis(200))
        .start();
    assert!(caller.wait(PATIENCE), "{}", caller.errors());
    let totals = caller.totals();
    assert_eq!(
        (totals.successful, totals.failed),
        (3, 0),
        "{}",
        caller.errors()
    );
    await_calls(&kamailio, "conference", "m0", 0, 3);
}
