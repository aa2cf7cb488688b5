//! Several pools in one selection: the first that takes it, then the others in order.

use kamailio::double::{Dialogs, Message};
use kamailio::message::Method;
use kamscale_shm::{DesiredState, MemberSpec, PoolSpec};

use super::{Site, dialogs, member, pool};
use crate::algorithm::Algorithm;
use crate::code;
use crate::pool_list::{self, PoolList};
use crate::routing::{Choice, Mark, Target, mark, select};
use crate::worker::PoolName;

fn named(name: &str, members: &[&str]) -> PoolSpec {
    let specs: Vec<_> = members.iter().map(|m| member(m)).collect();
    pool(name, &specs)
}

/// Pools `a` of a1 and a2, `b` of b1, `c` of c1 and c2.
fn site() -> Site {
    Site::new(&[
        named("a", &["a1", "a2"]),
        named("b", &["b1"]),
        named("c", &["c1", "c2"]),
    ])
}

fn disabled(spec: &mut MemberSpec) {
    spec.state = DesiredState::Disabled;
}

fn invite(dialogs: &Dialogs, id: &str) -> Message {
    Message::new(Method::Invite)
        .with_call_id(id)
        .with_dialogs(dialogs)
}

#[test]
fn the_first_pool_with_a_member_that_takes_it_is_used() {
    let mut site = site();
    let mut pools = vec![
        named("a", &["a1", "a2"]),
        named("b", &["b1"]),
        named("c", &["c1"]),
    ];
    let to = |site: &mut Site, list: &str| {
        let mut msg = Message::new(Method::Options);
        let code = site.select_from(list, &mut msg, Algorithm::Serial, None);
        (code, (code == 1).then(|| site.member_of(&msg)))
    };
    assert_eq!(to(&mut site, "a,b"), (1, Some("a1".into())));
    assert_eq!(to(&mut site, "b , a"), (1, Some("b1".into())));
    assert_eq!(
        to(&mut site, "later,b"),
        (1, Some("b1".into())),
        "one that is not there yet"
    );
    assert_eq!(to(&mut site, "later,never"), (code::NO_POOL, None));
    pools[0].members.iter_mut().for_each(disabled);
    site.publish_pools(pools.clone());
    assert_eq!(to(&mut site, "a,b,c"), (1, Some("b1".into())));
    pools[1].members.iter_mut().for_each(disabled);
    site.publish_pools(pools.clone());
    assert_eq!(to(&mut site, "a,b,c"), (1, Some("c1".into())));
    assert_eq!(to(&mut site, "a,b"), (code::NO_MEMBER, None));
    assert_eq!(to(&mut site, "a,"), (code::BAD_PARAMETER, None));
    assert_eq!(to(&mut site, "a=fastest"), (code::BAD_PARAMETER, None));
}

#[test]
fn a_pool_may_be_asked_in_its_own_way() {
    let mut site = site();
    let mut takes = |list: &str| -> Vec<String> {
        let picks = (0..4).map(|_| {
            let mut msg = Message::new(Method::Options);
            assert_eq!(
                site.select_from(list, &mut msg, Algorithm::RoundRobin, None),
                1
            );
            site.member_of(&msg)
        });
        picks.collect()
    };
    assert_eq!(takes("a=serial"), ["a1"; 4]);
    let mut turns = takes("a,b=serial");
    turns.sort();
    assert_eq!(turns, ["a1", "a1", "a2", "a2"]);
}

#[test]
fn the_next_ones_come_from_the_same_pool_and_then_from_the_others_in_order() {
    let mut site = site();
    let dialogs = dialogs(site.server);
    let mut msg = invite(&dialogs, "x");
    let list = "c,missing,a=serial,b";
    assert_eq!(site.select_from(list, &mut msg, Algorithm::Serial, None), 1);
    let mut tried = vec![site.member_of(&msg)];
    let mut failed = msg.failed();
    while site.next(&mut failed) == 1 {
        tried.push(site.member_of(&failed));
        let last = tried.last().unwrap();
        let pool = &last[..1];
        let slot = site.publisher.slot(pool, last).unwrap() as usize;
        let row = site.server.observed.member(slot).unwrap();
        let calls = row.calls_of(kamscale_shm::member_id(pool, last));
        assert_eq!(calls, 1, "the call is counted on {last}");
    }
    assert_eq!(tried, ["c1", "c2", "a1", "a2", "b1"]);
    assert_eq!(
        site.next(&mut failed),
        code::NO_MEMBER,
        "never twice to one member"
    );
    dialogs.end_call(b"x");
}

