//! The command line `kamscale`: asks the agent and prints the answer.
//!
//! It holds no state and decides nothing; all but `check`, `cloud`, `inventory` and `simulate` goes through the agent's API.

mod causes;
mod client;
mod cloud;
mod explain;
mod inventory;
mod members;
mod plans;
mod pools;
mod show;
mod simulate;
mod table;
mod top;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use serde_json::{Value, json};

use crate::config::{Config, describe};
use client::Client;

/// Exit codes, as documented in `--help`.
mod exit {
    pub(super) const REFUSED: u8 = 1;
    pub(super) const UNREACHABLE: u8 = 3;
    pub(super) const INVALID: u8 = 4;
}

/// Elastic pools for Kamailio: what they are doing, and what they shall do.
#[derive(Debug, Parser)]
#[command(name = "kamscale", version, after_help = EXIT_CODES)]
pub struct Cli {
    /// Where the agent listens: unix:/PATH or a loopback address as 127.0.0.1:9130
    #[arg(
        long,
        global = true,
        env = "KAMSCALE_SOCKET",
        default_value = "unix:/run/kamscale/agent.sock"
    )]
    socket: String,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 the agent refused, 2 wrong usage, \
                          3 the agent cannot be reached, 4 the configuration is not valid";

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the agent, Kamailio and all pools
    Status,
    /// Look at pools
    #[command(subcommand)]
    Pool(PoolCommand),
    /// Change members by hand
    #[command(subcommand)]
    Member(MemberCommand),
    /// Show decisions: of now, lately, or again from an audit file
    Plan(plans::PlanArguments),
    /// Say what a pool does and why, on one page
    Explain {
        /// Its name
        pool: String,
    },
    /// Let nobody scale a pool until it is resumed, also over restarts
    Pause(pools::PoolOrAll),
    /// Take a pause back
    Resume(pools::PoolOrAll),
    /// Bring a measurement: cpu, memory, network (in members' worth) or waiting (callers)
    Signal(pools::SignalArguments),
    /// Watch pools until q or Ctrl-C
    Top,
    /// Show the newest events
    Events {
        /// How many
        #[arg(long, default_value_t = 20)]
        limit: usize,
    },
    /// Compare policies in a simulation; needs no agent
    Simulate(Box<simulate::SimulateArguments>),
    /// Prepare or try OpenStack; needs no agent
    #[command(subcommand)]
    Cloud(cloud::CloudCommand),
    /// Look at the members of all pools, or keep their file; needs no agent
    #[command(subcommand)]
    Inventory(inventory::InventoryCommand),
    /// Check a configuration and say what it means
    Check {
        /// The file
        #[arg(long, default_value = "/etc/kamscale/agent.toml")]
        config: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
enum PoolCommand {
    /// List all pools
    List,
    /// Show one pool, its members and its last decision
    Show {
        /// Its name
        pool: String,
    },
}

#[derive(Debug, Subcommand)]
enum MemberCommand {
    /// Add a member that somebody else runs
    Add(Box<members::NewMember>),
    /// Change weight, capacity and others of a member; without any: as it is configured again
    Set(Box<members::MemberValues>),
    /// No new requests; calls go on and the member stays
    Drain(Which),
    /// Requests again
    Resume(Which),
    /// Drain a member and remove it when it is empty
    Remove {
        #[command(flatten)]
        which: Which,
        /// At once, with its calls
        #[arg(long)]
        now: bool,
    },
}

#[derive(Debug, Args)]
struct Which {
    /// Its pool
    pool: String,
    /// Its name
    name: String,
}

/// Why a command failed: the exit code, and words with the remedy.
#[derive(Debug)]
pub struct Failure {
    /// The process's exit code.
    pub code: u8,
    /// For stderr.
    pub message: String,
}

impl Failure {
    /// The failure as the API words errors, for `--json`.
    pub fn json(&self) -> Value {
        json!({"error": {"exit_code": self.code, "message": self.message}})
    }
}

impl Cli {
    /// Whether answers and failures are wanted as JSON.
    pub fn json(&self) -> bool {
        self.json
    }
}

/// Carries the command out and answers what to print.
///
/// # Errors
/// [`Failure`].
pub async fn run(cli: Cli) -> Result<String, Failure> {
    let client = Client::new(&cli.socket);
    let (value, text) = match cli.command {
        Command::Check { config } => check(&config)?,
        Command::Cloud(command) => cloud::cloud(command).await?,
        Command::Inventory(command) => inventory::inventory(command).await?,
        Command::Simulate(arguments) => simulate::simulate(&arguments)?,
        Command::Status => {
            let value = client.get("/api/v1/status").await?;
            let text = show::status(&value);
            (value, text)
        }
        Command::Pool(PoolCommand::List) => {
            let value = client.get("/api/v1/pools").await?;
            let text = show::pools(&value);
            (value, text)
        }
        Command::Pool(PoolCommand::Show { pool }) => {
            let value = client.get(&format!("/api/v1/pools/{pool}")).await?;
            let text = show::pool(&pool, &value);
            (value, text)
        }
        Command::Plan(arguments) => plans::plan(&client, arguments).await?,
        Command::Explain { pool } => pools::explain(&client, &pool).await?,
        Command::Pause(which) => pools::pause(&client, "pause", which).await?,
        Command::Resume(which) => pools::pause(&client, "resume", which).await?,
        Command::Signal(arguments) => pools::signal(&client, arguments).await?,
        Command::Top => return top::top(&client).await,
        Command::Events { limit } => {
            let value = client.get(&format!("/api/v1/events?limit={limit}")).await?;
            let text = show::events(&value);
            (value, text)
        }
        Command::Member(command) => {
            let (action, body) = member_request(command);
            let value = client
                .post(&format!("/api/v1/members/{action}"), &body)
                .await?;
            let text = value["message"].as_str().unwrap_or_default().to_owned();
            (value, text)
        }
    };
    Ok(if cli.json {
        format!("{value:#}")
    } else {
        text.trim_end().to_owned()
    })
}

fn member_request(command: MemberCommand) -> (&'static str, Value) {
    let which = |which: Which| json!({"pool": which.pool, "name": which.name});
    match command {
        MemberCommand::Add(member) => ("add", member.body()),
        MemberCommand::Set(member) => ("set", member.body()),
        MemberCommand::Drain(member) => ("drain", which(member)),
        MemberCommand::Resume(member) => ("resume", which(member)),
        MemberCommand::Remove { which: member, now } => {
            let mut body = which(member);
            body["now"] = now.into();
            ("remove", body)
        }
    }
}

fn check(file: &std::path::Path) -> Result<(Value, String), Failure> {
    match Config::load(file) {
        Ok(config) => {
            let meaning = describe(&config);
            let value =
                json!({"valid": true, "file": file.display().to_string(), "meaning": meaning});
            Ok((value, format!("{}: valid\n{meaning}", file.display())))
        }
        Err(error) => Err(Failure {
            code: exit::INVALID,
            message: error.to_string(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[tokio::test]
    async fn an_agent_that_does_not_run_is_told_with_the_remedy() {
        let cli = Cli::parse_from(["kamscale", "--socket", "unix:/nonexistent/sock", "status"]);
        let failure = run(cli).await.unwrap_err();
        assert_eq!(failure.code, exit::UNREACHABLE);
        assert!(
            failure.message.contains("systemctl start kamscale-agent"),
            "{failure:?}"
        );
    }
}
