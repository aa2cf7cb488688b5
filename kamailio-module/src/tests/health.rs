//! The watch over members, turn by turn: a clock of the test's own, answers as the double gives them,
//! real rows.

use std::collections::BTreeMap;

use kamailio::double::Answer;
use kamscale_shm::{DesiredState, Health, MemberSpec, Publisher, Table, TableSpec};

use super::{member, pool};
use crate::health::events::{Event, Kind};
use crate::health::{
    Limits, MAX_OUTSTANDING, MAX_PER_TURN, Pace, Probe, Probing, ReplyCodes, Token, Watch,
    answered, not_sent,
};
use crate::server::{Server, Settings};
use crate::worker::Worker;

const TURN_MS: u64 = 50;
const START_MS: u64 = 1_000_000;

fn probing(interval_ms: u64) -> Probing {
    Probing {
        method: "OPTIONS".to_owned(),
        from: "sip:k@h".to_owned(),
        pace: Pace { interval_ms },
        timeout_ms: 1000,
        limits: Limits {
            failures: 2,
            successes: 2,
        },
        codes: ReplyCodes::default(),
    }
}

/// A watcher, and an agent that publishes for it.
struct Ward {
    server: &'static Server,
    worker: Worker,
    watch: Watch,
    publisher: Publisher,
    applied: u64,
    now_ms: u64,
    events: Vec<Event>,
    _dir: tempfile::TempDir,
}

