//! Several Kamailio nodes that share calls and sticky keys over dmq: whoever comes in by whichever node
//! meets in one room, through losses, a partition, a node that dies and one that comes late.

#[cfg(test)]
mod site;

use std::collections::BTreeSet;

use kamscale_tests::{Call, Kamailio, PATIENCE, RunDir, SipClient, SipMessage, wait_until};

use crate::support::{config, lines, refusal, shown};
use site::{Site, start, three};

/// Rooms of a test.
fn rooms(count: usize) -> Vec<String> {
    (0..count).map(|i| format!("room-{i}")).collect()
}

fn open<'c>(client: &'c SipClient, node: &Kamailio<'_>, room: &str) -> Call<'c> {
    let mut call = client.invite(node.sip(), room);
    call.answered();
    call
}

/// Everybody of a room is at one member.
#[track_caller]
fn meet(site: &Site<'_>, room: &str, calls: &[&Call<'_>]) {
    let at: BTreeSet<usize> = calls.iter().map(|c| site.member_of(c.call_id())).collect();
    assert_eq!(at.len(), 1, "{room} is at members {at:?}");
}

#[test]
fn callers_of_one_room_meet_whichever_node_they_come_by() {
    let run = RunDir::new("nodes");
    let site = Site::new(&run, 4);
    let nodes = three(&site);
    let client = SipClient::new(&run);
    let rooms = rooms(9);
    let first: Vec<_> = (0..)
        .zip(&rooms)
        .map(|(i, room)| open(&client, &nodes[i % 3], room))
        .collect();
    for node in &nodes {
        site.await_keys(node, 9, 6);
    }
    let explained = &nodes[1].rpc(&["kamscale.explain", "conference", "room-0", "sticky"])[0];
    assert_eq!(
        (&explained["calls_here"], &explained["lives_elsewhere"]),
        (&0.into(), &"yes".into())
    );
    let mut guests = Vec::new();
    for (room, first) in rooms.iter().zip(&first) {
        let guest: Vec<_> = nodes.iter().map(|node| open(&client, node, room)).collect();
        meet(&site, room, &[first, &guest[0], &guest[1], &guest[2]]);
        guests.extend(guest);
    }
    // Who came first leaves; the room stays for the others.
    first.iter().for_each(|call| assert_eq!(call.bye(), 200));
    let late = open(&client, &nodes[2], &rooms[0]);
    meet(&site, &rooms[0], &[&guests[0], &late]);
    for call in guests.iter().chain([&late]) {
        assert_eq!(call.bye(), 200);
    }
    for node in &nodes {
        site.await_keys(node, 0, 0);
        assert!(node.statistic("kamscale:share-received") > 0);
        assert_eq!(node.statistic("kamscale:nodes"), 2);
    }
}

#[test]
fn the_load_that_selection_compares_is_that_of_all_nodes() {
    let run = RunDir::new("nodes");
    let site = Site::new(&run, 2);
    let nodes = three(&site);
    let client = SipClient::new(&run);
    let room = "room";
    let calls: Vec<_> = (0..6).map(|_| open(&client, &nodes[0], room)).collect();
    let full = format!("m{}", site.member_of(calls[0].call_id()));
    let elsewhere =
        |node: &Kamailio<'_>| shown(node, "conference", &full)["calls_elsewhere"].as_u64();
    for node in &nodes[1..] {
        wait_until("the others know the calls", PATIENCE, || {
            elsewhere(node) == Some(6)
        });
        assert_eq!(
            shown(node, "conference", &full)["calls"],
            0,
            "counted twice"
        );
    }
    for _ in 0..5 {
        let call = open(&client, &nodes[1], "least");
        assert_ne!(
            format!("m{}", site.member_of(call.call_id())),
            full,
            "least_calls sees its own only"
        );
        assert_eq!(call.bye(), 200);
    }
    calls.iter().for_each(|call| assert_eq!(call.bye(), 200));
    wait_until("they end for the others", PATIENCE, || {
        elsewhere(&nodes[2]) == Some(0)
    });
}

