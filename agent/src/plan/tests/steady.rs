//! Constant demand: a pool settles, and then in and out orders do not follow each other.

use super::super::{Phase, Policy, SignalKind, SignalPolicy, Target};
use super::pool::{Pool, Traffic};

/// Defaults, with a shorter memory where that makes tests shorter.
fn policy(capacity_calls: u32) -> Policy {
    Policy {
        min: 1,
        max: 200,
        capacity_calls,
        boot_s: 60.0,
        ..Policy::default()
    }
}

fn traffic(erlangs: f64, hold_ticks: u32, seed: Option<u64>) -> Traffic {
    Traffic {
        erlangs,
        hold_ticks,
        seed,
    }
}

/// Lets a pool settle, then watches it: additions, removals, and turns within 15 minutes.
fn watch(pool: &mut Pool, settle_ticks: u32, ticks: u32) -> (usize, usize, usize) {
    pool.play(settle_ticks);
    let from_s = pool.now_s;
    pool.play(ticks);
    let orders = |sign| {
        let orders = pool.orders.iter().filter(|order| order.0 > from_s);
        orders.filter(|order| order.1 == sign).count()
    };
    (orders('+'), orders('-'), pool.reversals(from_s, 900.0))
}

#[test]
fn pools_of_1_to_50_members_under_even_traffic_settle_and_stay() {
    for members in 1..=50_u32 {
        for load_percent in [5_u32, 33, 52, 64, 69, 71, 88, 99] {
            // Each load with each spare and loss somewhere, not all with all.
            if (members + load_percent) % 3 != 0 {
                continue;
            }
            let policy = Policy {
                spare: (members + load_percent / 3) % 3,
                survive_losses: members % 2,
                stabilization_s: 200.0,
                cooldown_in_s: 40.0,
                protect_new_s: 100.0,
                max_shrink_share: 1.0,
                ..policy(20)
            };
            let erlangs = f64::from(members * 20 * load_percent) / 100.0;
            let mut pool = Pool::new(policy, traffic(erlangs, 9, None), members);
            let (outs, ins, _) = watch(&mut pool, 260, 160);
            assert!(
                outs == 0 || ins == 0,
                "{members} members, {load_percent} %: {:?}",
                pool.orders
            );
            assert_eq!(pool.cut, 0);
        }
    }
}

#[test]
fn by_erlang_pools_under_random_traffic_hardly_ever_turn() {
    for target in [
        Target::ErlangB { blocking: 0.01 },
        Target::ErlangC { wait: 0.2 },
    ] {
        for erlangs in [500.0, 2000.0] {
            let by_erlang = Policy {
                target,
                ..policy(100)
            };
            let traffic = traffic(erlangs, 18, Some(1));
            let mut pool = Pool::new(by_erlang, traffic, 7 + 5 * 3);
            let (outs, ins, turns) = watch(&mut pool, 720, 720);
            assert!(
                turns <= 1,
                "{target:?} {erlangs}: +{outs} -{ins}, {turns} turns"
            );
            assert_eq!(pool.cut, 0);
        }
    }
}

#[test]
fn random_traffic_hardly_ever_turns_a_pool() {
    for (erlangs, hold_ticks) in [(5.0, 18), (50.0, 90), (500.0, 18), (500.0, 180)] {
        let mut pool = Pool::new(policy(20), traffic(erlangs, hold_ticks, Some(3)), 20);
        let (outs, ins, turns) = watch(&mut pool, 720, 720);
        assert!(turns <= 1, "{erlangs}: +{outs} -{ins}, {turns} turns");
        assert_eq!((pool.cut, pool.refused), (0, 0));
    }
}

/// What members report of themselves leaves out those that drain, but their successors will come.
#[test]
fn a_share_of_long_calls_does_not_drain_too_far() {
    for (kind, of) in [(SignalKind::Cpu, None), (SignalKind::Calls, Some("ccp"))] {
        let rule = SignalPolicy {
            kind,
            of: of.map(str::to_owned),
            capacity: 1.0,
            scale_out_load: 0.5,
            scale_in_load: 0.3,
            max_age_s: 60.0,
        };
        let by_share = Policy {
            signals: vec![rule],
            ..policy(20)
        };
        // Calls last an hour: the window is over long before the drained members are empty.
        let mut pool = Pool::new(by_share, traffic(300.0, 360, None), 60);
        pool.follows = vec![(kind, of.map(str::to_owned))];
        let (outs, ins, _) = watch(&mut pool, 720, 2160);
        assert_eq!(outs, 0, "{ins} drained; {:?}", pool.orders);
        assert!(pool.count(Phase::Active) >= 30);
    }
}
