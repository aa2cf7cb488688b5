//! What both stories have in common: the subscribers, the watcher, what is awaited and noted, and the promises that are
//! judged at the end whatever happened. It must not know what a story is about.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use kamscale_tests::RunDir;
use serde_json::{Value, json};

use crate::aodh;
use crate::database;
use crate::faults::{Fault, Injected};
use crate::ledger::Ledger;
use crate::names::DOMAIN;
use crate::phones::{Phones, users};
use crate::platform::{Decider, Platform};
use crate::traces::{self, Member};
use crate::watcher::{Moment, Watcher};

/// Nothing of the platform's takes so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(240);
/// A member that never gets ready is given up after `boot_timeout_s`; then another one comes.
const PATIENCE_WITH_FAILURES: Duration = Duration::from_secs(600);
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

/// Moments of a story, in its seconds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Marks {
    pub(crate) crossed: Option<f64>,
    pub(crate) decided: Option<f64>,
    /// The newcomer's own boot, from its first process to the end of its first boot.
    pub(crate) boot_s: Option<f64>,
    pub(crate) first_call: Option<f64>,
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

    /// Waits until the load crosses what the decider acts upon; `push` may bring more of it meanwhile.
    pub(crate) fn await_crossing(
        &mut self,
        mut push: impl FnMut(&mut Self, f64) -> Result<(), String>,
    ) -> Result<(), String> {
        let (end, since) = (Instant::now() + PATIENCE, self.watcher.t());
        loop {
            let (kind, threshold) = (self.kind, self.kind.threshold());
            let load = kind.load(&self.watcher.now()).unwrap_or(0.0);
            let above =
                |m: &&Moment| m.t > since && kind.load(m).is_some_and(|load| load > threshold);
            let crossed = self
                .watcher
                .course()
                .moments
                .iter()
                .find(above)
                .map(|m| m.t);
            if crossed.is_some() {
                self.marks.crossed = crossed;
                self.note(
                    "load crossed",
                    json!({"load": load, "threshold": threshold}),
                );
                return Ok(());
            }
            if Instant::now() > end {
                return Err(format!(
                    "the load of {} stayed at {load:.2}",
                    self.kind.pool()
                ));
            }
            push(self, load)?;
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    /// Waits for a member that was not there before, until it has had a call; and until every place knows it.
    pub(crate) fn await_newcomer(
        &mut self,
        before: &BTreeMap<String, Member>,
    ) -> Result<Member, String> {
        let pool = self.kind.pool();
        let patience = if self.fault.is_some() {
            PATIENCE_WITH_FAILURES
        } else {
            PATIENCE
        };
        let new = |now: &Moment, is_meant: &dyn Fn(&crate::watcher::Seen) -> bool| {
            let found = now
                .members(pool)
                .find(|(name, seen)| !before.contains_key(*name) && is_meant(seen));
            found.map(|(name, seen)| (now.t, member(pool, name, &seen.address, &seen.host)))
        };
        let (_, came) = self.watcher.until(
            &format!("pool {pool} has a new active member"),
            patience,
            |now| new(now, &|m| m.state == "active" && !m.host.is_empty()),
        )?;
        self.note(
            "member active",
            json!({"member": came.name, "host": came.host, "address": came.address}),
        );
        self.marks.boot_s = self.boot_s(&came.host);
        let (t, _) = self.watcher.until(
            &format!("{} has its first call", came.name),
            PATIENCE,
            |now| new(now, &|m| m.calls_total > 0),
        )?;
        self.marks.first_call = Some(t);
        self.note("first call", json!({"member": came.name}));
        self.marks.decided = self.decided();
        self.rebuild()?;
        let what = format!("DNS, database, tables and inventory have {}", came.name);
        let platform = self.platform;
        self.converge(&what, || traces::missing(platform, &came))?;
        Ok(came)
    }

    /// From its first process to the end of what its first boot had to do.
    fn boot_s(&self, host: &str) -> Option<f64> {
        let done = self.platform.path(host, "/run/cloud-init/result.json")?;
        let done = std::fs::metadata(done).ok()?.modified().ok()?;
        let done = done
            .duration_since(std::time::UNIX_EPOCH)
            .ok()?
            .as_secs_f64();
        Some((done - self.platform.booted_s(host)?).max(0.0))
    }

    /// When the decision for one more was taken, by the decider's own record.
    fn decided(&mut self) -> Option<f64> {
        let (pool, after) = (self.kind.pool(), self.marks.crossed? - 5.0);
        match self.decider {
            Decider::Agent => {
                let boots = |e: &Value| {
                    let actions = e["actions"].as_array().into_iter().flatten();
                    actions.into_iter().any(|a| a["action"] == "boot")
                };
                self.watcher.course().first("decision", pool, after, boots)
            }
            Decider::Aodh => {
                match aodh::alarmed_s(self.platform, pool, self.watcher.began_unix_s() + after) {
                    Ok(moment) => moment.map(|m| self.watcher.of_unix(m)),
                    Err(why) => {
                        self.problem(format!("Aodh's history: {why}"));
                        None
                    }
                }
            }
        }
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
    fn rebuild(&mut self) -> Result<(), String> {
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

fn member(pool: &str, name: &str, address: &str, host: &str) -> Member {
    Member {
        pool: pool.into(),
        name: name.into(),
        address: address.into(),
        host: host.into(),
    }
}