#[test]
fn a_room_that_is_opened_by_all_nodes_at_once_has_one_member() {
    let run = RunDir::new("nodes");
    let site = Site::new(&run, 5);
    let nodes = three(&site);
    let clients: Vec<_> = (0..3).map(|_| SipClient::new(&run)).collect();
    for room in rooms(12) {
        let gate = std::sync::Barrier::new(3);
        let mut calls: Vec<Call<'_>> = std::thread::scope(|scope| {
            let (gate, room) = (&gate, room.as_str());
            let pairs = clients.iter().zip(nodes.iter().map(Kamailio::sip));
            let callers = pairs.map(|(client, node)| {
                scope.spawn(move || {
                    gate.wait();
                    client.invite(node, room)
                })
            });
            let callers: Vec<_> = callers.collect();
            callers
                .into_iter()
                .map(|call| call.join().unwrap())
                .collect()
        });
        calls.iter_mut().for_each(Call::answered);
        meet(&site, &room, &calls.iter().collect::<Vec<_>>());
    }
}

#[test]
fn who_joins_late_learns_what_is() {
    let run = RunDir::new("nodes");
    let site = Site::new(&run, 6);
    let mut nodes = vec![start(&site, 0), start(&site, 1)];
    let client = SipClient::new(&run);
    let rooms = rooms(40);
    let first: Vec<_> = (0..)
        .zip(&rooms)
        .map(|(i, room)| open(&client, &nodes[i % 2], room))
        .collect();
    nodes.push(start(&site, 2));
    site.await_all_know(&nodes);
    site.await_keys(&nodes[2], 40, 40);
    for (room, first) in rooms.iter().zip(&first) {
        let guest = open(&client, &nodes[2], room);
        meet(&site, room, &[first, &guest]);
    }
}

#[test]
fn with_a_third_of_all_messages_lost_callers_meet_and_nothing_stays() {
    let run = RunDir::new("nodes");
    let site = Site::new(&run, 4);
    site.net.lose(30);
    let nodes = three(&site);
    let client = SipClient::new(&run);
    let rooms = rooms(24);
    let first: Vec<_> = (0..)
        .zip(&rooms)
        .map(|(i, room)| open(&client, &nodes[i % 3], room))
        .collect();
    nodes.iter().for_each(|node| site.await_keys(node, 24, 16));
    for ((i, room), first) in (1..).zip(&rooms).zip(&first) {
        let guest = open(&client, &nodes[i % 3], room);
        meet(&site, room, &[first, &guest]);
        assert_eq!((first.bye(), guest.bye()), (200, 200));
    }
    nodes.iter().for_each(|node| site.await_keys(node, 0, 0));
    // How many there are depends on how many fit into one.
    let (passed, lost) = site.net.counts();
    assert!(
        lost * 5 > passed + lost,
        "{lost} of {} were lost",
        passed + lost
    );
}

