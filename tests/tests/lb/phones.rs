//! What a phone sees of the LB: both directions by Path, NAT mended, the inside hidden, TCP and TLS,
//! keepalive. The CCP is played by hand.

use std::process::Command;

use kamscale_tests::{Kamailio, PATIENCE, RunDir, SipClient, SipMessage, tool, wait_for};

use super::streams::StreamPhone;
use super::two_phones::bye_of_callee;
use super::{lb, of, tier};
use crate::support::{answer, reply_at, request_at, uri_of};

/// Where a phone behind NAT believes to be.
const BELIEVED: &str = "192.168.7.7:5062";

/// A request of a phone behind NAT: Via and Contact name an address that nobody can reach.
fn behind_nat(phone: &SipClient, method: &str, uri: &str) -> SipMessage {
    let request = of(phone, "alice", method, uri);
    let via = phone.via().replace(&phone.address().to_string(), BELIEVED);
    let contact = format!("<sip:alice@{BELIEVED}>");
    request
        .replacing("Via", &via)
        .replacing("Contact", &contact)
}

/// Answers a REGISTER as a registrar does.
fn accept(ccp: &SipClient, lb: &Kamailio<'_>, register: &SipMessage) {
    let contact = register.header("Contact").unwrap_or_default();
    let reply = SipMessage::reply(register, 200, "OK", "ccp")
        .with("Contact", format!("{contact};expires=600"))
        .with("Path", register.header("Path").unwrap_or_default())
        .with("Server", "inside");
    ccp.send(&reply, lb.sip());
}

/// A registration of the phone by way of an LB; what the CCP got.
#[track_caller]
fn registered(phone: &SipClient, lb: &Kamailio<'_>, ccp: &SipClient) -> SipMessage {
    let register = behind_nat(phone, "REGISTER", "sip:example.test");
    phone.send(&register, lb.sip());
    let seen = request_at(ccp, "REGISTER");
    accept(ccp, lb, &seen);
    let reply = reply_at(phone);
    assert_eq!(reply.status(), Some(200));
    let told = (reply.header("Path"), reply.header("Server"));
    assert_eq!(told, (None, None), "what the phone need not know");
    seen
}

/// A request of bob, who is inside, for the phone, along its Path.
fn from_inside(ccp: &SipClient, method: &str, seen: &SipMessage) -> SipMessage {
    let contact = seen.uri_of("Contact").unwrap_or_default();
    let path = seen.header("Path").unwrap_or_default();
    let other = format!("SIP/2.0/UDP {};branch=z9hG4bKother", ccp.address().ip());
    of(ccp, "bob", method, contact)
        .replacing("Call-ID", &format!("{method}-of-bob"))
        .with("Via", other)
        .with("Route", path)
}

/// Nothing in what a phone got names an address of the inside.
#[track_caller]
fn assert_hidden(message: &SipMessage, inside: &SipClient) {
    let text = message.to_string();
    let address = inside.address().ip().to_string();
    assert!(!text.contains(&address), "{address} is shown:\n{text}");
}

#[test]
fn a_ccp_reaches_a_phone_behind_nat_by_the_lb_where_it_registered() {
    let run = RunDir::new("lb path");
    let (ccp, phone) = (SipClient::new(&run), SipClient::new(&run));
    let _tiers = ["one", "two"].map(|name| tier(&run, name, &[uri_of(&ccp)]));
    let lbs = ["one", "two"].map(|name| lb(&run, name).start());
    for lb in &lbs {
        let seen = registered(&phone, lb, &ccp);
        let path = seen.header("Path").unwrap_or_default();
        assert!(path.contains(&lb.sip().ip().to_string()), "{path}");
        let invite = from_inside(&ccp, "INVITE", &seen);
        ccp.send(&invite, lb.sip());
        let rings = request_at(&phone, "INVITE");
        assert_hidden(&rings, &ccp);
        let via = rings.header("Via").unwrap_or_default();
        assert!(via.contains(&lb.sip().ip().to_string()), "{via}");

        let reply = SipMessage::reply(&rings, 200, "OK", "phone")
            .with("Contact", format!("<sip:alice@{BELIEVED}>"));
        phone.send(&reply, lb.sip());
        let mut call = ccp.sent(lb.sip(), invite);
        let answered = call.final_reply();
        assert_eq!(answered.status(), Some(200));
        call.ack();
        let ack = request_at(&phone, "ACK");
        assert_eq!(
            ack.start_line(),
            format!("ACK sip:alice@{BELIEVED} SIP/2.0"),
            "the alias is the LB's own business"
        );
        hangs_up(&phone, lb, &rings, &ccp);
    }
}

