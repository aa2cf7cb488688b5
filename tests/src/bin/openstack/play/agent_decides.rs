//! The agent decides and tells Heat: one scenario for each way in which Heat makes members, and one for
//! units of several machines.

use kamscale_tests::SipClient;
use serde_json::json;

use super::turn::{fall, ordered_s, rise};
use crate::bed::Bed;
use crate::node::PATIENCE;
use crate::policy::{self, Actuator, STEP_CALLS};
use crate::stage::Scene;

const POOL: &str = "conference";
const USER: &str = "conf-1";

pub(crate) fn resource_group(scene: &Scene<'_>) {
    there_and_back(scene, Actuator::ResourceGroup);
}

pub(crate) fn autoscaling_group(scene: &Scene<'_>) {
    there_and_back(scene, Actuator::AutoscalingGroup);
}

pub(crate) fn stack_per_member(scene: &Scene<'_>) {
    there_and_back(scene, Actuator::StackPerMember);
}

fn there_and_back(scene: &Scene<'_>, actuator: Actuator) {
    // A caller that fell behind makes up for it at once: that must not bring a third member.
    let pool = scene.pool(POOL, actuator, "max = 2");
    let mut bed = Bed::alone(scene, &(policy::cloud() + &pool));
    let client = SipClient::new(&scene.run);
    // More than once: then it follows a removal.
    let turns = if scene.stage.full { 3 } else { 1 };
    for _ in 0..turns {
        let turn = rise(&mut bed, (POOL, USER), PATIENCE, |bed| ordered_s(bed, POOL));
        scene.stage.tally.agent(turn);
        bed.await_even(&[POOL], 2);
        fall(&mut bed, &client, POOL, USER);
        bed.await_even(&[POOL], 1);
    }
    bed.close();
}

/// Two CCPs and one presence server (here two conference members and one of the queue) come and go as one
/// stack of Heat's.
pub(crate) fn unit_of_machines(scene: &Scene<'_>) {
    let machines = json!({"conference": 2, "queue": 1});
    let heat = policy::heat(
        Actuator::StackPerMember,
        &scene.stack("platform"),
        &scene.per_member(&machines),
    );
    let member = format!("capacity_calls = {}", policy::CAPACITY);
    let toml = format!(
        "{}[pools.conference.member]\n{member}\n[pools.queue.member]\n{member}\n\
         [stacks.platform]\npools = {{ conference = 2, queue = 1 }}\n{}\n[stacks.platform.heat]\n{heat}\n",
        policy::cloud(),
        policy::policy("max = 2"),
    );
    let mut bed = Bed::alone(scene, &toml);
    bed.node().await_active("conference", 2);
    bed.node().await_active("queue", 1);
    bed.await_even(&["conference", "queue"], 3);
    // The queue's only machine is the fullest type: it brings a whole second unit.
    bed.crowd(0, "queue-1", STEP_CALLS);
    bed.node().await_active("conference", 4);
    bed.node().await_active("queue", 2);
    bed.await_even(&["conference", "queue"], 6);
    bed.hush();
    bed.node().await_active("conference", 2);
    bed.node().await_active("queue", 1);
    bed.await_even(&["conference", "queue"], 3);
    bed.close();
}
