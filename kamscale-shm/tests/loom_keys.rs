//! The protocol of sticky keys under the model checker, with two groups of one entry: every
//! interleaving up to the preemption bound, with the memory model's reorderings. The code is the
//! files that ship; only the atomics are loom's.

#![cfg(test)]

mod limits {
    pub(crate) const KEY_GROUPS: usize = 2;
    pub(crate) const KEYS_PER_GROUP: usize = 1;
    pub(crate) const MAX_MEMBERS: usize = 1 << 14;
}
mod sync {
    pub(crate) use loom::sync::atomic::{AtomicU64, Ordering};
}
#[path = "../src/bits.rs"]
#[allow(dead_code, unreachable_pub, reason = "a file of the crate")]
mod bits;
#[path = "../src/key_group.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    clippy::modulo_one,
    reason = "a file of the crate"
)]
mod key_group;
#[path = "../src/key_word.rs"]
#[allow(dead_code, unreachable_pub, reason = "a file of the crate")]
mod key_word;
#[path = "../src/keys.rs"]
#[allow(dead_code, unreachable_pub, reason = "a file of the crate")]
mod keys;

use bits::Bits;
use keys::{Holder, KeyEntry, KeyGroup, Keys, May, Moved, Taken};
use loom::sync::Arc;
use loom::thread;
use sync::{AtomicU64, Ordering};

type Shared = Arc<Vec<KeyGroup>>;

fn groups() -> Shared {
    let word = || AtomicU64::new(0);
    let entry = || KeyEntry {
        state: word(),
        key: word(),
    };
    let group = || KeyGroup {
        published: word(),
        entries: [entry()],
    };
    Arc::new(vec![group(), group()])
}

fn bounded(preemptions: usize, test: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(preemptions);
    model.check(test);
}

fn holder(number: usize) -> Holder {
    Holder::new(number, 0)
}

/// Takes a key, which a thread opens at the member of its own number.
fn take(keys: Keys<'_>, key: u64, number: usize) -> (usize, Holder) {
    match keys.take(key, || Some(holder(number))) {
        Taken::Held { entry, holder } => (entry, holder),
        other => panic!("{other:?} for key {key:x}"),
    }
}

fn is_empty(shared: &Shared) -> bool {
    Keys::new(shared, None).live().count() == 0
        && shared
            .iter()
            .flat_map(|g| &g.entries)
            .all(|e| e.state.load(Ordering::Acquire) >> 44 & 3 == 0)
}

/// Its home is the first of two groups, its second group the other.
const KEY: u64 = 0x1000_0000_8000_0000;
/// With the same home, alike.
const OTHER: u64 = 0x2000_0000_9000_0000;

#[test]
fn who_opens_a_key_at_once_agrees_on_one_member() {
    bounded(2, || {
        let shared = groups();
        let one = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || take(Keys::new(&shared, None), KEY, 1))
        };
        let mine = take(Keys::new(&shared, None), KEY, 2);
        let theirs = one.join().unwrap();
        assert_eq!(mine, theirs, "a key with two entries or members");
        assert_eq!(
            Keys::new(&shared, None)
                .live()
                .map(|l| (l.key, l.holder, l.calls))
                .collect::<Vec<_>>(),
            [(KEY, mine.1, 2)]
        );
        Keys::new(&shared, None).give_back(mine.0);
        assert_eq!(
            Keys::new(&shared, None).find(KEY),
            Some(mine.1),
            "gone with a call of it left"
        );
        Keys::new(&shared, None).give_back(theirs.0);
        assert!(is_empty(&shared), "an entry leaked");
    });
}

#[test]
fn a_key_stays_while_any_call_stays() {
    bounded(2, || {
        let shared = groups();
        let guest = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let (entry, _) = take(Keys::new(&shared, None), KEY, 1);
                Keys::new(&shared, None).give_back(entry);
            })
        };
        let keys = Keys::new(&shared, None);
        let (entry, mine) = take(keys, KEY, 3);
        assert_eq!(
            keys.find(KEY),
            Some(mine),
            "moved or lost while a call of it lives"
        );
        let (again, same) = take(keys, KEY, 4);
        assert_eq!((again, same), (entry, mine), "opened twice");
        keys.give_back(entry);
        keys.give_back(again);
        guest.join().unwrap();
        assert!(is_empty(&shared), "an entry leaked");
    });
}

