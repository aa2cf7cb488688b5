//! The publication protocol under the model checker: every interleaving of a publisher and two
//! readers (up to the preemption bound), with the memory model's reorderings. The code is the file
//! that ships; only its atomics are loom's.

mod sync {
    pub(crate) use loom::sync::atomic::{AtomicU64, Ordering, fence};
}
#[path = "../src/publication.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "a file of the crate, compiled with loom's atomics"
)]
mod publication;

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering};
use publication::{Slot, copy, publish, slot_of};

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
        let table = [generation * 10, generation * 10];
        publish(&self.generation, &self.slot(generation), generation, &table);
    }

    /// What a reader gets; checks that it is whole and of the generation it asked for.
    fn read(&self) -> Option<u64> {
        let generation = self.generation.load(Ordering::Acquire);
        if generation == 0 {
            return None;
        }
        let mut table = [0; WORDS];
        let length = copy(&self.slot(generation), generation, &mut table).ok()?;
        assert_eq!(length, WORDS);
        assert_eq!(table, [generation * 10; WORDS], "a mixed table was adopted");
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

#[test]
fn a_publisher_that_dies_half_way_leaves_the_old_table_readable() {
    bounded(3, || {
        let shared = Arc::new(Shared::new());
        shared.publish(1);
        let writer = {
            let shared = Arc::clone(&shared);
            loom::thread::spawn(move || {
                // The stores of publish(2) up to a word, and then nothing more: kill -9.
                let slot = shared.slot(2);
                slot.stamp.store(3, Ordering::Relaxed);
                loom::sync::atomic::fence(Ordering::Release);
                slot.length.store(2, Ordering::Relaxed);
                slot.words[0].store(20, Ordering::Relaxed);
            })
        };
        assert_eq!(shared.read(), Some(1));
        writer.join().unwrap();
        assert_eq!(shared.read(), Some(1));
        // The next agent goes on with the generation that it finds, over the half-written slot.
        shared.publish(2);
        assert_eq!(shared.read(), Some(2));
    });
}
