//! Names: the task that looks names up, and again when their records run out. The loop says which names
//! it needs, and takes what came. A slow server delays other names, never the loop.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use kamscale_shm::hash::mix;
use kamscale_shm::limits::MAX_MEMBERS;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{Family, Located, LookUpError, Records, Target, locate};
use crate::journal::now_s;

/// Names that are looked up side by side.
const MOST_AT_A_TIME: usize = 128;
/// Answers that the loop has not taken: one of each member. With more the task waits for the loop.
const MOST_FINDINGS: usize = MAX_MEMBERS;
/// After a failed look-up the next one follows after so long; each time twice that ...
const RETRY: Duration = Duration::from_secs(1);
/// ... up to this.
const LONGEST_RETRY: Duration = Duration::from_secs(60);

/// How often, and for how long, names are looked up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// One look-up may take so long in all.
    pub timeout: Duration,
    /// Not sooner than this, whatever the records say.
    pub min_ttl: Duration,
    /// Not later than this.
    pub max_ttl: Duration,
    /// Which addresses are looked for.
    pub family: Family,
}

impl Pace {
    fn next(&self, located: &Located) -> Duration {
        let ttl = Duration::from_secs(located.ttl_s.into());
        ttl.clamp(self.min_ttl, self.max_ttl)
    }
}

/// What came of a look-up.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The URI whose name was looked up.
    pub uri: String,
    /// Where it leads.
    pub located: Result<Located, LookUpError>,
    /// When that was known, in unix seconds.
    pub at_s: f64,
}

/// The control loop's end of it.
#[derive(Debug)]
pub struct Names {
    wanted: watch::Sender<BTreeSet<String>>,
    findings: mpsc::Receiver<Finding>,
}

impl Names {
    /// Starts the task; it asks for nothing yet.
    pub fn start(records: Arc<dyn Records>, pace: Pace) -> Names {
        let (wanted, wishes) = watch::channel(BTreeSet::new());
        let (sender, findings) = mpsc::channel(MOST_FINDINGS);
        let task = Task {
            records,
            pace,
            sender,
            due: BinaryHeap::new(),
            known: HashMap::new(),
            running: JoinSet::new(),
            serial: 0,
        };
        tokio::spawn(task.run(wishes));
        Names { wanted, findings }
    }

    /// Says of which URIs the names shall be looked up from now on. New ones are at once.
    pub fn want(&self, uris: BTreeSet<String>) {
        self.wanted.send_if_modified(|known| {
            let changed = *known != uris;
            *known = uris;
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

/// What is known of one URI between its look-ups.
#[derive(Debug)]
struct Known {
    /// Tells one that was wanted again from its earlier life.
    serial: u64,
    failures: u32,
}

#[derive(Debug)]
struct Task {
    records: Arc<dyn Records>,
    pace: Pace,
    sender: mpsc::Sender<Finding>,
    due: BinaryHeap<Reverse<(Instant, u64, Arc<str>)>>,
    known: HashMap<Arc<str>, Known>,
    running: JoinSet<(u64, Arc<str>, Result<Located, LookUpError>)>,
    serial: u64,
}

impl Task {
    async fn run(mut self, mut wishes: watch::Receiver<BTreeSet<String>>) {
        loop {
            self.start_due();
            let due = self.due.peek().map(|Reverse((at, ..))| *at);
            let due = due.filter(|_| self.running.len() < MOST_AT_A_TIME);
            tokio::select! {
                wished = wishes.changed() => match wished {
                    Ok(()) => {
                        let wanted = wishes.borrow_and_update().clone();
                        self.take(&wanted);
                    }
                    // The loop has ended.
                    Err(_) => return,
                },
                Some(done) = self.running.join_next() => {
                    if let Ok((serial, uri, located)) = done {
                        self.settle(serial, uri, located).await;
                    }
                }
                () = sleep_until(due) => {}
            }
        }
    }

    fn take(&mut self, wanted: &BTreeSet<String>) {
        self.known.retain(|uri, _| wanted.contains(uri.as_ref()));
        for uri in wanted {
            if self.known.contains_key(uri.as_str()) {
                continue;
            }
            let uri: Arc<str> = uri.as_str().into();
            self.serial += 1;
            let serial = self.serial;
            self.known.insert(
                uri.clone(),
                Known {
                    serial,
                    failures: 0,
                },
            );
            self.due.push(Reverse((Instant::now(), serial, uri)));
        }
    }

    fn is_wanted(&self, serial: u64, uri: &str) -> bool {
        self.known
            .get(uri)
            .is_some_and(|known| known.serial == serial)
    }

    fn start_due(&mut self) {
        let now = Instant::now();
        while self.running.len() < MOST_AT_A_TIME
            && self.due.peek().is_some_and(|Reverse((at, ..))| *at <= now)
        {
            let Some(Reverse((_, serial, uri))) = self.due.pop() else {
                return;
            };
            if !self.is_wanted(serial, &uri) {
                continue;
            }
            let (records, pace) = (self.records.clone(), self.pace);
            self.running.spawn(async move {
                let located = look_up(records.as_ref(), pace, &uri).await;
                (serial, uri, located)
            });
        }
    }

    async fn settle(&mut self, serial: u64, uri: Arc<str>, located: Result<Located, LookUpError>) {
        let Some(known) = self
            .known
            .get_mut(&uri)
            .filter(|known| known.serial == serial)
        else {
            return;
        };
        known.failures = match located {
            Ok(_) => 0,
            Err(_) => known.failures.saturating_add(1),
        };
        let wait = match &located {
            Ok(located) => self.pace.next(located),
            Err(_) => pause(known.failures),
        };
        let at_s = now_s();
        let wait = sooner(wait, serial ^ at_s.to_bits());
        self.due
            .push(Reverse((Instant::now() + wait, serial, uri.clone())));
        let finding = Finding {
            uri: uri.as_ref().into(),
            located,
            at_s,
        };
        // That the loop has ended is noticed by the wishes.
        let _ = self.sender.send(finding).await;
    }
}

async fn look_up(records: &dyn Records, pace: Pace, uri: &str) -> Result<Located, LookUpError> {
    let target = Target::parse(uri)?;
    let located = locate(records, pace.family, &target);
    match tokio::time::timeout(pace.timeout, located).await {
        Ok(located) => located,
        Err(_) => Err(LookUpError::Failed {
            kind: "the",
            name: target.name.into(),
            problem: format!("no answer within {} s", pace.timeout.as_secs_f64()),
        }),
    }
}

/// How long to wait after so many failures in a row.
fn pause(failures: u32) -> Duration {
    let doubled = RETRY.saturating_mul(1 << failures.saturating_sub(1).min(16));
    doubled.min(LONGEST_RETRY)
}

/// Up to a tenth less, so that names that came together part.
fn sooner(wait: Duration, seed: u64) -> Duration {
    wait - wait / 1024 * u32::try_from(mix(seed) % 103).unwrap_or(0)
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
