//! Nodes that are the members of another instance's pool: they come and go with it, without a restart.

use std::sync::Arc;
use std::time::Duration;

use kamscale_agent::nodes::Nodes;
use kamscale_agent::nodes::roster::Roster;
use kamscale_agent::nodes::watch::Watch;
use kamscale_agent::services::Services;
use kamscale_agent::status::Status;

use crate::etcd::Etcd;
use crate::harness::{Bench, Running, run};
use crate::inventory::{add, configure, keeper, leads, lease, remove, start, until_it_leads};
use crate::several_nodes::Board;

/// A CCP: the nodes of its instance are the members of the pool `ccp`, which the load balancers have.
fn start_ccp(bench: &Bench, address: &str, etcd: &Etcd, board: &Board) -> Running {
    bench.kamailio.set_calls("conference", "conf-1", 1);
    let more = format!(
        r#"
[nodes]
name = "{address}"
pool = "ccp"
source = "prometheus"
max_age_s = 3
[prometheus]
url = "http://127.0.0.1:9"
{}"#,
        lease(etcd)
    );
    let config = configure(bench, "ccp", "conference", &more);
    let keeper = keeper(&config);
    let roster = Roster::Pool {
        pool: "ccp".into(),
        own: address.into(),
        known: keeper.subscribe(),
    };
    let mut nodes = Nodes::new(&[], address, config.nodes.max_age_s);
    nodes.expect(&roster.now());
    bench.start_with(Services {
        lead: leads(&config),
        sink: Some(Arc::new(board.clone())),
        watch: Some(Watch::start(
            Arc::new(board.clone()),
            roster,
            nodes,
            Duration::from_secs(1),
        )),
        inventory: Some(keeper),
        ..Services::default()
    })
}

fn calls(status: &Status) -> Option<u32> {
    status.pools["conference"].members.get("conf-1")?.calls
}

#[test]
fn nodes_come_and_go_with_the_pool_that_they_are_members_of() {
    let Some(etcd) = Etcd::start("nodes_come_and_go_with_the_pool") else {
        return;
    };
    run(async {
        let board = Board::default();
        let benches = [Bench::new(), Bench::new(), Bench::new()];
        let config = configure(&benches[0], "lb", "ccp", &lease(&etcd));
        let lb = start(&benches[0], &config);
        until_it_leads(&lb).await;
        let first = start_ccp(&benches[1], "10.77.1.51", &etcd, &board);
        until_it_leads(&first).await;
        add(&first, "conference", "conf-1", "10.77.1.71").await;
        let unknown = |status: &Status| {
            let silent = status.nodes.as_ref().and_then(|nodes| nodes.silent.clone());
            silent.is_some_and(|silent| silent.contains("ccp"))
        };
        first.until("nobody knows the nodes yet", unknown).await;

        add(&lb, "ccp", "ccp-1", "10.77.1.51").await;
        first
            .until("it is alone", |status| {
                !unknown(status) && calls(status) == Some(1)
            })
            .await;
        add(&lb, "ccp", "ccp-2", "10.77.1.52").await;
        let waits = |status: &Status| {
            let silent = status.nodes.as_ref().and_then(|nodes| nodes.silent.clone());
            silent.is_some_and(|silent| silent.contains("10.77.1.52"))
        };
        first.until("the second is waited for", waits).await;
        let second = start_ccp(&benches[2], "10.77.1.52", &etcd, &board);
        first
            .until("both nodes' calls are counted", |status| {
                !waits(status) && calls(status) == Some(2)
            })
            .await;

        // The second dies without a word, and its last call may still be there.
        second.stop().await;
        benches[1].kamailio.set_calls("conference", "conf-1", 0);
        remove(&first, "conference", "conf-1").await;
        first.until("the second is silent", waits).await;
        for _ in 0..8 {
            let status = first.another_round().await;
            assert_eq!(calls(&status), Some(1), "removed though a node was silent");
        }
        // Its pool is rid of it: so are we.
        remove(&lb, "ccp", "ccp-2").await;
        first
            .until("conf-1 is gone", |status| calls(status).is_none())
            .await;
        first.stop().await;
        lb.stop().await;
    });
}
