//! The publication protocol under the model checker: every interleaving of a publisher and two
//! readers (up to the preemption bound), with the memory model's reorderings. The code is the file
//! that ships; only its atomics are loom's, behind a wrapper that lets a publisher die at any store.
//! Every ordering of `publication.rs` has a test here that fails without it.

#![cfg(test)]

mod sync {
    use std::cell::Cell;

    pub(crate) use loom::sync::atomic::{Ordering, fence};

    loom::thread_local! {
        /// Stores that the thread makes before it is as good as killed.
        static STORES_LEFT: Cell<u32> = Cell::new(u32::MAX);
    }

    /// Runs `what` like a process that is killed after some of its stores.
    pub(crate) fn killed_after(stores: u32, what: impl FnOnce()) {
        STORES_LEFT.with(|left| left.set(stores));
        what();
        STORES_LEFT.with(|left| left.set(u32::MAX));
    }

    #[derive(Debug)]
    pub(crate) struct AtomicU64(loom::sync::atomic::AtomicU64);

    impl AtomicU64 {
        pub(crate) fn new(value: u64) -> Self {
            Self(loom::sync::atomic::AtomicU64::new(value))
        }

        pub(crate) fn load(&self, order: Ordering) -> u64 {
            self.0.load(order)
        }

        pub(crate) fn store(&self, value: u64, order: Ordering) {
            let alive = STORES_LEFT.with(|left| {
                let stores = left.get();
                left.set(stores.saturating_sub(1));
                stores > 0
            });
            if alive {
                self.0.store(value, order);
            }
        }
    }
}
#[path = "../src/publication.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "a file of the crate, compiled with loom's atomics"
)]
mod publication;

use loom::sync::Arc;
use publication::{Slot, Torn, copy, publish, slot_of};
use sync::{AtomicU64, Ordering, killed_after};

const SLOTS: usize = 2;
const WORDS: usize = 2;

struct Cell {
    stamp: AtomicU64,
    length: AtomicU64,
    words: [AtomicU64; WORDS],
}

struct Shared {
    generation: AtomicU64,
    cells: [Cell; SLOTS],
}

impl Shared {
    fn new() -> Self {
        let zero = || AtomicU64::new(0);
        let cell = || Cell {
            stamp: zero(),
            length: zero(),
            words: [zero(), zero()],
        };
        Self {
            generation: zero(),
            cells: [cell(), cell()],
        }
    }

    fn slot(&self, generation: u64) -> Slot<'_> {
        let cell = &self.cells[slot_of(generation, SLOTS)];
        Slot {
            stamp: &cell.stamp,
            length: &cell.length,
            words: &cell.words,
        }
    }

    fn publish(&self, generation: u64) {
        self.publish_of(generation, generation * 10);
    }

    fn publish_of(&self, generation: u64, content: u64) {
        let table = [content; WORDS];
        publish(&self.generation, &self.slot(generation), generation, &table);
    }

    /// What a reader gets; checks that it is whole and of the generation it asked for.
    fn read(&self) -> Option<u64> {
        self.read_with(|generation, table| {
            assert_eq!(table, [generation * 10; WORDS], "a mixed table was adopted");
        })
    }

    fn read_with(&self, check: impl Fn(u64, [u64; WORDS])) -> Option<u64> {
        let generation = self.generation.load(Ordering::Acquire);
        if generation == 0 {
            return None;
        }
        let mut table = [0; WORDS];
        let length = copy(&self.slot(generation), generation, &mut table).ok()?;
        assert_eq!(length, WORDS);
        check(generation, table);
        Some(generation)
    }
}

fn bounded(preemptions: usize, test: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(preemptions);
    model.check(test);
}

#[test]
fn a_reader_never_adopts_a_mixed_table() {
    bounded(3, || {
        let shared = Arc::new(Shared::new());
        let writer = {
            let shared = Arc::clone(&shared);
            // Three generations in two slots: the third overwrites what a reader may be copying.
            loom::thread::spawn(move || (1..=3).for_each(|g| shared.publish(g)))
        };
        shared.read();
        shared.read();
        writer.join().unwrap();
    });
}

