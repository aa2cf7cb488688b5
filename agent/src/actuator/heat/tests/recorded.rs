//! What a real Heat (19.0.0) answered is read as it was meant.

use super::super::view::{self, Unfit, View};
use super::cloud_of;
use crate::cloud::{Answer, Service};
use crate::heat::{Heat, Phase, Resource, StackPath};

fn answer(text: &str) -> Answer {
    Answer {
        status: 200,
        body: text.as_bytes().to_vec(),
        request_id: Some("req-1".into()),
        service: Service::Orchestration,
    }
}

async fn resources(text: &str) -> Vec<Resource> {
    let heat = Heat::new(cloud_of(answer(text)));
    heat.resources(&StackPath::new("x", "y"), 2).await.unwrap()
}

fn top(resources: &[Resource]) -> StackPath {
    let group = resources.iter().find(|one| one.name == "group").unwrap();
    group.stack().unwrap()
}

#[tokio::test]
async fn members_are_told_from_what_is_in_them() {
    let all = resources(include_str!("recorded/resource_group_held.json")).await;
    let view = View::of(
        &all,
        &top(&all),
        "group",
        "OS::Heat::ResourceGroup",
        "alarm",
    )
    .unwrap();
    assert_eq!(view.phase, Phase::InProgress);
    let names: Vec<&str> = view.rows.iter().map(|row| &*row.name).collect();
    assert_eq!(names, ["0", "1"]);
    assert!(view.rows[0].status.is_leaving() && view.rows[0].has_life);
    assert!(!view.rows[1].status.is_leaving() && !view.rows[1].is_coming());
    assert!(view.rows[0].nested.is_some());

    let all = resources(include_str!("recorded/autoscaling_group_marked.json")).await;
    let kind = "OS::Heat::AutoScalingGroup";
    let view = View::of(&all, &top(&all), "group", kind, "up").unwrap();
    assert_eq!(view.rows.iter().filter(|row| row.is_failed()).count(), 1);
    assert!(view.alarm.is_some());
    let other = View::of(&all, &top(&all), "group", "OS::Heat::ResourceGroup", "up");
    assert_eq!(other, Err(Unfit::OtherType(kind.into())));
    let missing = View::of(&all, &top(&all), "pool", kind, "up");
    assert_eq!(missing, Err(Unfit::Missing));
}

#[tokio::test]
async fn a_hook_holds_until_the_newest_event_says_otherwise() {
    let path = StackPath::new("x", "y");
    let held = include_str!("recorded/events_held.json");
    let heat = Heat::new(cloud_of(answer(held)));
    assert_eq!(heat.held(&path).await.unwrap(), ["server"]);
    let below = heat.held_below(&path).await.unwrap();
    assert!(below[0].0.name().contains("group"), "{below:?}");
    let released = include_str!("recorded/events_released.json");
    let heat = Heat::new(cloud_of(answer(released)));
    assert!(heat.held(&path).await.unwrap().is_empty());
}

#[tokio::test]
async fn parameters_are_text_and_outputs_are_values() {
    let path = StackPath::new("x", "y");
    let heat = Heat::new(cloud_of(answer(include_str!("recorded/stack.json"))));
    let stack = heat.stack(&path, false).await.unwrap();
    assert_eq!(stack.names("remove"), ["0"]);
    assert!(stack.parameters.contains_key("count") && !stack.parameters.contains_key("size"));
    let heat = Heat::new(cloud_of(answer(include_str!("recorded/member.json"))));
    let member = heat.stack(&path, true).await.unwrap();
    let address = member.output("address").and_then(view::address).unwrap();
    assert!(address.is_loopback());
}
