//! Capacity that is respected, and pools that take what another one cannot.

use kamailio::double::{Dialogs, Message};
use kamailio::message::{Message as _, Method, Route};
use kamscale_shm::{DesiredState, PoolSpec};

use super::{Site, dialogs, member, pool};
use crate::algorithm::Algorithm;
use crate::code;
use crate::selection::Usable;

/// A pool of members with room for one call each.
fn tight(name: &str, members: &[&str], overflow: &str) -> PoolSpec {
    let mut specs: Vec<_> = members.iter().map(|m| member(m)).collect();
    specs.iter_mut().for_each(|m| m.capacity = 1);
    let mut pool = pool(name, &specs);
    pool.options.respect_capacity = true;
    pool.options.overflow = overflow.to_owned();
    pool
}

fn invite(dialogs: &Dialogs, id: &str) -> Message {
    Message::new(Method::Invite)
        .with_call_id(id)
        .with_dialogs(dialogs)
}

/// Which algorithms choose one member for a new call.
fn choosing() -> impl Iterator<Item = Algorithm> {
    Algorithm::ALL.into_iter().filter(|a| *a != Algorithm::Fork)
}

impl Site {
    /// A call of its own, by this algorithm; the member, or the code.
    fn opens(&mut self, dialogs: &Dialogs, id: &str, algorithm: Algorithm) -> Result<String, i32> {
        let mut msg = invite(dialogs, id);
        match self.select(&mut msg, algorithm, Some(id.as_bytes())) {
            1 => Ok(self.member_of(&msg)),
            code => Err(code),
        }
    }

    fn refused(&self, pool: &str) -> u64 {
        let table = self.worker.table();
        let pool = table
            .pool(table.pool_index(pool.as_bytes()).unwrap())
            .unwrap();
        self.server.observed.selections(pool.slot()).1
    }
}

#[test]
fn a_full_member_is_passed_over_by_every_algorithm_and_a_full_pool_refuses() {
    for algorithm in choosing() {
        let mut site = Site::new(&[tight("p", &["a", "b", "c"], "")]);
        let dialogs = dialogs(site.server);
        let mut got: Vec<_> = ["1", "2", "3"]
            .map(|id| site.opens(&dialogs, id, algorithm).unwrap())
            .into();
        got.sort();
        assert_eq!(got, ["a", "b", "c"], "{algorithm:?}: one each");
        let refusal = site.opens(&dialogs, "4", algorithm);
        assert_eq!(refusal, Err(code::NO_MEMBER), "{algorithm:?}");
        assert_eq!(site.refused("p"), 1, "{algorithm:?}");
        assert_eq!(dialogs.len(), 3, "a refused call opens no dialog");
        let again = site.opens(&dialogs, "2", algorithm);
        assert!(
            again.is_ok(),
            "{algorithm:?}: a retransmission is no new call"
        );
        assert!(dialogs.end_call(b"2"));
        assert_eq!(
            site.opens(&dialogs, "5", algorithm),
            again,
            "{algorithm:?}: there is room"
        );
    }
}

#[test]
fn capacity_counts_only_where_it_is_respected() {
    let mut spec = tight("p", &["a"], "");
    spec.options.respect_capacity = false;
    let mut site = Site::new(&[spec]);
    let dialogs = dialogs(site.server);
    for id in ["1", "2", "3"] {
        assert_eq!(
            site.opens(&dialogs, id, Algorithm::LeastCalls).as_deref(),
            Ok("a")
        );
    }
    let mut unlimited = tight("p", &["a"], "");
    unlimited.members[0].capacity = 0;
    site.publish_pools(vec![unlimited]);
    assert_eq!(
        site.opens(&dialogs, "4", Algorithm::Hash).as_deref(),
        Ok("a")
    );
}

