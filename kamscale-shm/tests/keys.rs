//! Sticky keys: any sequence of calls against a plain map; many threads at once; and
//! how many keys go in.

#![cfg(test)]

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;

use kamscale_shm::hash::mix;
use kamscale_shm::keys::{Holder, KeyGroup, Keys, May, Moved, Taken};
use kamscale_shm::limits::{KEY_GROUPS, KEYS_PER_GROUP};
use proptest::prelude::*;

fn groups(count: usize) -> Vec<KeyGroup> {
    let word = || AtomicU64::new(0);
    let entry = |_| kamscale_shm::keys::KeyEntry {
        state: word(),
        key: word(),
    };
    let group = |_| KeyGroup {
        published: word(),
        entries: std::array::from_fn(entry),
    };
    (0..count).map(group).collect()
}

fn holder(number: u64) -> Holder {
    Holder::new(usize::try_from(number).unwrap(), number << 52)
}

#[derive(Clone, Debug)]
enum Step {
    Take(u8, u8),
    GiveBack(u8),
    Move(u8, u8, bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (0_u8..40, any::<u8>()).prop_map(|(key, at)| Step::Take(key, at)),
        4 => any::<u8>().prop_map(Step::GiveBack),
        1 => (any::<u8>(), any::<u8>(), any::<bool>()).prop_map(|(n, to, all)| Step::Move(n, to, all)),
    ]
}

/// What the table should hold: member and calls of each live key, and each call's key and entry.
#[derive(Default)]
struct Model {
    live: HashMap<u64, (Holder, u64)>,
    calls: Vec<(u64, usize)>,
}

impl Model {
    fn take(&mut self, keys: Keys<'_>, key: u64, at: Holder) -> Result<(), TestCaseError> {
        let expected = self.live.get(&key).map_or(at, |(holder, _)| *holder);
        match keys.take(key, || Some(at)) {
            Taken::Held { entry, holder } => {
                prop_assert_eq!(holder, expected, "a live key moved");
                self.live.entry(key).or_insert((at, 0)).1 += 1;
                self.calls.push((key, entry));
            }
            Taken::Full => {
                prop_assert!(!self.live.contains_key(&key), "refused a live key");
                prop_assert!(self.live.len() >= 2 * KEYS_PER_GROUP, "refused with room");
            }
            Taken::Nowhere => prop_assert!(false, "there was a member"),
        }
        Ok(())
    }

    fn give_back(&mut self, keys: Keys<'_>, number: u8) {
        if !self.calls.is_empty() {
            let (key, entry) = self
                .calls
                .swap_remove(usize::from(number) % self.calls.len());
            keys.give_back(entry);
            let calls = &mut self.live.get_mut(&key).unwrap().1;
            *calls -= 1;
            if *calls == 0 {
                self.live.remove(&key);
            }
        }
    }

    fn move_to(
        &mut self,
        keys: Keys<'_>,
        number: u8,
        to: Holder,
        all: bool,
    ) -> Result<(), TestCaseError> {
        if self.calls.is_empty() {
            return Ok(());
        }
        let (key, entry) = self.calls[usize::from(number) % self.calls.len()];
        let (at, count) = self.live.get_mut(&key).unwrap();
        let may = if all { May::Always } else { May::IfAlone };
        let moved = keys.move_to(entry, *at, to, may);
        if all || *count == 1 {
            prop_assert_eq!(moved, Moved::Done);
            *at = to;
        } else {
            prop_assert_eq!(moved, Moved::HeldBy(*at), "pulled away from another call");
        }
        Ok(())
    }

    fn check(&self, keys: Keys<'_>) -> Result<(), TestCaseError> {
        let seen: HashMap<u64, (Holder, u64)> =
            keys.live().map(|l| (l.key, (l.holder, l.calls))).collect();
        prop_assert_eq!(&seen, &self.live);
        for number in 0..40 {
            let key = mix(number);
            prop_assert_eq!(
                keys.find(key),
                self.live.get(&key).map(|(holder, _)| *holder)
            );
        }
        for (key, entry) in &self.calls {
            prop_assert_eq!(keys.taken(*entry), Some((*key, self.live[key].0)));
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_table_is_a_plain_map_of_live_keys(steps in prop::collection::vec(step(), 1..150)) {
        let groups = groups(3);
        let keys = Keys::new(&groups, None);
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Take(key, at) => model.take(keys, mix(u64::from(key)), holder(at.into()))?,
                Step::GiveBack(number) => model.give_back(keys, number),
                Step::Move(number, to, all) => {
                    model.move_to(keys, number, holder(to.into()), all)?;
                }
            }
            model.check(keys)?;
        }
    }
}

