//! Decisions where a rule is easily got wrong: each a short history and what must come of it.

use super::super::{Action, Memory, Observation, Plan, Policy, Signal, SignalKind, decide};
use super::{Mode, Phase, Quality, member, observation, policy};

fn play(seen: &Observation, policy: &Policy, moments: &[f64]) -> (Vec<Plan>, Memory) {
    let mut memory = Memory::default();
    let mut plans = Vec::new();
    for now_s in moments {
        let (plan, next) = decide(seen, policy, &memory, *now_s);
        memory = next;
        plans.push(plan);
    }
    (plans, memory)
}

fn acts(plans: &[Plan]) -> Vec<&Action> {
    let actions = plans.iter().flat_map(|plan| &plan.actions);
    actions.filter(|action| **action != Action::Hold).collect()
}

fn every(step_s: f64, times: u32) -> Vec<f64> {
    (0..times)
        .map(|tick| 1e6 + f64::from(tick) * step_s)
        .collect()
}

#[test]
fn rounds_a_little_more_than_ten_seconds_apart_are_no_gap() {
    let idle = [
        member("a", Phase::Active, Some(0)),
        member("b", Phase::Active, Some(0)),
    ];
    let (plans, memory) = play(&observation(idle.into()), &policy(), &every(10.07, 8));
    assert!(acts(&plans).contains(&&Action::Drain { member: "a".into() }));
    assert!(memory.flow.samples.len() > 5, "{:?}", memory.flow);
}

#[test]
fn a_refused_counter_that_comes_into_sight_is_no_surge() {
    let seen = observation(vec![member("a", Phase::Active, Some(3))]);
    let (_, memory) = play(&seen, &policy(), &every(1.0, 3));
    let counted = Observation {
        refused: Some(5000),
        ..seen
    };
    let (plan, memory) = decide(&counted, &policy(), &memory, 1e6 + 3.0);
    assert!(!plan.acts(), "{plan:?}");
    assert_eq!(memory.flow.last_refused_s, None);
}

#[test]
fn counters_of_any_size_are_borne() {
    let mut seen = observation(vec![member("a", Phase::Active, Some(u32::MAX))]);
    let mut memory = Memory::default();
    for (tick, count) in [
        (0_u8, 0),
        (1, u64::MAX),
        (2, 0),
        (3, u64::MAX),
        (4, u64::MAX),
    ] {
        seen.started = Some(count);
        seen.refused = Some(count);
        let (plan, next) = decide(&seen, &policy(), &memory, 1e6 + 10.0 * f64::from(tick));
        assert!(plan.want <= policy().max);
        memory = next;
    }
}

#[test]
fn what_is_no_number_is_neither_used_nor_written_down() {
    for (used, age_s) in [(f64::NAN, 1.0), (f64::INFINITY, 1.0), (1.0, f64::NAN)] {
        let signal = Signal {
            kind: SignalKind::Cpu,
            of: None,
            used,
            reported: Some(2),
            age_s,
        };
        let seen = Observation {
            signals: vec![signal],
            ..observation(vec![
                member("a", Phase::Active, Some(0)),
                member("b", Phase::Active, Some(0)),
            ])
        };
        let rule = super::super::SignalPolicy {
            kind: SignalKind::Cpu,
            of: None,
            capacity: 1.0,
            scale_out_load: 0.5,
            scale_in_load: 0.3,
            max_age_s: 60.0,
        };
        for signals in [vec![], vec![rule]] {
            let configured = !signals.is_empty();
            let (plans, _) = play(
                &seen,
                &Policy {
                    signals,
                    ..policy()
                },
                &every(1.0, 70),
            );
            for plan in &plans {
                let text = serde_json::to_string(plan).unwrap();
                assert_eq!(&serde_json::from_str::<Plan>(&text).unwrap(), plan);
            }
            assert_eq!(acts(&plans).is_empty(), configured, "{:?}", acts(&plans));
        }
    }
}

