//! What measures and alarms are made of is away for a while; where Aodh decides, that must neither lose
//! a call nor leave a hold behind.

use std::time::Duration;

use kamscale_tests::SipClient;

use super::aodh_decides::{POOL, USER, assert_lives, bed};
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

fn away(scene: &Scene<'_>, service: &str) {
    scene.stage.stop(service);
    std::thread::sleep(AWAY);
    scene.stage.start(service);
}
