//! A node: one Kamailio and the agent beside it, and what they say. When a scenario fails, it shows the
//! last of what the agent wrote.

use std::collections::BTreeMap;
use std::time::Duration;

use kamscale_tests::{Agent, AgentSetup, Kamailio, RunDir, Watch, wait_for, wait_until};
use serde_json::Value;

use crate::stage::Scene;

/// Real services start members, and may have to be waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(150);
const SHOWN_LOG_LINES: usize = 6;
const SHOWN_EVENTS: usize = 20;

/// One node.
#[derive(Debug)]
pub(crate) struct Node<'a> {
    pub(crate) agent: Agent<'a>,
    pub(crate) kamailio: Kamailio<'a>,
    pub(crate) watch: Watch,
}

impl<'a> Node<'a> {
    /// Starts both.
    #[track_caller]
    pub(crate) fn start(scene: &Scene<'_>, run: &'a RunDir, agent: AgentSetup<'a>) -> Self {
        let instance = scene.instance();
        let kamailio = Kamailio::minimal(run)
            .define_text("KS_INSTANCE", &instance)
            // No member is silent here: on a machine that is short of processors one may be slow.
            .define("KS_FR_TIMER", 8000);
        let kamailio = kamailio.start();
        Self {
            agent: agent.start(),
            watch: Watch::new(&run.shm_dir(), &instance),
            kamailio,
        }
    }

    /// Members of a pool, as the agent has them.
    pub(crate) fn members(&self, pool: &str) -> BTreeMap<String, Value> {
        let status = self.agent.try_cli(&["status"]).unwrap_or_default();
        let members = status["pools"][pool]["members"].as_object().cloned();
        members.into_iter().flatten().collect()
    }

    /// Awaits members that pass the test.
    #[track_caller]
    pub(crate) fn await_members(
        &self,
        pool: &str,
        what: &str,
        test: impl Fn(&BTreeMap<String, Value>) -> bool,
    ) -> BTreeMap<String, Value> {
        wait_for(&format!("{pool}: {what}"), PATIENCE, || {
            std::thread::sleep(Duration::from_millis(50));
            Some(self.members(pool)).filter(|members| test(members))
        })
    }

    /// Awaits so many active members and no others, and that Kamailio uses them.
    #[track_caller]
    pub(crate) fn await_active(&self, pool: &str, count: usize) -> BTreeMap<String, Value> {
        let all_active = |members: &BTreeMap<String, Value>| {
            members.len() == count && members.values().all(|m| m["state"] == "active")
        };
        let members = self.await_members(pool, &format!("{count} members serve"), all_active);
        wait_until("Kamailio uses them", PATIENCE, || {
            let shown = self.kamailio.try_rpc(&["kamscale.members", pool]);
            let shown = shown.unwrap_or_default();
            shown.iter().filter(|m| m["usable"] == "yes").count() == count
        });
        members
    }

    /// The one member in a state, when there is one.
    #[track_caller]
    pub(crate) fn await_one(&self, pool: &str, state: &str) -> (String, String) {
        let in_state = |m: &Value| m["state"] == state;
        let what = format!("one is {state}");
        let members = self.await_members(pool, &what, |m| m.values().any(in_state));
        let found = members.into_iter().find(|(_, m)| in_state(m));
        found.map_or_else(Default::default, |(name, m)| (name, address_of(&m)))
    }

    /// Events of a kind about a pool, oldest first, over restarts of the agent.
    pub(crate) fn events(&self, kind: &str, pool: &str) -> Vec<Value> {
        let mut events = self.agent.events();
        events.retain(|e| e["event"] == kind && e["pool"] == pool);
        events
    }

    /// Awaits the next event of a kind about a pool, after `seen` of them.
    #[track_caller]
    pub(crate) fn await_event(&self, kind: &str, pool: &str, seen: usize) -> Value {
        wait_for(&format!("{pool}: {kind}"), PATIENCE, || {
            std::thread::sleep(Duration::from_millis(20));
            self.events(kind, pool).into_iter().nth(seen)
        })
    }

    /// Awaits an event whose reason says so.
    #[track_caller]
    pub(crate) fn await_reason(&self, what: &str, words: &[&str]) -> Value {
        wait_for(&format!("an event about {what}"), PATIENCE, || {
            std::thread::sleep(Duration::from_millis(50));
            let events = self.agent.events();
            events.into_iter().find(|e| {
                let reason = e["reason"].as_str().unwrap_or_default().to_lowercase();
                e["event"] != "decision" && words.iter().any(|w| reason.contains(&w.to_lowercase()))
            })
        })
    }

    /// Awaits a decision for a cause, in these words.
    #[track_caller]
    pub(crate) fn await_decision(&self, pool: &str, cause: &str, words: &str) -> Value {
        wait_for(&format!("{pool}: {words}"), PATIENCE, || {
            std::thread::sleep(Duration::from_millis(50));
            let decisions = self.events("decision", pool);
            decisions.into_iter().find(|e| {
                let reason = e["reason"].as_str().unwrap_or_default();
                e["cause"] == cause && reason.contains(words)
            })
        })
    }

    /// Whether the active members of each pool have the same number of this node's calls, give or take one.
    pub(crate) fn is_even(&mut self) -> bool {
        let sample = self.watch.sample(0.0);
        sample.pools.values().all(|members| {
            let active = members.values().filter(|m| m.state == "active");
            let calls: Vec<u32> = active.map(|m| m.calls).collect();
            calls.iter().max().unwrap_or(&0) - calls.iter().min().unwrap_or(&0) <= 1
        })
    }

    /// Calls on a pool now, by what Kamailio counts.
    pub(crate) fn calls(&mut self, pool: &str) -> u32 {
        self.watch.sample(0.0).calls(pool)
    }
}

/// The address in a member's URI.
pub(crate) fn address_of(member: &Value) -> String {
    let uri = member["uri"].as_str().unwrap_or_default();
    uri.split(':').nth(1).unwrap_or_default().to_owned()
}

impl Drop for Node<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let log = self.agent.log();
        let lines: Vec<&str> = log.lines().collect();
        for line in lines
            .iter()
            .skip(lines.len().saturating_sub(SHOWN_LOG_LINES))
        {
            eprintln!("agent log: {}", cut(line));
        }
        let events = self.agent.events();
        for event in events
            .iter()
            .skip(events.len().saturating_sub(SHOWN_EVENTS))
        {
            let mut event = event.clone();
            if let Some(fields) = event.as_object_mut() {
                // What a decision came from fills a page.
                fields.retain(|key, _| !["input", "signals", "bounds"].contains(&key.as_str()));
            }
            eprintln!("agent audit: {}", cut(&event.to_string()));
        }
    }
}

fn cut(line: &str) -> String {
    line.chars().take(300).collect()
}