#[test]
fn what_a_full_pool_cannot_take_goes_to_the_one_it_overflows_into() {
    let pools = [
        tight("p", &["a"], "q"),
        tight("q", &["b"], "r"),
        tight("r", &["c"], ""),
    ];
    for algorithm in choosing() {
        let mut site = Site::new(&pools);
        let dialogs = dialogs(site.server);
        let got = ["1", "2", "3", "4"].map(|id| site.opens(&dialogs, id, algorithm));
        let wanted = ["a", "b", "c"].map(|m| Ok(m.to_owned()));
        assert_eq!(got[..3], wanted, "{algorithm:?}");
        assert_eq!(got[3], Err(code::NO_MEMBER), "{algorithm:?}");
        assert_eq!(
            (site.refused("p"), site.refused("q"), site.refused("r")),
            (3, 2, 1)
        );
        let again = site.opens(&dialogs, "2", algorithm);
        assert_eq!(again.as_deref(), Ok("b"), "{algorithm:?}: a retransmission");
        dialogs.end_call(b"1");
        let back = site.opens(&dialogs, "5", algorithm);
        assert_eq!(
            back.as_deref(),
            Ok("a"),
            "{algorithm:?}: there is room again"
        );
    }
}

#[test]
fn a_room_that_overflowed_stays_whole_when_its_first_pool_has_room_again() {
    let mut q = tight("q", &["b"], "");
    q.members[0].capacity = 5;
    let mut site = Site::new(&[tight("p", &["a"], "q"), q]);
    let dialogs = dialogs(site.server);
    let joins = |site: &mut Site, id: &str, room: &str| {
        let mut msg = invite(&dialogs, id);
        assert_eq!(
            site.select(&mut msg, Algorithm::Sticky, Some(room.as_bytes())),
            1
        );
        site.member_of(&msg)
    };
    assert_eq!(joins(&mut site, "1", "one"), "a");
    assert_eq!(joins(&mut site, "2", "two"), "b", "p is full");
    dialogs.end_call(b"1");
    assert_eq!(
        joins(&mut site, "3", "two"),
        "b",
        "p has room, but the room is in q"
    );
    assert_eq!(joins(&mut site, "4", "three"), "a");
}

#[test]
fn failover_goes_on_into_the_pool_that_this_one_overflows_into() {
    let mut site = Site::new(&[
        pool("p", &[member("a")]),
        pool("q", &[member("b"), member("c")]),
    ]);
    let dialogs = dialogs(site.server);
    let mut msg = invite(&dialogs, "x");
    assert_eq!(site.select(&mut msg, Algorithm::Serial, None), 1);
    // The overflow is new: it counts as the table is when the next one is looked for.
    let mut p = pool("p", &[member("a")]);
    p.options.overflow = "q".to_owned();
    let mut q = pool("q", &[member("b"), member("c"), member("d")]);
    q.members[1].state = DesiredState::Draining;
    site.publish_pools(vec![p, q]);
    let mut failed = msg.failed();
    let mut tried = Vec::new();
    while site.next(&mut failed) == 1 {
        tried.push(site.member_of(&failed));
    }
    assert_eq!(tried, ["b", "d"]);
    assert_eq!(site.next(&mut failed), code::NO_MEMBER);
    let counted = |site: &Site, name: &str| {
        let slot = site.publisher.slot("q", name).unwrap() as usize;
        let row = site.server.observed.member(slot).unwrap();
        row.calls_of(kamscale_shm::member_id("q", name))
    };
    assert_eq!(
        (site.calls("a"), counted(&site, "b"), counted(&site, "d")),
        (0, 0, 1)
    );
}

#[test]
fn listed_pools_overflow_too_each_in_its_own_way() {
    let pools = [
        tight("p", &["a"], "r"),
        tight("q", &["b"], ""),
        tight("r", &["c", "d"], ""),
    ];
    let mut site = Site::new(&pools);
    let dialogs = dialogs(site.server);
    let opens = |site: &mut Site, id: &str| {
        let mut msg = invite(&dialogs, id);
        match site.select_from("p=serial,q", &mut msg, Algorithm::Random, None) {
            1 => site.member_of(&msg),
            code => code.to_string(),
        }
    };
    let got = ["1", "2", "3", "4", "5"].map(|id| opens(&mut site, id));
    assert_eq!(got, ["a", "c", "d", "b", "-3"]);
}

