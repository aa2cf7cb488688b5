//! HTTP on unix sockets and loopback: what people and machines read and ask.
//!
//! Handlers ask the loop for its report and hand commands to it; they never touch the state.

mod api;
mod metrics;
mod origin;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::config::Listen;
use crate::journal::Journal;
use crate::runtime::Control;
use crate::status::{Pulse, Status};

/// A status older than this means that the loop hangs.
const LOOP_ALIVE: Duration = Duration::from_secs(30);
/// How long the loop may take to report.
const REPORT_PATIENCE: Duration = Duration::from_secs(5);

/// What handlers may use.
#[derive(Debug, Clone)]
pub struct Shared {
    /// The loop's sign of life.
    pub pulse: watch::Receiver<Pulse>,
    /// What the loop reports when it is asked.
    pub status: watch::Receiver<Arc<Status>>,
    /// Events.
    pub journal: Journal,
    /// The way to the loop.
    pub controls: mpsc::Sender<Control>,
}

impl Shared {
    /// What the loop reports now; of one that hangs, what it reported last.
    async fn status(&self) -> Arc<Status> {
        let mut reported = self.status.clone();
        reported.mark_unchanged();
        let asked = async {
            if self.controls.send(Control::Report).await.is_ok() {
                // It fails when the loop ends: then this is the last report, too.
                let _ = reported.changed().await;
            }
        };
        let _ = timeout(REPORT_PATIENCE, asked).await;
        self.status.borrow().clone()
    }
}

/// All routes.
pub fn router(shared: Shared) -> Router {
    api::routes().merge(metrics::routes()).with_state(shared)
}

/// Listens on every address and serves in the background.
///
/// # Errors
/// An address that cannot be had, with the remedy.
pub async fn serve(listens: &[Listen], shared: Shared) -> anyhow::Result<Vec<JoinHandle<()>>> {
    let mut servers = Vec::new();
    for listen in listens {
        let router = router(shared.clone());
        servers.push(match listen {
            Listen::Tcp(address) => {
                let listener = TcpListener::bind(address).await.with_context(|| {
                    format!("cannot listen on {address}; change `listen` in section [agent]")
                })?;
                let router = router.layer(axum::middleware::from_fn(origin::check));
                tokio::spawn(async move { served(axum::serve(listener, router).await) })
            }
            Listen::Unix(path) => {
                let listener = unix(path).await?;
                tokio::spawn(async move { served(axum::serve(listener, router).await) })
            }
        });
    }
    Ok(servers)
}

fn served(result: std::io::Result<()>) {
    if let Err(error) = result {
        tracing::error!("HTTP: {error}");
    }
}

/// A socket file that nobody answers was left by an agent that was killed: it is replaced.
async fn unix(path: &Path) -> anyhow::Result<UnixListener> {
    let shown = path.display();
    if UnixStream::connect(path).await.is_ok() {
        anyhow::bail!("another agent answers on {shown}; stop it, or change `listen`");
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot replace {shown}"));
        }
        _ => {}
    }
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    }
    let listener = UnixListener::bind(path)
        .with_context(|| format!("cannot listen on {shown}; its directory must be writable"))?;
    // The group may use it: it is as powerful as the command line.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))
        .with_context(|| format!("cannot set the mode of {shown}"))?;
    Ok(listener)
}
