//! `kamscale cloud`: prepares and tries OpenStack from the shell. It needs no agent and changes no pool.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{Failure, exit};
use crate::cloud::{Cloud, Keystone};
use crate::config::{CloudConfig, Config, HeatActuator};
use crate::gnocchi;
use crate::heat::Heat;

#[derive(Debug, Subcommand)]
pub(super) enum CloudCommand {
    /// Make Gnocchi's archive policy and resource types; once, as an administrator
    Prepare(PrepareArguments),
    /// Try what a configuration needs of OpenStack: credentials, stacks, Gnocchi
    Check {
        /// The configuration
        #[arg(long, default_value = "/etc/kamscale/agent.toml")]
        config: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(super) struct PrepareArguments {
    /// An administrator's cloud in clouds.yaml; without it OS_CLOUD or the OS_* variables
    #[arg(long)]
    cloud: Option<String>,
    /// One request may take so many seconds
    #[arg(long, default_value_t = 30.0)]
    timeout_s: f64,
}

pub(super) async fn cloud(command: CloudCommand) -> Result<(Value, String), Failure> {
    match command {
        CloudCommand::Prepare(arguments) => prepare(arguments).await,
        CloudCommand::Check { config } => check(&config).await,
    }
}

async fn prepare(arguments: PrepareArguments) -> Result<(Value, String), Failure> {
    let keystone = Keystone::new(&CloudConfig {
        name: arguments.cloud,
        timeout_s: arguments.timeout_s,
    })
    .map_err(refused)?;
    let made = gnocchi::prepare(&keystone).await.map_err(refused)?;
    let text = match made.is_empty() {
        true => "everything is there already".to_owned(),
        false => format!("made: {}", made.join(", ")),
    };
    Ok((json!({"made": made}), text))
}

/// Asks for everything even if something fails, so that all of it is told at once.
async fn check(file: &Path) -> Result<(Value, String), Failure> {
    let config = Config::load(file).map_err(|error| Failure {
        code: exit::INVALID,
        message: error.to_string(),
    })?;
    if !config.needs_cloud() {
        let text = format!("{}: needs nothing of OpenStack", file.display());
        return Ok((json!({"needed": false}), text));
    }
    let keystone = Keystone::new(&config.cloud).map_err(refused)?;
    let cloud: Arc<dyn Cloud> = Arc::new(keystone);
    let mut found = Vec::new();
    let mut problems = Vec::new();
    for (what, result) in stacks(&config, &cloud).await {
        match result {
            Ok(()) => found.push(what),
            Err(problem) => problems.push(problem),
        }
    }
    if config.gnocchi.is_some() {
        match gnocchi::check(cloud.as_ref()).await {
            Ok(()) => found.push("Gnocchi is prepared".to_owned()),
            Err(error) => problems.push(error.to_string()),
        }
    }
    if problems.is_empty() {
        let text = found.join("\n");
        return Ok((json!({"needed": true, "found": found}), text));
    }
    Err(refused(problems.join("\n")))
}

/// The group's stack of each pool.
async fn stacks(config: &Config, cloud: &Arc<dyn Cloud>) -> Vec<(String, Result<(), String>)> {
    let heat = Heat::new(cloud.clone());
    let mut results = Vec::new();
    for pool in config.pools.keys() {
        let Some(section) = config.heat_of(pool) else {
            continue;
        };
        let name = &section.stack;
        let result = heat.find(name).await;
        let per_member = section.actuator == HeatActuator::StackPerMember;
        let what = format!("pool {pool}: stack {name}");
        results.push(match result {
            Err(error) => (what, Err(format!("pool {pool}: {error}"))),
            Ok(None) if !per_member => {
                let problem = format!(
                    "pool {pool}: there is no stack {name}; create it from one of the templates in \
                     heat/, or correct `stack` in [pools.{pool}.heat]"
                );
                (what, Err(problem))
            }
            Ok(_) if per_member => (format!("pool {pool}: Heat answers"), Ok(())),
            Ok(_) => (what, Ok(())),
        });
    }
    results
}

fn refused(error: impl std::fmt::Display) -> Failure {
    Failure {
        code: exit::REFUSED,
        message: error.to_string(),
    }
}