#[test]
fn the_list_goes_on_from_the_table_as_it_is_then() {
    let mut site = site();
    let mut msg = Message::new(Method::Options);
    assert_eq!(
        site.select_from("a,b,c", &mut msg, Algorithm::Serial, None),
        1
    );
    // a goes while a1 has the request, b changes its member.
    site.publish_pools(vec![named("b", &["b9"]), named("c", &["c1"])]);
    assert_eq!(site.next(&mut msg), 1);
    assert_eq!(site.member_of(&msg), "b9");
    assert_eq!(mark(site.server, &mut site.worker, &mut msg, Mark::Down), 1);
    assert_eq!(site.next(&mut msg), 1);
    assert_eq!(site.member_of(&msg), "c1");
    // What was given up is not asked again, though it has somebody new.
    site.publish_pools(vec![
        named("b", &["b8"]),
        named("c", &["c1"]),
        named("a", &["a7"]),
    ]);
    assert_eq!(site.next(&mut msg), code::NO_MEMBER);
}

#[test]
fn a_retransmission_goes_where_the_first_went_though_another_pool_would_take_it_now() {
    let mut site = site();
    let dialogs = dialogs(site.server);
    let mut pools = vec![named("a", &["a1"]), named("b", &["b1"])];
    disabled(&mut pools[0].members[0]);
    site.publish_pools(pools.clone());
    let mut first = invite(&dialogs, "x");
    assert_eq!(
        site.select_from("a,b", &mut first, Algorithm::LeastCalls, None),
        1
    );
    assert_eq!(site.member_of(&first), "b1");
    pools[0].members[0].state = DesiredState::Active;
    disabled(&mut pools[1].members[0]);
    site.publish_pools(pools);
    let mut again = invite(&dialogs, "x");
    assert_eq!(
        site.select_from("a,b", &mut again, Algorithm::LeastCalls, None),
        1
    );
    assert_eq!(site.member_of(&again), "b1");
    let mut other = invite(&dialogs, "y");
    assert_eq!(
        site.select_from("a,b", &mut other, Algorithm::LeastCalls, None),
        1
    );
    assert_eq!(site.member_of(&other), "a1");
}

#[test]
fn a_room_that_spilled_into_a_later_pool_stays_whole() {
    let mut site = site();
    let dialogs = dialogs(site.server);
    let key: Option<&[u8]> = Some(b"room");
    let joins = |site: &mut Site, id: &str| {
        let mut msg = invite(&dialogs, id);
        assert_eq!(site.select_from("a,b", &mut msg, Algorithm::Sticky, key), 1);
        site.member_of(&msg)
    };
    let mut pools = vec![named("a", &["a1"]), named("b", &["b1"])];
    disabled(&mut pools[0].members[0]);
    site.publish_pools(pools.clone());
    assert_eq!(joins(&mut site, "1"), "b1");
    pools[0].members[0].state = DesiredState::Active;
    site.publish_pools(pools.clone());
    assert_eq!(
        joins(&mut site, "2"),
        "b1",
        "a has room again, but the room is in b"
    );
    disabled(&mut pools[1].members[0]);
    site.publish_pools(pools);
    assert_eq!(joins(&mut site, "3"), "a1", "b's member takes nothing more");
    for id in ["1", "2", "3"] {
        assert!(dialogs.end_call(id.as_bytes()));
    }
    assert_eq!(site.server.observed.keys().live().count(), 0);
}

#[test]
fn a_list_that_a_script_names_is_resolved_at_the_start() {
    let mut site = site();
    let list = PoolList::parse("c,a", |_| Ok(())).unwrap();
    let number = site.worker.learn_list("c,a", list);
    let choice = Choice {
        pool: PoolName::Known(number),
        algorithm: Algorithm::Serial,
        key: None,
        target: Target::Destination,
    };
    let mut msg = Message::new(Method::Options);
    assert_eq!(select(site.server, &mut site.worker, &mut msg, &choice), 1);
    assert_eq!(site.member_of(&msg), "c1");
    assert_eq!(site.worker.known_name(number), "c,a");
    assert!(!pool_list::is_list(b"a"));
}

#[test]
fn a_request_that_selects_again_from_one_pool_forgets_its_list() {
    let mut site = site();
    let mut msg = Message::new(Method::Options);
    assert_eq!(
        site.select_from("b,a", &mut msg, Algorithm::Serial, None),
        1
    );
    assert_eq!(site.select_from("b", &mut msg, Algorithm::Serial, None), 1);
    assert_eq!(site.next(&mut msg), code::NO_MEMBER, "b has one member");
}
