//! What Kamailio's processes count is what the agent sees: any sequence of counting, against a plain
//! model; and several processes at once, each in its own row, of which nothing is lost.

#![cfg(test)]

mod check;
mod model;
mod step;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};

use kamscale_shm::limits::{MAX_FEATURES, MAX_MEMBERS, MAX_POOLS, MAX_PROCESSES};
use kamscale_shm::observed::add;
use kamscale_shm::spec::DesiredState;
use kamscale_shm::{Observed, Observer, member_id};
use proptest::prelude::*;

use check::{check_members, check_processes};
use model::Model;
use step::{step, take};

const FEATURES: usize = 4;

fn features() -> Vec<String> {
    (0..FEATURES).map(|f| format!("f{f}")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn the_agent_sees_what_was_counted(steps in prop::collection::vec(step(), 1..120)) {
        let dir = tempfile::tempdir().unwrap();
        let observed = Observed::create(dir.path(), "t", &features()).unwrap();
        let observer = Observer::open(dir.path(), "t").unwrap();
        let mut model = Model::default();
        for (number, step) in steps.iter().enumerate() {
            take(&observed, step);
            model.take(step);
            if number % 16 == 0 || number + 1 == steps.len() {
                let seen = observer.snapshot();
                check_members(&model, &seen)?;
                check_processes(&model, &seen)?;
            }
        }
        // What a request asks of a row agrees with what the agent sees of it.
        for (slot, m) in &model.members {
            let row = observed.member(*slot).unwrap();
            let held = m.id != 0 && (!matches!(m.word, None | Some(DesiredState::Active))
                || m.down_until_s > model.now_s);
            prop_assert_eq!(row.is_usable(m.id, false, || model.now_s), !held, "{:?}", m);
            prop_assert!(row.is_usable(m.id ^ 1, false, || model.now_s), "said of another member");
            if let Some(health) = m.health {
                let usable = row.is_usable(m.id, true, || model.now_s);
                prop_assert_eq!(usable, !held && health.takes(), "probed {:?}", m);
            }
            prop_assert!(!row.is_usable(m.id ^ 1, true, || model.now_s), "another was admitted");
            prop_assert_eq!((row.calls_of(m.id ^ 1), row.override_of(m.id ^ 1)), (0, None));
        }
        // A Kamailio that starts again has the operator's words and nothing else.
        drop(observed);
        let observed = Observed::create(dir.path(), "t", &features()).unwrap();
        prop_assert!(!observer.is_current() && observer.snapshot().closed);
        let kept: BTreeMap<_, _> =
            model.members.iter().filter(|(_, m)| m.word.is_some()).collect();
        let seen = Observer::open(dir.path(), "t").unwrap().snapshot();
        prop_assert_eq!(seen.members.len(), kept.len(), "rows of the operator's words");
        for (row, (slot, m)) in seen.members.iter().zip(kept) {
            prop_assert_eq!((row.slot as usize, row.id), (*slot, m.id));
            prop_assert_eq!(row.override_state, m.word, "the operator's word was lost");
            prop_assert_eq!((row.calls, row.calls_total, row.failures), (0, 0, 0));
        }
        prop_assert!(seen.workers.is_empty() && seen.pools.is_empty());
        drop(observed);
    }
}

/// How often each process counts in [`count_rounds`].
const ROUNDS: u64 = 30_000;

/// Counts in the process's own row and, with the others, on the last member's.
fn count_rounds(observed: &Observed, process: usize, id: u64) {
    let row = observed.process(process * 80).unwrap();
    row.pid
        .store(1 + u32::try_from(process).unwrap(), Ordering::Release);
    for round in 0..ROUNDS {
        let feature = usize::try_from(round).unwrap() % FEATURES;
        add(&row.features.0[feature], 1 + process as u64);
        add(&row.pools[MAX_POOLS - 1].selected, 1);
        let member = observed.member(MAX_MEMBERS - 1).unwrap();
        member.claim(id);
        member.calls.fetch_add(1, Ordering::Relaxed);
        member.calls_total.fetch_add(1, Ordering::Relaxed);
        member.failures.fetch_add(1, Ordering::Relaxed);
        if round % 3 > 0 {
            member.calls.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[test]
fn processes_that_count_at_once_lose_nothing() {
    const PROCESSES: usize = 6;
    let dir = tempfile::tempdir().unwrap();
    let observed = &Observed::create(dir.path(), "t", &features()).unwrap();
    let observer = Observer::open(dir.path(), "t").unwrap();
    let id = member_id("p", "m");
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..PROCESSES)
            .map(|p| scope.spawn(move || count_rounds(observed, p, id)))
            .collect();
        let mut last = observer.snapshot();
        while !threads
            .iter()
            .all(std::thread::ScopedJoinHandle::is_finished)
        {
            let now = observer.snapshot();
            for (old, new) in last.features.iter().zip(&now.features) {
                assert!(
                    old.requests <= new.requests,
                    "a counter went back: {old:?}, {new:?}"
                );
            }
            last = now;
        }
    });
    let seen = observer.snapshot();
    let by: u64 = (1..=PROCESSES as u64).sum();
    for feature in &seen.features {
        assert_eq!(
            feature.requests,
            by * ROUNDS / FEATURES as u64,
            "{}",
            feature.name
        );
    }
    let everything = PROCESSES as u64 * ROUNDS;
    assert_eq!(
        seen.pools.iter().map(|p| p.selected).sum::<u64>(),
        everything
    );
    let member = &seen.members[0];
    assert_eq!(
        (member.calls_total, member.failures),
        (everything, everything)
    );
    assert_eq!(
        u64::from(member.calls),
        everything / 3,
        "calls that have not ended"
    );
    assert_eq!(seen.workers.len(), PROCESSES);
}

#[test]
fn an_override_set_while_others_take_the_row_over_is_not_lost() {
    let dir = tempfile::tempdir().unwrap();
    let observed = Observed::create(dir.path(), "t", &features()).unwrap();
    let (old, new) = (member_id("p", "old"), member_id("p", "new"));
    let rows = || (0..MAX_MEMBERS).map(|slot| observed.member(slot).unwrap());
    rows().for_each(|row| row.set_override(old, Some(DesiredState::Disabled)));
    // A worker counts its first call on the new member while the operator drains it: row by row
    // together, so that each is often between two stores of the other.
    let at = [AtomicUsize::new(0), AtomicUsize::new(0)];
    let together = |me: usize, slot: usize| {
        at[me].store(slot + 1, Ordering::Release);
        while at[1 - me].load(Ordering::Acquire) <= slot {
            std::thread::yield_now();
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for (slot, row) in rows().enumerate() {
                together(0, slot);
                row.claim(new);
            }
        });
        for (slot, row) in rows().enumerate() {
            together(1, slot);
            row.set_override(new, Some(DesiredState::Draining));
        }
    });
    let lost = rows().filter(|row| row.override_of(new) != Some(DesiredState::Draining));
    assert_eq!(lost.count(), 0, "overrides that a take-over cleared");
}

