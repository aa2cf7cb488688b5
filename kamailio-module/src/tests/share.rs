//! Several nodes that share: whatever the net does to their messages, once it is quiet all agree on
//! where every key lives and on what every member carries.

#[cfg(test)]
mod cluster;
#[cfg(test)]
mod model;

use kamscale_shm::{MemberSpec, member_id};

use super::{logged, member, pool};
use crate::algorithm::Algorithm;
use crate::share::deliver;
use cluster::{Cluster, Node};

fn members(count: usize) -> Vec<MemberSpec> {
    (0..count).map(|i| member(&format!("m{i}"))).collect()
}

#[test]
fn callers_of_one_room_meet_whichever_node_they_come_by() {
    let mut cluster = Cluster::new(3, &members(8));
    for room in 0..18 {
        let at = cluster.call(room % 3, room).unwrap();
        cluster.pass(60);
        for node in 0..3 {
            assert_eq!(
                cluster.call(node, room),
                Some(at),
                "room {room}, node {node}"
            );
        }
    }
    cluster.pass(300);
    cluster.agrees();
    cluster.end_all();
    cluster.pass(300);
    assert!(
        (0..3).all(|node| cluster.live(node).is_empty()),
        "keys stay"
    );
    cluster.agrees();
}

#[test]
fn two_nodes_that_open_a_room_at_once_choose_the_same_member() {
    let mut cluster = Cluster::new(2, &members(8));
    for room in 0..50 {
        let both = [cluster.call(0, room), cluster.call(1, room)];
        assert!(both[0].is_some() && both[0] == both[1], "{both:?}");
    }
}

#[test]
fn a_room_that_was_opened_at_two_members_ends_at_the_same_on_all_nodes() {
    let mut cluster = Cluster::new(3, &members(3));
    cluster.cut(1, true);
    // What fills the owner is not heard of at node 1.
    for room in 0..26 {
        cluster.call(0, 100 + room);
    }
    cluster.pass(300);
    let rooms: Vec<usize> = (0..20)
        .filter(|room| {
            let (a, b) = (cluster.call(0, *room), cluster.call(1, *room));
            a.is_some() && b.is_some() && a != b
        })
        .collect();
    assert!(!rooms.is_empty(), "no conflict to solve");
    cluster.cut(1, false);
    cluster.pass(15_000);
    cluster.agrees();
    for room in rooms {
        let at = cluster.place(0, room);
        assert!(at.is_some() && (1..3).all(|node| cluster.place(node, room) == at));
    }
}

#[test]
fn a_room_that_one_node_moves_is_moved_on_all() {
    let mut cluster = Cluster::new(3, &members(4));
    // Several: with one the right member could be the better one by hash, too.
    for room in 0..6 {
        let at = cluster.call(0, room).unwrap();
        cluster.pass(100);
        assert_eq!(cluster.call(1, room), Some(at));
        cluster.nodes[1].mark_down(at);
        let now = cluster.call(1, room).unwrap();
        assert_ne!(now, at, "sent to a member that is down");
        cluster.nodes[1].mark_up(at);
        cluster.pass(100);
        for node in 0..3 {
            assert_eq!(cluster.place(node, room), Some(now), "{room} at {node}");
        }
    }
    cluster.agrees();
}

#[test]
fn who_joins_late_learns_what_is() {
    let mut cluster = Cluster::new(2, &members(8));
    let rooms: Vec<_> = (0..300)
        .map(|room| (room, cluster.call(room % 2, room)))
        .collect();
    let full = rooms.iter().filter(|(_, at)| at.is_some()).count();
    cluster.pass(300);
    cluster.join(&members(8));
    cluster.pass(2500);
    assert_eq!(cluster.live(2).len(), full);
    for (room, at) in rooms {
        assert_eq!(cluster.place(2, room), at, "room {room}");
    }
    cluster.agrees();
}

