//! What a look does by itself: obeys an alarm whose signals Heat drops, and heals marks.

use std::time::Duration;

use super::config;
use super::model::Kind;
use super::scenarios::Loop;
use crate::actuator::heat::{autoscaling_group, build};

#[tokio::test(start_paused = true)]
async fn while_a_deletion_is_held_the_alarm_is_obeyed_in_heats_place_and_no_more_than_that() {
    let mut world = Loop::new(Kind::Autoscaling, true, 1);
    {
        let mut state = world.model.state.lock().unwrap();
        (state.faults, state.alarm) = (0.0, Some("alarm"));
    }
    let config = config("heat_autoscaling_group");
    world.agent = build(
        "conference",
        "test",
        &config,
        None,
        true,
        world.model.clone(),
    );
    world.model.resize(2);
    for _ in 0..15 {
        world.round().await;
    }
    assert_eq!(
        world.model.state.lock().unwrap().made,
        2,
        "no hold: Heat obeys by itself"
    );

    // Heat begins to delete one. It still carries calls.
    world.model.resize(-1);
    let looks = async |count: u32, made: u64| {
        for _ in 0..count {
            world.agent.look().await.unwrap();
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(world.model.state.lock().unwrap().made, made);
    };
    looks(90, 3).await;
    assert_eq!(world.agent.held().len(), 1);
    looks(60, 4).await;
    world.model.state.lock().unwrap().alarm = Some("ok");
    looks(120, 4).await;
    assert_eq!(world.agent.held().len(), 1, "the held one is still there");
}

#[tokio::test(start_paused = true)]
async fn a_mark_that_a_killed_agent_left_on_a_member_that_serves_is_taken_off() {
    let mut world = Loop::new(Kind::Autoscaling, false, 1);
    world.model.state.lock().unwrap().faults = 0.0;
    world.model.resize(2);
    for _ in 0..15 {
        world.round().await;
    }
    {
        let mut state = world.model.state.lock().unwrap();
        state.machines[1].status = "CHECK_FAILED";
        state.machines[1].reason = autoscaling_group::LEAVES;
    }
    for _ in 0..40 {
        world.round().await;
    }
    let state = world.model.state.lock().unwrap();
    assert_eq!(
        (state.machines[1].status, state.made),
        ("CHECK_COMPLETE", 2)
    );
}