#[test]
fn who_is_late_to_hear_that_a_call_is_over_is_waited_for() {
    let run = RunDir::new("lb late");
    let (ccp, phone) = (SipClient::new(&run), SipClient::new(&run));
    let _tier = tier(&run, "lb", &[uri_of(&ccp)]);
    let lb = lb(&run, "lb").define("KS_REPLY_TIMER", 500).start();
    let seen = registered(&phone, &lb, &ccp);
    let invite = from_inside(&ccp, "INVITE", &seen);
    ccp.send(&invite, lb.sip());
    let rings = request_at(&phone, "INVITE");
    let reply = SipMessage::reply(&rings, 200, "OK", "phone")
        .with("Contact", format!("<sip:alice@{BELIEVED}>"));
    phone.send(&reply, lb.sip());
    let mut call = ccp.sent(lb.sip(), invite);
    assert_eq!(call.final_reply().status(), Some(200));
    call.ack();
    request_at(&phone, "ACK");

    let bye = bye_of_callee(&phone, &rings, "phone");
    phone.send(&bye, lb.sip());
    // The third copy comes 1.5 s after the first: three times what a new request would be given.
    let copies = ["first", "second", "third"].map(|_| request_at(&ccp, "BYE"));
    answer(&ccp, lb.sip(), &copies[2], 200);
    assert_eq!(
        reply_at(&phone).status(),
        Some(200),
        "nobody else has the call"
    );
}

/// The phone that was called ends the call along the way that its INVITE had.
#[track_caller]
fn hangs_up(phone: &SipClient, lb: &Kamailio<'_>, invite: &SipMessage, ccp: &SipClient) {
    let bye = bye_of_callee(phone, invite, "phone");
    phone.send(&bye, lb.sip());
    let seen = request_at(ccp, "BYE");
    let at_ccp = format!("BYE sip:client@{} SIP/2.0", ccp.address());
    assert_eq!(seen.start_line(), at_ccp, "what was hidden is plain inside");
    answer(ccp, lb.sip(), &seen, 200);
    assert_eq!(reply_at(phone).status(), Some(200));
}

#[test]
fn a_call_of_a_phone_behind_nat_comes_back_to_it_and_the_inside_stays_hidden() {
    let run = RunDir::new("lb nat");
    let (ccp, phone) = (SipClient::new(&run), SipClient::new(&run));
    let _tier = tier(&run, "lb", &[uri_of(&ccp)]);
    let lb = lb(&run, "lb").start();
    let invite = behind_nat(&phone, "INVITE", "sip:bob@example.test")
        .with("Route", "<sip:192.0.2.9;lr>")
        .with("P-Asserted-Identity", "<sip:the-boss@example.test>");
    let mut call = phone.start_call(lb.sip(), invite);
    let seen = request_at(&ccp, "INVITE");
    assert_eq!(seen.header("P-Asserted-Identity"), None);
    assert_eq!(seen.header("Route"), None);
    let contact = seen.uri_of("Contact").unwrap_or_default();
    let real = phone.address();
    let alias = format!("sip:alice@{BELIEVED};alias={}~{}~1", real.ip(), real.port());
    assert_eq!(contact, alias);

    let routes = format!(
        "<sip:{};lr>, {}",
        ccp.address(),
        seen.header("Record-Route").unwrap_or_default()
    );
    let reply = SipMessage::reply(&seen, 200, "OK", "hand")
        .replacing("Record-Route", &routes)
        .with("Contact", format!("<{}>", uri_of(&ccp)));
    ccp.send(&reply, lb.sip());
    let answered = call.final_reply();
    assert_hidden(&answered, &ccp);
    assert_eq!(answered.headers("Record-Route").count(), 1);
    call.ack();
    assert_eq!(
        request_at(&ccp, "ACK").start_line(),
        format!("ACK {} SIP/2.0", uri_of(&ccp))
    );

    let to = format!("{};tag=hand", seen.header("To").unwrap_or_default());
    let bye = SipMessage::request("BYE", contact)
        .with("Via", ccp.via())
        .with("Max-Forwards", 70)
        .with("Route", seen.header("Record-Route").unwrap_or_default())
        .with("From", to)
        .with("To", seen.header("From").unwrap_or_default())
        .with("Call-ID", seen.header("Call-ID").unwrap_or_default())
        .with("CSeq", "7 BYE");
    ccp.send(&bye, lb.sip());
    let hung_up = request_at(&phone, "BYE");
    assert_eq!(
        hung_up.start_line(),
        format!("BYE sip:alice@{BELIEVED} SIP/2.0")
    );
    answer(&phone, lb.sip(), &hung_up, 200);
    assert_eq!(reply_at(&ccp).status(), Some(200));
}

