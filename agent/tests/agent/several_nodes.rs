//! Several agents, each with a Kamailio of its own, that share the pools through a real etcd.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use kamscale_agent::config::Config;
use kamscale_agent::lease::Lease;
use kamscale_agent::nodes::lead::Lead;
use kamscale_agent::nodes::roster::Roster;
use kamscale_agent::nodes::watch::{Sink, Source, Watch};
use kamscale_agent::nodes::{Expected, MemberCalls, NodeReport, Nodes};
use kamscale_agent::services::Services;

use crate::etcd::Etcd;
use crate::harness::{Bench, Running, run};

/// In place of Gnocchi: what the nodes report stands here.
#[derive(Debug, Clone, Default)]
pub(crate) struct Board(Arc<Mutex<Vec<NodeReport>>>);

impl Sink for Board {
    fn push(&self, report: &NodeReport, members: &mut MemberCalls<'_>) {
        let mut reports = self.0.lock().unwrap();
        reports.retain(|known| known.node != report.node);
        let members = members.map(|it| ((it.pool.into(), it.member.into()), it.calls));
        reports.push(NodeReport {
            members: members.collect(),
            ..report.clone()
        });
    }

    fn problem(&self) -> Option<String> {
        None
    }
}

#[async_trait]
impl Source for Board {
    async fn read(&self, _nodes: &[String]) -> Result<Vec<NodeReport>, String> {
        Ok(self.0.lock().unwrap().clone())
    }
}

const NODES: [&str; 2] = ["lb1", "lb2"];

/// A node with a fixed member, which drains when an operator says so.
fn start(bench: &Bench, node: &str, etcd: &Etcd, board: &Board) -> Running {
    let text = format!(
        r#"
[agent]
state_file = "{state}"
interval_s = 0.1
listen = []
[nodes]
name = "{node}"
all = ["lb1", "lb2"]
source = "prometheus"
max_age_s = 3
[prometheus]
url = "http://127.0.0.1:9"
[lease]
endpoints = ["http://127.0.0.1:{port}"]
ttl_s = 3
[features.conference]
admit = "capacity"
[pools.conference]
mode = "paused"
min = 0
max = 3
empty_for_s = 0.5
drain_timeout_s = 3600
"#,
        state = bench.path("state.json").display(),
        port = etcd.port()
    );
    let text = text.replace("listen = []", "listen = \"unix:/nowhere/agent.sock\"");
    std::fs::write(bench.path("agent.toml"), text).unwrap();
    let config = Config::load(&bench.path("agent.toml")).unwrap();
    let lease = Lease::new(config.lease.as_ref().unwrap(), node, "default").unwrap();
    let expected: Vec<String> = NODES.map(str::to_owned).into();
    let nodes = Nodes::new(&expected, node, config.nodes.max_age_s);
    let roster = Roster::Fixed(Expected::all(&expected));
    let services = Services {
        lead: Some(Lead::start(lease, Duration::from_secs(1))),
        sink: Some(Arc::new(board.clone())),
        watch: Some(Watch::start(
            Arc::new(board.clone()),
            roster,
            nodes,
            Duration::from_secs(1),
        )),
        ..Services::default()
    };
    bench.start_with(services)
}

async fn leads(running: &Running) -> bool {
    let status = running.now().await;
    status.nodes.as_ref().is_some_and(|nodes| nodes.leads)
}

async fn until_one_leads(nodes: &[Running; 2]) -> usize {
    let one = |index: usize| {
        let nodes = &nodes[index];
        nodes.until("this one leads", |status| {
            status.nodes.as_ref().is_some_and(|nodes| nodes.leads)
        })
    };
    tokio::select! {
        _ = one(0) => 0,
        _ = one(1) => 1,
    }
}

