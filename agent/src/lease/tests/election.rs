//! Who leads, with a real etcd.

use super::servers::Servers;
use super::*;

#[tokio::test]
async fn one_of_three_leads_and_the_others_know_it() {
    let Some(servers) = Servers::start("one_of_three_leads", 1) else {
        return;
    };
    let endpoints = servers.endpoints();
    let nodes = ["a", "b", "c"].map(|name| node(&endpoints, name));
    // etcd may still be starting; then all race for it at once.
    role(&node(&endpoints, "d")).await;
    let first = node(&endpoints, "d");
    assert_eq!(
        role(&first).await,
        follows("d"),
        "a restarted node waits for its own old lease"
    );
    let elsewhere = Lease::new(&config(&endpoints), "e", "other").unwrap();
    assert_eq!(
        role(&elsewhere).await,
        Role::Leader,
        "instances have leases of their own"
    );
    let race = || async {
        let roles = tokio::join!(role(&nodes[0]), role(&nodes[1]), role(&nodes[2]));
        let roles = [roles.0, roles.1, roles.2];
        roles.contains(&Role::Leader).then_some(roles)
    };
    until("a leader after d's lease ended", race).await;
    let mut leaders = nodes.iter().filter(|node| node.leads_until().is_some());
    let leader = leaders.next().unwrap();
    assert!(leaders.next().is_none());
    for node in &nodes {
        let expected = if node.node == leader.node {
            Role::Leader
        } else {
            follows(&leader.node)
        };
        assert_eq!(role(node).await, expected);
    }
}

#[tokio::test]
async fn a_leader_that_dies_is_replaced_by_one_and_its_late_store_is_refused() {
    let Some(servers) = Servers::start("a_leader_that_dies", 1) else {
        return;
    };
    let endpoints = servers.endpoints();
    let dead = node_without_time(&endpoints, "dead");
    let others = [node(&endpoints, "b"), node(&endpoints, "c")];
    assert_eq!(role(&dead).await, Role::Leader);
    let revision = stored(&dead, &[("ccp", "old")]).await;
    for other in &others {
        assert_eq!(role(other).await, follows("dead"));
    }
    let takeover = || async {
        let roles = tokio::join!(role(&others[0]), role(&others[1]));
        let led = [&roles.0, &roles.1].map(|role| *role == Role::Leader);
        led.contains(&true).then_some(led)
    };
    let led = until("another leader", takeover).await;
    assert_ne!(led, [true, true]);
    let (new, other) = if led[0] {
        (&others[0], &others[1])
    } else {
        (&others[1], &others[0])
    };
    assert_eq!(role(other).await, follows(&new.node));

    assert!(
        dead.leads_until().is_some(),
        "it still believes, its clock stands"
    );
    let refused = until("an answer", async || {
        let answer = dead
            .store(values(&[("ccp", "late"), ("b2b", "late")]))
            .await;
        (!matches!(answer, Err(LeaseError::Away { .. }))).then_some(answer)
    });
    assert!(matches!(refused.await, Err(LeaseError::NotLeader)));
    assert_eq!(dead.leads_until(), None, "it learned from the refusal");
    let kept = until("a load", async || new.load(0).await.ok())
        .await
        .unwrap();
    assert_eq!(kept.revision, revision);
    assert_eq!(kept.values["ccp"], b"old");
    assert_eq!(kept.values.len(), 1);
    assert_eq!(role(&dead).await, follows(&new.node));
}

#[tokio::test]
async fn who_resigns_is_followed_at_once() {
    let Some(servers) = Servers::start("who_resigns", 1) else {
        return;
    };
    let endpoints = servers.endpoints();
    let (a, b) = (node(&endpoints, "a"), node(&endpoints, "b"));
    assert_eq!(role(&a).await, Role::Leader);
    assert_eq!(role(&b).await, follows("a"));
    a.resign().await;
    assert_eq!(a.leads_until(), None);
    assert!(matches!(
        a.store(values(&[])).await,
        Err(LeaseError::NotLeader)
    ));
    // The very next question, not a wait.
    assert_eq!(role(&b).await, Role::Leader);
    assert_eq!(role(&a).await, follows("b"));
    a.resign().await;
    assert_eq!(
        role(&b).await,
        Role::Leader,
        "a follower's resignation changes nothing"
    );
}
