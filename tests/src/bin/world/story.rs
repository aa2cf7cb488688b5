//! What both stories have in common: the subscribers, the watcher, what is awaited and noted, and the promises that are
//! judged at the end whatever happened. It must not know what a story is about.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use kamscale_tests::RunDir;
use serde_json::{Value, json};

use crate::course::Moment;
use crate::database;
use crate::faults::{Fault, Injected};
use crate::ledger::Ledger;
use crate::names::DOMAIN;
use crate::newcomer::Marks;
use crate::phones::{Phones, users};
use crate::platform::{Decider, Platform};
use crate::traces::{self, Member};
use crate::watcher::Watcher;

/// Nothing of the platform's takes so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(240);
/// From a change of the inventory to its last place; a host may boot first.
const CONVERGE: Duration = Duration::from_secs(60);
const CONVERGE_ANEW: Duration = Duration::from_secs(180);

/// Which story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    ByStack,
    ByFeature,
}

impl Kind {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::ByStack => "by_stack",
            Self::ByFeature => "by_feature",
        }
    }

    /// The pool that grows.
    pub(crate) fn pool(self) -> &'static str {
        match self {
            Self::ByStack => "ccp",
            Self::ByFeature => "conference",
        }
    }

    /// The load above which it shall grow.
    pub(crate) fn threshold(self) -> f64 {
        match self {
            Self::ByStack => 0.5,
            Self::ByFeature => 0.7,
        }
    }

    /// The load that counts: processors of the tier, or calls by capacity.
    pub(crate) fn load(self, now: &Moment) -> Option<f64> {
        match self {
            Self::ByStack => now.processor("ccp"),
            Self::ByFeature => now.load("conference"),
        }
    }
}

/// A story that is being played.
pub(crate) struct Story<'a> {
    pub(crate) kind: Kind,
    pub(crate) decider: Decider,
    pub(crate) platform: &'a Platform,
    pub(crate) watcher: &'a Watcher<'a>,
    pub(crate) phones: Phones<'a>,
    pub(crate) ledger: &'a Mutex<Ledger>,
    pub(crate) fault: Option<Fault>,
    pub(crate) injected: Option<Injected>,
    pub(crate) marks: Marks,
    pub(crate) notes: Vec<(f64, String, Value)>,
    pub(crate) problems: Vec<String>,
    pub(crate) traces_left: Option<Vec<String>>,
    pub(crate) registrations_lost: Option<Vec<String>>,
}

