//! Nodes with real shared files, and a net between them that may lose, repeat, delay and overtake.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use kamscale_shm::hash::mix;
use kamscale_shm::{MemberSpec, Observer, Publisher, TableSpec, member_id, xxh3};

use super::pool;
use crate::algorithm::Algorithm;
use crate::calls;
use crate::selection::{self, Usable, sticky};
use crate::server::{Server, Settings};
use crate::share::{Share, deliver};
use crate::sticky::Held;
use crate::worker::{PoolName, Worker};

/// Between two turns.
const TURN_NS: u64 = 20_000_000;

/// One Kamailio process that does everything, and its agent.
pub(super) struct Node {
    pub(super) server: Server,
    worker: Worker,
    publisher: Publisher,
    pub(super) dir: tempfile::TempDir,
    share: Share,
    applied: u64,
    generation: u64,
    calls: Vec<(usize, AtomicUsize)>,
}

/// What a node counted of messages, and how many nodes it knows.
#[derive(Clone, Copy)]
pub(super) struct Counts {
    pub(super) refused: u64,
    pub(super) nodes: usize,
    pub(super) complete: usize,
}

impl Node {
    fn new(boot: u64, members: &[MemberSpec]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut publisher = Publisher::open(dir.path(), "t").unwrap();
        let pools = vec![pool("p", members)];
        publisher.publish(&TableSpec { pools }).unwrap();
        let settings = Settings {
            shm_dir: dir.path().to_path_buf(),
            instance: "t".to_owned(),
            share: true,
            ..Settings::default()
        };
        let (server, table) = Server::start(settings).unwrap();
        let _ = server.observed.look_for_desired(None);
        let mut worker = Worker::new(&server, table);
        worker.enter(&server, 1);
        let share = Share::new(&server, boot);
        Self {
            server,
            worker,
            publisher,
            dir,
            share,
            applied: 0,
            generation: 0,
            calls: Vec::new(),
        }
    }

    pub(super) fn publish(&mut self, members: &[MemberSpec]) {
        let observer = Observer::open(self.dir.path(), "t").unwrap();
        self.publisher.learn(&observer.snapshot());
        let pools = vec![pool("p", members)];
        self.publisher.publish(&TableSpec { pools }).unwrap();
    }

    fn turn(&mut self, now_ns: u64) -> Vec<String> {
        self.worker.refresh(&self.server);
        let table = self.worker.table();
        if table.generation() != self.generation {
            self.generation = table.generation();
            self.applied += 1;
        }
        self.share.turn(&self.server, table, self.applied, now_ns)
    }

    pub(super) fn slot(&mut self, id: u64) -> Option<usize> {
        self.worker.refresh(&self.server);
        let (pool, _) = self.worker.pool(PoolName::Text(b"p"))?;
        pool.members().find(|m| m.id() == id).map(|m| m.slot())
    }

    pub(super) fn mark_down(&mut self, id: u64) {
        let slot = self.slot(id).unwrap();
        let row = self.server.observed.member(slot).unwrap();
        let limit = kamscale_shm::member_row::FailureLimit {
            failures: 1,
            window_s: 30,
            down_s: 30,
        };
        row.fail(id, crate::server::now(), limit);
    }

    pub(super) fn mark_up(&mut self, id: u64) {
        if let Some(slot) = self.slot(id) {
            self.server.observed.member(slot).unwrap().mark_up(id);
        }
    }

    pub(super) fn counts(&self) -> Counts {
        let nodes = self.server.observed.nodes();
        let rows = nodes.rows.iter().filter(|r| r.heard_ns.load(Relaxed) != 0);
        let complete = rows.clone().filter(|r| r.complete.load(Relaxed) == 1);
        Counts {
            refused: nodes.refused.load(Relaxed),
            nodes: rows.count(),
            complete: complete.count(),
        }
    }

    fn call(&mut self, room: usize) -> Option<u64> {
        self.worker.refresh(&self.server);
        let (pool, cursors) = self.worker.pool(PoolName::Text(b"p"))?;
        let usable = Usable::new(&self.server, &pool, &[]);
        let key = xxh3(format!("room {room}").as_bytes());
        let held = sticky(&pool, key, &usable, &mut cursors.places).hold(None)?;
        let id = held.member.id();
        let word = AtomicUsize::new(0);
        calls::count(&self.server.observed, &word, &held.member, held.entry);
        self.calls.push((room, word));
        Some(id)
    }

