//! Lead: the task that holds, or waits for, the lease of the deciding node, beside the control loop.
//!
//! The holder stores the state of the pools; the others load it. It decides nothing about pools, and
//! never lets the loop wait: what is known stands in [`Standing`], what shall be stored is handed over.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::lease::{Lease, LeaseError, Role, Shared};

/// Between two looks at what the leader stored.
const LOAD_EVERY: Duration = Duration::from_secs(1);
/// How long giving the lease back may take when the agent ends.
const RESIGN_PATIENCE: Duration = Duration::from_secs(3);

/// Pools (and stacks) by key, each as it is stored.
pub type Values = BTreeMap<String, Vec<u8>>;

/// Where this node stands.
#[derive(Debug, Clone, Default)]
pub struct Standing {
    /// Whether it leads, if that is known. What it may do with that ends at `until`.
    pub leads: bool,
    /// The node that leads, if it is another and known.
    pub leader: Option<String>,
    /// Until when this node may act as the leader.
    pub until: Option<Instant>,
    /// Counts how often this node came to lead: what an earlier term handed over is void.
    pub term: u64,
    /// What was stored last, as far as it was loaded.
    pub shared: Option<Arc<Shared>>,
    /// What was handed over last and is stored: its sequence and the revision of it.
    pub stored: (u64, u64),
    /// Why the lease cannot be reached, if so.
    pub problem: Option<String>,
}

impl Standing {
    /// Whether it differs from an earlier one in nothing but what is stored by now, and until when this node leads.
    pub fn is_only_stored_since(&self, before: &Standing) -> bool {
        let revision = |standing: &Standing| standing.shared.as_ref().map(|it| it.revision);
        self.stored != before.stored
            && (self.leads, self.term, &self.leader) == (before.leads, before.term, &before.leader)
            && revision(self) == revision(before)
            && self.problem == before.problem
    }
}

/// What the leader wants stored.
#[derive(Debug, Clone, Default)]
pub struct Handed {
    /// The term in which it was made.
    pub term: u64,
    /// Counts what was handed over.
    pub sequence: u64,
    /// Everything that shall be there.
    pub values: Arc<Values>,
}

/// The control loop's end of it.
#[derive(Debug)]
pub struct Lead {
    standing: watch::Receiver<Standing>,
    handed: watch::Sender<Handed>,
    able: watch::Sender<bool>,
    task: Option<JoinHandle<()>>,
}

impl Lead {
    /// Starts the task.
    pub fn start(lease: Lease, keep_every: Duration) -> Lead {
        let (standing_sender, standing) = watch::channel(Standing::default());
        let (handed, handed_receiver) = watch::channel(Handed::default());
        let (able, able_receiver) = watch::channel(false);
        let work = Work {
            lease,
            standing: standing_sender,
            handed: handed_receiver,
            able: able_receiver,
            stored: Values::new(),
            held: None,
            kept: None,
            keep_every,
        };
        Lead {
            standing,
            handed,
            able,
            task: Some(tokio::spawn(work.run())),
        }
    }

    /// What is known now.
    pub fn standing(&self) -> Standing {
        self.standing.borrow().clone()
    }

    /// Waits until more is known.
    pub async fn changed(&mut self) {
        if self.standing.changed().await.is_err() {
            // The task ended; nobody will ever know more.
            std::future::pending::<()>().await;
        }
    }

    /// Hands over what shall be stored.
    pub fn hand(&self, handed: Handed) {
        self.handed.send_replace(handed);
    }

    /// Says whether this node can lead at all: one whose Kamailio is away sees too little.
    pub fn set_able(&self, able: bool) {
        self.able
            .send_if_modified(|known| std::mem::replace(known, able) != able);
    }

    /// Gives the lease back, so that another node need not wait for its end.
    pub async fn end(self) {
        let Lead {
            handed, able, task, ..
        } = self;
        drop((handed, able));
        if let Some(task) = task {
            let _ = timeout(RESIGN_PATIENCE, task).await;
        }
    }
}

/// etcd takes 1.5 MB in one request, written in a form that is a third longer.
const MOST_BYTES: usize = 700_000;

/// Changes in parts that etcd takes, each pool whole. A pool is right by itself: only the very first
/// table of a big platform is ever so long.
fn parts(changes: BTreeMap<String, Option<Vec<u8>>>) -> Vec<BTreeMap<String, Option<Vec<u8>>>> {
    let mut parts: Vec<BTreeMap<String, Option<Vec<u8>>>> = Vec::new();
    let mut bytes = 0;
    for (key, value) in changes {
        let more = key.len() + value.as_ref().map_or(0, Vec::len);
        match parts.last_mut() {
            Some(part) if bytes + more <= MOST_BYTES => {
                bytes += more;
                part.insert(key, value);
            }
            _ => {
                bytes = more;
                parts.push(BTreeMap::from([(key, value)]));
            }
        }
    }
    parts
}

/// The task.
struct Work {
    lease: Lease,
    standing: watch::Sender<Standing>,
    handed: watch::Receiver<Handed>,
    able: watch::Receiver<bool>,
    /// What this leader stored.
    stored: Values,
    /// The number of the lease with which this term began.
    held: Option<u64>,
    /// When the lease was asked for last.
    kept: Option<Instant>,
    keep_every: Duration,
}