#[test]
fn a_rise_seen_long_ago_is_expected_no_more() {
    let mut seen = observation(
        (0..10)
            .map(|n| member(&format!("m{n}"), Phase::Active, Some(8)))
            .collect(),
    );
    let policy = Policy {
        max: 50,
        boot_s: 120.0,
        ..policy()
    };
    let mut memory = Memory::default();
    let mut now_s = 1e6;
    for tick in 0..40_u32 {
        let surge = tick.saturating_sub(36);
        seen.started = Some(u64::from(tick.min(36)) * 4 + u64::from(surge) * 20);
        for member in &mut seen.members {
            member.calls = Some(8 + 2 * surge);
        }
        memory = decide(&seen, &policy, &memory, now_s).1;
        now_s += 10.0;
    }
    let (plan, _) = decide(&seen, &policy, &memory, now_s);
    let used = plan.signals[0].used;
    assert!(plan.signals[0].expected > used + 20.0, "{:?}", plan.signals);
    seen.quality = Quality::Partial("a row is missing".into());
    for _ in 0..6 {
        now_s += 10.0;
        memory = decide(&seen, &policy, &memory, now_s).1;
    }
    let (plan, _) = decide(&seen, &policy, &memory, now_s);
    assert_eq!(plan.signals[0].expected, used, "{}", plan.reason);
}

#[test]
fn out_only_does_not_remove_what_it_would_buy_again() {
    let members = vec![
        member("a", Phase::Active, Some(14)),
        member("b", Phase::Draining, Some(0)),
    ];
    let out_only = Policy {
        mode: Mode::OutOnly,
        ..policy()
    };
    let (plans, _) = play(&observation(members), &out_only, &every(1.0, 60));
    assert_eq!(acts(&plans), Vec::<&Action>::new());
}

#[test]
fn by_erlang_a_full_pool_that_refuses_a_few_is_as_it_was_meant() {
    let by_erlang = Policy {
        target: super::super::Target::ErlangB { blocking: 0.01 },
        max: 100,
        boot_s: 0.0,
        ..policy()
    };
    // For 1000 calls 1029 must fit: 52 members of 20, 96 % full.
    let members = (0..52).map(|n| {
        member(
            &format!("m{n:02}"),
            Phase::Active,
            Some(19 + u32::from(n < 12)),
        )
    });
    let mut seen = observation(members.collect());
    let mut memory = Memory::default();
    for tick in 0..60_u32 {
        seen.started = Some(u64::from(tick) * 56);
        seen.refused = Some(u64::from(tick) / 2);
        let (plan, next) = decide(&seen, &by_erlang, &memory, 1e6 + 10.0 * f64::from(tick));
        assert!(!plan.acts(), "{}", plan.reason);
        memory = next;
    }
}

#[test]
fn memory_does_not_grow_with_time() {
    let policy = Policy {
        budget_member_hours: Some(1e9),
        stabilization_s: 604_800.0,
        cooldown_in_s: 0.0,
        max: 60,
        ..policy()
    };
    let mut seen = observation(
        (0..5)
            .map(|n| member(&format!("m{n}"), Phase::Active, Some(3)))
            .collect(),
    );
    let mut memory = Memory::default();
    let mut sizes = Vec::new();
    for tick in 0..10_000_u32 {
        seen.started = Some(u64::from(tick) * 3);
        seen.booted_s = vec![f64::from(tick % 50)];
        seen.failed_creates = u32::from(tick % 97 == 0);
        let now_s = 1.7e9 + f64::from(tick) * 29.0 - f64::from(tick / 1000) * 900.0;
        memory = decide(&seen, &policy, &memory, now_s).1;
        if tick % 1000 == 999 {
            sizes.push(serde_json::to_string(&memory).unwrap().len());
        }
    }
    assert!(sizes.iter().all(|size| *size < 16_000), "{sizes:?}");
}
