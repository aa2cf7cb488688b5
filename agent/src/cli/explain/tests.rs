//! The page, word by word: people read it at night. To take a new text over, look at it and then run
//! the tests with KAMSCALE_ACCEPT=1.

use std::path::PathBuf;

use super::*;
use crate::decision::Input;
use crate::plan::{MemberView, Memory, Observation, Policy, Signal, SignalKind, SignalPolicy};
use crate::status::MemberStatus;

const NOW_S: f64 = 1_800_000_000.0;

fn view(name: &str, calls: u32) -> MemberView {
    MemberView {
        name: name.into(),
        phase: Phase::Active,
        calls: Some(calls),
        capacity: 20,
        down: false,
        elastic: true,
        age_s: 4_000.0,
    }
}

fn observation(members: Vec<MemberView>) -> Observation {
    Observation::of(members)
}

fn decision(observation: Observation, policy: Policy) -> Decision {
    let input = Input {
        observation,
        policy,
        memory: Memory::default(),
        now_s: NOW_S,
    };
    let (plan, _) = input.decide();
    Decision { input, plan }
}

fn status(decision: &Decision) -> PoolStatus {
    let members = decision.input.observation.members.iter().map(|member| {
        let status = MemberStatus {
            uri: "sip:192.0.2.1".into(),
            name: None,
            state: "active".into(),
            origin: if member.elastic { "plan" } else { "config" }.into(),
            held: false,
            leaving: false,
            calls: member.calls,
            calls_here: member.calls,
            capacity_calls: member.capacity,
            weight: 100,
            priority: 0,
            down: member.down,
            failures: 0,
            since_s: NOW_S - member.age_s,
            pid: None,
        };
        (member.name.clone(), status)
    });
    PoolStatus {
        members: members.collect(),
        ..PoolStatus::default()
    }
}

#[track_caller]
fn is_golden(name: &str, page: &str) {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("src/cli/explain/golden")
        .join(format!("{name}.txt"));
    if std::env::var_os("KAMSCALE_ACCEPT").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, page).unwrap();
    }
    let golden = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(page, golden, "{}", file.display());
}

fn policy() -> Policy {
    Policy {
        max: 4,
        ..Policy::default()
    }
}

#[test]
fn a_pool_that_grows_says_by_which_signal_and_step_by_step() {
    let mut seen = observation(vec![view("ccp-1", 19), view("ccp-2", 18)]);
    seen.signals = vec![
        Signal {
            kind: SignalKind::Cpu,
            of: None,
            used: 1.1,
            reported: Some(2),
            age_s: 12.0,
        },
        Signal {
            kind: SignalKind::Requests,
            of: None,
            used: 0.35,
            reported: None,
            age_s: 0.0,
        },
    ];
    let cpu = |kind| SignalPolicy {
        kind,
        of: None,
        capacity: 1.0,
        scale_out_load: 0.5,
        scale_in_load: 0.3,
        max_age_s: 60.0,
    };
    let policy = Policy {
        spare: 2,
        signals: vec![cpu(SignalKind::Cpu), cpu(SignalKind::Memory)],
        ..policy()
    };
    let decision = decision(seen, policy);
    let mut changed = Event::new("member_ready").member("ccp", "ccp-2");
    changed.t = NOW_S - 300.0;
    let page = explain("ccp", &status(&decision), &decision, &[changed]);
    is_golden("growing", &page);
}

#[test]
fn a_pool_that_holds_says_what_would_have_to_happen() {
    let mut fixed = view("ccp-9", 0);
    fixed.elastic = false;
    let seen = observation(vec![view("ccp-1", 3), view("ccp-2", 1), fixed]);
    let decision = decision(seen, policy());
    is_golden(
        "holding",
        &explain("ccp", &status(&decision), &decision, &[]),
    );
}

#[test]
fn a_pool_without_data_and_a_paused_one_say_so_first() {
    let mut seen = observation(vec![view("ccp-1", 0)]);
    seen.quality = Quality::Missing("Kamailio is not attached".into());
    seen.members[0].calls = None;
    let decision = decision(seen, policy());
    let mut status = status(&decision);
    is_golden("no_data", &explain("ccp", &status, &decision, &[]));
    status.paused_since_s = Some(NOW_S - 300.0);
    let page = explain("ccp", &status, &decision, &[]);
    let first = page.lines().next().unwrap();
    assert_eq!(
        first,
        "ccp: paused by an operator 5 min ago, nobody scales it (1 active, 2 wanted); \
         `kamscale resume ccp` ends that."
    );
}
