//! Random policies, each as the configuration's check lets pass, and random rounds, also absurd ones.

use proptest::prelude::*;

use super::super::{Floor, Policy, Signal, SignalKind, SignalPolicy, Target};
use super::Mode;

fn kind() -> impl Strategy<Value = SignalKind> {
    prop_oneof![
        Just(SignalKind::Requests),
        Just(SignalKind::Refused),
        Just(SignalKind::Waiting),
        Just(SignalKind::Cpu),
        Just(SignalKind::Memory),
        Just(SignalKind::Network),
    ]
}

fn of() -> impl Strategy<Value = Option<String>> {
    prop_oneof![3 => Just(None), 1 => Just(Some("ccp".to_owned()))]
}

fn target() -> impl Strategy<Value = Target> {
    prop_oneof![
        3 => Just(Target::Load),
        1 => (0.0001..0.5).prop_map(|blocking| Target::ErlangB { blocking }),
        1 => (0.01..0.9).prop_map(|wait| Target::ErlangC { wait }),
        1 => (0.1..600.0, 1.0..9000.0)
            .prop_map(|(answer_s, hold_s)| Target::AnswerTime { answer_s, hold_s }),
    ]
}

fn floor() -> impl Strategy<Value = Floor> {
    (0_u32..24, 60.0..90_000.0, 1_u32..8, any::<bool>()).prop_map(
        |(hour, duration_s, min, inhibit)| Floor {
            name: "day".into(),
            cron: format!("0 {hour} * * *"),
            time_zone: "Europe/Berlin".into(),
            duration_s,
            min,
            inhibit_scale_in: inhibit,
            parsed: Default::default(),
        },
    )
}

fn rule() -> impl Strategy<Value = SignalPolicy> {
    (kind(), of(), 0.1..50.0, 0.05..1.0, 0.0..0.99, 1.0..100.0).prop_map(
        |(kind, of, capacity, scale_out_load, share, max_age_s)| SignalPolicy {
            kind,
            of,
            capacity,
            scale_out_load,
            scale_in_load: scale_out_load * share,
            max_age_s,
        },
    )
}

prop_compose! {
    /// Any policy that the configuration's check lets pass.
    pub(super) fn policies()(
        size in (1_u32..30, 0_u32..30, 0_u32..4, 0_u32..4, 0_u32..30),
        mode in prop_oneof![5 => Just(Mode::On), 1 => Just(Mode::OutOnly), 1 => Just(Mode::Advise), 1 => Just(Mode::Paused)],
        target in target(),
        loads in (0.05..1.0, 0.0..0.99, 0.0..0.5, 1.0..10.0, 1.0..10.0),
        signals in prop::collection::vec(rule(), 0..3),
        floors in prop::collection::vec(floor(), 0..2),
        times in (0.0..400.0, 0.0..60.0, 0.0..120.0, 1.0..900.0, 0.0..30.0, 0.0..200.0),
        more in (1_u32..20, 0.01..10.0, 0.01..1.0, 0.0..600.0, 0.1..900.0),
        rest in (prop::option::of(0.01..50.0), 0.05..1.0, 0.0..900.0, 0.0..600.0, 1_u32..100, any::<u64>()),
    ) -> Policy {
        let max = size.0;
        Policy {
            mode,
            max,
            min: size.1.min(max),
            spare: size.2.min(max - 1),
            survive_losses: size.3.min(max - 1),
            fallback_members: size.4.min(max),
            target,
            scale_out_load: loads.0,
            scale_in_load: loads.0 * loads.1,
            surge_load: loads.0 + loads.2,
            surge_step: loads.3,
            trend_cap: loads.4,
            signals,
            floors: floors.into_iter().map(|floor| Floor { min: floor.min.min(max), ..floor }).collect(),
            stabilization_s: times.0,
            cooldown_out_s: times.1,
            cooldown_in_s: times.2,
            drain_timeout_s: times.3,
            empty_for_s: times.4,
            protect_new_s: times.5,
            max_booting: more.0,
            max_growth_share: more.1,
            max_shrink_share: more.2,
            boot_s: more.3,
            create_retry_s: more.4,
            budget_member_hours: rest.0,
            outage_drop: rest.1,
            outage_guard_s: rest.2,
            fallback_after_s: rest.3,
            capacity_calls: rest.4,
            jitter_seed: rest.5,
        }
    }
}

fn absurd() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => 0.0..200.0,
        1 => Just(f64::NAN),
        1 => Just(f64::INFINITY),
        1 => Just(-1e18),
        1 => Just(1e300),
    ]
}

fn count_of() -> impl Strategy<Value = u32> {
    prop_oneof![8 => 0_u32..40, 2 => Just(0), 1 => Just(u32::MAX)]
}

/// What one round shows, beside the members that the world keeps.
#[derive(Debug, Clone)]
pub(super) struct Round {
    pub(super) step_s: f64,
    pub(super) quality: u8,
    pub(super) calls: Vec<u32>,
    pub(super) capacity: u32,
    pub(super) fates: Vec<u8>,
    pub(super) ages: Vec<f64>,
    pub(super) signals: Vec<Signal>,
    pub(super) counters: (Option<u64>, Option<u64>),
    pub(super) creations: (u8, bool, u8, f64),
    pub(super) flags: u8,
}

pub(super) fn round() -> impl Strategy<Value = Round> {
    let step_s = prop_oneof![20 => 0.5..11.0, 1 => -90_000.0..0.0, 1 => 30.0..200_000.0];
    let signal = (
        kind(),
        of(),
        absurd(),
        prop::option::of(0_u32..40),
        absurd(),
    );
    let signal = signal.prop_map(|(kind, of, used, reported, age_s)| Signal {
        kind,
        of,
        used,
        reported,
        age_s,
    });
    let counter = || prop_oneof![2 => Just(None), 8 => (0_u64..1000).prop_map(Some), 1 => Just(Some(u64::MAX))];
    (
        (step_s, 0_u8..12, prop::collection::vec(count_of(), 8)),
        prop_oneof![9 => Just(20_u32), 1 => Just(0), 1 => Just(u32::MAX)],
        prop::collection::vec(0_u8..60, 8),
        prop::collection::vec(absurd(), 4),
        prop::collection::vec(signal, 0..4),
        (counter(), counter()),
        (0_u8..40, any::<bool>(), 0_u8..20, absurd()),
        0_u8..60,
    )
        .prop_map(
            |(
                (step_s, quality, calls),
                capacity,
                fates,
                ages,
                signals,
                counters,
                creations,
                flags,
            )| Round {
                step_s,
                quality,
                calls,
                capacity,
                fates,
                ages,
                signals,
                counters,
                creations,
                flags,
            },
        )
}

/// Rounds of an ordinary hour: what the plan is there for, so that it also drains and takes back.
pub(super) fn calm_round() -> impl Strategy<Value = Round> {
    round().prop_map(|round| {
        let eventful = round.flags == 5;
        Round {
            step_s: if eventful {
                round.step_s
            } else {
                round.step_s.clamp(1.0, 10.0)
            },
            quality: if eventful { round.quality } else { 11 },
            calls: round
                .calls
                .iter()
                .map(|calls| calls % (1 + u32::from(round.flags) / 8))
                .collect(),
            capacity: 20,
            fates: round
                .fates
                .iter()
                .map(|fate| if eventful { *fate } else { 10 + fate % 40 })
                .collect(),
            ages: vec![2000.0],
            creations: if eventful {
                round.creations
            } else {
                (9, false, 9, 0.0)
            },
            ..round
        }
    })
}