    fn end(&mut self, number: usize) {
        if self.calls.is_empty() {
            return;
        }
        let (_, word) = self.calls.swap_remove(number % self.calls.len());
        calls::end(&self.server.observed, &word);
    }

    /// Where each of its live keys is.
    fn live(&mut self) -> BTreeMap<u64, u64> {
        self.worker.refresh(&self.server);
        let (pool, _) = self.worker.pool(PoolName::Text(b"p")).unwrap();
        let at = pool.members().map(|m| (m.slot(), m.id()));
        let ids: BTreeMap<usize, u64> = at.collect();
        let live = self.server.observed.keys().live();
        live.map(|l| (l.key, ids.get(&l.holder.slot()).copied().unwrap_or(0)))
            .collect()
    }

    pub(super) fn pick(&mut self, algorithm: Algorithm) -> Option<String> {
        let (pool, cursors) = self.worker.pool(PoolName::Text(b"p"))?;
        let usable = Usable::new(&self.server, &pool, &[]);
        let member = selection::select(&pool, algorithm, 0, &usable, cursors)?;
        Some(String::from_utf8(member.name().to_vec()).unwrap())
    }
}

/// The room's key in the table of keys.
fn key_of(room: usize) -> u64 {
    let key = xxh3(format!("room {room}").as_bytes());
    mix(key ^ xxh3(b"p").rotate_left(32))
}

/// A message on its way.
struct Datagram {
    at_ns: u64,
    from: usize,
    to: usize,
    body: String,
}

/// All nodes and their net.
pub(super) struct Cluster {
    pub(super) nodes: Vec<Node>,
    killed: Vec<bool>,
    cut: Vec<bool>,
    net: Vec<Datagram>,
    now_ns: u64,
    boots: u64,
    random: u64,
    /// Of 100 messages so many are lost, and so many come twice.
    pub(super) loss: u64,
    /// The longest way, in milliseconds.
    pub(super) delay_ms: u64,
}

impl Cluster {
    pub(super) fn new(count: usize, members: &[MemberSpec]) -> Self {
        let mut cluster = Self {
            nodes: Vec::new(),
            killed: Vec::new(),
            cut: Vec::new(),
            net: Vec::new(),
            now_ns: 1_000_000_000,
            boots: 0,
            random: 7,
            loss: 0,
            delay_ms: 0,
        };
        (0..count).for_each(|_| cluster.join(members));
        cluster.pass(2500);
        cluster
    }

    fn random(&mut self, below: u64) -> u64 {
        self.random = mix(self.random.wrapping_add(kamscale_shm::hash::STEP));
        self.random % below
    }

    pub(super) fn join(&mut self, members: &[MemberSpec]) {
        self.boots += 1;
        self.nodes.push(Node::new(self.boots, members));
        self.killed.push(false);
        self.cut.push(false);
    }

    pub(super) fn kill(&mut self, node: usize) {
        self.killed[node] = true;
    }

    pub(super) fn restart(&mut self, node: usize, members: &[MemberSpec]) {
        self.boots += 1;
        self.nodes[node] = Node::new(self.boots, members);
        self.killed[node] = false;
    }

    /// Takes a node off the net, or back.
    pub(super) fn cut(&mut self, node: usize, cut: bool) {
        self.cut[node] = cut;
    }

    fn send(&mut self, from: usize, body: &str) {
        for to in (0..self.nodes.len()).filter(|to| *to != from) {
            let chance = self.random(100);
            let copies = if chance < self.loss {
                0
            } else {
                1 + usize::from(chance < 2 * self.loss)
            };
            for _ in 0..copies {
                let late_ms = self.random(self.delay_ms + 1);
                let at_ns = self.now_ns + late_ms * 1_000_000;
                let body = body.to_owned();
                self.net.push(Datagram {
                    at_ns,
                    from,
                    to,
                    body,
                });
            }
        }
    }

