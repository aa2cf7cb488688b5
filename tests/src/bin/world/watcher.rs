//! The eyes of a story: twice a second a look at every host's shared memory, processors and audit file, at the calls, and
//! at the rooms on the media servers. It only looks, and never asks an agent: what is seen here judges what they say.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use kamscale_tests::Watch;
use kamscale_tests::report::rounded;
use serde_json::Value;

use crate::course::{Course, Moment, line};
use crate::ledger::Ledger;
use crate::platform::Platform;
use crate::rooms::{self, Open};

const EVERY: Duration = Duration::from_millis(500);
/// A command in each media server costs more than a look at memory.
const ROOMS_EVERY_S: f64 = 2.0;
/// Shares of processors are means over so long.
const PROCESSOR_WINDOW_S: f64 = 2.0;
const SHARED: &str = "/run/kamscale";
const AUDIT: &str = "/var/lib/kamscale/audit.jsonl";

/// Looks on, on a thread of its own, until it is dropped.
#[derive(Debug)]
pub(crate) struct Watcher<'a> {
    platform: &'a Platform,
    ledger: &'a Mutex<Ledger>,
    pub(crate) began: Instant,
    began_unix_s: f64,
    course: Mutex<Course>,
    is_over: AtomicBool,
}

/// What a look needs of the one before.
#[derive(Default)]
struct Eyes {
    watches: BTreeMap<String, (u32, Watch)>,
    processors: BTreeMap<String, Vec<(f64, f64)>>,
    audits: BTreeMap<(String, u32), usize>,
    hosts: BTreeMap<String, String>,
    open: BTreeMap<String, Open>,
    asked: f64,
}

impl<'a> Watcher<'a> {
    /// Its clock starts now.
    pub(crate) fn new(platform: &'a Platform, ledger: &'a Mutex<Ledger>) -> Self {
        Self {
            platform,
            ledger,
            began: Instant::now(),
            began_unix_s: unix_s(),
            course: Mutex::default(),
            is_over: AtomicBool::new(false),
        }
    }

    /// Seconds of the story.
    pub(crate) fn t(&self) -> f64 {
        rounded(self.began.elapsed().as_secs_f64())
    }

    /// Seconds of the story of a moment in seconds since 1970.
    pub(crate) fn of_unix(&self, unix_s: f64) -> f64 {
        rounded(unix_s - self.began_unix_s)
    }

    /// When the story began, in seconds since 1970.
    pub(crate) fn began_unix_s(&self) -> f64 {
        self.began_unix_s
    }

    /// What was seen so far.
    pub(crate) fn course(&self) -> MutexGuard<'_, Course> {
        self.course.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last look.
    pub(crate) fn now(&self) -> Moment {
        self.course().now()
    }

    /// Waits until a look shows something.
    pub(crate) fn until<T>(
        &self,
        what: &str,
        patience: Duration,
        probe: impl Fn(&Moment) -> Option<T>,
    ) -> Result<T, String> {
        let end = Instant::now() + patience;
        loop {
            if let Some(found) = probe(&self.now()) {
                return Ok(found);
            }
            if Instant::now() > end {
                return Err(format!(
                    "waited {} s in vain until {what}",
                    patience.as_secs()
                ));
            }
            std::thread::sleep(EVERY / 2);
        }
    }

    /// Nobody will look on any more.
    pub(crate) fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    /// Looks until the end.
    pub(crate) fn look_on(&self) {
        let mut eyes = Eyes {
            asked: f64::NEG_INFINITY,
            ..Eyes::default()
        };
        let mut said = f64::NEG_INFINITY;
        while !self.is_over.load(Ordering::Relaxed) {
            let moment = self.look(&mut eyes);
            if moment.t - said >= 5.0 {
                said = moment.t;
                println!("{}", line(&moment));
            }
            self.course().moments.push(moment);
            std::thread::sleep(EVERY);
        }
    }

    fn look(&self, eyes: &mut Eyes) -> Moment {
        let mut moment = Moment {
            t: self.t(),
            ..Moment::default()
        };
        let hosts = self.platform.hosts();
        eyes.hosts.retain(|_, host| hosts.contains(host));
        for host in &hosts {
            if !eyes.hosts.values().any(|h| h == host)
                && let Some(address) = self.platform.address(host)
            {
                eyes.hosts.insert(address.to_string(), host.clone());
            }
            self.look_at(host, eyes, &mut moment);
        }
        if moment.t - eyes.asked >= ROOMS_EVERY_S {
            eyes.asked = moment.t;
            self.ask_for_rooms(eyes, &moment);
        }
        moment.rooms = eyes
            .open
            .iter()
            .map(|(host, open)| (host.clone(), open.len()))
            .collect();
        let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        ledger.read(moment.t);
        moment.calls = ledger.totals(|_| true);
        moment.talking = ledger.talking("");
        moment.registered = ledger.registered.len();
        moment.memory_mb = Platform::memory().map_or(0.0, |bytes| rounded(bytes / 1e6));
        moment
    }

