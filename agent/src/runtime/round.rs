//! One round: look, decide about every pool ([`super::decide`]), act, publish once, report, save.

use std::time::Instant;

use super::Agent;
use crate::journal::Event;
use crate::observe::Seen;
use crate::state::{self, Tabled};

/// What changes on every round is saved this often.
const SAVE_EVERY_S: f64 = 10.0;

impl Agent {
    pub(super) fn round(&mut self, now_s: f64) {
        self.shares = self
            .services
            .host
            .as_mut()
            .and_then(|host| host.read(Instant::now()));
        let nodes = self.hear();
        self.seen = Seen::new(self.proxy.look()).together(nodes, now_s);
        if let Some(snapshot) = &self.seen.snapshot {
            let elsewhere = |feature: &str| self.seen.requests_elsewhere(feature);
            self.rates.add(snapshot, elsewhere, now_s);
        }
        self.note_kamailio();
        self.stand(now_s);
        self.follow_names();
        self.count(now_s);
        self.survey();
        self.admit(now_s);
        if self.may_act() {
            self.bury_the_dead(now_s);
            for subject in self.config.subjects() {
                self.decide(&subject, now_s);
            }
        }
        self.proxy.beat();
        self.publish_and_report(now_s);
        self.tell(now_s);
    }

    /// Events when Kamailio comes, goes, restarts, or changes what is wrong with it.
    fn note_kamailio(&mut self) {
        let problem = self
            .seen
            .problem
            .as_deref()
            .map(crate::observe::without_numbers);
        let boot_id = self.seen.boot_id();
        let known = (self.last_problem.clone(), self.last_boot_id);
        if known == (Some(problem.clone()), boot_id) {
            return;
        }
        let event = match (&self.seen.problem, &self.seen.snapshot) {
            (None, Some(snapshot)) => Event::new("kamailio_attached")
                .with("pid", snapshot.pid)
                .with("boot_id", format!("{:x}", snapshot.boot_id)),
            (why, _) => Event::new("kamailio_lost")
                .reason(why.clone().unwrap_or_default())
                .with("effect", "pools stay as they are; nothing is removed"),
        };
        self.journal.record(event);
        self.last_problem = Some(problem);
        self.last_boot_id = boot_id;
    }

    /// Publishes if the table changed, then starts what waits for that, reports and saves.
    pub(super) fn publish_and_report(&mut self, now_s: f64) {
        let changed =
            self.proxy.generation() == 0 || !self.is_published() || !self.proxy.is_in_force();
        let waits = changed && self.waits_for_names(now_s);
        let mut in_force = !waits;
        if changed && !waits {
            let table = state::table(&self.state, &self.config.pools);
            match self.proxy.publish(&table) {
                Ok(generation) => {
                    let members: usize = table.pools.iter().map(|pool| pool.members.len()).sum();
                    self.journal.record(
                        Event::new("generation_published")
                            .with("generation", generation)
                            .with("pools", table.pools.len())
                            .with("members", members),
                    );
                    self.last_publish_error = None;
                }
                Err(error) => {
                    in_force = false;
                    let error = error.to_string();
                    if self.last_publish_error.as_ref() != Some(&error) {
                        self.journal
                            .record(Event::new("publish_failed").reason(error.as_str()));
                        self.last_publish_error = Some(error);
                    }
                }
            }
        }
        self.share(now_s);
        self.list();
        if in_force && self.may_act() {
            self.start_due_tasks(now_s);
            self.start_due_looks(now_s);
        }
        self.note_applied();
        self.beat(now_s);
        self.save(now_s, false);
    }

    /// Whether the table that was published last is the one of now.
    fn is_published(&mut self) -> bool {
        let tabled = self.tabled.as_ref();
        if tabled.is_some_and(|tabled| tabled.is_same(&self.state)) {
            return true;
        }
        let is_table = |table| state::is_table(table, &self.state, &self.config.pools);
        let is_published = self.proxy.published().is_some_and(is_table);
        self.tabled = is_published.then(|| Tabled::now(&self.state));
        is_published
    }

    /// An event when all workers that serve requests have applied the newest table.
    fn note_applied(&mut self) {
        let generation = self.proxy.generation();
        if self.applied_generation < generation && self.applied_min() >= Some(generation) {
            self.applied_generation = generation;
            self.journal
                .record(Event::new("generation_applied").with("generation", generation));
        }
    }

    /// The smallest generation of workers that serve requests. One that never applied any has
    /// never served: it will apply the newest before it does.
    pub(super) fn applied_min(&self) -> Option<u64> {
        let snapshot = self.seen.snapshot.as_ref()?;
        let serving = snapshot
            .workers
            .iter()
            .filter(|w| w.rank > 0 && w.generation > 0);
        serving.map(|worker| worker.generation).min()
    }

    /// Saves the state if it changed; what changes every round only now and then.
    pub(super) fn save(&mut self, now_s: f64, always: bool) {
        let due = self.saved.as_ref().is_none_or(|(saved, at_s)| {
            (now_s - at_s).abs() >= SAVE_EVERY_S || !self.state.is_durably(saved)
        });
        if !due && !always {
            return;
        }
        match state::save(&self.config.agent.state_file, &self.state) {
            Ok(()) => self.saved = Some((self.state.durable(), now_s)),
            // Tried again on the next round; until then a restart would know a little less.
            Err(error) => tracing::error!("{error}"),
        }
    }
}
