//! Presence and busy lamps, between subscribers at different nodes.

use std::net::SocketAddr;

use kamscale_tests::{Phone, RunDir, SipMessage};

use super::site::{DOMAIN, Node, Site, hang_up, notified, take};

const STATE: &str = "<?xml version=\"1.0\"?><presence xmlns=\"urn:ietf:params:xml:ns:pidf\" \
    entity=\"sip:bob@example.test\"><tuple id=\"t\"><status><basic>open</basic></status></tuple></presence>";

fn subscription(phone: &Phone, to: &str, event: &str) -> SipMessage {
    let kind = if event == "dialog" {
        "application/dialog-info+xml"
    } else {
        "application/pidf+xml"
    };
    let request = phone.request("SUBSCRIBE", to).with("Event", event);
    request.with("Accept", kind).with("Expires", 600)
}

#[track_caller]
fn subscribe(phone: &Phone, to: &str, event: &str, node: &Node<'_>) -> SipMessage {
    let reply = phone.ask(&subscription(phone, to, event), node.kamailio.sip());
    assert_eq!(reply.status(), Some(200), "{}", reply.start_line());
    notified(phone, node, "");
    reply
}

/// What the phone sends to the contact of its subscription to stay subscribed.
fn refresh(phone: &Phone, reply: &SipMessage) -> SipMessage {
    let fresh = subscription(phone, "nobody", "dialog");
    let again = SipMessage::request("SUBSCRIBE", reply.uri_of("Contact").unwrap());
    let headers = [
        "Via",
        "Max-Forwards",
        "From",
        "To",
        "Call-ID",
        "CSeq",
        "Contact",
        "Event",
        "Accept",
        "Expires",
    ];
    headers.iter().fold(again, |again, name| match *name {
        "From" | "To" | "Call-ID" => again.with(name, reply.header(name).unwrap()),
        "CSeq" => again.with(name, "20 SUBSCRIBE"),
        _ => again.with(name, fresh.header(name).unwrap()),
    })
}

#[test]
fn a_lamp_shows_calls_at_another_node_and_goes_out() {
    let run = RunDir::new("ccp");
    let site = Site::new(&run, &["alice", "bob", "desk"]);
    let nodes = ["one", "two"].map(|name| site.node(name));
    let (alice, bob) = (
        site.registered("alice", &nodes[0]),
        site.registered("bob", &nodes[0]),
    );
    let desk = site.registered("desk", &nodes[1]);
    let subscribed = subscribe(&desk, "bob", "dialog", &nodes[1]);
    // The node that took it need not be there any more.
    let refreshed = desk.ask(&refresh(&desk, &subscribed), nodes[0].kamailio.sip());
    assert_eq!(refreshed.status(), Some(200));
    notified(&desk, &nodes[0], "");
    // Twice: the second is answered at once, so that states follow each other as fast as they can.
    for _ in 0..2 {
        let mut call = alice.call(nodes[0].kamailio.sip(), "bob");
        take(&bob, &nodes[0], &mut call);
        let lit = notified(&desk, &nodes[1], "<state>confirmed</state>");
        assert!(
            lit.body().contains("entity=\"sip:bob@example.test\""),
            "{}",
            lit.body()
        );
        hang_up(&bob, &nodes[0], &call);
        notified(&desk, &nodes[1], "<state>terminated</state>");
    }
    let states = site
        .database
        .sql("SELECT body FROM kamailio.presentity WHERE username = 'bob'");
    assert!(
        states.iter().all(|body| body.contains("terminated")),
        "{states:?}"
    );
    nodes.iter().for_each(Node::has_no_errors);
}

/// What pua_dialoginfo tells of a call of bob's.
fn told(state: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?>\n<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"0\" \
         state=\"full\" entity=\"sip:bob@example.test\">\n  <dialog id=\"padi-1\" call-id=\"c\" \
         direction=\"recipient\">\n    <state>{state}</state>\n  </dialog>\n</dialog-info>\n"
    )
}

#[test]
fn a_state_of_a_call_that_comes_late_changes_no_lamp() {
    let run = RunDir::new("ccp");
    let site = Site::new(&run, &["bob", "desk"]);
    let node = site.node("one");
    let desk = site.registered("desk", &node);
    subscribe(&desk, "bob", "dialog", &node);
    let own = node.kamailio.sip().ip();
    let server = Phone::at(SocketAddr::new(own, 7000), "bob", DOMAIN, "");
    let publish = |state: &str| {
        let request = server.request("PUBLISH", "bob").with("Event", "dialog");
        let request = request.with("Content-Type", "application/dialog-info+xml");
        let request = request.with("Expires", 600).with_body(&told(state));
        server.ask(&request, SocketAddr::new(own, 5062)).status()
    };
    assert_eq!(publish("confirmed"), Some(200));
    assert_eq!(publish("early"), Some(500), "after `confirmed`");
    notified(&desk, &node, "<state>confirmed</state>");
    assert_eq!(publish("confirmed"), Some(200), "told again");
    assert_eq!(publish("terminated"), Some(200));
    assert_eq!(publish("confirmed"), Some(500), "after `terminated`");
    notified(&desk, &node, "<state>terminated</state>");
    node.has_no_errors();
}

#[test]
fn what_a_phone_publishes_reaches_who_subscribed_at_another_node() {
    let run = RunDir::new("ccp");
    let site = Site::new(&run, &["bob", "desk"]);
    let nodes = ["one", "two"].map(|name| site.node(name));
    let (bob, desk) = (
        site.registered("bob", &nodes[0]),
        site.registered("desk", &nodes[1]),
    );
    subscribe(&desk, "bob", "presence", &nodes[1]);
    let publish = |phone: &Phone| {
        let request = phone
            .request("PUBLISH", "bob")
            .with("Event", "presence")
            .with("Expires", 600);
        let request = request
            .with("Content-Type", "application/pidf+xml")
            .with_body(STATE);
        phone.ask(&request, nodes[0].kamailio.sip()).status()
    };
    assert_eq!(publish(&desk), Some(403), "somebody else speaks for bob");
    assert_eq!(publish(&bob), Some(200));
    notified(&desk, &nodes[1], "<basic>open</basic>");
    let stranger = Phone::at(site.outside(), "desk", DOMAIN, "guess");
    let refused = stranger.ask(
        &subscription(&stranger, "bob", "presence"),
        nodes[0].kamailio.sip(),
    );
    assert_eq!(refused.status(), Some(407));
    nodes.iter().for_each(Node::has_no_errors);
}