#[test]
fn a_hundred_thousand_keys_go_in_and_out_again_and_again() {
    let groups = groups(KEY_GROUPS);
    let keys = Keys::new(&groups, None);
    for round in 0..4 {
        let take = |key| match keys.take(mix(key), || Some(holder(key % 1000))) {
            Taken::Held { entry, .. } => entry,
            other => panic!("{other:?}: key {key} of 100,000"),
        };
        let entries: Vec<_> = (round * 100_000..(round + 1) * 100_000).map(take).collect();
        assert_eq!(keys.live().count(), 100_000);
        for entry in entries {
            keys.give_back(entry);
        }
        assert_eq!(keys.live().count(), 0, "keys leaked");
    }
}

#[test]
fn no_key_is_refused_while_the_table_is_two_thirds_full() {
    let groups = groups(KEY_GROUPS);
    let keys = Keys::new(&groups, None);
    let mut taken = 0..;
    let _ = taken.find(|key| {
        let at = keys.take(mix(*key), || Some(holder(1)));
        at == Taken::Full
    });
    let before = taken.start - 1;
    assert!(before > 150_000, "refused at {before} keys");
}

#[test]
fn a_full_table_refuses_new_keys_keeps_the_live_ones_and_has_room_again() {
    let groups = groups(8);
    let keys = Keys::new(&groups, None);
    let mut held = Vec::new();
    let refused = (0..1000).find(|key| match keys.take(mix(*key), || Some(holder(1))) {
        Taken::Held { entry, .. } => {
            held.push(entry);
            false
        }
        _ => true,
    });
    let refused = refused.expect("1,000 keys in 56 entries");
    assert!(held.len() > 40, "refused at {} of 56 entries", held.len());
    assert!(
        matches!(keys.take(mix(0), || None), Taken::Held { .. }),
        "a live key was refused"
    );
    for entry in held.drain(..) {
        keys.give_back(entry);
    }
    assert!(matches!(
        keys.take(mix(refused), || Some(holder(1))),
        Taken::Held { .. }
    ));
    assert_eq!(keys.take(mix(refused + 1), || None), Taken::Nowhere);
    assert_eq!(keys.live().count(), 2);
}

#[test]
fn without_groups_everything_is_refused_and_nothing_found() {
    let keys = Keys::new(&[], None);
    assert_eq!(
        (keys.take(1, || Some(holder(1))), keys.find(1)),
        (Taken::Full, None)
    );
    keys.give_back(3);
    assert_eq!(keys.taken(3), None);
}

/// Takes and gives back keys of few groups; each taker must get the member that all others have.
fn hammer(keys: Keys<'_>, shared: &[Mutex<(u64, Option<Holder>)>], number: u64, rounds: u64) {
    let mut held = Vec::new();
    for round in 0..rounds {
        let random = mix(number << 32 | round);
        let name = random % shared.len() as u64;
        let place = &shared[usize::try_from(name).unwrap()];
        if let Taken::Held { entry, holder: at } = keys.take(mix(name), || Some(holder(number))) {
            let mut there = place.lock().unwrap();
            if there.0 > 0 {
                assert_eq!(there.1, Some(at), "key {name} is at two members at once");
            }
            *there = (there.0 + 1, Some(at));
            held.push((place, entry));
        }
        let wanted = usize::try_from(random >> 32 & 3).unwrap();
        while held.len() > wanted {
            let (place, entry) = held.swap_remove(0);
            // First the note, then the key: who comes in between takes the key as it is.
            place.lock().unwrap().0 -= 1;
            keys.give_back(entry);
        }
    }
    for (place, entry) in held {
        place.lock().unwrap().0 -= 1;
        keys.give_back(entry);
    }
}

#[test]
fn threads_that_come_and_go_meet_on_one_member_per_key() {
    let groups = groups(2);
    let shared: Vec<_> = (0..12).map(|_| Mutex::default()).collect();
    std::thread::scope(|scope| {
        for number in 1..=6 {
            let (groups, shared) = (&groups, &shared);
            scope.spawn(move || hammer(Keys::new(groups, None), shared, number, 60_000));
        }
    });
    assert_eq!(Keys::new(&groups, None).live().count(), 0, "keys leaked");
}
