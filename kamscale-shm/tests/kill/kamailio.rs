//! The role of Kamailio: the owner of the observed file, with processes that count, an operator who
//! overrides, and a timer and a worker that apply tables.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use kamscale_shm::observed::add;
use kamscale_shm::spec::DesiredState;
use kamscale_shm::{DesiredReader, Observed, Refresh, member_id};

use crate::INSTANCE;
use crate::checker::Checker;
use crate::generation::{RESIDENTS, resident_id};
use crate::process::{Orders, obey};

/// Processes (here threads) of a Kamailio that count, each in its own row.
pub(crate) const COUNTERS: usize = 2;
/// Rows of members on which the operator's word is set all the time.
const OVERRIDDEN: std::ops::Range<usize> = 1000..1008;
/// A row that goes from one member to another all the time: the first has an override, the second
/// never had one.
const CHANGING: usize = 2000;

fn overridden_id(slot: usize) -> u64 {
    member_id("overridden", &format!("m{slot}"))
}

pub(crate) fn changing_ids() -> (u64, u64) {
    (
        member_id("changing", "with"),
        member_id("changing", "without"),
    )
}

/// Owns the observed file and, once told to go, counts and overrides without end.
pub(crate) fn run(dir: &Path) {
    let applied = Arc::new(AtomicU64::new(0));
    let orders = obey({
        let applied = Arc::clone(&applied);
        move || vec![applied.load(Ordering::Relaxed)]
    });
    let features = ["calls".to_owned(), "registrations".to_owned()];
    // The lock of a killed one is free.
    let observed = Observed::create(dir, INSTANCE, &features).unwrap();
    while !orders.go.load(Ordering::Relaxed) && !orders.stop() {
        std::thread::yield_now();
    }
    std::thread::scope(|scope| {
        for process in 0..COUNTERS {
            let (observed, orders) = (&observed, &orders);
            scope.spawn(move || count_without_end(observed, process, orders));
        }
        scope.spawn(|| apply_without_end(&observed, &applied, &orders));
        override_without_end(&observed, &orders);
    });
    observed.close();
}

/// Every round adds 1 to `applied`, 1 and 2 to the features, 1 to the pool, and one call that ends,
/// in this order: so a dead one's counters can be checked against each other.
fn count_without_end(observed: &Observed, process: usize, orders: &Orders) {
    let row = observed.process(process).unwrap();
    row.pid.store(std::process::id(), Ordering::Release);
    for round in 0.. {
        if orders.stop() {
            return;
        }
        add(&row.applied, 1);
        add(&row.features.0[0], 1);
        add(&row.features.0[1], 2);
        add(&row.pools[0].selected, 1);
        let slot = round % RESIDENTS;
        let member = observed.member(slot).unwrap();
        member.claim(resident_id(slot));
        member.calls.fetch_add(1, Ordering::Relaxed);
        member.calls_total.fetch_add(1, Ordering::Relaxed);
        member.calls.fetch_sub(1, Ordering::Relaxed);
    }
}

fn override_without_end(observed: &Observed, orders: &Orders) {
    let words = [
        None,
        Some(DesiredState::Draining),
        Some(DesiredState::Disabled),
    ];
    let (with, without) = changing_ids();
    let row = observed.member(CHANGING).unwrap();
    for round in 0.. {
        if orders.stop() {
            return;
        }
        let slot = OVERRIDDEN.start + round % OVERRIDDEN.len();
        let target = observed.member(slot).unwrap();
        target.set_override(
            overridden_id(slot),
            words[round / OVERRIDDEN.len() % words.len()],
        );
        row.set_override(with, Some(DesiredState::Disabled));
        row.claim(without);
    }
}

/// The timer's look at the agent's file, and a worker that applies what is there.
fn apply_without_end(observed: &Observed, applied: &AtomicU64, orders: &Orders) {
    let mut reader = DesiredReader::new(observed.desired_path().to_path_buf());
    reader.reserve();
    let mut checker = Checker::default();
    let mut known = None;
    for round in 0_u64.. {
        if orders.stop() {
            return;
        }
        if round.is_multiple_of(64) {
            observed.beat(round);
            known = observed.look_for_desired(known);
        }
        match reader.refresh(observed.server().desired_epoch.load(Ordering::Acquire)) {
            Refresh::Applied(generation) => {
                checker.check(reader.table(), generation);
                applied.store(generation, Ordering::Relaxed);
            }
            Refresh::Rejected(why) => panic!("a table that was published is refused: {why}"),
            Refresh::Torn | Refresh::Unchanged => std::thread::yield_now(),
        }
    }
}