impl<'a> Story<'a> {
    /// With subscribers in so many offices, of whom nobody is registered yet.
    pub(crate) fn new(
        (kind, decider, fault): (Kind, Decider, Option<Fault>),
        (platform, watcher): (&'a Platform, &'a Watcher<'a>),
        (run, ledger): (&'a RunDir, &'a Mutex<Ledger>),
        offices: u32,
    ) -> Result<Self, String> {
        database::subscribe((0..offices).flat_map(users), DOMAIN)?;
        database::ask("DELETE FROM location")?;
        let phones = Phones::new(run, ledger, offices, watcher.began)?;
        Ok(Self {
            kind,
            decider,
            platform,
            watcher,
            phones,
            ledger,
            fault,
            injected: None,
            marks: Marks::default(),
            notes: Vec::new(),
            problems: Vec::new(),
            traces_left: None,
            registrations_lost: None,
        })
    }

    pub(crate) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something that happened now.
    pub(crate) fn note(&mut self, what: &str, details: Value) {
        let t = self.watcher.t();
        println!(
            "{t:6.1} s | {what} {}",
            if details.is_null() {
                String::new()
            } else {
                details.to_string()
            }
        );
        self.notes.push((t, what.into(), details));
    }

    /// A promise that was not kept.
    pub(crate) fn problem(&mut self, what: String) {
        eprintln!("{:6.1} s | PROBLEM {what}", self.watcher.t());
        self.problems.push(what);
    }

    /// The members of the pool that grows that take calls.
    pub(crate) fn active(&self) -> BTreeMap<String, Member> {
        let pool = self.kind.pool();
        let now = self.watcher.now();
        let active = now.members(pool).filter(|(_, m)| m.state == "active");
        active
            .map(|(name, seen)| (name.clone(), member(pool, name, &seen.address, &seen.host)))
            .collect()
    }

    /// Waits until the pool that grows has so many active members, and names them.
    pub(crate) fn await_active(&self, count: usize) -> Result<BTreeMap<String, Member>, String> {
        let pool = self.kind.pool();
        let what = format!("pool {pool} has {count} active members");
        self.watcher.until(&what, PATIENCE, |now| {
            (now.active(pool) >= count).then_some(())
        })?;
        Ok(self.active())
    }

    /// Waits until so many phones are registered.
    pub(crate) fn await_registered(&self, count: usize) -> Result<(), String> {
        let what = format!("{count} phones are registered");
        self.watcher.until(&what, PATIENCE, |now| {
            (now.registered >= count).then_some(())
        })
    }

    /// Waits until nothing is left of what `rest` lists.
    pub(crate) fn converge(
        &mut self,
        what: &str,
        rest: impl Fn() -> Vec<String>,
    ) -> Result<(), String> {
        let patience = if self.injected.is_some() {
            CONVERGE_ANEW
        } else {
            CONVERGE
        };
        let end = Instant::now() + patience;
        loop {
            let left = rest();
            if left.is_empty() {
                self.note("converged", json!(what));
                return Ok(());
            }
            if Instant::now() > end {
                return Err(format!(
                    "waited {} s in vain until {what}: {}",
                    patience.as_secs(),
                    left.join(", ")
                ));
            }
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    /// Waits until the pool is back at its size; who went must leave no trace.
    pub(crate) fn await_departure(
        &mut self,
        before: &BTreeMap<String, Member>,
        size: usize,
    ) -> Result<(), String> {
        let pool = self.kind.pool();
        let drains = |now: &Moment| now.members(pool).any(|(_, m)| m.state == "draining");
        self.watcher
            .until(&format!("pool {pool} drains a member"), PATIENCE, |now| {
                drains(now).then_some(())
            })?;
        self.note("member draining", Value::Null);
        let back = |now: &Moment| now.members(pool).count() == size && now.active(pool) == size;
        self.watcher.until(
            &format!("pool {pool} has {size} members again"),
            2 * PATIENCE,
            |now| back(now).then_some(()),
        )?;
        let after = self.active();
        let gone: Vec<Member> = before
            .values()
            .filter(|m| !after.contains_key(&m.name))
            .cloned()
            .collect();
        self.note(
            "member gone",
            json!(gone.iter().map(|m| m.name.clone()).collect::<Vec<_>>()),
        );
        let platform = self.platform;
        let rest = || {
            gone.iter()
                .flat_map(|m| traces::left(platform, m))
                .collect::<Vec<_>>()
        };
        let _ = self.converge("no trace is left of who went", rest);
        self.traces_left = Some(rest());
        Ok(())
    }

    /// Whether it is over when the newcomer serves: what is gone for good keeps the agents from removing anything.
    pub(crate) fn ends_early(&self) -> bool {
        self.fault.is_some_and(Fault::is_final)
    }

    /// A host that was killed boots anew while the story goes on; what it missed, it makes up for.
    pub(crate) fn rebuild(&mut self) -> Result<(), String> {
        let (Some(fault), Some(injected)) = (self.fault, &self.injected) else {
            return Ok(());
        };
        if let Some(host) = fault.rebuild(injected)? {
            self.note("host boots anew", json!(host));
        }
        Ok(())
    }

    /// Breaks what this run is to break, now, if it is to break anything.
    pub(crate) fn inject(&mut self) -> Result<(), String> {
        let Some(fault) = self.fault else {
            return Ok(());
        };
        let now = self.watcher.now();
        let injected = fault.inject(self.platform, &now, || self.watcher.t())?;
        self.note(
            "fault",
            json!({"fault": fault.word, "what": injected.what, "lived_there": injected.lived}),
        );
        self.injected = Some(injected);
        Ok(())
    }

    /// Everybody hangs up; what is registered must be in the database.
    pub(crate) fn end(&mut self) {
        for callers in ["room", "call", "queue", "watch"] {
            if let Err(why) = self.phones.farewell(callers) {
                self.problem(why);
            }
        }
        self.phones.stop("phones");
        match database::ask("SELECT DISTINCT username FROM location") {
            Ok(rows) => {
                let rows: std::collections::BTreeSet<String> = rows.into_iter().collect();
                let lost = self
                    .ledger()
                    .registered
                    .keys()
                    .filter(|user| !rows.contains(*user))
                    .cloned()
                    .collect();
                self.registrations_lost = Some(lost);
            }
            Err(why) => self.problem(format!("registrations cannot be looked up: {why}")),
        }
        let errors = self.phones.errors();
        if !errors.is_empty() {
            self.note("callers' errors", json!(errors));
        }
    }
}

pub(crate) fn member(pool: &str, name: &str, address: &str, host: &str) -> Member {
    Member {
        pool: pool.into(),
        name: name.into(),
        address: address.into(),
        host: host.into(),
    }
}
