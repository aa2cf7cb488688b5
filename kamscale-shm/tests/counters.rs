//! What Kamailio's processes count is what the agent sees: any sequence of counting, against a plain
//! model; and several processes at once, each in its own row, of which nothing is lost.

#![cfg(test)]

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};

use kamscale_shm::limits::{MAX_FEATURES, MAX_MEMBERS, MAX_POOLS, MAX_PROCESSES};
use kamscale_shm::observed::add;
use kamscale_shm::spec::DesiredState;
use kamscale_shm::{Observed, Observer, Snapshot, member_id};
use proptest::prelude::*;

const FEATURES: usize = 4;

/// What a Kamailio process does to shared memory, one step each.
#[derive(Clone, Debug)]
enum Step {
    /// A process enters its row: until then the agent does not see it.
    Enter { process: usize },
    /// Requests of a feature.
    Count {
        process: usize,
        feature: usize,
        by: u64,
    },
    /// A selection, found or refused.
    Select {
        process: usize,
        pool: usize,
        found: bool,
    },
    /// A process applied (or could not) a table.
    Apply {
        process: usize,
        generation: u64,
        outcome: u8,
    },
    /// A call begins on a member; its row is claimed first, as the module does.
    Call { slot: usize, id: u64 },
    /// The last call that began on the slot ends.
    End { slot: usize },
    /// A script marks the member as failed: out until then.
    Mark { slot: usize, id: u64, until_s: u64 },
    /// The operator's word.
    Override {
        slot: usize,
        id: u64,
        state: Option<DesiredState>,
    },
    /// Kamailio's own clock goes on.
    Clock { now_s: u64 },
}

/// Few rows, the first and last among them, so that steps meet.
fn one_of(limit: usize) -> impl Strategy<Value = usize> {
    prop_oneof![Just(0), Just(1), Just(limit / 2), Just(limit - 1)]
}

fn state() -> impl Strategy<Value = Option<DesiredState>> {
    use DesiredState::{Active, Disabled, Draining, Joining};
    prop::sample::select(vec![
        None,
        Some(Joining),
        Some(Active),
        Some(Draining),
        Some(Disabled),
    ])
}

fn step() -> impl Strategy<Value = Step> {
    let (process, slot) = (|| one_of(MAX_PROCESSES), || one_of(MAX_MEMBERS));
    // Small ids and full ones, and a pair that differs in the low bits only.
    let id = || prop::sample::select(vec![1, 2, member_id("p", "a"), member_id("p", "a") ^ 1]);
    let time = || 0_u64..20;
    prop_oneof![
        2 => process().prop_map(|process| Step::Enter { process }),
        4 => (process(), 0..FEATURES, 0_u64..1000)
            .prop_map(|(process, feature, by)| Step::Count { process, feature, by }),
        2 => (process(), one_of(MAX_POOLS), any::<bool>())
            .prop_map(|(process, pool, found)| Step::Select { process, pool, found }),
        1 => (process(), 1_u64..9, 0_u8..3)
            .prop_map(|(process, generation, outcome)| Step::Apply { process, generation, outcome }),
        4 => (slot(), id()).prop_map(|(slot, id)| Step::Call { slot, id }),
        3 => slot().prop_map(|slot| Step::End { slot }),
        2 => (slot(), id(), time()).prop_map(|(slot, id, until_s)| Step::Mark { slot, id, until_s }),
        2 => (slot(), id(), state())
            .prop_map(|(slot, id, state)| Step::Override { slot, id, state }),
        1 => time().prop_map(|now_s| Step::Clock { now_s }),
    ]
}

#[derive(Clone, Debug, Default)]
struct MemberModel {
    id: u64,
    calls: i64,
    total: u64,
    failures: u64,
    down_until_s: u64,
    word: Option<DesiredState>,
}

