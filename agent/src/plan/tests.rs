//! Tests of the plan: golden scenarios as text, and properties over random histories.

mod chance;
mod decisions;
mod golden;
mod learning;
mod pool;
mod properties;
mod steady;
mod wild;

use super::{MemberView, Memory, Mode, Observation, Phase, Policy, Quality};

/// A policy with round numbers.
fn policy() -> Policy {
    Policy {
        mode: Mode::On,
        min: 1,
        max: 4,
        scale_out_load: 0.70,
        scale_in_load: 0.50,
        stabilization_s: 60.0,
        cooldown_out_s: 20.0,
        cooldown_in_s: 30.0,
        drain_timeout_s: 600.0,
        empty_for_s: 10.0,
        protect_new_s: 30.0,
        max_booting: 4,
        surge_load: 0.95,
        surge_step: 1.5,
        create_retry_s: 60.0,
        capacity_calls: 20,
        boot_s: 10.0,
        outage_guard_s: 0.0,
        ..Policy::default()
    }
}

fn member(name: &str, phase: Phase, calls: Option<u32>) -> MemberView {
    MemberView {
        name: name.into(),
        phase,
        calls,
        capacity: 20,
        down: false,
        elastic: true,
        age_s: 1000.0,
    }
}

fn observation(members: Vec<MemberView>) -> Observation {
    Observation::of(members)
}

#[test]
fn memory_survives_a_round_trip_through_the_state_file() {
    let members = vec![
        member("a", Phase::Active, Some(19)),
        member("b", Phase::Leaving, Some(0)),
    ];
    let (_, memory) = super::decide(&observation(members), &policy(), &Memory::default(), 100.0);
    let text = serde_json::to_string(&memory).unwrap();
    assert_eq!(serde_json::from_str::<Memory>(&text).unwrap(), memory);
}
