//! Pools as groups: a resource group, and an auto-scaling group of nested stacks with hooks.

use std::sync::atomic::Ordering;
use std::time::Duration;

use kamscale_agent::actuator::{ActuatorError, Handle};
use kamscale_agent::cloud::{Request, Service};
use serde_json::json;

use crate::bed::{agent, bed, boot, config, number, order, resource, unique, until};
use crate::faults::Faulty;

const BOTH: [&str; 2] = ["heat_resource_group", "heat_autoscaling_group"];

#[tokio::test(flavor = "multi_thread")]
async fn exactly_the_named_member_leaves_a_group_and_nothing_is_made_twice() {
    let Some(bed) = bed() else { return };
    for actuator in BOTH {
        let name = unique(&actuator.replace('_', "-"));
        let config = bed.group(actuator, &name, &[]).await;
        let agent = bed.agent(&config);
        let (one, two, three) = tokio::join!(
            boot(&agent, "a-1"),
            boot(&agent, "a-2"),
            boot(&agent, "a-3")
        );
        let mut all = vec![resource(&one), resource(&two), resource(&three)];
        all.sort();
        assert_eq!(bed.members(&name).await, all, "{actuator}");
        assert!(
            [&one, &two, &three]
                .iter()
                .all(|handle| agent.alive(handle))
        );

        agent.delete(&order("a-2"), &two).await.unwrap();
        all.retain(|member| *member != resource(&two));
        assert_eq!(bed.members(&name).await, all, "{actuator}");
        agent.delete(&order("a-2"), &two).await.unwrap();

        let four = boot(&agent, "a-4").await;
        assert_ne!(
            resource(&four),
            resource(&two),
            "{actuator}: no name comes twice"
        );
        assert!(agent.alive(&one) && agent.alive(&three) && !agent.alive(&two));
        assert!(agent.found().is_empty() && agent.held().is_empty());
        bed.remove(&name).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_answers_and_conflicts_make_and_remove_nothing_twice() {
    let Some(bed) = bed() else { return };
    for actuator in BOTH {
        let name = unique(&format!("lost-{}", actuator.replace('_', "-")));
        let config = bed.group(actuator, &name, &[]).await;
        let cloud = Faulty::new(bed.cloud.clone(), 1, 3);
        let agent = agent(&config, cloud.clone());
        let (one, two) = tokio::join!(boot(&agent, "a-1"), boot(&agent, "a-2"));
        assert_eq!(bed.members(&name).await.len(), 2, "{actuator}");
        let cloud = Faulty::new(bed.cloud.clone(), 2, 5);
        let next = crate::bed::agent(&config, cloud);
        next.know(vec![
            ("a-1".into(), one.clone()),
            ("a-2".into(), two.clone()),
        ]);
        next.delete(&order("a-1"), &one).await.unwrap();
        assert_eq!(bed.members(&name).await, [resource(&two)], "{actuator}");
        bed.remove(&name).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_killed_while_it_creates_leaves_its_successor_the_member() {
    let Some(bed) = bed() else { return };
    for actuator in BOTH {
        let name = unique(&format!("killed-{}", actuator.replace('_', "-")));
        let config = bed.group(actuator, &name, &[]).await;
        let cloud = Faulty::new(bed.cloud.clone(), 0, 0);
        let first = agent(&config, cloud.clone());
        let doomed = tokio::spawn(async move { first.create(&order("a-1")).await });
        until("the change is sent", async || {
            cloud.done.load(Ordering::SeqCst) > 0
        })
        .await;
        doomed.abort();

        let next = bed.agent(&config);
        let ordered = Handle::Heat {
            resource: None,
            address: None,
        };
        next.know(vec![("a-1".into(), ordered)]);
        next.look().await.unwrap();
        assert!(
            next.found().is_empty(),
            "{actuator}: it belongs to an order"
        );
        let handle = boot(&next, "a-1").await;
        assert_eq!(bed.members(&name).await, [resource(&handle)], "{actuator}");
        bed.remove(&name).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_heat_deletes_is_held_until_it_is_let_go_and_what_others_make_is_found() {
    let Some(bed) = bed() else { return };
    let name = unique("held");
    let config = bed
        .group("heat_autoscaling_group", &name, &[("desired", number(2))])
        .await;
    let agent = bed.agent(&config);
    agent.look().await.unwrap();
    let found = agent.found();
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|one| one.handle.address().is_some()));
    let members: Vec<(String, Handle)> = found
        .into_iter()
        .enumerate()
        .map(|(at, one)| (format!("a-{at}"), one.handle))
        .collect();
    agent.know(members.clone());

    let path = bed.path(&name).await;
    let signal = format!("{path}/resources/scale_in/signal");
    let request = Request::post(Service::Orchestration, signal, &json!({}));
    bed.cloud.request(request).await.unwrap();
    until("a deletion is held", async || {
        agent.look().await.unwrap();
        !agent.held().is_empty()
    })
    .await;
    assert!(members.iter().all(|(_, handle)| agent.alive(handle)));
    let held = agent.held().remove(0);

    // A successor sees the hold, too; and more members can be made meanwhile.
    let next = bed.agent(&config);
    next.know(members.clone());
    next.look().await.unwrap();
    assert_eq!(next.held(), std::slice::from_ref(&held));
    boot(&next, "a-9").await;
    let (_, handle) = members.iter().find(|(name, _)| *name == held).unwrap();
    next.delete(&order(&held), handle).await.unwrap();
    assert_eq!(bed.members(&name).await.len(), 2);
    bed.remove(&name).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_fails_says_why_and_leaves_nothing() {
    let Some(bed) = bed() else { return };
    for actuator in BOTH {
        let name = unique(&format!("fails-{}", actuator.replace('_', "-")));
        let config = bed.group(actuator, &name, &[("fail", json!("true"))]).await;
        let agent = bed.agent(&config);
        let handle = agent.create(&order("a-1")).await.unwrap();
        let error = agent.ready(&order("a-1"), &handle).await.unwrap_err();
        let words = error.to_string();
        assert!(
            words.contains("told to fail") && words.contains(&name),
            "{words}"
        );
        agent.delete(&order("a-1"), &handle).await.unwrap();
        assert!(bed.members(&name).await.is_empty(), "{actuator}");
        bed.remove(&name).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_that_is_missing_or_was_deleted_is_named_with_the_remedy() {
    let Some(bed) = bed() else { return };
    let missing = unique("absent");
    let agent = bed.agent(&config("heat_resource_group", &missing));
    let error = agent.create(&order("a-1")).await.unwrap_err();
    assert!(matches!(error, ActuatorError::Failed(_)), "{error:?}");
    let words = error.to_string();
    assert!(
        words.contains("does not exist") && words.contains("pool-resource-group.yaml"),
        "{words}"
    );

    let name = unique("deleted");
    let config = bed.group("heat_resource_group", &name, &[]).await;
    let agent = bed.agent(&config);
    let handle = boot(&agent, "a-1").await;
    bed.remove(&name).await;
    let error = agent.look().await.unwrap_err().to_string();
    assert!(error.contains("does not exist"), "{error}");
    assert!(!agent.alive(&handle));
    let patience = Duration::from_secs(30);
    let gone = tokio::time::timeout(patience, agent.delete(&order("a-1"), &handle)).await;
    gone.unwrap().unwrap();
}
