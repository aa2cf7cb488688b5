//! What the LB keeps out: floods, scanners, malformed and forged requests, guessed passwords, and more
//! than the tier can take.

use kamscale_shm::Publisher;
use kamscale_shm::bucket::Allowance;
use kamscale_tests::{Kamailio, Member, PATIENCE, RunDir, SipClient, SipMessage, wait_until};

use super::{asked, lb, of, tier};
use crate::support::{SILENCE, lines, request_at, uri_of};

const HOUR_NS: u64 = 3_600_000_000_000;
/// Numbers of the features, in the order of the file.
const REGISTRATIONS: usize = 0;
const STRANGERS: usize = 3;

/// Lets in so many of a feature at once, and then one in an hour; waits until Kamailio knows.
#[track_caller]
fn allow(agent: &Publisher, lb: &Kamailio<'_>, number: usize, feature: &str, at_once: u64) {
    let allowance = Allowance {
        interval_ns: HOUR_NS,
        ahead_ns: (at_once - 1) * HOUR_NS,
    };
    agent.admit(number, feature, Some(allowance), None);
    wait_until("the rate is in force", PATIENCE, || {
        lb.rpc(&["kamscale.features"])[number]["allowed_per_s"] != "unlimited"
    });
}

#[test]
fn who_floods_is_banned_but_for_emergencies_and_the_calls_it_has_and_others_go_on() {
    let run = RunDir::new("lb flood");
    let ccp = Member::start(run.endpoint());
    let _tier = tier(&run, "lb", &[ccp.uri()]);
    let setup = lb(&run, "lb").define("KS_FLOOD_REQUESTS", 20);
    let lb = setup.define("KS_EMERGENCY_MESSAGES", 4).start();
    let (flooder, other) = (SipClient::new(&run), SipClient::new(&run));
    let mut running = flooder.invite(lb.sip(), "bob");
    running.answered();
    wait_until("the flood is seen", PATIENCE, || {
        for _ in 0..50 {
            let options = flooder.request("OPTIONS", "sip:example.test");
            flooder.send(&options, lb.sip());
        }
        !lines(&lb.log(), &["is banned"]).is_empty()
    });
    while flooder.receive(SILENCE).is_some() {}
    assert_eq!(flooder.options(lb.sip(), SILENCE), None, "it is banned");

    let mut call = other.invite(lb.sip(), "bob");
    call.answered();
    assert_eq!(call.bye(), 200);
    assert_eq!(running.bye(), 200, "a call that was there is not cut");
    let mut emergency = flooder.invite(lb.sip(), "112");
    emergency.answered();
    assert_eq!(emergency.bye(), 200);
    for _ in 0..6 {
        let more = flooder.request("INVITE", "sip:112@example.test");
        flooder.send(&more, lb.sip());
    }
    wait_until("no flood by emergencies", PATIENCE, || {
        let invites = ccp.counts().invites;
        assert!(invites <= 6, "{invites}");
        invites == 6
    });
}

#[test]
fn scanners_get_no_answer_and_malformed_or_forged_requests_are_refused() {
    let run = RunDir::new("lb scanner");
    let ccp = Member::start(run.endpoint());
    let _tier = tier(&run, "lb", &[ccp.uri()]);
    let lb = lb(&run, "lb").start();
    let client = SipClient::new(&run);
    let invite = || of(&client, "alice", "INVITE", "sip:bob@example.test");
    let scan = invite().with("User-Agent", "friendly-scanner");
    assert_eq!(client.exchange(&scan, lb.sip(), SILENCE), None);

    let status = |request: &SipMessage| asked(&client, &lb, request).status();
    let mismatch = invite().replacing("CSeq", "1 REGISTER");
    client.send(&mismatch, lb.sip());
    let reply = client.receive(PATIENCE);
    assert_eq!(reply.and_then(|r| r.status()), Some(400));
    let hops = invite().replacing("Max-Forwards", "0");
    assert_eq!(status(&hops), Some(483));
    for name in ["a'or'1'='1", "a%27--", "x;b=`id`", "a/*b"] {
        let from = format!("<sip:{name}@example.test>;tag=1");
        assert_eq!(
            status(&invite().replacing("From", &from)),
            Some(403),
            "{name}"
        );
    }
    let refer = of(&client, "alice", "REFER", "sip:bob@example.test");
    assert_eq!(status(&refer), Some(405));
    assert_eq!(ccp.counts().invites, 0, "nothing of this reached the tier");

    let route = format!("<sip:{};lr>", lb.sip());
    let to = "<sip:bob@example.test>;tag=made-up";
    let elsewhere = of(&client, "alice", "BYE", "sip:victim@192.0.2.77")
        .replacing("To", to)
        .with("Route", route);
    assert_eq!(status(&elsewhere), Some(403), "the LB is no open relay");
    let nowhere = of(&client, "alice", "BYE", "sip:bob@example.test").replacing("To", to);
    assert_eq!(status(&nowhere), Some(404));
    assert_eq!(client.options(lb.sip(), PATIENCE), Some(200), "not banned");
}

