//! Survey: the task that asks for signals which somebody else measures: agents on the members' hosts,
//! Prometheus, or Gnocchi. The loop says what it wants to know, and takes what came.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval};

use super::NodeReport;
use super::signals::{SignalError, Wanted, ask, from_nodes};
use super::watch::Source;
use crate::cloud::Cloud;
use crate::config::{Config, SignalSource};
use crate::journal::now_s;
use crate::plan::{Signal, SignalKind};
use crate::prometheus::Prometheus;

/// Between two questions about the same signal. Those who measure do so every 15 s at most.
const ASK_EVERY: Duration = Duration::from_secs(5);
/// Answers that the loop has not taken; more are not kept, as newer ones follow.
const MOST_ANSWERS: usize = 1024;

/// What the loop wants to know.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// The pool; of a stack the pool in it.
    pub pool: String,
    /// What is scaled by it: the pool or its stack.
    pub subject: String,
    /// Which signal.
    pub kind: SignalKind,
    /// As [`Signal::of`].
    pub of: Option<String>,
    /// Who measures it.
    pub source: SignalSource,
    /// Older than this it is of no use.
    pub max_age_s: f64,
    /// The nodes of members that share the load, each by the member's name and by its address; with
    /// since when, in unix seconds.
    pub members: BTreeMap<String, f64>,
}

/// What came of a question.
#[derive(Debug)]
pub struct Finding {
    /// The question.
    pub question: Question,
    /// The signal, with its age at that moment; why there is none.
    pub signal: Result<Option<Signal>, String>,
    /// When it was asked, in unix seconds.
    pub at_s: f64,
}

/// The control loop's end of it.
#[derive(Debug)]
pub struct Survey {
    questions: watch::Sender<Vec<Question>>,
    findings: mpsc::Receiver<Finding>,
}

impl Survey {
    /// Starts the task, if the configuration has a signal to ask for.
    pub fn start(
        config: &Config,
        source: Option<Arc<dyn Source>>,
        prometheus: Option<Arc<Prometheus>>,
        cloud: Option<Arc<dyn Cloud>>,
    ) -> Option<Survey> {
        let of_pools = config.pools.values().flat_map(|pool| &pool.signals);
        let of_stacks = config.stacks.values().flat_map(|stack| &stack.signals);
        let mut signals = of_pools.chain(of_stacks);
        signals.find(|signal| signal.from != SignalSource::Pushed)?;
        let (questions, asked) = watch::channel(Vec::new());
        let (answers, findings) = mpsc::channel(MOST_ANSWERS);
        let asker = Asker {
            source,
            prometheus,
            cloud,
        };
        tokio::spawn(asker.run(asked, answers));
        Some(Survey {
            questions,
            findings,
        })
    }

    /// Says what shall be asked from now on.
    pub fn want(&self, questions: Vec<Question>) {
        self.questions.send_if_modified(|known| {
            let changed = *known != questions;
            *known = questions;
            changed
        });
    }

    /// What came since it was asked last.
    pub fn found(&mut self) -> Vec<Finding> {
        let mut found = Vec::new();
        while let Ok(finding) = self.findings.try_recv() {
            found.push(finding);
        }
        found
    }
}

/// What the hosts of pools say, read once for all the signals of a pool.
type Hosts = HashMap<String, Result<Vec<NodeReport>, SignalError>>;

#[derive(Debug)]
struct Asker {
    source: Option<Arc<dyn Source>>,
    prometheus: Option<Arc<Prometheus>>,
    cloud: Option<Arc<dyn Cloud>>,
}

impl Asker {
    async fn run(self, questions: watch::Receiver<Vec<Question>>, answers: mpsc::Sender<Finding>) {
        let mut tick = interval(ASK_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        while !answers.is_closed() {
            tick.tick().await;
            let questions = questions.borrow().clone();
            let mut hosts = Hosts::default();
            for question in questions {
                let at_s = now_s();
                let signal = self.ask(&question, &mut hosts, at_s).await;
                let finding = Finding {
                    signal: signal.map_err(|error| error.to_string()),
                    question,
                    at_s,
                };
                // A full queue means that the loop hangs; newer findings follow.
                let _ = answers.try_send(finding);
            }
        }
    }

    async fn ask(
        &self,
        question: &Question,
        hosts: &mut Hosts,
        now_s: f64,
    ) -> Result<Option<Signal>, SignalError> {
        let wanted = Wanted {
            pool: &question.pool,
            kind: question.kind,
            of: question.of.as_deref(),
            max_age_s: question.max_age_s,
        };
        if question.source != SignalSource::Nodes {
            let prometheus = self.prometheus.as_deref();
            let cloud = self.cloud.as_deref();
            return ask(wanted, &question.source, prometheus, cloud, now_s).await;
        }
        let reports = match hosts.get(&question.pool) {
            Some(read) => read,
            None => {
                let read = self.read_hosts(question).await;
                hosts.entry(question.pool.clone()).or_insert(read)
            }
        };
        let reports = reports.as_ref().map_err(Clone::clone)?;
        let serves_since_s = |name: &str| question.members.get(name).copied();
        Ok(from_nodes(wanted, reports, serves_since_s, now_s))
    }

    async fn read_hosts(&self, question: &Question) -> Result<Vec<NodeReport>, SignalError> {
        let source = self.source.as_ref().ok_or_else(|| {
            SignalError::Unfit(
                "there is neither [gnocchi] nor [prometheus] to read nodes from".into(),
            )
        })?;
        let names: Vec<String> = question.members.keys().cloned().collect();
        let reports = source.read_hosts(&question.pool, &names).await;
        reports.map_err(SignalError::Unfit)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use async_trait::async_trait;

    use super::*;
    use crate::nodes::Shares;

    /// A host that is measured, and how often it was asked.
    #[derive(Debug, Default)]
    struct OneHost(AtomicUsize);

    #[async_trait]
    impl Source for OneHost {
        async fn read(&self, nodes: &[String]) -> Result<Vec<NodeReport>, String> {
            self.0.fetch_add(1, Ordering::Relaxed);
            let report = NodeReport {
                node: nodes[0].clone(),
                pool: Some("ccp".into()),
                at_s: 100.0,
                shares: Some(Shares {
                    cpu: 0.5,
                    memory: 0.25,
                    network: None,
                }),
                ..NodeReport::default()
            };
            Ok(vec![report])
        }
    }

    #[tokio::test]
    async fn the_hosts_of_a_pool_are_read_once_for_all_its_signals() {
        let host = Arc::new(OneHost::default());
        let asker = Asker {
            source: Some(host.clone()),
            prometheus: None,
            cloud: None,
        };
        let question = |kind| Question {
            pool: "ccp".into(),
            subject: "ccp".into(),
            kind,
            of: None,
            source: SignalSource::Nodes,
            max_age_s: 60.0,
            members: [("ccp-1".to_owned(), 0.0)].into(),
        };
        let mut hosts = Hosts::default();
        let mut used = Vec::new();
        for kind in [SignalKind::Cpu, SignalKind::Memory] {
            let signal = asker.ask(&question(kind), &mut hosts, 100.0).await.unwrap();
            used.push(signal.map(|signal| signal.used));
        }
        assert_eq!(used, [Some(0.5), Some(0.25)]);
        assert_eq!(host.0.load(Ordering::Relaxed), 1);
    }
}
