//! Errors that the real services give on demand: the agent says what is wrong, goes on with what there
//! is, and recovers by itself once the cause is gone.

use std::time::Duration;

use serde_json::json;

use crate::bed::Bed;
use crate::heat::path_of;
use crate::node::Node;
use crate::policy::{self, Actuator, STEP_CALLS};
use crate::stage::Scene;

const POOL: &str = "conference";
const USER: &str = "conf-1";

/// Members that fail to start are removed again, by their name, and tried anew; the calls go on.
pub(crate) fn member_of_group_fails(scene: &Scene<'_>) {
    failing(scene, Actuator::ResourceGroup);
}

/// The same, each in a stack of its own.
pub(crate) fn stack_of_member_fails(scene: &Scene<'_>) {
    failing(scene, Actuator::StackPerMember);
}

fn failing(scene: &Scene<'_>, actuator: Actuator) {
    let pool = scene.pool(POOL, actuator, "create_retry_s = 2");
    let mut bed = Bed::alone(scene, &(policy::cloud() + &pool));
    bed.node().await_active(POOL, 1);
    scene.members(&json!({"fail": 1}));
    bed.crowd(0, USER, STEP_CALLS);
    bed.node().await_event("member_failed", POOL, 1);
    scene.members(&json!({"fail": 0}));
    bed.node().await_active(POOL, 2);
    bed.await_even(&[POOL], 2);
    bed.hush();
    bed.node().await_active(POOL, 1);
    bed.await_even(&[POOL], 1);
    bed.close();
}

/// A wrong password: said in words; right again, nothing else is needed.
pub(crate) fn wrong_credentials(scene: &Scene<'_>) {
    let pool = scene.pool(POOL, Actuator::ResourceGroup, "");
    let right = scene.stage.cloud.entry();
    let mut wrong = right.clone();
    wrong["auth"]["password"] = "wrong".into();
    let clouds = |entry: &serde_json::Value| json!({"clouds": {"kamscale": entry}}).to_string();
    let file = scene.run.write("clouds.yaml", clouds(&wrong));
    let agent = scene.agent_with(&scene.run, &(policy::cloud() + &pool), &file);
    let mut bed = Bed::new(scene, vec![Node::start(scene, &scene.run, agent)]);
    bed.node()
        .await_reason("the credentials", &["401", "credential", "password"]);
    scene.run.write("clouds.yaml", clouds(&right));
    bed.node().agent.restart();
    bed.node().await_active(POOL, 1);
    bed.await_even(&[POOL], 1);
    bed.close();
}

/// The group's stack is not there yet; made later, its member joins by itself.
pub(crate) fn missing_stack(scene: &Scene<'_>) {
    let heat = policy::heat(Actuator::ResourceGroup, &scene.stack(POOL), "");
    let toml = policy::cloud() + &policy::pool(POOL, "", &heat);
    let mut bed = Bed::alone(scene, &toml);
    bed.node().await_reason("the stack", &[&scene.stack(POOL)]);
    assert_eq!(scene.booked("create"), 0);
    scene.resource_group(POOL, 1);
    bed.node().await_active(POOL, 1);
    bed.await_even(&[POOL], 1);
    bed.close();
}

/// The template of the members' stacks is not there yet: the agent names the file; put there, it is found.
pub(crate) fn missing_template(scene: &Scene<'_>) {
    let folder = kamscale_tests::repository().join("heat");
    let later = scene.run.file("heat");
    let more = scene.per_member(&json!({POOL: 1}));
    let more = more.replace(&folder.display().to_string(), &later.display().to_string());
    let heat = policy::heat(Actuator::StackPerMember, &scene.stack(POOL), &more);
    let mut bed = Bed::alone(scene, &(policy::cloud() + &policy::pool(POOL, "", &heat)));
    let failed = bed.node().await_event("member_failed", POOL, 0);
    let why = failed["reason"].as_str().unwrap_or_default();
    assert!(why.contains("heat/stack-per-member.yaml"), "{why}");
    assert_eq!(scene.booked("create"), 0);
    let linked = std::os::unix::fs::symlink(&folder, &later);
    linked.unwrap_or_else(|e| panic!("{}: {e}", later.display()));
    bed.node().await_active(POOL, 1);
    bed.await_even(&[POOL], 1);
    bed.close();
}

/// The group's stack is deleted by somebody: its members are gone, the agent says so, and goes on when
/// there is a stack again.
pub(crate) fn stack_deleted(scene: &Scene<'_>) {
    let pool = scene.pool(POOL, Actuator::ResourceGroup, "");
    let mut bed = Bed::alone(scene, &(policy::cloud() + &pool));
    bed.node().await_active(POOL, 1);
    scene.heat().delete_all(&scene.stack(POOL));
    bed.node().await_event("member_died", POOL, 0);
    bed.node()
        .await_members(POOL, "nobody is left", |members| members.is_empty());
    scene.resource_group(POOL, 1);
    bed.node().await_active(POOL, 1);
    bed.await_even(&[POOL], 1);
    bed.close();
}

/// One member's stack is deleted by somebody: another one takes its place.
pub(crate) fn member_deleted(scene: &Scene<'_>) {
    let pool = scene.pool(POOL, Actuator::StackPerMember, "");
    let mut bed = Bed::alone(scene, &(policy::cloud() + &pool));
    let first = bed.node().await_active(POOL, 1);
    let stacks = scene.heat().stacks(&scene.prefix).unwrap_or_default();
    assert_eq!(stacks.len(), 1, "one member, one stack: {stacks:?}");
    stacks
        .iter()
        .for_each(|name| scene.heat().delete_once(name));
    bed.node()
        .await_members(POOL, "another one serves", |members| {
            members.len() == 1
                && members
                    .iter()
                    .all(|(name, m)| m["state"] == "active" && !first.contains_key(name))
        });
    bed.await_even(&[POOL], 1);
    bed.close();
}

/// Somebody else updates the same stack again and again while the agent scales it: Heat refuses some of
/// both (409), and the end is right.
pub(crate) fn conflict(scene: &Scene<'_>) {
    let pool = scene.pool(POOL, Actuator::ResourceGroup, "");
    scene.members(&json!({"boot_s": 1}));
    let mut bed = Bed::alone(scene, &(policy::cloud() + &pool));
    bed.node().await_active(POOL, 1);
    let disturb = || {
        let stack = scene
            .heat()
            .stack(&scene.stack(POOL))
            .ok()
            .flatten()
            .unwrap_or_default();
        // Another parameter that changes nothing for the members.
        let body = json!({"parameters": {"ready_timeout_s": 601}});
        let _ = scene
            .stage
            .cloud
            .ask("orchestration", "PATCH", &path_of(&stack), Some(&body));
    };
    bed.crowd(0, USER, STEP_CALLS);
    for _ in 0..3 {
        disturb();
        std::thread::sleep(Duration::from_millis(300));
    }
    bed.node().await_active(POOL, 2);
    bed.await_even(&[POOL], 2);
    bed.hush();
    for _ in 0..3 {
        disturb();
        std::thread::sleep(Duration::from_millis(300));
    }
    bed.node().await_active(POOL, 1);
    bed.await_even(&[POOL], 1);
    bed.close();
}
