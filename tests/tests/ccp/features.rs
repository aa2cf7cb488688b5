//! Calls to media servers, and those that go on to voicemail: counted, admitted, at the right pool, in one piece.

use kamscale_shm::bucket::Allowance;
use kamscale_shm::{DesiredState, TableSpec};
use kamscale_tests::{Answer, DnsServer, Member, PATIENCE, RunDir, SipClient, wait_until};

use super::site::{DOMAIN, Node, Site, counts, take};
use crate::support::{answer, member, pool, request_at, shown};

/// The number of the feature in ccp.cfg.
const CONFERENCE: usize = 1;

fn invites(members: &[Member]) -> u64 {
    members.iter().map(|m| m.counts().invites).sum()
}

#[test]
fn calls_to_media_servers_are_counted_and_reach_their_pool() {
    let run = RunDir::new("ccp");
    let site = Site::new(&run, &["alice"]);
    let node = site.node("one");
    let alice = site.registered("alice", &node);
    let dialled = [
        ("conf-1", "conference"),
        ("queue-sales", "queue"),
        ("ivr-menu", "ivr"),
        ("vmmain-alice", "voicemail"),
    ];
    for (to, feature) in dialled {
        let before = site.invites();
        let mut call = alice.call(node.kamailio.sip(), to);
        call.answered();
        for ((name, now), (_, before)) in site.invites().iter().zip(&before) {
            assert_eq!(
                now - before,
                u64::from(*name == feature),
                "at {name} of one to {to}"
            );
        }
        assert_eq!(counts(&node, feature), [1, 1, 0]);
        assert_eq!(call.bye(), 200);
    }
    assert_eq!(counts(&node, "calls")[0], 4);
    node.is_quiet();
    node.has_no_errors();
}

#[test]
fn voicemail_and_ivr_take_each_others_calls() {
    let run = RunDir::new("ccp");
    let site = Site::new(&run, &["alice"]);
    let node = site.node("one");
    let alice = site.registered("alice", &node);
    for (server, to, other) in [
        ("ivr", "ivr-menu", &site.voicemail),
        ("voicemail", "vm-alice", &site.ivr),
    ] {
        node.kamailio.rpc(&[
            "kamscale.set_state",
            server,
            &format!("{server}-0"),
            "disabled",
        ]);
        let mut call = alice.call(node.kamailio.sip(), to);
        call.answered();
        assert_eq!(
            other.counts().uris.last(),
            Some(&format!("sip:{to}@{DOMAIN}"))
        );
        assert_eq!(call.bye(), 200);
        node.kamailio.rpc(&[
            "kamscale.set_state",
            server,
            &format!("{server}-0"),
            "active",
        ]);
    }
}

#[test]
fn who_is_away_busy_or_silent_has_voicemail() {
    let run = RunDir::new("ccp");
    let site = Site::new(&run, &["alice", "bob", "carol"]);
    let node = site.start("one", site.setup("one").define("KS_RING_TIMER", 1000));
    let sip = node.kamailio.sip();
    let (alice, bob) = (
        site.registered("alice", &node),
        site.registered("bob", &node),
    );
    let leave_message = |to: &str, replies: &[u16]| {
        let mut call = alice.call(sip, to);
        if !replies.is_empty() {
            let invite = request_at(bob.client(), "INVITE");
            replies
                .iter()
                .for_each(|status| answer(bob.client(), sip, &invite, *status));
        }
        call.answered();
        assert_eq!(
            site.voicemail.counts().uris.last(),
            Some(&format!("sip:vm-{to}@{DOMAIN}"))
        );
        assert_eq!(
            shown(&node.kamailio, "voicemail", "voicemail-0")["calls"],
            1,
            "{to} {replies:?}"
        );
        assert_eq!(call.bye(), 200);
        node.is_quiet();
    };
    leave_message("carol", &[]);
    leave_message("bob", &[180, 486]);
    leave_message("bob", &[180, 603]);
    leave_message("bob", &[180]);
    assert_eq!(counts(&node, "voicemail"), [4, 4, 0]);
    assert_eq!(site.voicemail.counts().invites, 4);
    assert_eq!(alice.call(sip, "nobody").final_status(), 404);
    node.has_no_errors();
}

#[test]
fn a_media_server_rings_a_subscriber_without_a_password_and_learns_that_he_is_busy() {
    let run = RunDir::new("ccp");
    let site = Site::new(&run, &["bob", "carol"]);
    let mut node = site.node("one");
    // A queue server that takes nothing, so that the test is alone at its address.
    let queue = SipClient::new(&run);
    let mut pools = site.pools();
    let mut own = member("queue-9", format!("sip:{}", queue.address()));
    own.state = DesiredState::Draining;
    pools
        .iter_mut()
        .find(|p| p.name == "queue")
        .unwrap()
        .members
        .push(own);
    node.agent.publish(&TableSpec { pools }).unwrap();
    let sip = node.kamailio.sip();
    let bob = site.registered("bob", &node);
    let ring = |to: &str| {
        let call = queue.request("INVITE", &format!("sip:{to}@{DOMAIN}"));
        queue.start_call(sip, call)
    };
    let mut call = ring("bob");
    take(&bob, &node, &mut call);
    std::thread::scope(|scope| {
        let bye = scope.spawn(|| call.bye());
        answer(bob.client(), sip, &request_at(bob.client(), "BYE"), 200);
        assert_eq!(bye.join().unwrap(), 200);
    });
    let mut call = ring("bob");
    answer(bob.client(), sip, &request_at(bob.client(), "INVITE"), 486);
    assert_eq!(call.final_status(), 486);
    assert_eq!(ring("carol").final_status(), 480);
    assert_eq!(site.voicemail.counts().invites, 0);
}

