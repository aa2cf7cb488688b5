//! Faults in the middle of an action: a service is stopped while members are made or removed, and started
//! again; tokens are revoked; the agent is killed. The right end state comes each time by itself.

use std::time::Duration;

use kamscale_tests::SipClient;
use serde_json::json;

use crate::bed::Bed;
use crate::policy::{self, Actuator, STEP_CALLS};
use crate::stage::Scene;
use crate::traffic::Pin;

/// Two ways in which Heat makes members, side by side.
const POOLS: [(&str, &str, Actuator); 2] = [
    ("conference", "conf-1", Actuator::ResourceGroup),
    ("queue", "queue-1", Actuator::StackPerMember),
];
const NAMES: [&str; 2] = [POOLS[0].0, POOLS[1].0];
/// A member boots so long that its creation has a middle.
const BOOT_S: f64 = 2.0;
/// How long something is away: longer than one request's retries begin.
const AWAY: Duration = Duration::from_secs(4);

/// One thing that goes wrong, and how it ends.
type Fault<'f> = &'f dyn Fn(&mut Bed<'_>);

fn bed<'a>(scene: &'a Scene<'a>) -> Bed<'a> {
    scene.members(&json!({"boot_s": BOOT_S}));
    let pools = POOLS.map(|(name, _, actuator)| scene.pool(name, actuator, ""));
    let toml = pools.concat();
    Bed::alone(scene, &(policy::cloud() + &toml))
}

/// Something goes wrong while a member of each pool is made.
#[track_caller]
fn in_creation(bed: &mut Bed<'_>, fault: Fault<'_>) {
    each_has(bed, 1);
    let orders = NAMES.map(|pool| bed.node().events("member_booting", pool).len());
    for (_, user, _) in POOLS {
        bed.crowd(0, user, STEP_CALLS);
    }
    for (pool, seen) in NAMES.into_iter().zip(orders) {
        bed.node().await_event("member_booting", pool, seen);
    }
    fault(bed);
    each_has(bed, 2);
}

/// A call on each of two members of each pool.
#[track_caller]
fn pins<'c>(bed: &mut Bed<'_>, client: &'c SipClient) -> Vec<Pin<'c>> {
    POOLS
        .iter()
        .flat_map(|(_, user, _)| bed.pins(client, 0, user, 2))
        .collect()
}

/// Something goes wrong while a member of each pool drains, and when it could be removed.
#[track_caller]
fn in_drain(bed: &mut Bed<'_>, client: &SipClient, fault: Fault<'_>) {
    let mut pins = pins(bed, client);
    bed.hush();
    let _ = drained(bed);
    let removals = NAMES.map(|pool| bed.node().events("member_removed", pool).len());
    bed.release(&mut pins, None);
    for (pool, seen) in NAMES.into_iter().zip(removals) {
        bed.node().await_event("member_removed", pool, seen);
    }
    fault(bed);
    each_has(bed, 1);
}

/// Awaits so many members in each pool, and nowhere another one.
#[track_caller]
fn each_has(bed: &mut Bed<'_>, count: usize) {
    for pool in NAMES {
        bed.node().await_active(pool, count);
    }
    bed.await_even(&NAMES, count * NAMES.len());
}

/// Name and address of the member of each pool that drains.
#[track_caller]
fn drained(bed: &mut Bed<'_>) -> [(String, String); 2] {
    NAMES.map(|pool| bed.node().await_one(pool, "draining"))
}

fn away(service: &'static str) -> impl Fn(&mut Bed<'_>) {
    move |bed| {
        bed.scene.stage.stop(service);
        std::thread::sleep(AWAY);
        bed.scene.stage.start(service);
    }
}

fn play(scene: &Scene<'_>, creation: &[&'static str], drain: &[&'static str]) {
    let mut bed = bed(scene);
    let client = SipClient::new(&scene.run);
    for (during_creation, during_drain) in creation.iter().zip(drain) {
        in_creation(&mut bed, &away(during_creation));
        in_drain(&mut bed, &client, &away(during_drain));
    }
    bed.close();
}

/// The services on which making and removing depend: each in one of both, in the full run in both.
pub(crate) fn heat_and_keystone(scene: &Scene<'_>) {
    let turns = if scene.stage.full { 2 } else { 1 };
    let creation = &["heat-engine", "keystone"][..turns];
    let drain = &["keystone", "heat-engine"][..turns];
    play(scene, creation, drain);
}

/// The others, in both actions.
pub(crate) fn all_services(scene: &Scene<'_>) {
    play(
        scene,
        &["heat-api", "rabbitmq", "gnocchi-api", "mariadb"],
        &["heat-api", "rabbitmq", "aodh-api", "heat-api-cfn"],
    );
}

/// A service that hangs: its port stays open and nobody answers.
pub(crate) fn heat_hangs(scene: &Scene<'_>) {
    let mut bed = bed(scene);
    let client = SipClient::new(&scene.run);
    let hang = |bed: &mut Bed<'_>| {
        let services = &bed.scene.stage.services;
        let paused = services.pause("heat-api");
        // Longer than the agent's own patience with one answer.
        std::thread::sleep(Duration::from_secs(14));
        paused
            .and_then(|()| services.resume("heat-api"))
            .unwrap_or_else(|e| panic!("{e}"));
    };
    in_creation(&mut bed, &hang);
    in_drain(&mut bed, &client, &hang);
    bed.close();
}

/// All tokens of the agent's user are void from one moment to the next.
pub(crate) fn token_revoked(scene: &Scene<'_>) {
    let mut bed = bed(scene);
    let client = SipClient::new(&scene.run);
    let revoke = |bed: &mut Bed<'_>| {
        // A password that is set anew ends all tokens; the same password keeps all files right.
        let stage = bed.scene.stage;
        let entry = stage.cloud.entry();
        let user = stage.cloud.user_id().unwrap_or_else(|e| panic!("{e}"));
        let body = json!({"user": {"password": entry["auth"]["password"]}});
        let path = format!("/users/{user}");
        let done = stage.admin.send("identity", "PATCH", &path, &body);
        done.unwrap_or_else(|e| panic!("revoking tokens: {e}"));
        stage.cloud.forget_token();
    };
    in_creation(&mut bed, &revoke);
    in_drain(&mut bed, &client, &revoke);
    bed.close();
}

/// kill -9 for the agent, and its successor.
pub(crate) fn agent_killed(scene: &Scene<'_>) {
    let mut bed = bed(scene);
    let client = SipClient::new(&scene.run);
    let kill = |bed: &mut Bed<'_>| {
        bed.node().agent.kill();
        bed.node().agent.restart();
    };
    in_creation(&mut bed, &kill);
    in_drain(&mut bed, &client, &kill);
    // Also while the drained members still have their calls.
    in_creation(&mut bed, &|_| {});
    let mut pins = pins(&mut bed, &client);
    bed.hush();
    let before = drained(&mut bed);
    kill(&mut bed);
    assert_eq!(drained(&mut bed), before, "the drains go on");
    bed.release(&mut pins, None);
    each_has(&mut bed, 1);
    bed.close();
}
