//! `kamscale inventory`: shows the members of all pools, or keeps their file on a host without an agent.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use sd_notify::NotifyState;
use serde_json::{Value, json};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::table::{aligned, columns};
use super::{Failure, exit};
use crate::config::LeaseConfig;
use crate::inventory::{Keeper, Known, read};
use crate::lease::Tables;

const FILE: &str = "/var/lib/kamscale/inventory.json";

#[derive(Debug, Subcommand)]
pub(super) enum InventoryCommand {
    /// Show the members of all pools, as the file has them
    Show {
        /// The file
        #[arg(long, default_value = FILE)]
        file: PathBuf,
    },
    /// Keep the file as the instances store their pools in etcd, until SIGTERM; for hosts without an agent
    Follow(Box<FollowArguments>),
}

#[derive(Debug, Args)]
pub(super) struct FollowArguments {
    /// A server of etcd, as `https://etcd1.example.net:2379`; more of them by further options or commas
    #[arg(long, required = true, value_delimiter = ',', env = "KAMSCALE_ETCD")]
    etcd: Vec<String>,
    /// Where all keys begin, as in the agents' section `lease`
    #[arg(long, default_value = "/kamscale", env = "KAMSCALE_ETCD_PREFIX")]
    prefix: String,
    /// An instance whose pools count; without any all that store some
    #[arg(long = "instance", value_delimiter = ',', env = "KAMSCALE_INSTANCES")]
    instances: Vec<String>,
    /// The file
    #[arg(long, default_value = FILE)]
    file: PathBuf,
    /// The etcd user; it needs to read below the prefix
    #[arg(long, requires = "password_file", env = "KAMSCALE_ETCD_USER")]
    user: Option<String>,
    /// The file with the user's password
    #[arg(long, requires = "user", env = "KAMSCALE_ETCD_PASSWORD_FILE")]
    password_file: Option<PathBuf>,
    /// The certificate authority of the servers (PEM); without it those of the system
    #[arg(long, env = "KAMSCALE_ETCD_CA_FILE")]
    ca_file: Option<PathBuf>,
    /// The own certificate (PEM), if etcd asks for one
    #[arg(long, requires = "key_file", env = "KAMSCALE_ETCD_CERTIFICATE_FILE")]
    certificate_file: Option<PathBuf>,
    /// The key of the certificate (PEM)
    #[arg(long, requires = "certificate_file", env = "KAMSCALE_ETCD_KEY_FILE")]
    key_file: Option<PathBuf>,
}

pub(super) async fn inventory(command: InventoryCommand) -> Result<(Value, String), Failure> {
    match command {
        InventoryCommand::Show { file } => show(&file),
        InventoryCommand::Follow(arguments) => follow(*arguments).await,
    }
}

fn show(file: &Path) -> Result<(Value, String), Failure> {
    let refused = |message: String| Failure {
        code: exit::REFUSED,
        message,
    };
    let inventory = read(file).map_err(|error| refused(error.to_string()))?;
    let Some(inventory) = inventory else {
        return Err(refused(format!(
            "there is no inventory {}; an agent with an [inventory] section writes it, or `kamscale \
             inventory follow`",
            file.display()
        )));
    };
    let pools = inventory.pools();
    let mut rows = vec![columns([
        "POOL", "MEMBER", "ADDRESS", "PORT", "STATE", "WEIGHT", "CAPACITY", "URI",
    ])];
    for (pool, entries) in &pools {
        for (name, entry) in entries {
            rows.push(vec![
                pool.clone(),
                name.clone(),
                entry.address.to_string(),
                entry.port.to_string(),
                entry.state.name().to_owned(),
                entry.weight.to_string(),
                entry.capacity_calls.to_string(),
                entry.uri.clone(),
            ]);
        }
    }
    Ok((json!(pools), aligned(&rows)))
}

async fn follow(arguments: FollowArguments) -> Result<(Value, String), Failure> {
    let invalid = |message: String| Failure {
        code: exit::INVALID,
        message,
    };
    let lease = LeaseConfig {
        endpoints: arguments.etcd,
        prefix: arguments.prefix,
        user: arguments.user,
        password_file: arguments.password_file,
        ca_file: arguments.ca_file,
        certificate_file: arguments.certificate_file,
        key_file: arguments.key_file,
        ..LeaseConfig::default()
    };
    lease.check().map_err(invalid)?;
    let tables = Tables::new(&lease).map_err(|error| invalid(error.to_string()))?;
    let ends = |kind| signal(kind).map_err(|error| invalid(error.to_string()));
    let mut ends = [
        ends(SignalKind::terminate())?,
        ends(SignalKind::interrupt())?,
    ];
    let mut keeper = Keeper::follow(tables, arguments.instances, arguments.file);
    // Not only once etcd answers: while it is away, the file of before is what there is.
    notify(&[NotifyState::Ready]);
    let mut before = Known::default();
    loop {
        tokio::select! {
            () = keeper.changed() => {}
            () = asked_to_end(&mut ends) => break,
        }
        let known = keeper.known();
        tell(&before, &known);
        before = known;
    }
    notify(&[NotifyState::Stopping]);
    Ok((Value::Null, String::new()))
}

async fn asked_to_end([terminate, interrupt]: &mut [Signal; 2]) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// What is new, for the log.
fn tell(before: &Known, known: &Known) {
    if known.written != before.written {
        let members: usize = known
            .inventory
            .pools()
            .values()
            .map(|pool| pool.len())
            .sum();
        eprintln!("kamscale: the inventory was replaced; it has {members} members");
    }
    if known.problem == before.problem {
        return;
    }
    match &known.problem {
        Some(problem) => {
            eprintln!("kamscale: the inventory stays as it is: {problem}");
            notify(&[NotifyState::Status(problem)]);
        }
        None => {
            eprintln!("kamscale: the inventory follows again");
            notify(&[NotifyState::Status("following")]);
        }
    }
}

/// Says nothing when systemd did not start us.
fn notify(states: &[NotifyState<'_>]) {
    let _ = sd_notify::notify(states);
}
