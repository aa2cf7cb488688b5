//! Properties under random policies and random, also absurd, observations.

use std::cell::Cell;
use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

use super::super::{Action, Memory, Observation, Plan, Policy, Signal, decide};
use super::chance::{Round, calm_round, policies, round};
use super::{MemberView, Mode, Phase, Quality, observation};

/// Lets members of the pool be, go down, die, and change by operators' hands.
fn happen(seen: &mut Observation, round: &Round, next: &mut u32) {
    seen.quality = match round.quality {
        0 => Quality::Missing("nothing".into()),
        1 => Quality::Partial("a row".into()),
        _ => Quality::Good,
    };
    let mut index = 0;
    seen.members.retain_mut(|member| {
        let fate = round.fates[index % round.fates.len()];
        let calls = round.calls[index % round.calls.len()];
        member.age_s = round.ages[index % round.ages.len()] * 10.0;
        member.capacity = round.capacity;
        member.calls = Some(calls).filter(|_| fate != 7);
        member.down = fate == 1 || member.down && fate > 9;
        match (fate, member.phase) {
            (2, _) => member.phase = Phase::Leaving,
            (3, Phase::Active) => member.phase = Phase::Held,
            (4, Phase::Held) => member.phase = Phase::Active,
            (10..40, Phase::Booting) => member.phase = Phase::Active,
            _ => {}
        }
        index += 1;
        fate != 5
    });
    if round.flags == 1 {
        *next += 1;
        let fixed = MemberView {
            elastic: false,
            ..super::member(&format!("fixed{next}"), Phase::Active, Some(1))
        };
        seen.members.push(fixed);
    }
    seen.signals.clone_from(&round.signals);
    (seen.started, seen.refused) = round.counters;
    seen.failed_creates = u32::from(round.creations.0 == 0);
    seen.quota_reached = round.creations.1;
    seen.unconfirmed_creates = u32::from(round.creations.2 == 0);
    seen.booted_s = if round.creations.2 == 1 {
        vec![round.creations.3]
    } else {
        Vec::new()
    };
    seen.agent_restarted = round.flags == 2;
    seen.others_fell = round.flags % 7 == 3;
    if round.flags == 4 {
        seen.boot_id = seen.boot_id.map(|id| id + 1);
    }
}

fn follow(seen: &mut Observation, plan: &Plan, next: &mut u32) {
    for action in &plan.actions {
        let set = |seen: &mut Observation, name: &str, phase| {
            let found = seen.members.iter_mut().find(|member| member.name == name);
            found.unwrap().phase = phase;
        };
        match action {
            Action::Boot { count } => {
                for _ in 0..*count {
                    *next += 1;
                    seen.members
                        .push(super::member(&format!("m{next}"), Phase::Booting, Some(0)));
                }
            }
            Action::TakeBack { member } => set(seen, member, Phase::Active),
            Action::Drain { member } => set(seen, member, Phase::Draining),
            Action::Remove { member } => seen.members.retain(|known| known.name != *member),
            Action::Hold => {}
        }
    }
}

fn serving(seen: &Observation) -> u32 {
    let serves = |member: &&MemberView| matches!(member.phase, Phase::Active | Phase::Booting);
    u32::try_from(seen.members.iter().filter(serves).count()).unwrap()
}

/// Whether a configured signal says nothing that may be relied on.
fn blind(seen: &Observation, policy: &Policy) -> bool {
    policy.signals.iter().any(|rule| {
        let same = |signal: &&Signal| signal.kind == rule.kind && signal.of == rule.of;
        let usable = |signal: &Signal| signal.used.is_finite() && signal.age_s <= rule.max_age_s;
        !seen.signals.iter().find(same).is_some_and(usable)
    })
}

/// What must hold of one plan, whatever was seen.
fn check(
    seen: &Observation,
    policy: &Policy,
    before: &Memory,
    plan: &Plan,
    now_s: f64,
) -> Result<(), TestCaseError> {
    prop_assert!(plan.want <= policy.max, "{plan:?}");
    prop_assert!(!plan.reason.is_empty() && !plan.actions.is_empty());
    let mut named = BTreeSet::new();
    let (mut drains, mut backs, mut boots) = (0, 0, 0);
    for action in &plan.actions {
        let name = match action {
            Action::Boot { count } => {
                boots += count;
                prop_assert!(*count > 0, "{plan:?}");
                continue;
            }
            Action::Hold => {
                prop_assert_eq!(plan.actions.len(), 1);
                continue;
            }
            Action::TakeBack { member } => {
                backs += 1;
                member
            }
            Action::Drain { member } => {
                drains += 1;
                member
            }
            Action::Remove { member } => member,
        };
        prop_assert!(named.insert(name.clone()), "twice: {plan:?}");
        let known = seen.members.iter().find(|member| member.name == *name);
        prop_assert!(known.is_some(), "unknown: {plan:?}");
        let known = known.unwrap();
        let good = seen.quality == Quality::Good;
        match action {
            Action::Drain { .. } => {
                prop_assert!(
                    known.phase == Phase::Active && known.elastic && good,
                    "{plan:?}"
                );
                prop_assert!(known.calls.is_some() && !blind(seen, policy), "{plan:?}");
                prop_assert_eq!(policy.mode, Mode::On);
            }
            Action::TakeBack { .. } => prop_assert!(known.phase == Phase::Draining && !known.down),
            _ => {
                prop_assert!(good && known.calls.is_some(), "{plan:?}");
                let clock = before.drains.get(name).cloned().unwrap_or_default();
                let timed_out = clock.draining_s + 10.0 >= policy.drain_timeout_s;
                prop_assert!(known.calls == Some(0) || timed_out, "cut: {plan:?}");
                prop_assert!(matches!(known.phase, Phase::Draining | Phase::Leaving));
            }
        }
    }
    prop_assert!(drains == 0 || backs + boots == 0, "both ways: {plan:?}");
    if boots > 0 {
        prop_assert_eq!(seen.unconfirmed_creates, 0);
        let waits =
            before.no_create_before_s > now_s && now_s >= before.last_now_s.unwrap_or(now_s);
        prop_assert!(!waits || !seen.booted_s.is_empty(), "in backoff: {plan:?}");
        prop_assert_eq!(seen.failed_creates, 0, "after a failure");
        let left = seen
            .members
            .iter()
            .filter(|member| member.phase == Phase::Draining && !member.down);
        prop_assert_eq!(
            left.count(),
            backs as usize,
            "bought beside a drain: {:?}",
            plan
        );
        let existing = u32::try_from(seen.members.len()).unwrap();
        prop_assert!(existing + boots <= policy.max, "above max: {plan:?}");
    }
    if drains > 0 {
        let left = serving(seen) - drains;
        prop_assert!(
            left >= policy.min.max(1 + policy.survive_losses),
            "below min: {plan:?}"
        );
    }
    Ok(())
}

