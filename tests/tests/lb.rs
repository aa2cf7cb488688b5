//! `kamailio-cfg/lb.cfg`: calls to the tier, the same subscriber to the same CCP, failover.
//! Phones and what is hidden from them: `lb/phones.rs`; what is kept out: `lb/protection.rs`.

mod phones;
mod protection;
mod settings;
mod streams;
mod two_phones;

use kamscale_shm::Publisher;
use kamscale_shm::TableSpec;
use kamscale_tests::{
    Answer, Kamailio, KamailioSetup, Member, PATIENCE, RunDir, SipClient, SipMessage, wait_until,
};

use crate::support::{answer, member, pool, publish, reply_at, request_at, uri_of};

/// The shipped file as one of the LBs.
fn lb<'a>(run: &'a RunDir, name: &str) -> KamailioSetup<'a> {
    let setup = Kamailio::shipped(run, "lb.cfg").named(name);
    let keepalive = run.file(&format!("{name}.keepalive"));
    setup
        .define("KS_CHILDREN", 2)
        .define("KS_PROBE_INTERVAL_S", 0)
        .define_text("KS_INSTANCE", name)
        .define_text("KS_KEEPALIVE_FILE", keepalive.display())
}

/// Publishes the pool `ccp` for an LB; before its start, so that it has it at once.
#[track_caller]
fn tier(run: &RunDir, lb: &str, uris: &[String]) -> Publisher {
    let opened = Publisher::open(&run.shm_dir(), lb);
    let mut publisher = opened.unwrap_or_else(|e| panic!("taking the agent's part: {e}"));
    let members = uris.iter().enumerate();
    let members = members.map(|(number, uri)| member(&format!("ccp{number}"), uri));
    let table = TableSpec {
        pools: vec![pool("ccp", members.collect())],
    };
    let published = publisher.publish(&table);
    published.unwrap_or_else(|e| panic!("publishing: {e}"));
    publisher
}

/// A request of a subscriber.
fn of(client: &SipClient, subscriber: &str, method: &str, uri: &str) -> SipMessage {
    let from = format!("<sip:{subscriber}@example.test>;tag=t-{subscriber}");
    client.request(method, uri).replacing("From", &from)
}

/// What the LB answers to a single request of a subscriber.
#[track_caller]
fn asked(client: &SipClient, lb: &Kamailio<'_>, request: &SipMessage) -> SipMessage {
    let reply = client.exchange(request, lb.sip(), PATIENCE);
    reply.unwrap_or_else(|| panic!("no answer to {}", request.start_line()))
}

#[test]
fn a_subscriber_stays_on_one_ccp_and_all_together_use_both() {
    let run = RunDir::new("lb");
    let ccps = [Member::start(run.endpoint()), Member::start(run.endpoint())];
    let _tier = tier(&run, "lb", &[ccps[0].uri(), ccps[1].uri()]);
    let lb = lb(&run, "lb").start();
    let client = SipClient::new(&run);
    let invites = || (ccps[0].counts().invites, ccps[1].counts().invites);
    let call = |subscriber: &str| {
        let invite = of(&client, subscriber, "INVITE", "sip:bob@example.test");
        let mut call = client.start_call(lb.sip(), invite);
        call.answered();
        assert_eq!(call.bye(), 200);
    };
    for _ in 0..4 {
        call("alice");
    }
    assert!(matches!(invites(), (4, 0) | (0, 4)), "{:?}", invites());
    for number in 0..40 {
        call(&format!("s{number}"));
    }
    let (first, second) = invites();
    assert_eq!(first + second, 44);
    assert!(first > 4 && second > 4, "{first} and {second}");
    let byes = ccps[0].counts().byes + ccps[1].counts().byes;
    assert_eq!(byes, 44, "requests of a call follow it");
}

