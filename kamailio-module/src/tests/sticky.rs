//! `sticky`: a key stays where it is while any of its calls lives, whatever happens to the pool;
//! and nothing of it stays afterwards.

#[cfg(test)]
mod failover;
#[cfg(test)]
mod model;

use kamailio::double::{Dialogs, Message};
use kamailio::message::Method;
use kamscale_shm::hash::{mix, xxh3};
use kamscale_shm::keys::{Holder, Taken};
use kamscale_shm::limits::{KEY_GROUPS, KEYS_PER_GROUP};
use kamscale_shm::{DesiredState, MemberSpec};

use super::{Site, dialogs, logged, member};
use crate::algorithm::Algorithm;
use crate::code;
use crate::routing::{Mark, mark};
use crate::worker::{begin_run, end_run};

fn members(names: &[&str]) -> Vec<MemberSpec> {
    names.iter().map(|name| member(name)).collect()
}

impl Site {
    fn call(&mut self, dialogs: &Dialogs, id: &str, key: &str) -> (Message, i32) {
        let mut invite = Message::new(Method::Invite)
            .with_call_id(id)
            .with_dialogs(dialogs);
        let code = self.select(&mut invite, Algorithm::Sticky, Some(key.as_bytes()));
        (invite, code)
    }

    /// A call to a key that must find a member; which one.
    fn joins(&mut self, dialogs: &Dialogs, id: &str, key: &str) -> String {
        let (invite, code) = self.call(dialogs, id, key);
        assert_eq!(code, 1, "{id} to {key}");
        self.member_of(&invite)
    }

    fn live_keys(&self) -> usize {
        self.server.observed.keys().live().count()
    }

    fn mark_down(&mut self, msg: &mut Message) {
        assert_eq!(
            mark(self.server, &mut self.worker, msg, Mark::Down),
            code::OK
        );
    }
}

#[test]
fn a_new_key_goes_to_its_owner_by_hash_and_a_live_one_stays_there() {
    let mut site = Site::of(8);
    let dialogs = dialogs(site.server);
    for room in 0..40 {
        let key = format!("room {room}");
        let owner = site.pick(Algorithm::Hash, Some(key.as_bytes())).unwrap();
        assert_eq!(
            site.pick(Algorithm::Sticky, Some(key.as_bytes())).unwrap(),
            owner
        );
        assert_eq!(
            site.joins(&dialogs, &format!("c{room}"), &key),
            owner,
            "{key}"
        );
    }
    assert_eq!(
        site.live_keys(),
        40,
        "requests that are no calls open no keys"
    );
}

#[test]
fn a_live_key_stays_while_the_pool_grows_shrinks_drains_and_changes_weights() {
    let mut site = Site::of(3);
    let dialogs = dialogs(site.server);
    let rooms: Vec<String> = (0..25).map(|room| format!("room {room}")).collect();
    let at: Vec<String> = rooms
        .iter()
        .map(|r| site.joins(&dialogs, &format!("first {r}"), r))
        .collect();
    let mut all: Vec<_> = (0..60).map(|i| member(&format!("m{i}"))).collect();
    all.reverse();
    let mut drained = all.clone();
    for member in &mut drained {
        member.state = DesiredState::Draining;
        member.weight = 7;
    }
    drained.push(member("new"));
    for (step, table) in [all, members(&["m2", "m0", "m1"]), drained]
        .into_iter()
        .enumerate()
    {
        site.publish(&table);
        for (room, at) in rooms.iter().zip(&at) {
            let id = format!("{step} {room}");
            assert_eq!(
                site.joins(&dialogs, &id, room),
                *at,
                "{room} moved in step {step}"
            );
            assert_eq!(
                site.pick(Algorithm::Sticky, Some(room.as_bytes())).as_ref(),
                Some(at)
            );
        }
    }
    assert_eq!(
        site.joins(&dialogs, "x", "a new room"),
        "new",
        "a draining member got a new room"
    );
    for room in &rooms {
        for id in ["first", "0", "1", "2"] {
            assert!(dialogs.end_call(format!("{id} {room}").as_bytes()));
        }
        let owner = site.pick(Algorithm::Sticky, Some(room.as_bytes()));
        assert_eq!(
            owner.as_deref(),
            Some("new"),
            "{room} is held without a call"
        );
    }
    dialogs.end_call(b"x");
    assert_eq!(site.live_keys(), 0, "keys leaked");
}

#[test]
fn new_keys_go_where_there_is_room_and_a_live_one_stays_on_a_full_member() {
    let mut site = Site::of(2);
    let dialogs = dialogs(site.server);
    for call in 0..20 {
        site.joins(&dialogs, &format!("c{call}"), &format!("room {call}"));
    }
    assert_eq!(
        (site.calls("m0"), site.calls("m1")),
        (10, 10),
        "beyond the capacity"
    );
    let (_, code) = site.call(&dialogs, "late", "one room more");
    assert_eq!(code, code::NO_MEMBER);
    assert!(
        dialogs.word(b"late").is_none(),
        "a dialog for a call that goes nowhere"
    );
    let at = site.joins(&dialogs, "guest", "room 3");
    assert_eq!(site.calls(&at), 11, "the room is there and nowhere else");
}

