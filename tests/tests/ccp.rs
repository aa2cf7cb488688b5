//! `kamailio-cfg/ccp.cfg`: who is let in, who finds whom, and where calls to media servers go, with a real database.

#[cfg(test)]
mod database;
#[cfg(test)]
mod features;
#[cfg(test)]
mod lamps;
#[cfg(test)]
mod site;

use kamscale_shm::TableSpec;
use kamscale_tests::{PATIENCE, Phone, RunDir, SipClient, wait_until};

use crate::support::{answer, member, pool, request_at};
use site::{DOMAIN, Site, counts, hang_up, take};

#[test]
fn who_knows_the_password_is_registered_and_nobody_else() {
    let run = RunDir::new("ccp");
    let site = Site::new(&run, &["alice", "bob"]);
    let node = site.node("one");
    let sip = node.kamailio.sip();
    let rows = || {
        site.database
            .sql("SELECT username, path, received FROM kamailio.location")
    };
    let thief = Phone::at(site.outside(), "alice", DOMAIN, "guess");
    assert_eq!(thief.register(sip), 401);
    assert_eq!(site.phone("mallory").register(sip), 401);
    // Bob proves to be Bob, and wants Alice's calls.
    let bob = site.phone("bob");
    let alices = bob
        .registration()
        .replacing("To", &format!("<sip:alice@{DOMAIN}>"));
    assert_eq!(bob.ask(&alices, sip).status(), Some(403));
    assert_eq!(rows(), Vec::<String>::new());

    let alice = site.registered("alice", &node);
    let at = alice.client().address();
    let row = format!(
        "alice\t<sip:{at};lr;received=sip:{}%3A{}>\tsip:{at}",
        at.ip(),
        at.port()
    );
    assert_eq!(rows(), [row]);
    let gone = alice.registration().replacing("Expires", "0");
    assert_eq!(alice.ask(&gone, sip).status(), Some(200));
    assert_eq!(rows(), Vec::<String>::new());
    node.has_no_errors();
}

#[test]
fn an_answer_to_a_challenge_is_good_once() {
    let run = RunDir::new("ccp");
    let site = Site::new(&run, &["alice"]);
    let node = site.node("one");
    let alice = site.phone("alice");
    let send = |request: &_| {
        alice
            .client()
            .exchange(request, node.kamailio.sip(), PATIENCE)
            .unwrap()
    };
    let register = alice.registration();
    let challenge = send(&register);
    assert_eq!(challenge.status(), Some(401));
    let answered = alice.answering(&register, &challenge).unwrap();
    assert_eq!(send(&answered).status(), Some(200));
    // Somebody who saw it sends it once more, as a request of his own.
    let replayed = answered
        .replacing("Via", &alice.client().via())
        .replacing("Call-ID", "replay");
    let refused = send(&replayed);
    assert_eq!(refused.status(), Some(401));
    assert!(
        refused
            .header("WWW-Authenticate")
            .unwrap()
            .contains("stale=true")
    );
}

#[test]
fn nobody_calls_in_the_name_of_another() {
    let run = RunDir::new("ccp");
    let site = Site::new(&run, &["alice", "bob"]);
    let node = site.node("one");
    let bob = site.registered("bob", &node);
    for from in ["sip:alice@example.test", "sip:bob@elsewhere.test"] {
        let invite = bob
            .request("INVITE", "alice")
            .replacing("From", &format!("<{from}>;tag=x"));
        assert_eq!(
            bob.ask(&invite, node.kamailio.sip()).status(),
            Some(403),
            "{from}"
        );
    }
}