fn again<T: serde::Serialize + serde::de::DeserializeOwned>(value: &T) -> Result<T, TestCaseError> {
    let text = serde_json::to_string(value).unwrap();
    serde_json::from_str(&text).map_err(|error| TestCaseError::fail(format!("{error}: {text}")))
}

/// Plays rounds and checks each plan; answers how many members were drained and taken back.
fn play(policy: &Policy, rounds: &[Round], calm: bool) -> Result<(usize, usize), TestCaseError> {
    let members = (0..if calm { policy.max } else { 1 })
        .map(|index| super::member(&format!("a{index}"), Phase::Active, Some(1)));
    let mut seen = observation(members.collect());
    let (mut memory, mut now_s, mut next) = (Memory::default(), 1.7e9, 0);
    let (mut drains, mut backs) = (0, 0);
    let told = again(policy)?;
    prop_assert_eq!(&told, policy);
    for (index, round) in rounds.iter().enumerate() {
        now_s += round.step_s;
        happen(&mut seen, round, &mut next);
        if calm {
            seen.started = Some(u64::try_from(index).unwrap() * 2);
            seen.refused = Some(u64::try_from(index / 40).unwrap());
            let measured = policy.signals.iter().map(|rule| Signal {
                kind: rule.kind,
                of: rule.of.clone(),
                used: rule.capacity * rule.scale_in_load * f64::from(round.flags) / 60.0,
                reported: None,
                age_s: 0.5,
            });
            seen.signals = measured.collect();
        }
        let (plan, after) = decide(&seen, policy, &memory, now_s);
        check(&seen, policy, &memory, &plan, now_s)?;
        // What is written down is what was decided, and leads to the same decisions.
        prop_assert_eq!(&again(&plan)?, &plan);
        prop_assert_eq!(&again(&after)?, &after);
        let finite = seen.members.iter().all(|member| member.age_s.is_finite());
        let finite = finite && seen.booted_s.iter().all(|booted_s| booted_s.is_finite());
        let finite = finite
            && seen
                .signals
                .iter()
                .all(|signal| signal.used.is_finite() && signal.age_s.is_finite());
        if index % 8 == 0 && finite {
            let (same, _) = decide(&again(&seen)?, &told, &again(&memory)?, now_s);
            prop_assert_eq!(&same, &plan);
        }
        let counted = |name| {
            plan.actions
                .iter()
                .filter(|action| action.name() == name)
                .count()
        };
        (drains, backs) = (drains + counted("drain"), backs + counted("take_back"));
        memory = after;
        follow(&mut seen, &plan, &mut next);
    }
    Ok((drains, backs))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_is_seen_and_configured_the_promises_hold(
        policy in policies(), rounds in prop::collection::vec(round(), 1..100),
    ) {
        play(&policy, &rounds, false)?;
    }
}

#[test]
fn in_ordinary_hours_the_promises_hold_too_and_members_come_and_go() {
    let (drains, backs) = (Cell::new(0), Cell::new(0));
    let ordinary = (policies(), prop::collection::vec(calm_round(), 100..250));
    let mut runner = TestRunner::new_with_rng(
        ProptestConfig::with_cases(48),
        TestRng::deterministic_rng(RngAlgorithm::ChaCha),
    );
    runner
        .run(&ordinary, |(policy, rounds)| {
            // Short pauses: much happens in few rounds.
            let policy = Policy {
                stabilization_s: policy.stabilization_s / 4.0,
                scale_in_load: policy.scale_out_load * 0.9,
                surge_load: policy.surge_load + 1.0,
                outage_guard_s: 0.0,
                ..policy
            };
            let (drained, back) = play(&policy, &rounds, true)?;
            drains.set(drains.get() + drained);
            backs.set(backs.get() + back);
            Ok(())
        })
        .unwrap();
    let counts = (drains.get(), backs.get());
    assert!(
        counts.0 > 60 && counts.1 > 15,
        "too little happened: {counts:?}"
    );
}
