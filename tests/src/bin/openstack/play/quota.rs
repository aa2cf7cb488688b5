//! Nothing more is to be had: Heat's limit of stacks, Nova's quota. The agent says so, makes do with what
//! there is, asks seldom, and goes on by itself when there is room again.

use serde_json::Value;

use crate::bed::Bed;
use crate::heat::StackSpec;
use crate::policy::{self, Actuator, STEP_CALLS};
use crate::stage::{NOVA_QUOTA, Scene, Stage};

const POOL: &str = "conference";
const USER: &str = "conf-1";
/// More of them want one member more, as the scenarios' policy has it: capacity times `scale_out_load`.
const CALLS_PER_MEMBER: u32 = 6;
/// The pause after a refused creation, of which the longest is 15 times as long; and by how much it varies.
const RETRY_S: f64 = 6.0;
const JITTER: f64 = 0.2;

/// No stack more is allowed: the agent says so, keeps what there is, and goes on when there is room.
pub(crate) fn of_heat(scene: &Scene<'_>) {
    let pool = scene.pool(POOL, Actuator::StackPerMember, "create_retry_s = 2");
    let mut bed = Bed::alone(scene, &(policy::cloud() + &pool));
    bed.node().await_active(POOL, 1);
    let limit = |stacks: &str| {
        let started = scene.stage.again(&[("KAMSCALE_MAX_STACKS", stacks)]);
        started.unwrap_or_else(|e| panic!("{e}"));
    };
    limit("1");
    bed.crowd(0, USER, STEP_CALLS);
    assert_says_so(&bed.node().await_event("member_failed", POOL, 0));
    assert_eq!(
        bed.node().await_active(POOL, 1).len(),
        1,
        "what there is stays"
    );
    limit("512");
    bed.node().await_active(POOL, 2);
    bed.await_even(&[POOL], 2);
    bed.hush();
    bed.node().await_active(POOL, 1);
    bed.await_even(&[POOL], 1);
    bed.close();
}

/// Nova refuses the server that is one too many (403). Who drains is taken back before anything is
/// bought; what was refused is not asked for again before its pause is over; in Nova nothing is left.
pub(crate) fn of_nova(scene: &Scene<'_>) {
    let nova = scene.stage.nova();
    let room = usize::try_from(NOVA_QUOTA).unwrap_or_default();
    let mut bed = nova_pool(scene);
    bed.node().await_active(POOL, 1);
    bed.crowd(0, USER, calls_for(NOVA_QUOTA));
    bed.node().await_active(POOL, room);
    bed.await_even(&[POOL], room);
    let client = kamscale_tests::SipClient::new(&scene.run);
    let mut pins = bed.pins(&client, 0, USER, room);
    bed.hush();
    bed.node().await_one(POOL, "draining");
    // More than the quota allows, while one of those that it allows drains.
    bed.crowd(0, USER, calls_for(NOVA_QUOTA + 2));
    bed.node().await_event("member_taken_back", POOL, 0);
    assert_says_so(&bed.node().await_event("member_failed", POOL, 0));
    bed.node()
        .await_decision(POOL, "quota", "a quota is used up");
    bed.node().await_active(POOL, room);
    bed.await_even(&[POOL], room);
    assert_eq!(servers(scene.stage), room, "servers that Nova knows");
    nova.allow(NOVA_QUOTA + 2);
    bed.node().await_active(POOL, room + 2);
    bed.await_even(&[POOL], room + 2);
    assert_pauses(&bed);
    bed.hush();
    bed.release(&mut pins, None);
    nova.allow(NOVA_QUOTA);
    bed.close();
    assert_eq!(servers(scene.stage), 0, "servers left in Nova");
}

/// A pool whose members are servers of Nova's, too.
#[track_caller]
fn nova_pool<'a>(scene: &'a Scene<'a>) -> Bed<'a> {
    let group = StackSpec {
        server: "Kamscale::Test::NovaMember",
        ..scene.resource_group_spec(POOL, 1)
    };
    scene.heat().create(&group);
    let heat = policy::heat(Actuator::ResourceGroup, &group.name, "");
    let more = format!("max = {}\ncreate_retry_s = {RETRY_S:?}", NOVA_QUOTA + 2);
    let pool = policy::pool(POOL, &more, &heat);
    Bed::alone(scene, &(policy::cloud() + &pool))
}

/// Calls for which a pool needs so many members and no more, also while one crowd ends and another begins.
fn calls_for(members: u32) -> u32 {
    CALLS_PER_MEMBER * (members - 1) + 1
}

#[track_caller]
fn assert_says_so(failed: &Value) {
    let why = failed["reason"].as_str().unwrap_or_default().to_lowercase();
    let words = ["limit", "quota", "maximum"];
    assert!(words.iter().any(|word| why.contains(word)), "{why}");
}

/// By the agent's own clock: nothing was ordered within the pause after a refusal.
#[track_caller]
fn assert_pauses(bed: &Bed<'_>) {
    let moments = |kind: &str| -> Vec<f64> {
        let events = bed.nodes[0].events(kind, POOL);
        events.iter().filter_map(|e| e["t"].as_f64()).collect()
    };
    let (orders, refusals) = (moments("member_booting"), moments("member_failed"));
    for refused in &refusals {
        let mut after = orders.iter().map(|ordered| ordered - refused);
        let early = after.find(|s| (0.0..RETRY_S * (1.0 - JITTER)).contains(s));
        assert_eq!(early, None, "seconds from a refusal to the next order");
    }
}

/// Servers that Nova has for the plain user.
#[track_caller]
fn servers(stage: &Stage) -> usize {
    let servers = stage.cloud.get("compute", "/servers");
    let servers = servers.unwrap_or_else(|e| panic!("asking Nova: {e}"));
    servers["servers"].as_array().map_or(0, Vec::len)
}
