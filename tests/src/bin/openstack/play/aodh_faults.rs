//! What measures and alarms are made of is away for a while; where Aodh decides, that must neither lose
//! a call nor leave a hold behind.

use std::time::Duration;

use kamscale_tests::{SipClient, wait_until};

use super::aodh_decides::{POOL, USER, assert_lives, bed, toml};
use crate::bed::Bed;
use crate::heat::{PATIENCE, StackSpec};
use crate::policy::STEP_CALLS;
use crate::stage::Scene;

const AWAY: Duration = Duration::from_secs(4);

/// Gnocchi or Aodh is stopped when the load has just risen; Heat's engine or API while a deletion is held.
pub(crate) fn play(scene: &Scene<'_>) {
    let (mut bed, _) = bed(scene, 1);
    let client = SipClient::new(&scene.run);
    let pairs = [
        ("gnocchi-api", "heat-engine"),
        ("aodh-evaluator", "gnocchi-metricd"),
        ("aodh-notifier", "heat-api"),
    ];
    let pairs = if scene.stage.full {
        &pairs[..]
    } else {
        &pairs[..1]
    };
    for (rising, held) in pairs {
        bed.node().await_active(POOL, 1);
        bed.crowd(0, USER, STEP_CALLS);
        away(scene, rising);
        bed.node().await_active(POOL, 2);
        bed.await_even(&[POOL], 2);
        let mut pins = bed.pins(&client, 0, USER, 2);
        bed.hush();
        let (_, address) = bed.node().await_one(POOL, "draining");
        away(scene, held);
        assert_lives(scene, &address);
        bed.release(&mut pins, None);
        bed.node().await_active(POOL, 1);
        bed.await_even(&[POOL], 1);
    }
    bed.close();
}

/// A deletion is held for longer than Heat waits for anything: Heat gives it up (DELETE_FAILED), and the
/// member keeps its call. Empty, it goes all the same.
pub(crate) fn hold_times_out(scene: &Scene<'_>) {
    let group = StackSpec {
        timeout_minutes: 1,
        ..scene.autoscaling_group_spec(POOL, 1)
    };
    let mut bed = Bed::alone(scene, &toml(scene, &group, "[gnocchi]\n\n"));
    scene.alarms(POOL, 1);
    let client = SipClient::new(&scene.run);
    bed.node().await_active(POOL, 1);
    bed.crowd(0, USER, STEP_CALLS);
    bed.node().await_active(POOL, 2);
    bed.await_even(&[POOL], 2);
    let mut pins = bed.pins(&client, 0, USER, 2);
    bed.hush();
    let (held, address) = bed.node().await_one(POOL, "draining");
    wait_until("Heat gives the deletion up", PATIENCE, || {
        std::thread::sleep(Duration::from_millis(500));
        let failed = scene.heat().members_in(&group.name, "DELETE_FAILED");
        failed.is_ok_and(|failed| !failed.is_empty())
    });
    assert_lives(scene, &address);
    // The agent knows of it, and that it carries a call.
    let still = bed.node().await_one(POOL, "draining");
    assert_eq!(still, (held.clone(), address));
    bed.release(&mut pins, None);
    let left = bed.node().await_active(POOL, 1);
    assert!(!left.contains_key(&held), "{held} was to go");
    bed.await_even(&[POOL], 1);
    bed.close();
}

fn away(scene: &Scene<'_>, service: &str) {
    scene.stage.stop(service);
    std::thread::sleep(AWAY);
    scene.stage.start(service);
}