#[test]
fn calls_and_registrations_of_a_ccp_that_is_killed_go_to_the_other() {
    let run = RunDir::new("lb");
    let mut ccps = vec![Member::start(run.endpoint()), Member::start(run.endpoint())];
    let _tier = tier(&run, "lb", &[ccps[0].uri(), ccps[1].uri()]);
    let setup = lb(&run, "lb").define("KS_REPLY_TIMER", 1000);
    let lb = setup.define("KS_PROBE_INTERVAL_S", 1).start();
    let client = SipClient::new(&run);
    let call = || {
        let invite = of(&client, "alice", "INVITE", "sip:bob@example.test");
        let mut call = client.start_call(lb.sip(), invite);
        call.answered();
        call
    };
    let running = call();
    assert_eq!(running.bye(), 200);
    let hers = usize::from(ccps[0].counts().invites == 0);
    drop(ccps.remove(hers)); // alice's CCP is gone
    let other = &ccps[0];
    let register = of(&client, "alice", "REGISTER", "sip:example.test");
    assert_eq!(asked(&client, &lb, &register).status(), Some(200));
    assert_eq!(call().bye(), 200);
    assert_eq!(other.counts().invites, 1);
    wait_until("probes find out", PATIENCE, || {
        let members = lb.rpc(&["kamscale.members", "ccp"]);
        members.iter().any(|m| m["health"] == "down")
    });
    assert_eq!(call().bye(), 200);
}

#[test]
fn a_ccp_in_trouble_is_passed_over_and_what_it_says_for_the_caller_is_passed_on() {
    let run = RunDir::new("lb");
    let ccps = [Member::start(run.endpoint()), Member::start(run.endpoint())];
    let _tier = tier(&run, "lb", &[ccps[0].uri(), ccps[1].uri()]);
    let lb = lb(&run, "lb").start();
    let client = SipClient::new(&run);
    let invite = |subscriber: &str| {
        let invite = of(&client, subscriber, "INVITE", "sip:bob@example.test");
        client.start_call(lb.sip(), invite)
    };
    ccps[0].answer_invites(Answer::Status(500));
    ccps[1].answer_invites(Answer::Status(486));
    for number in 0..6 {
        assert_eq!(invite(&format!("s{number}")).final_status(), 486);
    }
    assert!(
        ccps[0].counts().invites > 0,
        "none of them was at home there"
    );
    ccps[1].answer_invites(Answer::Status(500));
    let refused = invite("alice").final_reply();
    assert_eq!(refused.status(), Some(503));
    assert!(refused.header("Retry-After").is_some());
}

#[test]
fn a_subscription_whose_ccp_is_gone_is_refreshed_at_another() {
    let run = RunDir::new("lb");
    let (old, new) = (SipClient::new(&run), SipClient::new(&run));
    let mut agent = tier(&run, "lb", &[uri_of(&old)]);
    let lb = lb(&run, "lb").start();
    let phone = SipClient::new(&run);
    let subscribe = of(&phone, "alice", "SUBSCRIBE", "sip:bob@example.test");
    phone.send(&subscribe, lb.sip());
    answer(&old, lb.sip(), &request_at(&old, "SUBSCRIBE"), 200);
    let made = reply_at(&phone);
    publish(
        &mut agent,
        vec![pool("ccp", vec![member("new", uri_of(&new))])],
    );
    let target = made.uri_of("Contact").unwrap_or_default();
    let refresh = of(&phone, "alice", "SUBSCRIBE", target)
        .replacing("To", made.header("To").unwrap_or_default())
        .replacing("Call-ID", made.header("Call-ID").unwrap_or_default())
        .replacing("CSeq", "2 SUBSCRIBE")
        .with("Route", made.header("Record-Route").unwrap_or_default());
    phone.send(&refresh, lb.sip());
    let seen = request_at(&new, "SUBSCRIBE");
    let meant = format!("SUBSCRIBE {} SIP/2.0", uri_of(&old));
    assert_eq!(seen.start_line(), meant, "it names the subscription's CCP");
    let bye = refresh.replacing("CSeq", "3 BYE").to_string();
    let bye = bye.replacen("SUBSCRIBE", "BYE", 1);
    let bye: SipMessage = bye.parse().unwrap_or_else(|_| panic!("{bye}"));
    let bye = bye.replacing("Via", &phone.via());
    assert_eq!(asked(&phone, &lb, &bye).status(), Some(403), "no member");
}

#[test]
fn an_lb_without_a_tier_says_so_and_refuses_in_order() {
    let run = RunDir::new("lb");
    let lb = lb(&run, "lb").start();
    let client = SipClient::new(&run);
    assert_eq!(client.options(lb.sip(), PATIENCE), Some(503));
    let register = of(&client, "alice", "REGISTER", "sip:example.test");
    let refused = asked(&client, &lb, &register);
    assert_eq!(refused.status(), Some(503));
    assert!(refused.header("Retry-After").is_some());
    assert!(refused.header("Server").is_none());
}
