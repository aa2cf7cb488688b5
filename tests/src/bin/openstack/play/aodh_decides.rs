//! Aodh decides: the agent only measures, follows the group, and holds what Heat deletes.

use kamscale_tests::SipClient;

use super::turn::{now_s, rise};
use crate::bed::Bed;
use crate::heat::StackSpec;
use crate::node::{PATIENCE, address_of};
use crate::policy::{self, Actuator};
use crate::stage::Scene;
use crate::tally::Loop;

pub(crate) const POOL: &str = "conference";
pub(crate) const USER: &str = "conf-1";

/// A pool that Aodh scales by Gnocchi's measures, and the id of the alarm for more of it.
#[track_caller]
pub(crate) fn bed<'a>(scene: &'a Scene<'a>, granularity_s: u32) -> (Bed<'a>, String) {
    let group = scene.autoscaling_group_spec(POOL, 1);
    let bed = Bed::alone(scene, &toml(scene, &group, "[gnocchi]\n\n"));
    let alarm = scene.alarms(POOL, granularity_s);
    (bed, alarm)
}

/// What the agent is told of a pool that Aodh scales, whose group is made here.
#[track_caller]
pub(crate) fn toml(scene: &Scene<'_>, group: &StackSpec, measures: &str) -> String {
    scene.heat().create(group);
    let heat = policy::heat(Actuator::AutoscalingGroup, &group.name, "");
    let pool = policy::pool(POOL, "max = 4\ndecide = \"aodh\"", &heat);
    policy::cloud() + measures + &pool
}

/// Measures to Gnocchi, alarm, policy, new member; and back.
pub(crate) fn there_and_back(scene: &Scene<'_>) {
    let (mut bed, alarm) = bed(scene, 1);
    let turn = turn(&mut bed, &alarm);
    scene.stage.tally.aodh(turn);
    bed.close();
}

/// Alarm, policy, new member; and back: Heat takes the oldest, whatever it carries, and the agent holds
/// that deletion until the member is empty. More members can come meanwhile.
#[track_caller]
pub(crate) fn turn(bed: &mut Bed<'_>, alarm: &str) -> Loop {
    let scene = bed.scene;
    let client = SipClient::new(&scene.run);
    let began_s = now_s();
    let turn = rise(bed, (POOL, USER), PATIENCE, |_| {
        scene.alarmed_s(alarm, began_s)
    });
    bed.await_even(&[POOL], 2);
    let mut pins = bed.pins(&client, 0, USER, 2);
    bed.hush();
    let (held, address) = bed.node().await_one(POOL, "draining");
    // The load returns while the deletion is held: Heat drops the policy's signals now.
    let found = bed.node().events("member_found", POOL).len();
    bed.crowd(0, USER, policy::STEP_CALLS);
    bed.node().await_event("member_found", POOL, found);
    bed.node()
        .await_members(POOL, "two serve while one is held", |members| {
            let active = members.values().filter(|m| m["state"] == "active");
            active.count() >= 2 && members.contains_key(&held)
        });
    assert_lives(scene, &address);
    bed.hush();
    bed.release(&mut pins, None);
    let left = bed.node().await_active(POOL, 1);
    assert!(!left.contains_key(&held), "{held} was to go");
    bed.await_even(&[POOL], 1);
    turn
}

/// The agent is killed while it holds a deletion: its successor takes the hold off, and not before the
/// last call has ended.
pub(crate) fn agent_killed_in_hold(scene: &Scene<'_>) {
    let (mut bed, _) = bed(scene, 1);
    let client = SipClient::new(&scene.run);
    bed.node().await_active(POOL, 1);
    bed.crowd(0, USER, policy::STEP_CALLS);
    bed.node().await_active(POOL, 2);
    let mut pins = bed.pins(&client, 0, USER, 2);
    bed.hush();
    let (held, address) = bed.node().await_one(POOL, "draining");
    bed.node().agent.kill();
    assert_lives(scene, &address);
    bed.node().agent.restart();
    let again = bed.node().await_one(POOL, "draining");
    assert_eq!(again, (held.clone(), address.clone()));
    assert_lives(scene, &address);
    bed.release(&mut pins, None);
    let left = bed.node().await_active(POOL, 1);
    assert!(
        left.values().all(|m| address_of(m) != address),
        "{held} was to go"
    );
    bed.await_even(&[POOL], 1);
    bed.close();
}

/// Panics unless the process of the member at this address runs.
#[track_caller]
pub(crate) fn assert_lives(scene: &Scene<'_>, address: &str) {
    let made = scene.made();
    let found = made.iter().find(|m| m.address.to_string() == address);
    assert!(
        found.is_some_and(|m| m.alive),
        "the member at {address} is gone"
    );
}
