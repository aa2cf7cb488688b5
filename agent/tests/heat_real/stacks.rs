//! A stack for each member.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use kamscale_agent::actuator::{Actuator, Handle};
use kamscale_agent::config::HeatConfig;

use crate::bed::{Bed, agent, bed, boot, config, order, resource, unique, until};
use crate::faults::Faulty;

const TEMPLATE: &str = "
heat_template_version: 2018-08-31
parameters:
  machines: {type: json}
  fail: {type: string, default: 'false'}
resources:
  server:
    type: Kamscale::Test::SipMember
    properties: {fail: {get_param: fail}}
outputs:
  address: {value: {get_attr: [server, first_address]}}
";

fn with_template(prefix: &str, folder: &tempfile::TempDir) -> HeatConfig {
    let file = folder.path().join("member.yaml");
    std::fs::write(&file, TEMPLATE).unwrap();
    HeatConfig {
        template: Some(file),
        ..config("stack_per_member", prefix)
    }
}

async fn stacks(bed: &Bed, prefix: &str) -> Vec<String> {
    let all = bed.heat.tagged(&["kamscale", "test"]).await.unwrap();
    let ours = all.into_iter().map(|stack| stack.name);
    let mut ours: Vec<String> = ours.filter(|name| name.starts_with(prefix)).collect();
    ours.sort();
    ours
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_is_a_stack_made_once_and_deleted_by_name() {
    let Some(bed) = bed() else { return };
    let prefix = unique("single");
    let folder = tempfile::tempdir().unwrap();
    let config = with_template(&prefix, &folder);
    // The answer to the first creation is lost.
    let agent = agent(&config, Faulty::new(bed.cloud.clone(), 1, 0));
    let (one, two) = tokio::join!(boot(&agent, "conference-1"), boot(&agent, "conference-2"));
    let names = [
        format!("{prefix}-conference-1"),
        format!("{prefix}-conference-2"),
    ];
    assert_eq!(stacks(&bed, &prefix).await, names);
    assert_eq!(
        boot(&agent, "conference-1").await,
        one,
        "asked again: the same"
    );

    agent.delete(&order("conference-1"), &one).await.unwrap();
    assert_eq!(stacks(&bed, &prefix).await, names[1..]);
    agent.look().await.unwrap();
    assert!(!agent.alive(&one) && agent.alive(&two));

    // Deleted from outside.
    bed.remove(&resource(&two)).await;
    agent.look().await.unwrap();
    assert!(!agent.alive(&two));
    agent.delete(&order("conference-2"), &two).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_agent_was_making_is_found_by_its_name() {
    let Some(bed) = bed() else { return };
    let prefix = unique("orphan");
    let folder = tempfile::tempdir().unwrap();
    let config = with_template(&prefix, &folder);
    let cloud = Faulty::new(bed.cloud.clone(), 0, 0);
    let first: Arc<dyn Actuator> = agent(&config, cloud.clone());
    let doomed = tokio::spawn(async move { first.create(&order("conference-1")).await });
    until("it is asked for", async || {
        cloud.done.load(Ordering::SeqCst) > 0
    })
    .await;
    doomed.abort();

    let next = bed.agent(&config);
    next.look().await.unwrap();
    let found = next.found();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].name.as_deref(), Some("conference-1"));
    let handle = boot(&next, "conference-1").await;
    assert_eq!(stacks(&bed, &prefix).await.len(), 1);
    next.delete(&order("conference-1"), &handle).await.unwrap();

    // Ordered, never named: whatever is there goes.
    let again = next.create(&order("conference-2")).await.unwrap();
    assert!(again.is_made());
    let unnamed = Handle::Heat {
        resource: None,
        address: None,
    };
    next.delete(&order("conference-2"), &unnamed).await.unwrap();
    assert!(stacks(&bed, &prefix).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_that_fails_says_why_and_is_deleted() {
    let Some(bed) = bed() else { return };
    let prefix = unique("broken");
    let folder = tempfile::tempdir().unwrap();
    let mut config = with_template(&prefix, &folder);
    config
        .parameters
        .insert("fail".into(), toml::Value::String("true".into()));
    let agent = bed.agent(&config);
    let handle = agent.create(&order("conference-1")).await.unwrap();
    let error = agent.ready(&order("conference-1"), &handle).await;
    let words = error.unwrap_err().to_string();
    assert!(words.contains("told to fail"), "{words}");
    agent.delete(&order("conference-1"), &handle).await.unwrap();
    assert!(stacks(&bed, &prefix).await.is_empty());
}
