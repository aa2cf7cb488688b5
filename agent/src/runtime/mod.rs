//! The control loop: observe, plan, act, publish, once per interval and at every event between.
//!
//! It is the only writer of the state and of the table, and the only place that retries. Work that
//! takes time runs in tasks ([`tasks`]) and comes back as an outcome. When it ends, the table, the
//! calls and the member processes stay as they are.

mod act;
mod admit;
mod boot;
mod command;
mod decide;
mod inventory;
mod look;
mod names;
mod nodes;
mod operate;
mod reconcile;
mod report;
mod round;
mod set;
mod stack;
mod start;
mod survey;
mod tasks;
mod tell;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::MissedTickBehavior;

use crate::actuator::Actuator;
use crate::admission::Intake;
use crate::config::Config;
use crate::journal::{Event, Journal, now_s};
use crate::nodes::Shares;
use crate::nodes::lead::Lead;
use crate::observe::{Counts, Creations, Pushed, Rates, Seen};
use crate::plan::Quality;
use crate::proxy::Proxy;
use crate::services::Services;
use crate::state::{State, Tabled};
use crate::status::{Pulse, Status};

pub use command::{Command, CommandError, MemberRequest};
pub use operate::SignalRequest;
pub use start::StartError;

/// What the outside asks of the loop.
#[derive(Debug)]
pub enum Control {
    /// Read the configuration again (SIGHUP).
    Reload,
    /// Report everything: somebody looks.
    Report,
    /// End; leave table, calls and members alone (SIGTERM).
    Stop,
    /// A command of an operator, with where its answer goes.
    Command(Box<Command>, oneshot::Sender<Result<String, CommandError>>),
}

/// The loop and everything that it owns.
pub struct Agent {
    config_file: PathBuf,
    config: Config,
    state: State,
    saved: Option<(State, f64)>,
    /// The members of the table that was published last.
    tabled: Option<Tabled>,
    proxy: Box<dyn Proxy>,
    /// What is reached beyond this machine.
    services: Services,
    actuators: BTreeMap<String, Arc<dyn Actuator>>,
    journal: Journal,
    rates: Rates,
    counts: Counts,
    pushed: Pushed,
    intakes: BTreeMap<String, Intake>,
    /// Requests per second that are let in, by feature.
    allowed: BTreeMap<String, f64>,
    seen: Seen,
    /// Names in decisions that nobody needs any more, to be written over in the next ones.
    names: Vec<String>,
    /// What was last put on record about each pool.
    recorded: BTreeMap<String, decide::Recorded>,
    /// How often each action was decided, by pool, action and cause: of few kinds in each pool.
    decisions: BTreeMap<String, decide::Counted>,
    creations: BTreeMap<String, Creations>,
    /// Members (pool, name) of which nobody knows whether they were created.
    unconfirmed: BTreeSet<(String, String)>,
    /// Machines (pool, name) that answer and wait for the others of their stack.
    ready: BTreeSet<(String, String)>,
    together: nodes::Together,
    listing: inventory::Listing,
    /// What is known of the host names in members' URIs.
    name_book: names::NameBook,
    /// How much of this host is used, if it is measured.
    shares: Option<Shares>,
    /// Members (pool, name) that were found booted, or booting.
    joined: BTreeSet<(String, String)>,
    /// When each pool of a shared actuator was looked at last, in unix seconds.
    looked_s: BTreeMap<String, f64>,
    /// Why a pool's actuator cannot be reached, if so.
    cloud_problems: BTreeMap<String, String>,
    /// Why a signal (pool, kind) cannot be had, if so.
    survey_problems: BTreeMap<(String, &'static str), String>,
    /// Pools about which nothing was decided since the agent started.
    fresh: BTreeSet<String>,
    tasks: tasks::Tasks,
    applied_generation: u64,
    /// The last word on Kamailio; `None` before the first.
    last_problem: Option<Option<String>>,
    last_boot_id: Option<u64>,
    last_publish_error: Option<String>,
    started_s: f64,
    pulse: watch::Sender<Pulse>,
    status: watch::Sender<Arc<Status>>,
}

impl std::fmt::Debug for Agent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Agent")
            .field("config_file", &self.config_file)
            .finish_non_exhaustive()
    }
}

impl Agent {
    /// The journal, for the API.
    pub fn journal(&self) -> Journal {
        self.journal.clone()
    }

    /// The sign of life after each round, for the API.
    pub fn pulse(&self) -> watch::Receiver<Pulse> {
        self.pulse.subscribe()
    }

    /// The status after each [`Control::Report`], for the API.
    pub fn status(&self) -> watch::Receiver<Arc<Status>> {
        self.status.subscribe()
    }

    /// Runs until it is told to stop.
    pub async fn run(mut self, mut controls: mpsc::Receiver<Control>) {
        let mut interval = self.interval();
        // Whoever asks, asks for what a round found.
        interval.tick().await;
        self.round(now_s());
        loop {
            tokio::select! {
                _ = interval.tick() => {
                    self.round(now_s());
                    notify_watchdog();
                }
                () = changed(&mut self.services.lead) => self.hear_of_lease(now_s()),
                Some(outcome) = self.tasks.next() => {
                    self.settle(outcome, now_s());
                    self.publish_and_report(now_s());
                }
                control = controls.recv() => match control {
                    Some(Control::Reload) => {
                        self.reload(now_s());
                        interval = self.interval();
                    }
                    Some(Control::Report) => self.report(),
                    Some(Control::Command(command, answer)) => {
                        let result = self.command(*command, now_s());
                        self.publish_and_report(now_s());
                        // Whoever asked may have gone; the command was carried out all the same.
                        let _ = answer.send(result);
                    }
                    Some(Control::Stop) | None => break,
                },
            }
        }
        self.journal.record(
            Event::new("agent_stopping")
                .reason("calls, pools and member processes stay as they are"),
        );
        self.save(now_s(), true);
        if let Some(lead) = self.services.lead.take() {
            lead.end().await;
        }
    }

    fn interval(&self) -> tokio::time::Interval {
        let period = Duration::from_secs_f64(self.config.agent.interval_s);
        let mut interval = tokio::time::interval(period);
        interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
        interval
    }

    /// The quality of what was seen in the last round.
    fn quality(&self) -> Quality {
        match &self.seen.problem {
            None => Quality::Good,
            Some(problem) => Quality::Missing(problem.clone()),
        }
    }
}

/// Waits for news about who leads; for ever where nobody does.
async fn changed(lead: &mut Option<Lead>) {
    match lead {
        Some(lead) => lead.changed().await,
        None => std::future::pending().await,
    }
}

/// Fed by the loop itself: a loop that hangs is restarted by systemd.
fn notify_watchdog() {
    if let Err(error) = sd_notify::notify(&[sd_notify::NotifyState::Watchdog]) {
        tracing::debug!("sd_notify: {error}");
    }
}
