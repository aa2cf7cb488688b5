//! What Kamailio's processes do to shared memory, as steps: drawn at random, and taken on the real
//! file.

use std::sync::atomic::Ordering;

use kamscale_shm::limits::{MAX_MEMBERS, MAX_POOLS, MAX_PROCESSES};
use kamscale_shm::observed::add;
use kamscale_shm::spec::DesiredState;
use kamscale_shm::{Health, Observed, member_id};
use proptest::prelude::*;

use crate::FEATURES;

/// What a Kamailio process does to shared memory, one step each.
#[derive(Clone, Debug)]
pub(crate) enum Step {
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
    /// Probing found this out about the member.
    Probe {
        slot: usize,
        id: u64,
        health: Health,
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

fn health() -> impl Strategy<Value = Health> {
    prop::sample::select((1..=5).filter_map(Health::from_number).collect::<Vec<_>>())
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
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
        2 => (slot(), id(), health())
            .prop_map(|(slot, id, health)| Step::Probe { slot, id, health }),
        1 => time().prop_map(|now_s| Step::Clock { now_s }),
    ]
}

/// Takes the step on the real file, as the module does.
pub(crate) fn take(observed: &Observed, step: &Step) {
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
            member(slot).mark_down(id, until_s);
        }
        Step::Override { slot, id, state } => member(slot).set_override(id, state),
        Step::Probe { slot, id, health } => member(slot).set_health(id, health),
        Step::Clock { now_s } => observed.beat(now_s),
    }
}