#[test]
fn members_that_refuse_do_not_attract_calls_and_are_forgiven() {
    for algorithm in [Algorithm::LeastCalls, Algorithm::P2c, Algorithm::Latency] {
        let mut site = Site::new(&[pool("p", &[member("a"), member("b")])]);
        let dialogs = dialogs(site.server);
        // b carries one call all the time, a refuses all it gets: without more it would get all.
        let mut first = invite(&dialogs, "first");
        while site.select(&mut first, Algorithm::Random, None) == 1 && site.member_of(&first) != "b"
        {
        }
        let mut to_a = 0;
        for number in 0..100 {
            let id = format!("{algorithm:?} {number}");
            let mut msg = invite(&dialogs, &id);
            assert_eq!(site.select(&mut msg, algorithm, None), 1);
            if site.member_of(&msg) == "a" {
                to_a += 1;
                let mut failed = msg.failed();
                assert_eq!(failed.route(), Route::Failure);
                assert_eq!(site.next(&mut failed), 1);
            }
            dialogs.end_call(id.as_bytes());
        }
        assert!(
            to_a <= 12,
            "{algorithm:?}: {to_a} of 100 to a member that refuses"
        );
        for _ in 0..400 {
            crate::sums::refresh(site.server, &mut site.worker);
        }
        let mut msg = invite(&dialogs, "later");
        let picks = (0..20).map(|_| {
            site.select(&mut msg, algorithm, None);
            site.member_of(&msg)
        });
        assert!(
            picks.into_iter().any(|m| m == "a"),
            "{algorithm:?}: a is tried again"
        );
    }
}

#[test]
fn what_a_caller_is_refused_with_says_whether_the_member_is_to_blame() {
    let mut site = Site::of(1);
    let dialogs = dialogs(site.server);
    let mut msg = invite(&dialogs, "x");
    assert_eq!(site.select(&mut msg, Algorithm::LeastCalls, None), 1);
    let word = dialogs.word(b"x").unwrap();
    let slot = site.publisher.slot("p", "m0").unwrap() as usize;
    let row = site.server.observed.member(slot).unwrap();
    let id = kamscale_shm::member_id("p", "m0");
    for status in [404, 487, 407, 302] {
        crate::calls::failed(&site.server.observed, &word, status);
    }
    assert_eq!(row.refusals_of(id), 0);
    for status in [486, 503] {
        crate::calls::failed(&site.server.observed, &word, status);
    }
    assert_eq!(row.refusals_of(id), 32);
    crate::sums::refresh(site.server, &mut site.worker);
    let pool = site.worker.table().pool(0).unwrap();
    assert!(Usable::new(site.server, &pool, &[]).is(&pool.member(0).unwrap()));
}

#[test]
fn latency_takes_the_one_that_answers_sooner_for_what_it_carries() {
    let mut site = Site::new(&[pool("p", &[member("near"), member("far")])]);
    let dialogs = dialogs(site.server);
    for (name, latency_us) in [("near", 1_000), ("far", 5_000)] {
        let slot = site.publisher.slot("p", name).unwrap() as usize;
        let row = site.server.observed.member(slot).unwrap();
        row.claim(kamscale_shm::member_id("p", name));
        row.latency_us
            .store(latency_us, std::sync::atomic::Ordering::Relaxed);
    }
    let got: Vec<String> = (0..12)
        .map(|n| {
            site.opens(&dialogs, &n.to_string(), Algorithm::Latency)
                .unwrap()
        })
        .collect();
    let far = got.iter().filter(|m| *m == "far").count();
    assert!(
        (1..=4).contains(&far),
        "five times slower, a fifth of the calls: {got:?}"
    );
}