#[test]
fn a_key_of_a_member_that_is_disabled_down_or_gone_moves_once_for_all() {
    for way in ["disabled", "down", "gone"] {
        let mut site = Site::of(4);
        let dialogs = dialogs(site.server);
        let (mut first, _) = site.call(&dialogs, "first", "room");
        let at = site.member_of(&first);
        let mut rest: Vec<_> = ["m0", "m1", "m2", "m3"].map(member).to_vec();
        let place = rest.iter().position(|m| m.name == at).unwrap();
        match way {
            "disabled" => rest[place].state = DesiredState::Disabled,
            "gone" => drop(rest.remove(place)),
            _ => site.mark_down(&mut first),
        }
        site.publish(&rest);
        let now = site.joins(&dialogs, "second", "room");
        assert_ne!(now, at, "{way}");
        for guest in ["third", "fourth"] {
            assert_eq!(
                site.joins(&dialogs, guest, "room"),
                now,
                "{way}: the room is split"
            );
        }
        site.publish(&["m0", "m1", "m2", "m3"].map(member));
        dialogs.end_call(b"second");
        assert_eq!(
            site.joins(&dialogs, "fifth", "room"),
            now,
            "{way}: it is where its calls are"
        );
        for id in ["first", "third", "fourth", "fifth"] {
            dialogs.end_call(id.as_bytes());
        }
        assert_eq!(site.live_keys(), 0, "{way}");
    }
}

#[test]
fn a_run_of_the_script_whose_table_is_too_old_for_a_room_takes_the_newest() {
    let mut site = Site::of(3);
    let dialogs = dialogs(site.server);
    begin_run();
    assert!(site.pick(Algorithm::RoundRobin, None).is_some());
    site.publish(&members(&["m0", "m1", "m2", "new"]));
    // Another process, by the new table.
    let slot = site.publisher.slot("p", "new").unwrap() as usize;
    let new = Holder::new(slot, kamscale_shm::member_id("p", "new"));
    let id = mix(xxh3(b"room") ^ xxh3(b"p").rotate_left(32));
    assert!(matches!(
        site.server.observed.keys().take(id, || Some(new)),
        Taken::Held { .. }
    ));
    assert_eq!(site.pick(Algorithm::Sticky, Some(b"room")).unwrap(), "new");
    assert_eq!(
        site.joins(&dialogs, "c", "room"),
        "new",
        "the room is split"
    );
    end_run();
    assert_eq!(site.calls("new"), 1);
}

#[test]
fn a_retransmission_takes_the_key_once() {
    let mut site = Site::of(4);
    let dialogs = dialogs(site.server);
    let at = site.joins(&dialogs, "c", "room");
    for _ in 0..3 {
        assert_eq!(site.joins(&dialogs, "c", "room"), at);
    }
    dialogs.end_call(b"c");
    assert_eq!(site.live_keys(), 0, "counted again");
}

#[test]
fn selecting_again_lets_the_first_key_go() {
    let mut site = Site::of(4);
    let dialogs = dialogs(site.server);
    let (mut invite, _) = site.call(&dialogs, "c", "first room");
    site.select(&mut invite, Algorithm::Sticky, Some(b"second room"));
    assert_eq!(site.live_keys(), 1);
    site.select(&mut invite, Algorithm::Sticky, Some(b"second room"));
    assert_eq!(site.live_keys(), 1);
    site.select(&mut invite, Algorithm::RoundRobin, None);
    assert_eq!(site.live_keys(), 0, "a key of a call that is elsewhere");
}

#[test]
fn a_full_table_of_keys_is_said_and_calls_go_by_hash() {
    let mut site = Site::of(4);
    let dialogs = dialogs(site.server);
    let keys = site.server.observed.keys();
    let nobody = Holder::new(0, 0);
    for number in 0..4 * (KEY_GROUPS * KEYS_PER_GROUP) as u64 {
        keys.take(mix(number), || Some(nobody));
    }
    let before = site.live_keys();
    let owner = site.pick(Algorithm::Hash, Some(b"room")).unwrap();
    let at = site.joins(&dialogs, "c", "room");
    assert_eq!(at, owner);
    assert_eq!(
        (site.live_keys(), site.calls(&at)),
        (before, 1),
        "counted, but not held"
    );
    let refused = site.server.observed.keys_refused();
    assert_eq!(refused.load(std::sync::atomic::Ordering::Relaxed), 1);
    assert!(
        logged()
            .iter()
            .any(|l| l.contains("no room for another sticky key"))
    );
    dialogs.end_call(b"c");
    assert_eq!((site.live_keys(), site.calls(&at)), (before, 0));
}

#[test]
fn without_the_dialog_module_a_key_goes_by_hash_and_nothing_is_held() {
    let mut site = Site::of(4);
    let mut invite = Message::new(Method::Invite);
    assert_eq!(
        site.select(&mut invite, Algorithm::Sticky, Some(b"room")),
        1
    );
    assert_eq!(
        site.member_of(&invite),
        site.pick(Algorithm::Hash, Some(b"room")).unwrap()
    );
    assert_eq!(site.live_keys(), 0);
    let first = site.member_of(&invite);
    let mut failed = invite.failed();
    assert_eq!(site.next(&mut failed), 1);
    assert_ne!(site.member_of(&failed), first);
}