/// Sends a REGISTER to the CCP and its answer back; the status that the phone got.
#[track_caller]
fn register(
    phone: &SipClient,
    lb: &Kamailio<'_>,
    ccp: &SipClient,
    request: &SipMessage,
    status: u16,
) -> Option<u16> {
    phone.send(request, lb.sip());
    let seen = request_at(ccp, "REGISTER");
    let reply = SipMessage::reply(&seen, status, "Hand", "ccp")
        .with("Contact", seen.header("Contact").unwrap_or_default());
    ccp.send(&reply, lb.sip());
    phone.receive(PATIENCE)?.status()
}

#[test]
fn who_tries_out_passwords_is_banned() {
    let run = RunDir::new("lb passwords");
    let (ccp, phone) = (SipClient::new(&run), SipClient::new(&run));
    let _tier = tier(&run, "lb", &[uri_of(&ccp)]);
    let lb = lb(&run, "lb").define("KS_LOGIN_FAILURES", 2).start();
    let request = || of(&phone, "alice", "REGISTER", "sip:example.test");
    for _ in 0..4 {
        let asked = register(&phone, &lb, &ccp, &request(), 401);
        assert_eq!(asked, Some(401), "to be asked for a password is no failure");
    }
    for _ in 0..3 {
        let guess = request().with("Authorization", "Digest username=\"alice\"");
        assert_eq!(register(&phone, &lb, &ccp, &guess, 401), Some(401));
    }
    assert_eq!(phone.options(lb.sip(), SILENCE), None);
    assert_eq!(SipClient::new(&run).options(lb.sip(), PATIENCE), Some(200));
}

#[test]
fn registrations_are_admitted_once_each_and_the_rest_hears_when_to_come_again() {
    let run = RunDir::new("lb storm");
    let (ccp, phone) = (SipClient::new(&run), SipClient::new(&run));
    let agent = tier(&run, "lb", &[uri_of(&ccp)]);
    let lb = lb(&run, "lb").start();
    allow(&agent, &lb, REGISTRATIONS, "registrations", 1);
    let first = of(&phone, "alice", "REGISTER", "sip:example.test");
    assert_eq!(register(&phone, &lb, &ccp, &first, 401), Some(401));
    let second = of(&phone, "bob", "REGISTER", "sip:example.test");
    let refused = asked(&phone, &lb, &second);
    assert_eq!(refused.status(), Some(503));
    assert!(refused.header("Retry-After").is_some());
    let again = first
        .replacing("CSeq", "2 REGISTER")
        .replacing("Via", &phone.via())
        .with("Authorization", "Digest username=\"alice\"");
    assert_eq!(register(&phone, &lb, &ccp, &again, 200), Some(200));
    let seen = lb.rpc(&["kamscale.features"])[REGISTRATIONS].clone();
    let counts = ["requests", "admitted", "refused"].map(|word| seen[word].as_u64());
    assert_eq!(counts, [Some(2), Some(1), Some(1)]);

    let guess = again.replacing("CSeq", "3 REGISTER");
    let guess = guess.replacing("Via", &phone.via());
    assert_eq!(
        asked(&phone, &lb, &guess).status(),
        Some(503),
        "a password that nobody asked for opens no door"
    );
}

#[test]
fn in_a_storm_calls_of_registered_subscribers_go_before_those_of_strangers() {
    let run = RunDir::new("lb strangers");
    let (ccp, phone) = (SipClient::new(&run), SipClient::new(&run));
    let agent = tier(&run, "lb", &[uri_of(&ccp)]);
    let lb = lb(&run, "lb").start();
    let register_her = of(&phone, "alice", "REGISTER", "sip:example.test");
    assert_eq!(register(&phone, &lb, &ccp, &register_her, 200), Some(200));
    allow(&agent, &lb, STRANGERS, "strangers", 1);
    let call = |subscriber: &str, user: &str| {
        let uri = format!("sip:{user}@example.test");
        phone.start_call(lb.sip(), of(&phone, subscriber, "INVITE", &uri))
    };
    let _let_in = call("stranger0", "bob");
    request_at(&ccp, "INVITE");
    assert_eq!(call("stranger1", "bob").final_status(), 503);
    let _hers = call("alice", "bob");
    let seen = request_at(&ccp, "INVITE");
    let from = seen.header("From").unwrap_or_default();
    assert!(from.contains("alice"), "{from}");
    let _emergency = call("stranger2", "112");
    let seen = request_at(&ccp, "INVITE");
    assert_eq!(seen.start_line(), "INVITE sip:112@example.test SIP/2.0");
}