#[test]
fn keys_of_one_home_do_not_take_each_others_entries() {
    bounded(2, || {
        let shared = groups();
        let other = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                for _ in 0..2 {
                    let (entry, at) = take(Keys::new(&shared, None), OTHER, 2);
                    assert_eq!(at, holder(2), "the other key's member");
                    assert_eq!(Keys::new(&shared, None).taken(entry), Some((OTHER, at)));
                    Keys::new(&shared, None).give_back(entry);
                }
            })
        };
        let (entry, at) = take(Keys::new(&shared, None), KEY, 1);
        assert_eq!(at, holder(1), "the other key's member");
        assert_eq!(Keys::new(&shared, None).taken(entry), Some((KEY, at)));
        assert_eq!(Keys::new(&shared, None).find(KEY), Some(at));
        Keys::new(&shared, None).give_back(entry);
        other.join().unwrap();
        assert!(is_empty(&shared), "an entry leaked");
    });
}

#[test]
fn who_only_looks_sees_a_member_that_held_the_key() {
    bounded(2, || {
        let shared = groups();
        let opener = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let keys = Keys::new(&shared, None);
                let (first, _) = take(keys, KEY, 1);
                keys.give_back(first);
                // Perhaps the same entry: who looks must not take one key for the other.
                let (second, _) = take(keys, OTHER, 2);
                keys.give_back(second);
            })
        };
        let keys = Keys::new(&shared, None);
        assert!(
            keys.find(KEY).is_none_or(|at| at == holder(1)),
            "another key's member"
        );
        assert!(
            keys.find(OTHER).is_none_or(|at| at == holder(2)),
            "another key's member"
        );
        opener.join().unwrap();
    });
}

#[test]
fn a_key_moves_alone_only_if_nobody_came() {
    bounded(2, || {
        let shared = groups();
        let (entry, first) = take(Keys::new(&shared, None), KEY, 1);
        let guest = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || take(Keys::new(&shared, None), KEY, 3).1)
        };
        let moved = Keys::new(&shared, None).move_to(entry, first, holder(2), May::IfAlone);
        let at = guest.join().unwrap();
        match moved {
            Moved::Done => assert_eq!(at, holder(2), "the guest went where nobody is"),
            Moved::HeldBy(now) => assert_eq!((now, at), (first, first), "a key was pulled away"),
        }
    });
}

#[test]
fn of_two_who_move_a_key_one_does() {
    bounded(2, || {
        let shared = groups();
        let (entry, first) = take(Keys::new(&shared, None), KEY, 1);
        let mover = |number: usize| {
            let shared = Arc::clone(&shared);
            move || {
                let keys = Keys::new(&shared, None);
                let (mine, at) = take(keys, KEY, 9);
                let at = match keys.move_to(mine, at, holder(number), May::Always) {
                    Moved::Done => holder(number),
                    Moved::HeldBy(now) => now,
                };
                keys.give_back(mine);
                at
            }
        };
        let other = thread::spawn(mover(2));
        mover(3)();
        other.join().unwrap();
        let (_, now) = Keys::new(&shared, None).taken(entry).unwrap();
        assert!(
            now != first && [holder(2), holder(3)].contains(&now),
            "{now:?}"
        );
        Keys::new(&shared, None).give_back(entry);
        assert!(is_empty(&shared), "an entry leaked");
    });
}

#[test]
fn who_is_told_of_changes_has_seen_the_last_state_of_every_key() {
    bounded(2, || {
        let shared = groups();
        let noted = Arc::new([AtomicU64::new(0)]);
        let guest = {
            let (shared, noted) = (Arc::clone(&shared), Arc::clone(&noted));
            thread::spawn(move || {
                let keys = Keys::new(&shared, Some(Bits::new(&*noted)));
                let (entry, at) = take(keys, KEY, 1);
                assert_eq!(keys.move_to(entry, at, holder(2), May::Always), Moved::Done);
                take(keys, KEY, 9);
            })
        };
        let keys = Keys::new(&shared, None);
        let look = |seen: &mut [Option<(u64, Holder, u64)>; 2]| {
            Bits::new(&*noted).take_all(|group| {
                for (entry, live) in keys.of_group(group) {
                    seen[entry] = live.map(|l| (l.key, l.holder, l.calls));
                }
            });
        };
        let mut seen = [None; 2];
        look(&mut seen);
        guest.join().unwrap();
        look(&mut seen);
        let expected = Some((KEY, holder(2), 2));
        assert!(seen.contains(&expected), "a change was not told: {seen:?}");
    });
}