#[test]
fn a_member_leaves_only_when_it_is_empty_on_all_nodes_and_one_of_them_decides() {
    let Some(etcd) = Etcd::start("a_member_leaves_only_when_it_is_empty_on_all_nodes") else {
        return;
    };
    run(async {
        let board = Board::default();
        let benches = [Bench::new(), Bench::new()];
        for bench in &benches {
            bench.kamailio.0.lock().unwrap().boot_id = 1;
            bench.kamailio.set_calls("conference", "c1", 1);
        }
        let nodes = [
            start(&benches[0], NODES[0], &etcd, &board),
            start(&benches[1], NODES[1], &etcd, &board),
        ];
        let leader = until_one_leads(&nodes).await;
        let other = 1 - leader;

        // Only the leader takes commands; the other node follows it.
        nodes[other].command("add", "c1").await.unwrap_err();
        nodes[leader].command("add", "c1").await.unwrap();
        let known = |status: &kamscale_agent::status::Status| {
            status.pools["conference"].members.contains_key("c1")
        };
        nodes[other].until("the other knows c1", known).await;
        assert!(leads(&nodes[leader]).await && !leads(&nodes[other]).await);
        nodes[leader]
            .until("both nodes' calls are counted", |status| {
                status.pools["conference"].members["c1"].calls == Some(2)
            })
            .await;

        nodes[leader].command("remove", "c1").await.unwrap();
        benches[leader].kamailio.set_calls("conference", "c1", 0);
        nodes[leader]
            .until("the other's call is left", |status| {
                status.pools["conference"].members["c1"].calls == Some(1)
            })
            .await;
        for _ in 0..8 {
            let status = nodes[leader].another_round().await;
            assert!(known(&status), "removed with a call on the other node");
        }

        // A silent node blocks the removal also if it had no call when it was heard last.
        benches[other].kamailio.set_calls("conference", "c1", 0);
        benches[other].kamailio.0.lock().unwrap().absent = true;
        nodes[leader]
            .until("the other is silent", |status| {
                status
                    .nodes
                    .as_ref()
                    .is_some_and(|nodes| nodes.silent.is_some())
            })
            .await;
        for _ in 0..8 {
            let status = nodes[leader].another_round().await;
            assert!(known(&status), "removed though a node was silent");
        }
        benches[other].kamailio.0.lock().unwrap().absent = false;
        nodes[leader]
            .until("c1 is gone", |status| !known(status))
            .await;
        nodes[other]
            .until("c1 is gone there, too", |status| !known(status))
            .await;
        for node in nodes {
            node.stop().await;
        }
    });
}

/// The pool's capacity is used up by calls of which each node sees its own half.
#[test]
fn no_node_lets_in_what_others_have_filled_already() {
    let Some(etcd) = Etcd::start("no_node_lets_in_what_others_have_filled_already") else {
        return;
    };
    run(async {
        let board = Board::default();
        let benches = [Bench::new(), Bench::new()];
        for bench in &benches {
            bench.kamailio.0.lock().unwrap().boot_id = 1;
        }
        let nodes = [
            start(&benches[0], NODES[0], &etcd, &board),
            start(&benches[1], NODES[1], &etcd, &board),
        ];
        let leader = until_one_leads(&nodes).await;
        nodes[leader].command("add", "c1").await.unwrap();
        let allowed = |status: &kamscale_agent::status::Status| status.features[0].allowed_per_s;
        for node in &nodes {
            let lets_in = |status: &_| allowed(status) > Some(0.0);
            node.until("an empty pool takes calls", lets_in).await;
        }
        let status = nodes[leader].status.borrow().clone();
        let capacity = status.pools["conference"].members["c1"].capacity_calls;
        for bench in &benches {
            bench
                .kamailio
                .set_calls("conference", "c1", capacity.div_ceil(2));
        }
        for node in &nodes {
            let is_closed = |status: &_| allowed(status) == Some(0.0);
            node.until("the pool is full", is_closed).await;
        }
        for node in nodes {
            node.stop().await;
        }
    });
}

#[test]
fn the_next_leader_goes_on_with_what_the_last_one_began() {
    let Some(etcd) = Etcd::start("the_next_leader_goes_on") else {
        return;
    };
    run(async {
        let board = Board::default();
        let benches = [Bench::new(), Bench::new()];
        for bench in &benches {
            bench.kamailio.0.lock().unwrap().boot_id = 1;
            bench.kamailio.set_calls("conference", "c1", 1);
        }
        let mut nodes = [
            Some(start(&benches[0], NODES[0], &etcd, &board)),
            Some(start(&benches[1], NODES[1], &etcd, &board)),
        ];
        let leader = {
            let [Some(a), Some(b)] = &nodes else {
                unreachable!()
            };
            tokio::select! {
                _ = a.until("lb1 leads", |status| status.nodes.as_ref().is_some_and(|n| n.leads)) => 0,
                _ = b.until("lb2 leads", |status| status.nodes.as_ref().is_some_and(|n| n.leads)) => 1,
            }
        };
        let first = nodes[leader].take().unwrap();
        let second = nodes[1 - leader].take().unwrap();
        first.command("add", "c1").await.unwrap();
        first.command("remove", "c1").await.unwrap();
        let draining = |status: &kamscale_agent::status::Status| {
            let members = &status.pools["conference"].members;
            members
                .get("c1")
                .is_some_and(|member| member.state == "draining")
        };
        second.until("the drain is known there", draining).await;

        // It resigns when it is stopped; its Kamailio goes on and its calls end, but nobody says so.
        first.stop().await;
        second
            .until("the other leads", |status| {
                status.nodes.as_ref().is_some_and(|n| n.leads)
            })
            .await;
        benches[1 - leader]
            .kamailio
            .set_calls("conference", "c1", 0);
        for _ in 0..8 {
            assert!(draining(&second.another_round().await));
        }
        // Its agent is back, and says that it is empty.
        benches[leader].kamailio.set_calls("conference", "c1", 0);
        let first = start(&benches[leader], NODES[leader], &etcd, &board);
        second
            .until("c1 is gone", |status| {
                status.pools["conference"].members.is_empty()
            })
            .await;
        first.stop().await;
        second.stop().await;
    });
}
