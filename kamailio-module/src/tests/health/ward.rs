//! A watcher whose clock is the test's, and an agent that publishes for it.

use kamailio::double::Answer;
use kamscale_shm::{Health, MemberSpec, Publisher, Table, TableSpec};

use crate::health::events::{Event, Kind};
use crate::health::{Limits, Pace, Probe, Probing, ReplyCodes, Watch, answered};
use crate::server::{Server, Settings};
use crate::tests::pool;
use crate::worker::Worker;

pub(super) const TURN_MS: u64 = 50;
pub(super) const START_MS: u64 = 1_000_000;

pub(in crate::tests) fn probing(interval_ms: u64) -> Probing {
    Probing {
        method: "OPTIONS".to_owned(),
        from: "sip:k@h".to_owned(),
        pace: Pace {
            interval_ms,
            jitter_percent: 10,
        },
        timeout_ms: 1000,
        limits: Limits {
            failures: 2,
            successes: 2,
        },
        codes: ReplyCodes::default(),
        socket: String::new(),
        proxy: String::new(),
    }
}

/// A watcher, and an agent that publishes for it.
pub(super) struct Ward {
    pub(super) server: &'static Server,
    pub(super) worker: Worker,
    pub(super) watch: Watch,
    pub(super) publisher: Publisher,
    pub(super) applied: u64,
    pub(super) now_ms: u64,
    pub(super) events: Vec<Event>,
    dir: tempfile::TempDir,
}

impl Ward {
    pub(super) fn new(members: &[MemberSpec], probing: Option<Probing>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut publisher = Publisher::open(dir.path(), "t").unwrap();
        publisher.publish(&table(members)).unwrap();
        let settings = Settings {
            shm_dir: dir.path().to_path_buf(),
            instance: "t".to_owned(),
            probing,
            ..Settings::default()
        };
        let (server, initial) = Server::start(settings).unwrap();
        let server: &'static Server = Box::leak(Box::new(server));
        let _ = server.observed.look_for_desired(None);
        let worker = Worker::new(server, initial);
        let mut watch = Watch::new(7);
        watch.begin(server, worker.table(), START_MS * 1_000_000);
        Self {
            server,
            worker,
            watch,
            publisher,
            applied: 0,
            now_ms: START_MS,
            events: Vec::new(),
            dir,
        }
    }

    pub(super) fn publish(&mut self, members: &[MemberSpec]) {
        self.publisher.publish(&table(members)).unwrap();
        self.applied += 1;
    }

    /// The table of a `pools_file`.
    pub(super) fn table_of_file(&self, text: &str) -> Table {
        let path = self.dir.path().join("pools");
        std::fs::write(&path, text).unwrap();
        crate::pools_file::load(&path).unwrap()
    }

    pub(super) fn table(&mut self) -> &Table {
        self.worker.refresh(self.server);
        self.worker.table()
    }

    /// One turn; the probes that it sends.
    pub(super) fn turn(&mut self) -> Vec<Probe> {
        self.now_ms += TURN_MS;
        self.worker.refresh(self.server);
        let now_ns = self.now_ms * 1_000_000;
        let turn = self
            .watch
            .turn(self.server, self.worker.table(), self.applied, now_ns);
        self.events.extend(turn.events);
        turn.probes
    }

    /// So many turns, in which every probe gets an answer (or none); how many there were.
    pub(super) fn turns(&mut self, count: u64, answer: impl Fn() -> Option<Answer>) -> usize {
        let mut probes = 0;
        for _ in 0..count {
            for probe in self.turn() {
                probes += 1;
                if let Some(mut answer) = answer() {
                    answered(self.server, probe.token.to_word(), &mut answer);
                }
            }
        }
        probes
    }

    pub(super) fn health(&mut self, name: &str) -> Option<Health> {
        let server = self.server;
        let pool = self.table().pool(0).unwrap();
        let found = pool
            .members()
            .find(|m| m.name() == name.as_bytes())
            .unwrap();
        server
            .observed
            .member(found.slot())
            .unwrap()
            .health_of(found.id())
    }

    pub(super) fn usable(&mut self, name: &str) -> bool {
        let server = self.server;
        let pool = self.table().pool(0).unwrap();
        let found = pool
            .members()
            .find(|m| m.name() == name.as_bytes())
            .unwrap();
        server.observed.is_usable(found.slot(), found.id(), || 0)
    }

    /// Events so far, in short.
    pub(super) fn told(&mut self) -> Vec<String> {
        let short = |e: Event| format!("{} {} {}", e.kind.name(), e.member, e.reason);
        self.events
            .drain(..)
            .filter(|e| e.kind != Kind::TableApplied)
            .map(short)
            .collect()
    }
}

pub(super) fn table(members: &[MemberSpec]) -> TableSpec {
    TableSpec {
        pools: vec![pool("p", members)],
    }
}

pub(super) fn ok() -> Option<Answer> {
    Some(Answer::reply(200))
}