#[test]
fn a_silent_node_is_forgotten_and_what_it_was_before_its_restart_too() {
    let mut cluster = Cluster::new(3, &members(8));
    for room in 0..30 {
        cluster.call(room % 3, room);
    }
    cluster.pass(300);
    assert_eq!(cluster.live(0).len(), 30);
    cluster.kill(2);
    cluster.pass(9_000);
    assert_eq!(cluster.live(0).len(), 30, "forgotten too early");
    cluster.pass(2_000);
    assert_eq!(cluster.live(0).len(), 20);
    cluster.agrees();
    assert!(
        logged()
            .iter()
            .any(|line| line.contains("node-2 is silent"))
    );
    cluster.restart(2, &members(8));
    cluster.pass(2_500);
    cluster.agrees();
    cluster.call(2, 500);
    cluster.pass(100);
    assert_eq!(cluster.live(0).len(), 21);
    // Back before anybody missed it.
    cluster.restart(2, &members(8));
    cluster.pass(2_500);
    assert_eq!(cluster.live(0).len(), 20, "its last life is remembered");
    cluster.agrees();
}

#[test]
fn selection_sees_the_calls_of_all_nodes_and_an_agent_its_own() {
    let mut cluster = Cluster::new(2, &members(2));
    for _ in 0..5 {
        cluster.call_at(0, "m0");
    }
    cluster.pass(400);
    let node: &mut Node = &mut cluster.nodes[1];
    for _ in 0..4 {
        assert_eq!(node.pick(Algorithm::LeastCalls).as_deref(), Some("m1"));
    }
    let slot = node.slot(member_id("p", "m0")).unwrap();
    let own = kamscale_shm::Observer::open(node.dir.path(), "t").unwrap();
    assert!(
        own.snapshot().members.iter().all(|m| m.calls == 0),
        "counted twice"
    );
    let observed = &node.server.observed;
    assert_eq!(observed.calls_elsewhere(slot, member_id("p", "m0")), 5);
    assert_eq!(observed.calls_elsewhere(slot, member_id("p", "m1")), 0);
}

#[test]
fn what_is_no_message_is_counted_and_changes_nothing() {
    let mut cluster = Cluster::new(2, &members(2));
    cluster.pass(100);
    let before = cluster.nodes[0].counts();
    for garbage in ["", "hello", "kamscale/2 1 2 3", "kamscale/1 1 2 3\nk zz"] {
        deliver(
            &cluster.nodes[0].server,
            b"sip:x@192.0.2.1:5060",
            garbage.as_bytes(),
        );
    }
    // One of another instance is no garbage.
    deliver(
        &cluster.nodes[0].server,
        b"sip:x@192.0.2.1",
        b"kamscale/1 1 2 3",
    );
    cluster.pass(40);
    let after = cluster.nodes[0].counts();
    assert_eq!(
        (after.refused - before.refused, after.nodes),
        (4, before.nodes)
    );
    let told = logged();
    assert!(
        told.iter()
            .any(|l| l.contains("node \"192.0.2.1:5060\" is refused")),
        "{told:?}"
    );
}

#[test]
fn a_hundred_thousand_rooms_are_shared_and_forgotten() {
    let plenty: Vec<_> = (0..20)
        .map(|i| MemberSpec {
            capacity: 0,
            ..member(&format!("m{i}"))
        })
        .collect();
    let mut cluster = Cluster::new(2, &plenty);
    for room in 0..100_000 {
        assert!(cluster.call(room % 2, room).is_some());
    }
    cluster.pass(20_000);
    assert_eq!(cluster.live(0).len(), 100_000);
    cluster.agrees();
    cluster.join(&plenty);
    cluster.pass(30_000);
    assert_eq!(cluster.live(2).len(), 100_000);
    cluster.end_all();
    cluster.pass(20_000);
    assert!(
        (0..3).all(|node| cluster.live(node).is_empty()),
        "keys stay"
    );
}