#[test]
fn a_phone_behind_nat_that_registered_is_kept_reachable() {
    let run = RunDir::new("lb keepalive");
    let (ccp, phone) = (SipClient::new(&run), SipClient::new(&run));
    let _tier = tier(&run, "lb", &[uri_of(&ccp)]);
    let lb = lb(&run, "lb").define("KS_KEEPALIVE_S", 10).start();
    registered(&phone, &lb, &ccp);
    let ping = request_at(&phone, "OPTIONS");
    assert_eq!(
        ping.start_line(),
        format!("OPTIONS sip:{} SIP/2.0", phone.address())
    );
}

/// Registers on the connection and is called on it.
#[track_caller]
fn registers_and_is_called(
    mut phone: StreamPhone,
    lb: &Kamailio<'_>,
    ccp: &SipClient,
    transport: &str,
) {
    let upper = transport.to_uppercase();
    let register = of(ccp, "alice", "REGISTER", "sip:example.test")
        .replacing(
            "Via",
            &format!("SIP/2.0/{upper} {BELIEVED};rport;branch=z9hG4bKr"),
        )
        .replacing(
            "Contact",
            &format!("<sip:alice@{BELIEVED};transport={transport}>"),
        );
    phone.send(&register);
    let seen = request_at(ccp, "REGISTER");
    let path = seen.header("Path").unwrap_or_default();
    assert!(path.contains(&format!("transport%3D{transport}")), "{path}");
    accept(ccp, lb, &seen);
    assert_eq!(phone.receive().status(), Some(200));
    let message = from_inside(ccp, "MESSAGE", &seen);
    ccp.send(&message, lb.sip());
    let got = phone.receive();
    assert_eq!(got.method(), Some("MESSAGE"));
    assert_hidden(&got, ccp);
    phone.send(&SipMessage::reply(&got, 200, "OK", "phone"));
    let reply = wait_for("the phone's answer", PATIENCE, || ccp.receive(PATIENCE));
    assert_eq!(reply.status(), Some(200));
}

#[test]
fn a_phone_is_reached_on_its_tcp_connection() {
    let run = RunDir::new("lb tcp");
    let ccp = SipClient::new(&run);
    let _tier = tier(&run, "lb", &[uri_of(&ccp)]);
    let lb = lb(&run, "lb").start();
    registers_and_is_called(StreamPhone::tcp(lb.sip()), &lb, &ccp, "tcp");
}

#[test]
fn a_phone_is_reached_on_its_tls_connection() {
    let run = RunDir::new("lb tls");
    let ccp = SipClient::new(&run);
    let _tier = tier(&run, "lb", &[uri_of(&ccp)]);
    let (key, certificate) = (run.file("key.pem"), run.file("certificate.pem"));
    let made = Command::new(tool("openssl"))
        .args("req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=example.test".split(' '))
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output();
    assert!(
        made.is_ok_and(|o| o.status.success()),
        "openssl made no certificate"
    );
    let settings = format!(
        "[server:default]\nmethod = TLSv1.2+\nverify_certificate = no\n\
         private_key = {}\ncertificate = {}\n",
        key.display(),
        certificate.display()
    );
    let file = run.write("tls.cfg", settings);
    let setup = lb(&run, "lb").option(&["-A", "WITH_TLS"]);
    let lb = setup.define_text("KS_TLS_CONFIG", file.display()).start();
    let mut secure = lb.sip();
    secure.set_port(5061);
    registers_and_is_called(StreamPhone::tls(secure), &lb, &ccp, "tls");
}
