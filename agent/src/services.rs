//! Services: what the control loop reaches beyond this machine, each only if it is configured.
//!
//! It prepares and starts; it asks and decides nothing.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::cloud::{Cloud, CloudError, Keystone, Traffic};
use crate::config::{Config, NodeSource};
use crate::dns::{Dns, Names};
use crate::gnocchi;
use crate::inventory::Keeper;
use crate::journal::now_s;
use crate::lease::{Lease, LeaseError, Tables};
use crate::nodes::host::Host;
use crate::nodes::lead::Lead;
use crate::nodes::roster::Roster;
use crate::nodes::survey::Survey;
use crate::nodes::watch::{Sink, Source, Watch};
use crate::nodes::{Expected, MemberCalls, NodeReport, Nodes};
use crate::prometheus::{Prometheus, PrometheusError};

/// What the control loop reaches beyond this machine.
#[derive(Debug, Default)]
pub struct Services {
    /// OpenStack.
    pub cloud: Option<Arc<dyn Cloud>>,
    /// What was asked of it.
    pub traffic: Option<Traffic>,
    /// The host where the agent runs.
    pub host: Option<Host>,
    /// The lease of the node that decides.
    pub lead: Option<Lead>,
    /// Where this node's reports go.
    pub sink: Option<Arc<dyn Sink>>,
    /// The reports of the other nodes.
    pub watch: Option<Watch>,
    /// Signals that are asked for.
    pub survey: Option<Survey>,
    /// The members of all pools.
    pub inventory: Option<Keeper>,
    /// Host names that are looked up.
    pub names: Option<Names>,
}

/// Why something cannot be reached at all; what is away for a while is no error here.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// OpenStack: clouds.yaml or `OS_*`.
    #[error(transparent)]
    Cloud(#[from] CloudError),
    /// etcd.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// Prometheus.
    #[error(transparent)]
    Prometheus(#[from] PrometheusError),
}

impl Services {
    /// Prepares what a configuration names, and starts the tasks of it.
    ///
    /// # Errors
    /// [`ServiceError`], before any task was started.
    pub fn start(config: &Config) -> Result<Services, ServiceError> {
        let keystone = config.needs_cloud().then(|| Keystone::new(&config.cloud));
        let keystone = keystone.transpose()?.map(Arc::new);
        let traffic = keystone.as_ref().map(|keystone| keystone.traffic());
        let cloud = keystone.map(|keystone| keystone as Arc<dyn Cloud>);
        let name = config.nodes.name();
        let lease = config.lease.as_ref();
        let lease = lease.map(|lease| Lease::new(lease, &name, &config.agent.instance));
        let lease = lease.transpose()?;
        let tables = config.lease.as_ref().filter(|_| config.inventory.is_some());
        let tables = tables.map(Tables::new).transpose()?;
        let prometheus = config.prometheus.as_ref().map(Prometheus::new);
        let prometheus = prometheus.transpose()?.map(Arc::new);
        let source = source(config, cloud.as_ref(), prometheus.as_ref());
        let others = source.clone().filter(|_| config.nodes.are_several());
        let inventory = inventory(config, tables);
        let roster = roster(config, inventory.as_ref());
        let watch = others.map(|source| {
            let mut nodes = Nodes::new(&[], &name, config.nodes.max_age_s);
            nodes.expect(&roster.now());
            // A node reports once a second at most, and what is read between two rounds is never looked at.
            let read_every = Duration::from_secs_f64(config.agent.interval_s.max(1.0));
            Watch::start(source, roster, nodes, read_every)
        });
        let survey = Survey::start(config, source, prometheus, cloud.clone());
        let keep_every = config.lease.as_ref().map_or(1.0, |lease| lease.ttl_s / 3.0);
        Ok(Services {
            inventory,
            host: config.host.clone().map(Host::new),
            lead: lease.map(|lease| Lead::start(lease, Duration::from_secs_f64(keep_every))),
            sink: gnocchi(config, cloud.as_ref()),
            names: Some(Names::start(
                Arc::new(Dns::new(config.dns.servers())),
                config.dns.pace(),
            )),
            survey,
            watch,
            cloud,
            traffic,
        })
    }
}

/// Keeps the inventory's file, from now on.
fn inventory(config: &Config, tables: Option<Tables>) -> Option<Keeper> {
    let section = config.inventory.as_ref()?;
    let file = section.file.clone();
    Some(match tables {
        Some(tables) => Keeper::follow(tables, section.instances.clone(), file),
        None => Keeper::list(&config.agent.instance, file),
    })
}

/// Which nodes share the pools.
fn roster(config: &Config, inventory: Option<&Keeper>) -> Roster {
    match (&config.nodes.pool, inventory) {
        (Some(pool), Some(inventory)) => Roster::Pool {
            pool: pool.clone(),
            own: config.nodes.name(),
            known: inventory.subscribe(),
        },
        _ => Roster::Fixed(Expected::all(&config.nodes.all)),
    }
}

/// Sends reports to Gnocchi, from now on.
fn gnocchi(config: &Config, cloud: Option<&Arc<dyn Cloud>>) -> Option<Arc<dyn Sink>> {
    config.gnocchi.as_ref().filter(|gnocchi| gnocchi.publish)?;
    let sink = gnocchi::Sink::new(&config.agent.instance);
    tokio::spawn(sink.clone().run(cloud?.clone()));
    Some(sink)
}

/// Where the reports of nodes are read, if there are others, or if members' hosts are asked.
fn source(
    config: &Config,
    cloud: Option<&Arc<dyn Cloud>>,
    prometheus: Option<&Arc<Prometheus>>,
) -> Option<Arc<dyn Source>> {
    match config.nodes.source {
        NodeSource::Gnocchi => {
            config.gnocchi.as_ref()?;
            Some(Arc::new(FromGnocchi {
                cloud: cloud?.clone(),
                instance: config.agent.instance.clone(),
            }))
        }
        NodeSource::Prometheus => Some(Arc::new(FromPrometheus {
            prometheus: prometheus?.clone(),
            own: config.nodes.name(),
        })),
    }
}

impl Sink for gnocchi::Sink {
    fn push(&self, report: &NodeReport, members: &mut MemberCalls<'_>) {
        gnocchi::Sink::push(self, report, members);
    }

    fn problem(&self) -> Option<String> {
        self.report(now_s()).problem
    }
}

/// Reports of nodes that send them to Gnocchi.
#[derive(Debug)]
struct FromGnocchi {
    cloud: Arc<dyn Cloud>,
    instance: String,
}

#[async_trait]
impl Source for FromGnocchi {
    async fn read(&self, nodes: &[String]) -> Result<Vec<NodeReport>, String> {
        let reports = gnocchi::read_nodes(self.cloud.as_ref(), &self.instance, nodes).await;
        reports.map_err(|error| error.to_string())
    }

    async fn read_hosts(&self, pool: &str, nodes: &[String]) -> Result<Vec<NodeReport>, String> {
        let reports = gnocchi::read_hosts(self.cloud.as_ref(), pool, nodes).await;
        reports.map_err(|error| error.to_string())
    }
}

/// Reports of nodes that Prometheus scrapes.
#[derive(Debug)]
struct FromPrometheus {
    prometheus: Arc<Prometheus>,
    own: String,
}

#[async_trait]
impl Source for FromPrometheus {
    async fn read(&self, _nodes: &[String]) -> Result<Vec<NodeReport>, String> {
        let reports = self.prometheus.read_nodes(&self.own, now_s()).await;
        reports.map_err(|error| error.to_string())
    }
}
