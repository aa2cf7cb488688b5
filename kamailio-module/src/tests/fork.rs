//! `fork`: who gets the request, and where its one call is counted.

use kamailio::double::{Dialogs, Message};
use kamailio::message::{MEMORY_LEN, Message as _, Method};
use kamscale_shm::DesiredState;

use super::{Site, dialogs, member, pool};
use crate::algorithm::Algorithm;
use crate::code;
use crate::memory::{Memory, NAME};
use crate::routing::fork::answered;
use crate::routing::{Choice, Target, select};
use crate::worker::PoolName;

fn invite(dialogs: &Dialogs) -> Message {
    Message::new(Method::Invite)
        .with_call_id("x")
        .with_dialogs(dialogs)
}

/// Everybody that the message goes to, by name.
fn all(site: &Site, msg: &Message) -> Vec<String> {
    let mut one = msg.clone();
    let uris = msg.destination.iter().chain(&msg.branches);
    let mut names: Vec<String> = uris
        .map(|uri| {
            one.destination = Some(uri.clone());
            site.member_of(&one)
        })
        .collect();
    names.sort();
    names
}

fn tried(msg: &mut Message) -> usize {
    let bytes: [u8; MEMORY_LEN] = msg.recall(NAME).unwrap();
    Memory::from_bytes(&bytes).unwrap().tried().len()
}

#[test]
fn a_request_goes_to_everybody_who_may_be_used() {
    let mut site = Site::of(4);
    let mut members: Vec<_> = (0..4).map(|i| member(&format!("m{i}"))).collect();
    members[2].state = DesiredState::Draining;
    site.publish(&members);
    let mut firsts = Vec::new();
    for _ in 0..3 {
        let mut msg = Message::new(Method::Options);
        assert_eq!(site.select(&mut msg, Algorithm::Fork, None), 1);
        assert_eq!(all(&site, &msg), ["m0", "m1", "m3"]);
        assert_eq!(
            site.next(&mut msg),
            code::NO_MEMBER,
            "all of them were tried"
        );
        assert_eq!(msg.answer_note, None, "no call");
        firsts.push(site.member_of(&msg));
    }
    firsts.sort();
    assert_eq!(firsts, ["m0", "m1", "m3"], "each is the first one in turn");
}

#[test]
fn no_more_branches_are_added_than_the_server_takes_and_the_next_ones_come_later() {
    let mut site = Site::of(9);
    let mut msg = Message::new(Method::Options);
    msg.max_branches = 6;
    assert_eq!(site.select(&mut msg, Algorithm::Fork, None), 1);
    assert_eq!(msg.branches.len(), 5);
    assert_eq!(tried(&mut msg), 6);
    // As in a failure route, where tm has counted the first ones against its limit.
    msg.branches.clear();
    msg.max_branches = 8;
    assert_eq!(site.next(&mut msg), 1);
    assert_eq!(msg.branches.len(), 1);
    assert_eq!(tried(&mut msg), 8);
}

#[test]
fn a_forked_call_is_counted_once_where_it_is_answered() {
    let mut site = Site::of(3);
    let dialogs = dialogs(site.server);
    let mut msg = invite(&dialogs);
    assert_eq!(site.select(&mut msg, Algorithm::Fork, None), 1);
    let first = site.member_of(&msg);
    let counts = |site: &Site| ["m0", "m1", "m2"].map(|name| site.calls(name));
    assert_eq!(counts(&site).iter().sum::<u32>(), 1);
    assert_eq!(site.calls(&first), 1, "until it is answered");
    let pool_of_note = msg.answer_note.unwrap();
    let word = dialogs.word(b"x").unwrap();
    let winner = ["m0", "m1", "m2"]
        .into_iter()
        .find(|m| *m != first)
        .unwrap();
    let table = site.worker.table();
    let at = |name: &str| {
        let mut members = table.pools().flat_map(|p| p.members());
        let found = members.find(|m| m.name() == name.as_bytes()).unwrap();
        found.address().unwrap().into()
    };
    let observed = &site.server.observed;
    answered(observed, table, &word, pool_of_note, at(winner));
    assert_eq!(
        (site.calls(winner), counts(&site).iter().sum::<u32>()),
        (1, 1)
    );
    answered(
        observed,
        table,
        &word,
        pool_of_note,
        "192.0.2.99:5060".parse().unwrap(),
    );
    answered(observed, table, &word, 77, at(&first));
    assert_eq!(
        site.calls(winner),
        1,
        "whoever is no member changes nothing"
    );
    dialogs.end_call(b"x");
    answered(observed, table, &word, pool_of_note, at(&first));
    assert_eq!(
        counts(&site),
        [0; 3],
        "an answer after the end counts nothing"
    );
}

#[test]
fn one_pool_of_a_list_may_be_forked_to() {
    let pools = [pool("a", &[]), pool("p", &[member("m0"), member("m1")])];
    let mut site = Site::new(&pools);
    let mut msg = Message::new(Method::Options);
    assert_eq!(
        site.select_from("a,p=fork", &mut msg, Algorithm::Hash, None),
        1
    );
    assert_eq!(all(&site, &msg), ["m0", "m1"]);
}

#[test]
fn domains_cannot_be_forked_to() {
    let mut site = Site::of(2);
    for pools in [&b"p"[..], b"p=fork"] {
        let mut msg = Message::new(Method::Options);
        let choice = Choice {
            pool: PoolName::Text(pools),
            algorithm: Algorithm::Fork,
            key: None,
            target: Target::Domain,
        };
        let code = select(site.server, &mut site.worker, &mut msg, &choice);
        assert_eq!((code, msg.domain), (code::BAD_PARAMETER, None));
    }
}