impl Ward {
    fn new(members: &[MemberSpec], probing: Option<Probing>) -> Self {
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
            _dir: dir,
        }
    }

    fn publish(&mut self, members: &[MemberSpec]) {
        self.publisher.publish(&table(members)).unwrap();
        self.applied += 1;
    }

    fn table(&mut self) -> &Table {
        self.worker.refresh(self.server);
        self.worker.table()
    }

    /// One turn; the probes that it sends.
    fn turn(&mut self) -> Vec<Probe> {
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
    fn turns(&mut self, count: u64, answer: impl Fn() -> Option<Answer>) -> usize {
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

    fn health(&mut self, name: &str) -> Option<Health> {
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

    fn usable(&mut self, name: &str) -> bool {
        let server = self.server;
        let pool = self.table().pool(0).unwrap();
        let found = pool
            .members()
            .find(|m| m.name() == name.as_bytes())
            .unwrap();
        server.observed.is_usable(found.slot(), found.id(), || 0)
    }

    /// Events so far, in short.
    fn told(&mut self) -> Vec<String> {
        let short = |e: Event| format!("{} {} {}", e.kind.name(), e.member, e.reason);
        self.events
            .drain(..)
            .filter(|e| e.kind != Kind::TableApplied)
            .map(short)
            .collect()
    }
}

fn table(members: &[MemberSpec]) -> TableSpec {
    TableSpec {
        pools: vec![pool("p", members)],
    }
}

fn ok() -> Option<Answer> {
    Some(Answer::reply(200))
}

#[test]
fn a_member_goes_down_without_answers_and_comes_back_with_enough_of_them() {
    let mut ward = Ward::new(&[member("a")], Some(probing(1000)));
    assert!(ward.usable("a"), "one that was there before is trusted");
    ward.turns(30, ok);
    assert_eq!(ward.health("a"), Some(Health::Up));
    ward.turns(100, || None);
    assert_eq!(ward.health("a"), Some(Health::Down));
    assert!(!ward.usable("a"));
    assert_eq!(ward.told(), ["member-down a probe"]);
    let mut answers = 0;
    while !ward.usable("a") {
        for probe in ward.turn() {
            answered(ward.server, probe.token.to_word(), &mut Answer::reply(404));
            answers += 1;
        }
    }
    assert_eq!(answers, 2, "answers until it was admitted");
    ward.turn();
    assert_eq!(ward.told(), ["member-up a probe"]);
}

#[test]
fn a_member_that_comes_later_is_probed_at_once_and_waits_until_it_is_admitted() {
    let mut ward = Ward::new(&[member("a")], Some(probing(60_000)));
    ward.turn();
    ward.publish(&[member("a"), member("b")]);
    assert!(!ward.usable("b"), "before the watch has seen it");
    let probes = ward.turn();
    let to_b = probes.iter().find(|p| p.uri == member("b").uri.as_bytes());
    let first = to_b.expect("b is probed at once").token;
    assert!(!ward.usable("b"));
    answered(ward.server, first.to_word(), &mut Answer::reply(200));
    ward.turn();
    assert!(!ward.usable("b"), "one answer of two");
    ward.turns(70, ok);
    assert!(ward.usable("b") && ward.usable("a"));
    assert_eq!(ward.told(), ["member-up b probe"]);
}

#[test]
fn a_slot_that_another_member_gets_carries_nothing_over() {
    let mut ward = Ward::new(&[member("a")], Some(probing(1000)));
    ward.turns(120, || None);
    assert_eq!(ward.health("a"), Some(Health::Down));
    let late = ward.turns(1, || None);
    assert!(late <= 1);
    let slot = |ward: &mut Ward| ward.table().pool(0).unwrap().member(0).unwrap().slot();
    let before = slot(&mut ward);
    // Down to the same slot: nothing else is in the table meanwhile.
    ward.publish(&[]);
    ward.turn();
    ward.publish(&[member("b")]);
    let row = ward.server.observed.member(slot(&mut ward)).unwrap();
    let reused = slot(&mut ward) == before;
    let probes = ward.turn();
    assert_eq!(ward.health("b"), Some(Health::New), "reused: {reused}");
    assert_eq!(probes.len(), 1, "b is probed at once");
    // An answer to a probe of a, which had the slot, comes now.
    let stale = Token {
        tag: probes[0].token.tag ^ 1,
        ..probes[0].token
    };
    answered(
        ward.server,
        stale.to_word(),
        &mut Answer::reply(200).with("X-FS-Calls", "9"),
    );
    let old = Token {
        number: probes[0].token.number.wrapping_sub(1),
        ..probes[0].token
    };
    answered(
        ward.server,
        old.to_word(),
        &mut Answer::reply(200).with("X-FS-Calls", "9"),
    );
    ward.turn();
    assert_eq!(row.report().calls, None, "the report of another");
    assert_eq!(
        ward.health("b"),
        Some(Health::New),
        "admitted by the answer of another"
    );
    ward.turns(60, ok);
    assert_eq!(ward.health("b"), Some(Health::Up));
}

#[test]
fn a_member_that_drains_takes_nothing_new_and_says_so() {
    let mut ward = Ward::new(&[member("a"), member("b")], Some(probing(1000)));
    ward.turns(40, ok);
    ward.turns(40, || Some(Answer::reply(503)));
    assert_eq!(ward.health("a"), Some(Health::Draining));
    assert!(!ward.usable("a"));
    let mut told = ward.told();
    told.sort();
    assert_eq!(told, ["member-draining a probe", "member-draining b probe"]);
    ward.turns(80, ok);
    assert!(ward.usable("a") && ward.usable("b"));
    let closed = || Some(Answer::reply(200).with("X-FS-Status", "closed"));
    ward.turns(40, closed);
    assert_eq!(ward.health("b"), Some(Health::Draining));
    let report = || {
        let text = "calls=12; capacity=40; weight=50; state=active";
        Some(Answer::reply(200).with("X-Kamscale", text))
    };
    ward.turns(80, report);
    assert_eq!(ward.health("b"), Some(Health::Up));
    let row = ward.server.observed.member(0).unwrap().report();
    assert_eq!(
        (row.calls, row.capacity, row.weight),
        (Some(12), Some(40), Some(50))
    );
}

#[test]
fn who_speaks_against_a_member_is_told_and_the_worst_counts() {
    let mut ward = Ward::new(&[member("a")], None);
    ward.turn();
    assert_eq!(
        ward.turns(100, ok),
        0,
        "probes though nobody asked for them"
    );
    let row = ward.server.observed.member(0).unwrap();
    let id = ward.table().pool(0).unwrap().member(0).unwrap().id();
    row.set_override(id, Some(DesiredState::Draining));
    ward.turn();
    row.mark_down(id, u64::MAX);
    ward.turn();
    row.mark_up(id);
    ward.turn();
    row.set_override(id, None);
    ward.turn();
    let drained = MemberSpec {
        state: DesiredState::Draining,
        ..member("a")
    };
    ward.publish(&[drained]);
    ward.turn();
    ward.turn();
    let told = ward.told();
    let wanted = [
        "member-draining a operator",
        "member-down a mark",
        "member-draining a operator",
        "member-up a operator",
        "member-draining a table",
    ];
    assert_eq!(told, wanted);
}

#[test]
fn many_members_are_asked_evenly_and_never_too_many_at_once() {
    let names: Vec<String> = (0..2000).map(|i| format!("m{i}")).collect();
    let members: Vec<_> = names.iter().map(|n| member(n)).collect();
    let mut ward = Ward::new(&members, Some(probing(10_000)));
    let mut most = 0;
    for _ in 0..200 {
        most = most.max(ward.turns(1, ok));
    }
    // 10 a turn in the mean; in one herd it would be 2000.
    assert!(most <= 40, "{most} of 2000 trusted members in one turn");
    // A thousand that come together are asked as fast as may be, and then part.
    let mut ward = Ward::new(&[], Some(probing(10_000)));
    ward.turn();
    ward.publish(&members);
    let burst = ward.turns(1, ok);
    assert_eq!(burst, MAX_PER_TURN);
    ward.turns(300, ok);
    let mut most = 0;
    for _ in 0..200 {
        most = most.max(ward.turns(1, ok));
    }
    assert!(
        most <= 40,
        "{most} of 2000 members that came together in one turn"
    );
}

#[test]
fn probes_that_nobody_answers_are_bounded_and_everybody_gets_a_turn() {
    let members: Vec<_> = (0..3000).map(|i| member(&format!("m{i}"))).collect();
    let mut settings = probing(500);
    settings.timeout_ms = 2000;
    let mut ward = Ward::new(&members, Some(settings));
    let mut open: Vec<u64> = Vec::new();
    let mut asked: BTreeMap<u16, u32> = BTreeMap::new();
    for _ in 0..400 {
        let now = ward.now_ms + TURN_MS;
        open.retain(|sent| now - sent < 2000);
        for probe in ward.turn() {
            open.push(now);
            *asked.entry(probe.token.slot).or_default() += 1;
        }
        assert!(open.len() <= MAX_OUTSTANDING, "{} wait", open.len());
    }
    assert_eq!(asked.len(), 3000, "somebody was never asked");
    let (least, most) = (asked.values().min().unwrap(), asked.values().max().unwrap());
    assert!(most - least <= 2, "asked {least} to {most} times");
}

#[test]
fn a_probe_that_cannot_be_sent_is_a_miss() {
    let mut ward = Ward::new(&[member("a")], Some(probing(1000)));
    for _ in 0..80 {
        for probe in ward.turn() {
            not_sent(ward.server, probe.token);
        }
    }
    assert_eq!(ward.health("a"), Some(Health::Down));
    let row = ward.server.observed.member(0).unwrap();
    assert_eq!(
        row.last_code.load(std::sync::atomic::Ordering::Relaxed),
        477
    );
}
