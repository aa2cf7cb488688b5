//! `kamscale-agent`: configuration -> shared memory -> state -> HTTP -> control loop -> end.

#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tracing_subscriber::EnvFilter;

use kamscale_agent::config::{Config, LogFormat};
use kamscale_agent::http::{self, Shared};
use kamscale_agent::proxy::SharedMemory;
use kamscale_agent::runtime::{Agent, Control, StartError};
use kamscale_agent::services::Services;

/// The agent beside Kamailio: observes demand, plans capacity, acts.
///
/// SIGHUP reads the configuration again (a faulty one is refused and the old one stays); SIGTERM
/// ends the agent and leaves calls, pools and members alone. RUST_LOG sets the log level.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The configuration
    #[arg(long, default_value = "/etc/kamscale/agent.toml")]
    config: PathBuf,
}

/// The loop has this thread. What waits for others shares one more, however many processors there are:
/// each thread keeps memory of its own.
#[tokio::main(worker_threads = 1)]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kamscale-agent: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let config = Config::load(&arguments.config)?;
    log(config.agent.log_format);
    let (sender, controls) = mpsc::channel(64);
    // Before anything else runs: a signal must never end the agent by its default action.
    let signals = forward_signals(sender.clone())?;
    let shm_dir = &config.agent.shm_dir;
    let proxy =
        SharedMemory::open(shm_dir, &config.agent.instance).map_err(|error| StartError::Proxy {
            shm_dir: shm_dir.clone(),
            source: error.into(),
        })?;
    let listens = config.agent.listens();
    let services = Services::start(&config)?;
    let agent = Agent::start(&arguments.config, config, Box::new(proxy), services)?;
    let shared = Shared {
        pulse: agent.pulse(),
        status: agent.status(),
        journal: agent.journal(),
        controls: sender,
    };
    let servers = http::serve(&listens, shared).await?;
    notify(&[NotifyState::Ready, NotifyState::Status("serving")]);
    agent.run(controls).await;
    notify(&[NotifyState::Stopping]);
    signals.abort();
    for server in servers {
        server.abort();
    }
    Ok(())
}

fn log(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Text => log.with_ansi(false).init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
}

fn forward_signals(controls: mpsc::Sender<Control>) -> anyhow::Result<tokio::task::JoinHandle<()>> {
    let mut hangup = signal(SignalKind::hangup())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(tokio::spawn(async move {
        loop {
            let control = tokio::select! {
                _ = hangup.recv() => Control::Reload,
                _ = terminate.recv() => Control::Stop,
                _ = interrupt.recv() => Control::Stop,
            };
            if controls.send(control).await.is_err() {
                return;
            }
        }
    }))
}

/// Says nothing when systemd did not start us.
fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!("sd_notify: {error}");
    }
}