impl MemberModel {
    /// Another owner: what was said of the one before does not apply; calls are the slot's own.
    fn claim(&mut self, id: u64) {
        if self.id != 0 && self.id != id {
            (self.failures, self.down_until_s, self.word) = (0, 0, None);
        }
        self.id = id;
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
struct ProcessModel {
    features: [u64; FEATURES],
    pools: BTreeMap<usize, (u64, u64)>,
    generation: u64,
    /// Applied, rejected, torn.
    outcomes: [u64; 3],
}

#[derive(Debug, Default)]
struct Model {
    entered: BTreeMap<usize, ()>,
    processes: BTreeMap<usize, ProcessModel>,
    members: BTreeMap<usize, MemberModel>,
    now_s: u64,
}

impl Model {
    fn take(&mut self, step: &Step) {
        match *step {
            Step::Enter { process } => drop(self.entered.insert(process, ())),
            Step::Count {
                process,
                feature,
                by,
            } => {
                self.processes.entry(process).or_default().features[feature] += by;
            }
            Step::Select {
                process,
                pool,
                found,
            } => {
                let row = self.processes.entry(process).or_default();
                let counts = row.pools.entry(pool).or_default();
                *(if found { &mut counts.0 } else { &mut counts.1 }) += 1;
            }
            Step::Apply {
                process,
                generation,
                outcome,
            } => {
                let row = self.processes.entry(process).or_default();
                row.outcomes[usize::from(outcome)] += 1;
                row.generation = if outcome == 0 {
                    generation
                } else {
                    row.generation
                };
            }
            Step::Clock { now_s } => self.now_s = now_s,
            _ => self.take_member(step),
        }
    }

    fn take_member(&mut self, step: &Step) {
        match *step {
            Step::Call { slot, id } => {
                let row = self.members.entry(slot).or_default();
                row.claim(id);
                (row.calls, row.total) = (row.calls + 1, row.total + 1);
            }
            Step::End { slot } => self.members.entry(slot).or_default().calls -= 1,
            Step::Mark { slot, id, until_s } => {
                let row = self.members.entry(slot).or_default();
                row.claim(id);
                (row.failures, row.down_until_s) = (row.failures + 1, until_s);
            }
            Step::Override { slot, id, state } => {
                let row = self.members.entry(slot).or_default();
                row.claim(id);
                row.word = state;
            }
            _ => unreachable!("not of a member"),
        }
    }
}

fn take(observed: &Observed, step: &Step) {
    let row = |process| observed.process(process).unwrap();
    let member = |slot| observed.member(slot).unwrap();
    match *step {
        Step::Enter { process } => row(process).pid.store(4711, Ordering::Release),
        Step::Count {
            process,
            feature,
            by,
        } => add(&row(process).features.0[feature], by),
        Step::Select {
            process,
            pool,
            found,
        } => {
            let counts = &row(process).pools[pool];
            add(
                if found {
                    &counts.selected
                } else {
                    &counts.refused
                },
                1,
            );
        }
        Step::Apply {
            process,
            generation,
            outcome,
        } => {
            let row = row(process);
            add(
                [&row.applied, &row.rejected, &row.torn][usize::from(outcome)],
                1,
            );
            if outcome == 0 {
                row.generation.store(generation, Ordering::Release);
            }
        }
        Step::Call { slot, id } => {
            member(slot).claim(id);
            member(slot).calls.fetch_add(1, Ordering::Relaxed);
            member(slot).calls_total.fetch_add(1, Ordering::Relaxed);
        }
        Step::End { slot } => drop(member(slot).calls.fetch_sub(1, Ordering::Relaxed)),
        Step::Mark { slot, id, until_s } => {
            member(slot).claim(id);
            member(slot).failures.fetch_add(1, Ordering::Relaxed);
            member(slot).down_until_s.store(until_s, Ordering::Relaxed);
        }
        Step::Override { slot, id, state } => member(slot).set_override(id, state),
        Step::Clock { now_s } => observed.beat(now_s),
    }
}

fn check_members(model: &Model, seen: &Snapshot) -> Result<(), TestCaseError> {
    let known: Vec<_> = model.members.iter().filter(|(_, m)| m.id != 0).collect();
    prop_assert_eq!(seen.members.len(), known.len(), "rows that somebody used");
    for (row, (slot, m)) in seen.members.iter().zip(known) {
        prop_assert_eq!(
            (row.slot as usize, row.id),
            (*slot, m.id),
            "whose row it is"
        );
        let calls = u32::try_from(m.calls.max(0)).unwrap();
        prop_assert_eq!(
            (row.calls, row.calls_total),
            (calls, m.total),
            "calls of {:?}",
            m
        );
        prop_assert_eq!(row.failures, m.failures, "failures of {:?}", m);
        prop_assert_eq!(
            row.down,
            m.down_until_s > model.now_s,
            "passive detection of {:?}",
            m
        );
        prop_assert_eq!(row.override_state, m.word, "the operator's word on {:?}", m);
    }
    Ok(())
}

fn check_processes(model: &Model, seen: &Snapshot) -> Result<(), TestCaseError> {
    let none = ProcessModel::default();
    let rows: Vec<_> = model
        .entered
        .keys()
        .map(|p| (*p, model.processes.get(p).unwrap_or(&none)))
        .collect();
    let mut pools: BTreeMap<usize, (u64, u64)> = BTreeMap::new();
    for (pool, (found, refused)) in rows.iter().flat_map(|(_, r)| &r.pools) {
        let sum = pools.entry(*pool).or_default();
        *sum = (sum.0 + found, sum.1 + refused);
    }
    for (feature, count) in seen.features.iter().enumerate() {
        let sum: u64 = rows.iter().map(|(_, r)| r.features[feature]).sum();
        prop_assert_eq!(count.requests, sum, "requests of feature {}", feature);
    }
    let seen_pools: BTreeMap<usize, (u64, u64)> = seen
        .pools
        .iter()
        .map(|p| (p.slot as usize, (p.selected, p.refused)))
        .collect();
    prop_assert_eq!(seen_pools, pools, "selections per pool");
    prop_assert_eq!(seen.workers.len(), rows.len(), "processes that entered");
    for (worker, (process, row)) in seen.workers.iter().zip(rows) {
        prop_assert_eq!(worker.process as usize, process);
        prop_assert_eq!(worker.generation, row.generation, "the generation in use");
        let outcomes = [worker.applied, worker.rejected, worker.torn];
        prop_assert_eq!(outcomes, row.outcomes, "tables applied, rejected, torn");
    }
    Ok(())
}

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
            prop_assert_eq!(row.is_usable(m.id, model.now_s), !held, "{:?}", m);
            prop_assert!(row.is_usable(m.id ^ 1, model.now_s), "said of another member");
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

#[test]
fn processes_that_count_at_once_lose_nothing() {
    const PROCESSES: usize = 6;
    const ROUNDS: u64 = 30_000;
    let dir = tempfile::tempdir().unwrap();
    let observed = Observed::create(dir.path(), "t", &features()).unwrap();
    let observer = Observer::open(dir.path(), "t").unwrap();
    let id = member_id("p", "m");
    let work = |process: usize| {
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
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..PROCESSES)
            .map(|p| scope.spawn(move || work(p)))
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
        row.override_of(new).is_none() && row.is_usable(new, 0),
        "seen by the other processes"
    );
    drop(observed);
    let observed = Observed::create(dir.path(), "t", &features()).unwrap();
    let row = observed.member(7).unwrap();
    assert!(
        row.override_of(new).is_none() && row.is_usable(new, 0),
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
