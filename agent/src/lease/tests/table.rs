//! The shared table, with a real etcd.

use super::servers::Servers;
use super::*;
use crate::lease::Shared;

async fn loaded(node: &Lease, known: u64) -> Option<Shared> {
    until("a load", async || node.load(known).await.ok()).await
}

#[tokio::test]
async fn a_follower_sees_exactly_what_was_stored() {
    let Some(servers) = Servers::start("a_follower_sees", 1) else {
        return;
    };
    let endpoints = servers.endpoints();
    let (leader, other) = (node(&endpoints, "a"), node(&endpoints, "b"));
    assert_eq!(role(&leader).await, Role::Leader);
    assert_eq!(loaded(&other, 0).await, None);
    assert!(matches!(
        other.store(values(&[("ccp", "x")])).await,
        Err(LeaseError::NotLeader)
    ));
    assert!(matches!(
        leader.store(values(&[("", "x")])).await,
        Err(LeaseError::Nameless)
    ));

    let first = stored(&leader, &[("ccp", "1"), ("b2b", "")]).await;
    let table = loaded(&other, 0).await.unwrap();
    assert_eq!(table.revision, first);
    let expected = [("b2b", ""), ("ccp", "1")].map(|(n, v)| (n.to_owned(), v.as_bytes().to_vec()));
    assert_eq!(table.values, BTreeMap::from(expected));
    assert_eq!(loaded(&other, first).await, None);

    // A removal is a change like any other: what is left is older than the table.
    let mut changes = BTreeMap::from([("ccp".to_owned(), None), ("none".to_owned(), None)]);
    let second = leader.store(changes.clone()).await.unwrap();
    assert!(second > first);
    let table = loaded(&other, first).await.unwrap();
    assert_eq!((table.revision, table.values.len()), (second, 1));
    changes.clear();
    let third = leader.store(changes).await.unwrap();
    assert!(third > second, "the revision moves without changes, too");
    assert_eq!(loaded(&other, third).await, None);
}

#[tokio::test]
async fn ten_thousand_members_in_a_thousand_pools_are_one_change() {
    let Some(servers) = Servers::start("ten_thousand_members", 1) else {
        return;
    };
    let endpoints = servers.endpoints();
    let (leader, other) = (node(&endpoints, "a"), node(&endpoints, "b"));
    assert_eq!(role(&leader).await, Role::Leader);
    let member = "{\"name\":\"ccp-0001\",\"uri\":\"sip:192.0.2.1:5060\",\"capacity_calls\":100,\
                  \"weight\":10,\"state\":\"draining\",\"since_s\":1790000000.1}";
    let pool = [member; 10].join(",");
    let changes: BTreeMap<_, _> = (0..1000)
        .map(|i| (format!("pool-{i:04}"), Some(pool.clone().into_bytes())))
        .collect();
    let revision = until("the store", async || {
        role(&leader).await;
        leader.store(changes.clone()).await.ok()
    });
    let revision = revision.await;
    let table = loaded(&other, 0).await.unwrap();
    assert_eq!((table.revision, table.values.len()), (revision, 1000));
    assert!(table.values.values().all(|value| *value == pool.as_bytes()));

    // Beyond etcd's own limit, and beyond that of the gRPC below it.
    for bytes in [1_600_000, 2 << 20] {
        let much = BTreeMap::from([("pool".to_owned(), Some(vec![0; bytes]))]);
        let error = until("a refusal", async || {
            role(&leader).await;
            let error = leader.store(much.clone()).await.unwrap_err();
            (!matches!(error, LeaseError::Away { .. })).then_some(error)
        });
        let error = error.await;
        assert!(
            matches!(error, LeaseError::TooLarge { values: 1, .. }),
            "{error}"
        );
    }
    assert_eq!(
        loaded(&other, revision).await,
        None,
        "nothing of it was stored"
    );
}

#[tokio::test]
async fn a_table_is_never_seen_half_changed() {
    let Some(servers) = Servers::start("a_table_is_never_seen_half", 1) else {
        return;
    };
    let endpoints = servers.endpoints();
    let (leader, other) = (node(&endpoints, "a"), node(&endpoints, "b"));
    assert_eq!(role(&leader).await, Role::Leader);
    let rounds = 30;
    let storing = async {
        for round in 1..=rounds {
            let value = Some(round.to_string().into_bytes());
            // More than fit into one transaction without nesting.
            let changes: BTreeMap<_, _> = (0..200)
                .map(|i| (format!("pool-{i}"), value.clone()))
                .collect();
            until("a store", async || {
                role(&leader).await;
                leader.store(changes.clone()).await.ok()
            })
            .await;
        }
    };
    let last = rounds.to_string().into_bytes();
    let reading = async {
        let mut known = 0;
        loop {
            let Some(table) = loaded(&other, known).await else {
                tokio::task::yield_now().await;
                continue;
            };
            assert!(table.revision > known);
            known = table.revision;
            let one = table.values["pool-0"].clone();
            assert_eq!(table.values.len(), 200);
            assert!(table.values.values().all(|value| *value == one));
            if one == last {
                return;
            }
        }
    };
    tokio::join!(storing, reading);
}