#[test]
fn a_phone_whose_load_balancer_is_gone_is_reached_by_another_one() {
    let run = RunDir::new("ccp");
    let site = Site::new(&run, &["alice", "bob"]);
    let mut node = site.node("one");
    let sip = node.kamailio.sip();
    let (gone, other) = (site.outside(), SipClient::at(run.endpoint()));
    let mut pools = site.pools();
    pools[0] = pool(
        "lb",
        vec![
            member("lb-0", format!("sip:{gone}")),
            member("lb-1", format!("sip:{}", other.address())),
        ],
    );
    pools[0].options.probe.interval_ms = Some(0);
    node.agent.publish(&TableSpec { pools }).unwrap();
    let alice = site.registered("alice", &node);
    // Nobody is at the address that registered Bob.
    let bob = site.phone("bob");
    let heard = "received=sip:192.0.2.7%3A5060";
    let register = bob
        .registration()
        .replacing("Path", &format!("<sip:{gone};lr;{heard}>"));
    assert_eq!(bob.ask(&register, sip).status(), Some(200));

    let mut call = alice.call(sip, "bob");
    let invite = request_at(&other, "INVITE");
    let uri = format!("sip:bob@{}", bob.client().address());
    assert_eq!(
        invite.start_line().split(' ').nth(1),
        Some(uri.as_str()),
        "where Bob registered"
    );
    assert_eq!(
        invite.header("Route"),
        Some(format!("<sip:{};lr;{heard}>", other.address()).as_str())
    );
    answer(&other, sip, &invite, 180);
    answer(&other, sip, &invite, 200);
    call.answered();
    node.has_no_errors();
}

#[test]
fn phones_at_different_nodes_call_each_other() {
    let run = RunDir::new("ccp");
    let site = Site::new(&run, &["alice", "bob"]);
    let nodes = ["one", "two"].map(|name| site.node(name));
    let alice = site.registered("alice", &nodes[0]);
    let bob = site.registered("bob", &nodes[1]);
    for (caller, callee, name) in [(&alice, &bob, "bob"), (&bob, &alice, "alice")] {
        for node in &nodes {
            let mut call = caller.call(node.kamailio.sip(), name);
            let invite = take(callee, node, &mut call);
            assert_eq!(
                invite.header("Proxy-Authorization"),
                None,
                "the callee sees the digest"
            );
            hang_up(callee, node, &call);
        }
    }
    // A message needs no call.
    let message = alice
        .request("MESSAGE", "bob")
        .with("Content-Type", "text/plain")
        .with_body("hello");
    let sip = nodes[0].kamailio.sip();
    std::thread::scope(|scope| {
        let reply = scope.spawn(|| alice.ask(&message, sip).status());
        let at_bob = request_at(bob.client(), "MESSAGE");
        assert_eq!(at_bob.body(), "hello");
        answer(bob.client(), sip, &at_bob, 200);
        assert_eq!(reply.join().unwrap(), Some(200));
    });
    for node in &nodes {
        assert_eq!(counts(node, "calls"), [2, 2, 0]);
        node.is_quiet();
        node.has_no_errors();
    }
}

#[test]
fn who_comes_neither_by_a_load_balancer_nor_from_a_media_server_is_refused() {
    let run = RunDir::new("ccp");
    let site = Site::new(&run, &["alice"]);
    let node = site.node("one");
    let sip = node.kamailio.sip();
    let client = SipClient::new(&run);
    assert_eq!(client.options(sip, PATIENCE), Some(200));
    assert_eq!(client.invite(sip, "alice").final_status(), 403);
    let register = client.request("REGISTER", &format!("sip:{DOMAIN}"));
    assert_eq!(
        client
            .exchange(&register, sip, PATIENCE)
            .and_then(|r| r.status()),
        Some(403)
    );
    assert_eq!(counts(&node, "calls"), [0, 0, 0]);
}

#[test]
fn a_node_is_not_ready_before_its_agent_has_told_who_may_come() {
    let run = RunDir::new("ccp");
    let site = Site::new(&run, &[]);
    let kamailio = site.setup("one").start();
    let client = SipClient::new(&run);
    assert_eq!(client.options(kamailio.sip(), PATIENCE), Some(503));
    let _agent = site.publish("one");
    wait_until("it is ready", PATIENCE, || {
        client.options(kamailio.sip(), PATIENCE) == Some(200)
    });
}