    fn look_at(&self, host: &str, eyes: &mut Eyes, moment: &mut Moment) {
        let Some(init) = self.platform.init(host) else {
            return;
        };
        if let Some((used, cores)) = Platform::processor(host) {
            let looks = eyes.processors.entry(host.into()).or_default();
            if looks.last().is_some_and(|(_, before)| *before > used) {
                looks.clear(); // another host of this name
            }
            looks.push((moment.t, used));
            looks.retain(|(t, _)| moment.t - t <= PROCESSOR_WINDOW_S + 0.5);
            let (t, before) = looks[0];
            if moment.t - t > 0.4 {
                moment.processors.insert(
                    host.into(),
                    rounded((used - before) / (moment.t - t) / cores),
                );
            }
        }
        self.read_audit(host, init, eyes);
        let instance = if host.starts_with("lb") { "lb" } else { "ccp" };
        let Some(shared) = self.platform.path(host, SHARED) else {
            return;
        };
        if !shared.join(format!("{instance}.observed")).exists() {
            return;
        }
        let is_current = eyes
            .watches
            .get(host)
            .is_some_and(|(pid, watch)| *pid == init && watch.is_current());
        if !is_current {
            eyes.watches.remove(host);
            if let Ok(watch) = Watch::try_new(&shared, instance) {
                eyes.watches.insert(host.into(), (init, watch));
            }
        }
        let Some((_, watch)) = eyes.watches.get_mut(host) else {
            return;
        };
        for (pool, members) in watch.sample(moment.t).pools {
            for (name, member) in members {
                let words: Vec<&str> = member.entry.split(' ').collect();
                let seen = moment
                    .pools
                    .entry(pool.clone())
                    .or_default()
                    .entry(name)
                    .or_default();
                seen.address = words.get(2).map_or(String::new(), |uri| address_of(uri));
                seen.host = eyes.hosts.get(&seen.address).cloned().unwrap_or_default();
                seen.capacity = words.get(5).and_then(|n| n.parse().ok()).unwrap_or(0);
                // One node may know of a drain before the other does.
                if seen.state.is_empty() || seen.state == "active" {
                    seen.state = member.state.to_owned();
                }
                seen.calls += member.calls;
                seen.calls_total += member.calls_total;
            }
        }
    }

    fn read_audit(&self, host: &str, init: u32, eyes: &mut Eyes) {
        let Some(text) = self.platform.read(host, AUDIT) else {
            return;
        };
        let known = eyes.audits.entry((host.into(), init)).or_default();
        let end = text.rfind('\n').map_or(0, |end| end + 1);
        let new = text.get(*known..end).unwrap_or_default();
        *known = end.max(*known);
        let mut course = self.course();
        for line in new.lines() {
            let Ok(mut event) = serde_json::from_str::<Value>(line) else {
                continue;
            };
            let t = event["t"].as_f64().unwrap_or(0.0);
            if t < self.began_unix_s {
                continue;
            }
            if let Some(fields) = event.as_object_mut() {
                fields.remove("input");
            }
            event["t"] = self.of_unix(t).into();
            event["host"] = host.into();
            course.events.push(event);
        }
    }

    fn ask_for_rooms(&self, eyes: &mut Eyes, moment: &Moment) {
        let servers: BTreeSet<String> = moment
            .members("conference")
            .map(|(_, m)| m.host.clone())
            .filter(|h| !h.is_empty())
            .collect();
        let ask_all = || -> BTreeMap<String, Open> {
            servers
                .iter()
                .map(|host| (host.clone(), rooms::ask(host)))
                .collect()
        };
        let open = ask_all();
        let mut split = rooms::split(&open);
        if !split.is_empty() {
            // One may have ended on the first before it was opened on the second: only what is still so is split.
            let again = rooms::split(&ask_all());
            split.retain(|room| again.contains(room));
        }
        let mut course = self.course();
        for (host, rooms) in &open {
            course
                .rooms
                .entry(host.clone())
                .or_default()
                .extend(rooms.keys().cloned());
        }
        course.split.extend(split);
        eyes.open = open;
    }
}

/// The address in `sip:ADDRESS:PORT`.
fn address_of(uri: &str) -> String {
    let rest = uri.trim_start_matches("sips:").trim_start_matches("sip:");
    rest.split([':', ';']).next().unwrap_or_default().to_owned()
}

/// Seconds since 1970.
pub(crate) fn unix_s() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |d| d.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_from_a_uri() {
        assert_eq!(address_of("sip:10.77.1.51:5060"), "10.77.1.51");
        assert_eq!(address_of("sip:10.77.1.51;transport=udp"), "10.77.1.51");
    }
}