#[test]
fn generations_never_go_back_for_a_reader() {
    bounded(2, || {
        let shared = Arc::new(Shared::new());
        let threads: Vec<_> = (0..2)
            .map(|reader| {
                let shared = Arc::clone(&shared);
                loom::thread::spawn(move || match reader {
                    0 => (1..=2).for_each(|g| shared.publish(g)),
                    _ => {
                        let (first, second) = (shared.read(), shared.read());
                        if let (Some(first), Some(second)) = (first, second) {
                            assert!(first <= second, "{first} then {second}");
                        }
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(
            shared.read(),
            Some(2),
            "the last publication is there for who comes later"
        );
    });
}

/// Stores of one publication: odd stamp, length, two words, even stamp, generation.
const STORES: u32 = 6;

#[test]
fn a_publisher_killed_at_any_store_leaves_a_whole_table_and_its_successor_goes_on() {
    for stores in 0..=STORES {
        bounded(2, move || {
            let shared = Arc::new(Shared::new());
            shared.publish(1);
            let writer = {
                let shared = Arc::clone(&shared);
                loom::thread::spawn(move || {
                    killed_after(stores, || shared.publish_of(2, 666));
                    // The next agent goes on with what it finds, over what the dead one left.
                    let found = shared.generation.load(Ordering::Acquire);
                    shared.publish(found + 1);
                })
            };
            let finished = stores == STORES;
            for _ in 0..2 {
                shared.read_with(|generation, table| match (generation, finished) {
                    (2, true) => assert_eq!(table, [666; WORDS], "a mixed table was adopted"),
                    _ => assert_eq!(table, [generation * 10; WORDS], "the dead one's words"),
                });
            }
            writer.join().unwrap();
            assert_eq!(
                shared.read(),
                Some(if finished { 3 } else { 2 }),
                "the table after {stores} stores of a killed publisher and a whole publication"
            );
        });
    }
}

#[test]
fn who_sees_a_generation_finds_its_table() {
    bounded(3, || {
        let shared = Arc::new(Shared::new());
        let writer = {
            let shared = Arc::clone(&shared);
            // As many as there are slots: nothing is overwritten, so nothing excuses a torn copy.
            loom::thread::spawn(move || (1..=2).for_each(|g| shared.publish(g)))
        };
        let generation = shared.generation.load(Ordering::Acquire);
        if generation > 0 {
            let mut table = [0; WORDS];
            let copied = copy(&shared.slot(generation), generation, &mut table);
            assert_eq!(
                copied,
                Ok(WORDS),
                "generation {generation} came before its table"
            );
        }
        writer.join().unwrap();
    });
}

#[test]
fn a_copy_is_whole_by_the_slots_stamp_alone() {
    bounded(3, || {
        let shared = Arc::new(Shared::new());
        let writer = {
            let shared = Arc::clone(&shared);
            loom::thread::spawn(move || shared.publish(1))
        };
        // A reader that learned of the generation elsewhere: the generation word orders nothing.
        let mut table = [0; WORDS];
        if copy(&shared.slot(1), 1, &mut table).is_ok() {
            assert_eq!(table, [10; WORDS], "the even stamp came before the words");
        }
        writer.join().unwrap();
    });
}

#[test]
fn a_length_that_no_slot_or_copy_can_hold_is_torn() {
    bounded(1, || {
        let shared = Shared::new();
        shared.publish(1);
        assert_eq!(
            copy(&shared.slot(1), 1, &mut [0; WORDS - 1]),
            Err(Torn),
            "a short copy"
        );
        for length in [WORDS as u64 + 1, u64::MAX] {
            shared.slot(1).length.store(length, Ordering::Relaxed);
            assert_eq!(
                copy(&shared.slot(1), 1, &mut [0; 4 * WORDS]),
                Err(Torn),
                "{length} words"
            );
        }
    });
}
