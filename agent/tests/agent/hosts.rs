//! A pool that is scaled by what the hosts of its members report, which are nodes of another instance.

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use kamscale_agent::config::Config;
use kamscale_agent::journal::now_s;
use kamscale_agent::nodes::survey::Survey;
use kamscale_agent::nodes::watch::Source;
use kamscale_agent::nodes::{NodeReport, Shares};
use kamscale_agent::services::Services;

use crate::harness::{Bench, run};

/// Agents on the hosts of members, each named by its address, as it does not know how its pool calls it.
#[derive(Debug)]
struct Hosts;

#[async_trait]
impl Source for Hosts {
    /// Of the own instance there is nobody.
    async fn read(&self, _nodes: &[String]) -> Result<Vec<NodeReport>, String> {
        Ok(Vec::new())
    }

    async fn read_hosts(&self, pool: &str, nodes: &[String]) -> Result<Vec<NodeReport>, String> {
        let hosts = nodes.iter().filter(|node| node.parse::<IpAddr>().is_ok());
        let reports = hosts.map(|node| NodeReport {
            node: node.clone(),
            at_s: now_s(),
            pool: Some(pool.to_owned()),
            shares: Some(Shares {
                cpu: 0.9,
                memory: 0.1,
                network: None,
            }),
            ..NodeReport::default()
        });
        Ok(reports.collect())
    }
}

#[test]
fn hosts_of_another_instance_that_are_full_get_more_beside_them() {
    run(async {
        let bench = Bench::new();
        bench.configure("[[pools.conference.signals]]\nkind = \"cpu\"\nfrom = \"nodes\"");
        let config = Config::load(&bench.path("agent.toml")).unwrap();
        let survey = Survey::start(&config, Some(Arc::new(Hosts)), None, None);
        let agent = bench.start_with(Services {
            survey,
            ..Services::default()
        });
        agent.until_active(3).await;
        let seen = agent.decision().input.observation.clone();
        let cpu = seen
            .signals
            .iter()
            .find(|signal| signal.kind.name() == "cpu");
        let cpu = cpu.expect("it is asked for again and again");
        assert!(cpu.reported >= Some(1) && cpu.used >= 0.9, "{cpu:?}");
        agent.stop().await;
    });
}
