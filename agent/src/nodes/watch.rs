//! Watch: where reports go, and the task that reads those of the other nodes, beside the control loop.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use super::roster::Roster;
use super::{Expected, MemberCalls, NodeReport, Nodes};
use crate::journal::now_s;

/// Where the reports of nodes are read.
#[async_trait]
pub trait Source: Send + Sync + Debug {
    /// The last report of each of these nodes that ever reported, in a number of requests that does
    /// not grow with the pools.
    ///
    /// # Errors
    /// In words, with the remedy.
    async fn read(&self, nodes: &[String]) -> Result<Vec<NodeReport>, String>;

    /// The last report of each of these nodes whose host is a member of a pool, of whatever instance
    /// they are: their shares at least.
    ///
    /// # Errors
    /// As [`Source::read`].
    async fn read_hosts(&self, _pool: &str, nodes: &[String]) -> Result<Vec<NodeReport>, String> {
        self.read(nodes).await
    }
}

/// Where this node's own reports go.
pub trait Sink: Send + Sync + Debug {
    /// Takes a report, with `members` in place of its own: thousands of names are not copied for it.
    /// Never waits, and never keeps more than its bound.
    fn push(&self, report: &NodeReport, members: &mut MemberCalls<'_>);
    /// Why nothing arrives there, if so.
    fn problem(&self) -> Option<String>;
}

/// What the task knows.
#[derive(Debug, Clone)]
pub struct Watched {
    /// What the nodes reported last.
    pub nodes: Arc<Nodes>,
    /// Why that could not be read lately, if so.
    pub problem: Option<String>,
}

/// The control loop's end of it.
#[derive(Debug)]
pub struct Watch {
    watched: watch::Receiver<Watched>,
    wanted: watch::Sender<bool>,
}

impl Watch {
    /// Starts the task; it reads nothing before it is wanted, and then at most so often.
    pub fn start(
        source: Arc<dyn Source>,
        roster: Roster,
        nodes: Nodes,
        read_every: Duration,
    ) -> Watch {
        let (sender, watched) = watch::channel(Watched {
            nodes: Arc::new(nodes),
            problem: None,
        });
        let (wanted, receiver) = watch::channel(false);
        tokio::spawn(run(source, roster, sender, receiver, read_every));
        Watch { watched, wanted }
    }

    /// What is known now.
    pub fn watched(&self) -> Watched {
        self.watched.borrow().clone()
    }

    /// Only who decides, or lets in by what all carry, needs to know.
    pub fn set_wanted(&self, wanted: bool) {
        self.wanted
            .send_if_modified(|known| std::mem::replace(known, wanted) != wanted);
    }
}

async fn run(
    source: Arc<dyn Source>,
    roster: Roster,
    sender: watch::Sender<Watched>,
    wanted: watch::Receiver<bool>,
    read_every: Duration,
) {
    let mut tick = interval(read_every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut expected = Expected::default();
    // Ends with the loop, which holds the other end.
    while wanted.has_changed().is_ok() {
        tick.tick().await;
        // Also while nobody wants to know: who leads next must not count by the nodes of before.
        let now = roster.now();
        if now != expected {
            expected = now;
            sender.send_modify(|watched| Arc::make_mut(&mut watched.nodes).expect(&expected));
        }
        if !*wanted.borrow() {
            continue;
        }
        let names: Vec<String> = expected.nodes.keys().cloned().collect();
        match source.read(&names).await {
            Ok(reports) => sender.send_modify(|watched| {
                let nodes = Arc::make_mut(&mut watched.nodes);
                for report in &reports {
                    nodes.hear(report, now_s());
                }
                watched.problem = None;
            }),
            Err(problem) => sender.send_modify(|watched| watched.problem = Some(problem)),
        }
    }
}
