//! From the load's crossing to a newcomer that serves: what is awaited, and when it was.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::aodh;
use crate::course::{Moment, Seen};
use crate::platform::Decider;
use crate::story::{PATIENCE, Story, member};
use crate::traces::{self, Member};

/// A member that never gets ready is given up after `boot_timeout_s`; then another one comes.
const PATIENCE_WITH_FAILURES: Duration = Duration::from_secs(600);

/// Moments of a story, in its seconds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Marks {
    pub(crate) crossed: Option<f64>,
    pub(crate) decided: Option<f64>,
    /// The newcomer's own boot, from its first process to the end of its first boot.
    pub(crate) boot_s: Option<f64>,
    pub(crate) first_call: Option<f64>,
}

impl Story<'_> {
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
        let new = |now: &Moment, is_meant: &dyn Fn(&Seen) -> bool| {
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
}