#[test]
fn a_take_over_that_was_killed_half_way_leaves_no_word_on_the_new_member() {
    let dir = tempfile::tempdir().unwrap();
    let (old, new) = (member_id("p", "old"), member_id("p", "new"));
    let observed = Observed::create(dir.path(), "t", &features()).unwrap();
    let row = observed.member(7).unwrap();
    row.set_override(old, Some(DesiredState::Disabled));
    // What a claim by the new member stores first; and then nothing more: kill -9.
    row.id.store(new, Ordering::Release);
    assert!(
        row.override_of(new).is_none() && row.is_usable(new, false, || 0),
        "seen by the other processes"
    );
    drop(observed);
    let observed = Observed::create(dir.path(), "t", &features()).unwrap();
    let row = observed.member(7).unwrap();
    assert!(
        row.override_of(new).is_none() && row.is_usable(new, false, || 0),
        "kept by the next Kamailio"
    );
}

#[test]
fn rows_beyond_the_limits_are_not_there() {
    let dir = tempfile::tempdir().unwrap();
    let too_many: Vec<String> = (0..=MAX_FEATURES).map(|f| format!("f{f}")).collect();
    assert!(Observed::check_features(&too_many).is_err());
    let observed = Observed::create(dir.path(), "t", &too_many[..MAX_FEATURES]).unwrap();
    assert!(observed.member(MAX_MEMBERS - 1).is_some() && observed.member(MAX_MEMBERS).is_none());
    assert!(observed.process(MAX_PROCESSES - 1).is_some());
    assert!(observed.process(MAX_PROCESSES).is_none());
    let row = observed.process(MAX_PROCESSES - 1).unwrap();
    row.pid.store(1, Ordering::Relaxed);
    add(&row.features.0[MAX_FEATURES - 1], 5);
    let seen = Observer::open(dir.path(), "t").unwrap().snapshot();
    let by_name: HashMap<&str, u64> = seen
        .features
        .iter()
        .map(|f| (f.name.as_str(), f.requests))
        .collect();
    assert_eq!(
        (by_name.len(), by_name["f63"]),
        (MAX_FEATURES, 5),
        "the last feature"
    );
}