#[test]
fn what_a_partition_opened_twice_ends_at_one_member_on_all_nodes() {
    let run = RunDir::new("nodes");
    let site = Site::new(&run, 3);
    let nodes = three(&site);
    let client = SipClient::new(&run);
    let before = open(&client, &nodes[0], "before");
    site.await_keys(&nodes[2], 1, 1);
    site.net.cut(2, true);
    wait_until("dmq has given the node up", 3 * PATIENCE, || {
        let list = nodes[0].rpc(&["dmq.list_nodes"]);
        list.iter()
            .filter(|node| node["status"] == "active")
            .count()
            == 2
    });
    wait_until("it is forgotten", PATIENCE, || {
        nodes[0].statistic("kamscale:nodes") == 1
    });
    site.await_keys(&nodes[2], 0, 0);
    // Each side has another member out of use, so that they cannot but differ.
    let set = |node: usize, member: &str, state: &str| {
        nodes[node].rpc(&["kamscale.set_state", "conference", member, state]);
    };
    (0..2).for_each(|node| set(node, "m0", "draining"));
    ["m1", "m2"]
        .iter()
        .for_each(|member| set(2, member, "draining"));
    let rooms = rooms(8);
    let sides: Vec<_> = rooms
        .iter()
        .map(|room| [0, 2].map(|n| open(&client, &nodes[n], room)))
        .collect();
    assert!(
        sides
            .iter()
            .all(|[a, b]| site.member_of(a.call_id()) != site.member_of(b.call_id()))
    );
    site.net.cut(2, false);
    site.await_all_know(&nodes);
    nodes
        .iter()
        .for_each(|node| site.await_agreement(&nodes[0], node, &rooms));
    for (room, [one, other]) in rooms.iter().zip(&sides) {
        let guests: Vec<_> = nodes.iter().map(|node| open(&client, node, room)).collect();
        meet(&site, room, &guests.iter().collect::<Vec<_>>());
        // Who was there stayed there.
        assert_eq!((one.bye(), other.bye()), (200, 200));
        guests.iter().for_each(|guest| assert_eq!(guest.bye(), 200));
    }
    assert_eq!(before.bye(), 200);
    nodes.iter().for_each(|node| site.await_keys(node, 0, 0));
}

#[test]
fn what_a_killed_node_had_is_forgotten_until_it_is_back() {
    let run = RunDir::new("nodes");
    let site = Site::new(&run, 4);
    let mut nodes = three(&site);
    let client = SipClient::new(&run);
    let (here, there) = (
        open(&client, &nodes[0], "here"),
        open(&client, &nodes[2], "there"),
    );
    let both = [0, 2].map(|node| open(&client, &nodes[node], "both"));
    site.await_keys(&nodes[0], 3, 2);
    nodes[2].kill();
    site.await_keys(&nodes[0], 2, 0);
    site.await_keys(&nodes[1], 2, 2);
    let log = nodes[0].log();
    assert_eq!(
        lines(&log, &["is silent", "are forgotten"]).len(),
        1,
        "{log}"
    );
    nodes[2].restart();
    site.await_all_know(&nodes);
    site.await_keys(&nodes[2], 2, 2);
    let guest = open(&client, &nodes[2], "both");
    meet(&site, "both", &[&both[0], &guest]);
    site.await_keys(&nodes[0], 2, 1);
    let _ = (here, there);
}

#[test]
fn garbage_is_counted_and_ignored() {
    let run = RunDir::new("nodes");
    let site = Site::new(&run, 2);
    let nodes = three(&site);
    let client = SipClient::new(&run);
    let uri = format!("sip:kamscale@{}", nodes[0].sip());
    let nothing: SipMessage = client.request("KDMQ", &uri);
    let reply = client.exchange(&nothing, nodes[0].sip(), PATIENCE);
    assert_eq!(reply.and_then(|r| r.status()), Some(200));
    wait_until("it is refused", PATIENCE, || {
        nodes[0].statistic("kamscale:share-refused") == 1
    });
    assert_eq!(
        lines(&nodes[0].log(), &["is refused: it begins with"]).len(),
        1
    );
    assert_eq!(nodes[0].statistic("kamscale:nodes"), 2);
}

#[test]
fn sharing_without_dmq_is_refused_with_the_remedy() {
    let run = RunDir::new("nodes");
    let text = config(
        "modparam(\"kamscale\", \"share\", 1)\n",
        "request_route { exit; }",
    );
    let log = refusal(&run, &Kamailio::with_text(&run, &text));
    let why = [
        "modparam \"share\"",
        "dmq module is not loaded",
        "loadmodule \"dmq.so\"",
    ];
    assert_eq!(lines(&log, &why).len(), 1, "{log}");
}