#[test]
fn what_is_not_let_in_hears_when_to_come_again_but_emergencies_pass() {
    let run = RunDir::new("ccp");
    let site = Site::new(&run, &["alice"]);
    let mut node = site.node("one");
    let gateway = Member::start(run.endpoint());
    let mut pools = site.pools();
    pools.push(pool("emergency", vec![member("gateway", gateway.uri())]));
    node.agent.publish(&TableSpec { pools }).unwrap();
    let nothing = Allowance {
        interval_ns: Allowance::NOTHING,
        ahead_ns: 0,
    };
    for (number, feature) in [(0, "calls"), (CONFERENCE, "conference")] {
        node.agent.admit(number, feature, Some(nothing), None);
    }
    let sip = node.kamailio.sip();
    let alice = site.registered("alice", &node);
    for to in ["conf-1", "alice"] {
        let refused = alice.call(sip, to).final_reply();
        assert_eq!(refused.status(), Some(503), "{to}");
        let wait_s: Option<u32> = refused
            .header("Retry-After")
            .and_then(|text| text.parse().ok());
        assert!(
            wait_s.is_some_and(|s| (10..=30).contains(&s)),
            "{to}: {wait_s:?}"
        );
    }
    assert_eq!(counts(&node, "conference"), [1, 0, 1]);
    assert_eq!(invites(&site.conference), 0);
    // Without a password, too.
    wait_until("the gateway is in use", PATIENCE, || {
        shown(&node.kamailio, "emergency", "gateway")["usable"] != "no"
    });
    for uri in ["sip:112@example.test", "urn:service:sos"] {
        let caller = SipClient::at(site.outside());
        let mut call = caller.start_call(sip, caller.request("INVITE", uri));
        call.answered();
        assert_eq!(gateway.counts().uris.last().map(String::as_str), Some(uri));
    }
}

#[test]
fn a_dead_media_server_costs_no_call_and_is_found_by_its_probes() {
    let run = RunDir::new("ccp");
    let mut site = Site::new(&run, &["alice"]);
    let node = site.node("one");
    let alice = site.registered("alice", &node);
    let sip = node.kamailio.sip();
    // The room's own server is the one that dies.
    let mut call = alice.call(sip, "conf-1");
    call.answered();
    assert_eq!(call.bye(), 200);
    let at = site
        .conference
        .iter()
        .position(|m| m.counts().invites == 1)
        .unwrap();
    drop(site.conference.remove(at));
    let mut call = alice.call(sip, "conf-1");
    call.answered();
    assert_eq!(invites(&site.conference), 1);
    assert_eq!(call.bye(), 200);
    wait_until("its probes say so", PATIENCE, || {
        shown(&node.kamailio, "conference", &format!("conference-{at}"))["health"] == "down"
    });
    // One that refuses is not dead, but another takes the call.
    site.queue[0].answer_invites(Answer::Status(503));
    for name in ["a", "b", "c", "d", "e", "f"] {
        let mut call = alice.call(sip, &format!("queue-{name}"));
        call.answered();
        assert_eq!(call.bye(), 200);
    }
    assert!(
        site.queue[0].counts().invites > 0,
        "all six queues belong to one server"
    );
    assert_eq!(site.queue[1].counts().invites, 6);
}

#[test]
fn a_room_is_whole_whichever_node_its_guests_come_by() {
    let run = RunDir::new("ccp");
    let site = Site::new(&run, &["alice", "bob"]);
    let at = [run.endpoint(), run.endpoint()];
    let records = at.map(|at| format!("host-record=ccp.test,{},5", at.ip()));
    let Some(dns) = DnsServer::start(&run, &records) else {
        return;
    };
    let nodes = [0, 1].map(|i| {
        let name = ["one", "two"][i];
        let setup = site.setup(name).at(at[i]).resolv_conf(dns.resolv_conf());
        let setup = setup
            .define("WITH_DMQ", 1)
            .define_text("KS_DMQ_NET", "127.0.0.0/8");
        site.start(name, setup.define_text("KS_DMQ_PEERS", "sip:ccp.test:5060"))
    });
    let knows = |node: &Node<'_>| node.kamailio.statistic("kamscale:nodes") == 1;
    wait_until(
        "the nodes found each other by their name",
        3 * PATIENCE,
        || nodes.iter().all(knows),
    );
    let (alice, bob) = (
        site.registered("alice", &nodes[0]),
        site.registered("bob", &nodes[1]),
    );
    for room in ["conf-1", "queue-sales"] {
        let (name, members) = if room == "conf-1" {
            ("conference", &site.conference)
        } else {
            ("queue", &site.queue)
        };
        let mut first = alice.call(nodes[0].kamailio.sip(), room);
        first.answered();
        let at = members
            .iter()
            .position(|m| m.counts().invites == 1)
            .unwrap();
        wait_until("the other node knows the room", PATIENCE, || {
            let others = nodes[1].kamailio.rpc(&["kamscale.nodes"]);
            others[0]["keys_elsewhere"].as_u64() == Some(1)
        });
        // By itself the other node would open it elsewhere.
        nodes[1].kamailio.rpc(&[
            "kamscale.set_state",
            name,
            &format!("{name}-{at}"),
            "draining",
        ]);
        let mut guest = bob.call(nodes[1].kamailio.sip(), room);
        guest.answered();
        assert_eq!(members[at].counts().invites, 2, "{room} is at two servers");
        assert_eq!((first.bye(), guest.bye()), (200, 200));
        nodes.iter().for_each(Node::is_quiet);
        wait_until("the room is closed", PATIENCE, || {
            let status = &nodes[1].kamailio.rpc(&["kamscale.status"])[0];
            status["sticky_keys"].as_u64() == Some(0)
        });
    }
}
