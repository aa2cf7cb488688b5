//! Start: from files to a loop that goes on where the last one ended.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use tokio::sync::watch;

use super::{Agent, inventory::Listing, names::NameBook, nodes::Together, tasks::Tasks};
use crate::actuator::{Actuator, Handle, Local, Manual, Order, heat};
use crate::cloud::Cloud;
use crate::config::{Config, ConfigError, Decider};
use crate::journal::{Event, Journal, now_s};
use crate::observe::{Counts, Pushed, Rates, Seen};
use crate::proxy::Proxy;
use crate::services::Services;
use crate::state::{self, Stage, State, StateError};
use crate::status::{Pulse, Status};

/// Why the agent did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The state file.
    #[error(transparent)]
    State(#[from] StateError),
    /// The table in shared memory.
    #[error("{shm_dir}: {source}; one agent per instance, and shm_dir must be writable")]
    Proxy {
        /// The directory.
        shm_dir: std::path::PathBuf,
        /// What is wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// State and configuration contradict each other.
    #[error("{0}")]
    Reconcile(String),
}

impl Agent {
    /// Loads everything; publishes and decides nothing yet.
    ///
    /// # Errors
    /// [`StartError`]; the table in shared memory is left as it is.
    pub fn start(
        config_file: &Path,
        config: Config,
        proxy: Box<dyn Proxy>,
        services: Services,
    ) -> Result<Agent, StartError> {
        let now_s = now_s();
        let journal = Journal::new(config.agent.audit_file.clone());
        let actuators = actuators(&config, services.cloud.as_ref());
        let state = restore(&config, proxy.as_ref(), &actuators, &journal, now_s)?;
        let (pulse, _) = watch::channel(Pulse::default());
        let (status, _) = watch::channel(Arc::new(Status::default()));
        let mut agent = Agent {
            config_file: config_file.into(),
            fresh: config.subjects().into_iter().collect(),
            config,
            state,
            saved: None,
            tabled: None,
            proxy,
            actuators,
            together: Together::default(),
            listing: Listing::default(),
            name_book: NameBook::default(),
            shares: None,
            services,
            journal,
            rates: Rates::default(),
            counts: Counts::default(),
            pushed: Pushed::default(),
            intakes: BTreeMap::new(),
            allowed: BTreeMap::new(),
            seen: Seen::new(Err("nothing was seen yet".into())),
            names: Vec::new(),
            recorded: BTreeMap::new(),
            decisions: BTreeMap::new(),
            creations: BTreeMap::new(),
            unconfirmed: BTreeSet::new(),
            ready: BTreeSet::new(),
            joined: BTreeSet::new(),
            looked_s: BTreeMap::new(),
            cloud_problems: BTreeMap::new(),
            survey_problems: BTreeMap::new(),
            tasks: Tasks::default(),
            applied_generation: 0,
            last_problem: None,
            last_boot_id: None,
            last_publish_error: None,
            started_s: now_s,
            pulse,
            status,
        };
        let config = agent.config.clone();
        agent
            .reconcile(&config, now_s)
            .map_err(StartError::Reconcile)?;
        agent.adopt(now_s);
        let members: usize = agent
            .state
            .pools
            .values()
            .map(|pool| pool.members.len())
            .sum();
        agent.journal.record(
            Event::new("agent_started")
                .with("version", env!("CARGO_PKG_VERSION"))
                .with("instance", agent.config.agent.instance.as_str())
                .with("generation", agent.proxy.generation())
                .with("members", members),
        );
        Ok(agent)
    }

    /// Members that were in the middle of something when the last agent ended.
    fn adopt(&mut self, now_s: f64) {
        let mut lost = Vec::new();
        for (pool, state) in &mut self.state.pools {
            let Some(actuator) = self.actuators.get(pool) else {
                continue;
            };
            for (name, member) in &mut state.members {
                if let Handle::Process {
                    process: None,
                    address,
                } = member.handle
                {
                    // The crash came between the start and the note of it: look what is true.
                    let order = Order {
                        pool: pool.clone(),
                        name: name.clone(),
                        address: Some(address),
                        unit: None,
                    };
                    match actuator.find(&order) {
                        Some(handle) => member.handle = handle,
                        None => lost.push((pool.clone(), name.clone())),
                    }
                }
                if member.stage == Stage::Booting && member.handle == Handle::Manual {
                    member.enter(Stage::Active, now_s);
                }
            }
        }
        for (pool, name) in lost {
            let why = "it was ordered, but never started, when the last agent ended";
            self.journal
                .record(Event::new("member_failed").member(&pool, &name).reason(why));
            self.lose(&pool, &name, now_s);
        }
    }
}

/// One actuator per pool.
pub(super) fn actuators(
    config: &Config,
    cloud: Option<&Arc<dyn Cloud>>,
) -> BTreeMap<String, Arc<dyn Actuator>> {
    let state_dir = config.agent.state_file.parent().unwrap_or(Path::new("."));
    let log_dir = state_dir.join("members");
    let instance = &config.agent.instance;
    let actuators = config.pools.iter().map(|(name, pool)| {
        let heat = config.heat_of(name).zip(cloud);
        let actuator: Arc<dyn Actuator> = match (&pool.local, heat) {
            (Some(local), _) => Arc::new(Local::new(instance, local.clone(), &log_dir)),
            (None, Some((heat, cloud))) => {
                let unit = config.stack_of(name).map(|(_, stack)| stack.pools.clone());
                let aodh = config.decider(name) == Decider::Aodh;
                heat::build(name, instance, heat, unit, aodh, cloud.clone())
            }
            (None, None) => Arc::new(Manual),
        };
        (name.clone(), actuator)
    });
    actuators.collect()
}

/// The state of the last agent; rebuilt from what is in force and what runs, if it is lost.
fn restore(
    config: &Config,
    proxy: &dyn Proxy,
    actuators: &BTreeMap<String, Arc<dyn Actuator>>,
    journal: &Journal,
    now_s: f64,
) -> Result<State, StateError> {
    let file = &config.agent.state_file;
    let problem = match state::load(file, &config.agent.instance) {
        Ok(Some(state)) => return Ok(state),
        Ok(None) => None,
        Err(error @ StateError::Corrupt { .. }) => {
            let aside = state::set_aside(file, now_s)?;
            tracing::error!(
                "{error}; it was moved to {}, and the state is rebuilt from the table in shared \
                 memory and the processes that run. Nothing in the table was changed; look at it \
                 with `kamscale status`",
                aside.display()
            );
            Some(error.to_string())
        }
        Err(error) => return Err(error),
    };
    let state = state::rebuild(config, proxy.published(), actuators, now_s);
    let members: usize = state.pools.values().map(|pool| pool.members.len()).sum();
    if problem.is_some() || members > 0 {
        let reason = problem.unwrap_or_else(|| "there was no state file".into());
        journal.record(
            Event::new("state_rebuilt")
                .reason(reason)
                .with("members", members),
        );
    }
    Ok(state)
}