impl Work {
    async fn run(mut self) {
        let mut tick = interval(LOAD_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                changed = self.handed.changed() => if changed.is_err() { break },
                changed = self.able.changed() => if changed.is_err() { break },
            }
            let worked = self.work().await;
            let problem = worked.err().map(|error| error.to_string());
            self.standing.send_if_modified(|standing| {
                standing.until = self.lease.leads_until();
                let lost =
                    standing.leads && standing.until.is_none_or(|until| until <= Instant::now());
                if lost {
                    standing.leads = false;
                }
                let news = lost || standing.problem != problem;
                standing.problem = problem;
                news
            });
        }
        self.lease.resign().await;
    }

    async fn work(&mut self) -> Result<(), LeaseError> {
        if !*self.able.borrow() {
            if self.standing.borrow().leads {
                self.lease.resign().await;
                self.follow(None);
            }
        } else if self
            .kept
            .is_none_or(|kept| kept.elapsed() >= self.keep_every)
        {
            self.kept = Some(Instant::now());
            match self.lease.keep().await? {
                Role::Leader => self.lead().await?,
                Role::Follower { leader } => self.follow(leader),
            }
        }
        if self.standing.borrow().leads {
            self.store().await
        } else {
            self.load().await
        }
    }

    /// The first moment of a term: what the last leader stored is what this one goes on with. A lease that was lost and won
    /// again begins one, too: an etcd that forgets a lease may have forgotten all that was stored.
    async fn lead(&mut self) -> Result<(), LeaseError> {
        let held = self.lease.held();
        if self.standing.borrow().leads && self.held == held {
            return Ok(());
        }
        let loaded = self.lease.load(0).await?;
        self.stored = loaded
            .as_ref()
            .map(|shared| shared.values.clone())
            .unwrap_or_default();
        self.held = held;
        self.standing.send_modify(|standing| {
            standing.leads = true;
            standing.leader = None;
            standing.term += 1;
            standing.until = self.lease.leads_until();
            standing.stored.1 = loaded.as_ref().map_or(0, |shared| shared.revision);
            standing.shared = loaded.map(Arc::new);
        });
        Ok(())
    }

    fn follow(&mut self, leader: Option<String>) {
        self.standing.send_if_modified(|standing| {
            let news = standing.leads || standing.leader != leader;
            standing.leads = false;
            standing.leader = leader;
            standing.until = None;
            news
        });
    }

    async fn load(&mut self) -> Result<(), LeaseError> {
        let known = self
            .standing
            .borrow()
            .shared
            .as_ref()
            .map_or(0, |shared| shared.revision);
        if let Some(shared) = self.lease.load(known).await? {
            self.standing
                .send_modify(|standing| standing.shared = Some(Arc::new(shared)));
        }
        Ok(())
    }

    /// Stores what is other than before, in one step.
    async fn store(&mut self) -> Result<(), LeaseError> {
        let handed = self.handed.borrow().clone();
        let (term, sequence) = {
            let standing = self.standing.borrow();
            (standing.term, standing.stored.0)
        };
        if handed.term != term || handed.sequence <= sequence {
            return Ok(());
        }
        let mut changes: BTreeMap<String, Option<Vec<u8>>> = BTreeMap::new();
        for (key, value) in handed.values.iter() {
            if self.stored.get(key) != Some(value) {
                changes.insert(key.clone(), Some(value.clone()));
            }
        }
        for key in self
            .stored
            .keys()
            .filter(|key| !handed.values.contains_key(*key))
        {
            changes.insert(key.clone(), None);
        }
        let mut revision = self.standing.borrow().stored.1;
        for part in parts(changes) {
            revision = self.lease.store(part).await?;
        }
        self.stored = handed.values.as_ref().clone();
        self.standing
            .send_modify(|standing| standing.stored = (handed.sequence, revision));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn that_the_own_state_is_stored_is_told_from_news_that_ask_for_a_round() {
        let before = Standing {
            leads: true,
            term: 1,
            stored: (3, 7),
            ..Standing::default()
        };
        let with = |change: fn(&mut Standing)| {
            let mut standing = before.clone();
            change(&mut standing);
            standing.is_only_stored_since(&before)
        };
        assert!(with(|standing| standing.stored = (4, 8)));
        assert!(!with(|_| {}), "nothing was stored");
        assert!(!with(|standing| {
            standing.stored = (4, 8);
            standing.leads = false;
        }));
        assert!(!with(|standing| {
            standing.stored = (0, 9);
            standing.term = 2;
        }));
        assert!(!with(|standing| {
            standing.stored = (4, 8);
            standing.problem = Some("etcd is away".into());
        }));
    }

    #[test]
    fn a_long_table_is_stored_in_parts_with_each_pool_whole() {
        let value = |bytes: usize| Some(vec![b'x'; bytes]);
        let changes = BTreeMap::from([
            ("a".to_owned(), value(400_000)),
            ("b".to_owned(), value(400_000)),
            ("c".to_owned(), None),
            ("d".to_owned(), value(900_000)),
        ]);
        let parts = parts(changes.clone());
        let keys: Vec<Vec<&str>> = parts
            .iter()
            .map(|part| part.keys().map(String::as_str).collect())
            .collect();
        assert_eq!(keys, [vec!["a"], vec!["b", "c"], vec!["d"]]);
        let whole: BTreeMap<_, _> = parts.into_iter().flatten().collect();
        assert_eq!(whole, changes);
        assert!(super::parts(BTreeMap::new()).is_empty());
    }
}