    /// Lets time pass.
    pub(super) fn pass(&mut self, ms: u64) {
        let end_ns = self.now_ns + ms * 1_000_000;
        while self.now_ns < end_ns {
            let now_ns = self.now_ns;
            let due = self.net.extract_if(.., |d| d.at_ns <= now_ns);
            for datagram in due.collect::<Vec<_>>() {
                let Datagram { from, to, body, .. } = datagram;
                if self.killed[to] || self.cut[to] || self.cut[from] {
                    continue;
                }
                let uri = format!("sip:kamscale@node-{from};x=y");
                deliver(&self.nodes[to].server, uri.as_bytes(), body.as_bytes());
            }
            for node in 0..self.nodes.len() {
                if !self.killed[node] {
                    let messages = self.nodes[node].turn(now_ns);
                    messages.iter().for_each(|body| self.send(node, body));
                }
            }
            self.now_ns += TURN_NS;
        }
    }

    /// A call to a room by a node: the member that it gets.
    pub(super) fn call(&mut self, node: usize, room: usize) -> Option<u64> {
        if self.killed[node] {
            return None;
        }
        self.nodes[node].call(room)
    }

    /// A call without a key.
    pub(super) fn call_at(&mut self, node: usize, name: &str) {
        let node = &mut self.nodes[node];
        let (pool, _) = node.worker.pool(PoolName::Text(b"p")).unwrap();
        let found = pool.members().find(|m| m.name() == name.as_bytes());
        let (member, entry) = (found.unwrap(), None);
        let held = Held { member, entry };
        let word = AtomicUsize::new(0);
        calls::count(&node.server.observed, &word, &held.member, held.entry);
        node.calls.push((usize::MAX, word));
    }

    pub(super) fn end(&mut self, node: usize, number: usize) {
        if !self.killed[node] {
            self.nodes[node].end(number);
        }
    }

    pub(super) fn end_all(&mut self) {
        for node in &mut self.nodes {
            while !node.calls.is_empty() {
                node.end(0);
            }
        }
    }

    pub(super) fn live(&mut self, node: usize) -> BTreeMap<u64, u64> {
        self.nodes[node].live()
    }

    /// Where a node has a room.
    pub(super) fn place(&mut self, node: usize, room: usize) -> Option<u64> {
        self.live(node).get(&key_of(room)).copied()
    }

    /// That all nodes know the same: which keys live where, and what every member carries.
    pub(super) fn agrees(&mut self) {
        let alive: Vec<usize> = (0..self.nodes.len()).filter(|n| !self.killed[*n]).collect();
        let rooms = |node: &Node| -> Vec<u64> {
            let keyed = node.calls.iter().filter(|(room, _)| *room != usize::MAX);
            keyed.map(|(room, _)| key_of(*room)).collect()
        };
        let mut expected: Vec<u64> = alive.iter().flat_map(|n| rooms(&self.nodes[*n])).collect();
        expected.sort_unstable();
        expected.dedup();
        let first = self.live(alive[0]);
        assert_eq!(
            first.keys().copied().collect::<Vec<_>>(),
            expected,
            "which keys live"
        );
        let ids: Vec<u64> = (0..20).map(|i| member_id("p", &format!("m{i}"))).collect();
        for node in &alive {
            assert_eq!(self.live(*node), first, "node {node} and node {}", alive[0]);
            let counts = self.nodes[*node].counts();
            let others = alive.len() - 1;
            assert_eq!(
                (counts.nodes, counts.complete),
                (others, others),
                "nodes of {node}"
            );
            assert_eq!(
                self.nodes[*node]
                    .server
                    .observed
                    .nodes()
                    .unplaced
                    .load(Relaxed),
                0
            );
            for id in &ids {
                let others = alive.iter().filter(|n| *n != node);
                let own = |n: &usize| self.nodes[*n].own_calls(*id);
                let sum: u32 = others.map(own).sum();
                let seen = self.nodes[*node].seen_calls(*id);
                assert!(
                    seen.is_none_or(|seen| seen == sum),
                    "node {node}: {seen:?}, {sum}"
                );
            }
        }
    }
}

impl Node {
    fn place_of(&self, id: u64) -> Option<usize> {
        let mut members = self.worker.table().pools().flat_map(|p| p.members());
        members.find(|m| m.id() == id).map(|m| m.slot())
    }

    fn own_calls(&self, id: u64) -> u32 {
        let slot = self.place_of(id);
        slot.map_or(0, |slot| {
            self.server.observed.member(slot).unwrap().calls_of(id)
        })
    }

    fn seen_calls(&self, id: u64) -> Option<u32> {
        Some(self.server.observed.calls_elsewhere(self.place_of(id)?, id))
    }
}
