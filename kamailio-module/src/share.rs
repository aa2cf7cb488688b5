//! What this node and the others tell each other, so that all of them know where each sticky key lives
//! and what each member carries. It owns the protocol, in the one process that shares ([`Share`]);
//! [`deliver`] hands it what dmq's processes receive. No request waits for any of it.
//!
//! **What is said.** A node speaks of itself alone: which keys have calls here and at which member,
//! and how many calls it has on each member ([`message`]). Each message states that for a moment, so it
//! may be lost, repeated, overtaken or late: of each key and member the last word holds
//! ([`registers`]). Changes are told within a turn (20 ms); every [`CYCLE_MS`] a node tells all that it
//! has, range by range, and what a range does not name is gone. So a lost message harms until the next
//! cycle. Who does not know all of somebody yet asks, and everybody begins a cycle at once. A node
//! that starts again has a later `boot`, and is forgotten as it was before; one that is silent for
//! `share_timeout_s` is forgotten, too.
//!
//! **What becomes of it.** A key that others hold is opened here at their member, with one call that
//! stands for all of them ([`holds`]); the calls of all others on a member are summed for selection.
//!
//! **One key, two members.** A new key's place follows from the table and from what is known of all
//! nodes, so two nodes choose the same one unless they see different room, or cannot hear each other.
//! If they did not, of all that nodes say of a key the highest version wins, then the lower
//! hash of key and member; everybody comes to the same, and says so. A node that moves a key (its
//! member is down) raises the version by one. Calls stay where they are; later ones follow.

mod holds;
mod message;
mod node;
mod registers;
mod told;

use std::collections::BTreeSet;
use std::sync::atomic::Ordering::Relaxed;

use kamailio::log::{Level, RateLimit};
use kamscale_shm::{Table, clock, xxh3};

use crate::server::Server;
use holds::Holds;
use message::{Draft, Message};
use node::Node;
use told::Told;

/// A node tells all that it has so often.
pub const CYCLE_MS: u64 = 10_000;
/// A node says something at least so often.
const HEARTBEAT_MS: u64 = 1000;
/// Its own calls are compared with what it said so often.
const CALLS_MS: u64 = 200;
/// Messages of one turn.
const MAX_PER_TURN: usize = 8;
/// Those of them that tell of calls.
const MAX_CALLS_PER_TURN: usize = 2;
/// A cycle that somebody asked for begins so long after the last one at least.
const ASKED_MS: u64 = 1000;
/// One log line in so many seconds.
const LOG_EVERY_S: u32 = 10;

/// A message came in, in whichever process: to the process that shares. `from` is the URI of who sent
/// it.
pub fn deliver(server: &Server, from: &[u8], body: &[u8]) {
    let nodes = server.observed.nodes();
    let mut message = address(from).to_vec();
    message.push(b'\n');
    message.extend_from_slice(body);
    if !nodes.inbox().put(&message) {
        nodes.lost.fetch_add(1, Relaxed);
    }
}

/// `HOST:PORT` of a URI.
fn address(uri: &[u8]) -> &[u8] {
    let start = uri.iter().position(|b| *b == b'@').map_or(0, |at| at + 1);
    let rest = &uri[start..];
    let end = rest.iter().position(|b| b";?>".contains(b));
    &rest[..end.unwrap_or(rest.len())]
}

/// How far a node has come with telling all that it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cycle {
    /// It has told all.
    Done,
    /// Keys from here on.
    Keys(u64),
    /// Then members from here on.
    Calls(u64),
}

/// This node among the others.
#[derive(Debug)]
pub struct Share {
    instance: u64,
    boot: u64,
    /// When it said something last, by the clock of its messages.
    time: u64,
    nodes: Vec<Node>,
    holds: Holds,
    /// Calls of this node, by member.
    calls: Told<u32>,
    /// Members on which the calls of others have changed.
    members: BTreeSet<u64>,
    cycle: Cycle,
    /// Somebody waits for this cycle.
    hurry: bool,
    asked: bool,
    cycle_ms: u64,
    sent_ms: u64,
    calls_ms: u64,
}

impl Share {
    /// A node that knows nobody yet. `boot` must be larger than that of its last life, and other
    /// than everybody else's.
    #[must_use]
    pub fn new(server: &Server, boot: u64) -> Self {
        Self {
            instance: xxh3(server.settings.instance.as_bytes()),
            boot,
            time: 0,
            nodes: Vec::new(),
            holds: Holds::new(),
            calls: Told::new(),
            members: BTreeSet::new(),
            cycle: Cycle::Keys(0),
            hurry: true,
            asked: false,
            cycle_ms: 0,
            sent_ms: 0,
            calls_ms: 0,
        }
    }

    /// A number for this life of this node: by the wall clock, and hardly another's.
    #[must_use]
    pub fn boot_now() -> u64 {
        let chance = kamscale_shm::hash::mix(clock::monotonic_ns() ^ u64::from(std::process::id()));
        clock::wall_ms() << 20 | chance >> 44
    }

    /// One turn at this moment: takes what came in, and returns what is to be sent to all others.
    /// `applied` counts the tables that this process applied.
    pub fn turn(
        &mut self,
        server: &Server,
        table: &Table,
        applied: u64,
        now_ns: u64,
    ) -> Vec<String> {
        if self.holds.adopt(table, applied) {
            self.members.extend(self.holds.members().map(|(id, _)| id));
            let told: Vec<u64> = self.calls.all().map(|(id, _)| id).collect();
            let gone = |id: &u64| self.holds.slot(*id).is_none();
            told.into_iter()
                .filter(gone)
                .for_each(|id| self.calls.set(id, None));
        }
        // First what happened here: who opened a key before it heard of another's has no later word.
        self.holds.look(server, &self.nodes);
        self.receive(server, now_ns);
        self.forget_silent(server, now_ns);
        self.holds.settle(server, &self.nodes);
        self.sum_members(server);
        self.count_calls(server, now_ns / 1_000_000);
        let messages = self.compose(now_ns);
        self.show(server, messages.len());
        messages
    }

    fn receive(&mut self, server: &Server, now_ns: u64) {
        let shared = server.observed.nodes();
        let mut bytes = Vec::new();
        while shared.inbox().take(&mut bytes) {
            let text = String::from_utf8_lossy(&bytes);
            let (from, body) = text.split_once('\n').unwrap_or((&text, ""));
            let taken = match Message::parse(body.as_bytes()) {
                Ok(message) => self.take(server, from, &message, now_ns),
                Err(why) => Err(why),
            };
            match taken {
                Ok(count) => _ = shared.received.fetch_add(count, Relaxed),
                Err(why) => {
                    static LIMIT: RateLimit = RateLimit::new(LOG_EVERY_S);
                    shared.refused.fetch_add(1, Relaxed);
                    let text = format_args!("a message of node {from:?} is refused: {why}");
                    LIMIT.write(Level::Warning, text);
                }
            }
        }
    }

    /// How many messages that was: one that is not for us, or of an earlier life, is none.
    fn take(
        &mut self,
        server: &Server,
        from: &str,
        message: &Message,
        now_ns: u64,
    ) -> Result<u64, String> {
        if message.instance != self.instance || message.boot == self.boot {
            return Ok(0);
        }
        let known = self.nodes.iter().position(|node| node.name == from);
        let at = match known {
            Some(at) if self.nodes[at].boot == message.boot => at,
            Some(at) if self.nodes[at].boot > message.boot => return Ok(0),
            known => {
                if let Some(at) = known {
                    self.forget(server, at);
                }
                let node = Node::new(from, message.boot, now_ns, server.observed.nodes());
                self.nodes
                    .push(node.ok_or("there are too many nodes (MAX_NODES)")?);
                self.nodes.len() - 1
            }
        };
        self.asked |= message.asks;
        let (keys, members) = (self.holds.changed(), &mut self.members);
        self.nodes[at].take(
            message,
            now_ns,
            |key| _ = keys.insert(key),
            |member| _ = members.insert(member),
        );
        Ok(1)
    }

    fn forget_silent(&mut self, server: &Server, now_ns: u64) {
        let timeout_ns = server.settings.share_timeout_s * 1_000_000_000;
        let silent = |node: &Node| now_ns.saturating_sub(node.heard_ns) > timeout_ns;
        while let Some(at) = self.nodes.iter().position(silent) {
            let name = &self.nodes[at].name;
            kamailio::log::warning(format_args!(
                "node {name} is silent: its calls and sticky keys are forgotten"
            ));
            self.forget(server, at);
        }
    }

    fn forget(&mut self, server: &Server, at: usize) {
        let node = self.nodes.swap_remove(at);
        self.holds
            .changed()
            .extend(node.keys.live().map(|(key, _)| key));
        self.members.extend(node.calls.live().map(|(id, _)| id));
        node.hide(server.observed.nodes());
    }

    /// Sums the calls of others where they changed.
    fn sum_members(&mut self, server: &Server) {
        while let Some(id) = self.members.pop_first() {
            let calls = self.nodes.iter().filter_map(|node| node.calls.get(id));
            let sum = calls.fold(0, u32::saturating_add);
            if let Some(slot) = self.holds.slot(id) {
                server.observed.nodes().set_calls(slot, id, sum);
            }
        }
    }

    fn count_calls(&mut self, server: &Server, now_ms: u64) {
        if now_ms.saturating_sub(self.calls_ms) < CALLS_MS {
            return;
        }
        self.calls_ms = now_ms;
        for (id, slot) in self.holds.members() {
            let row = server.observed.member(slot);
            let calls = row.map_or(0, |row| row.calls_of(id));
            self.calls.set(id, Some(calls).filter(|calls| *calls > 0));
        }
    }

    fn compose(&mut self, now_ns: u64) -> Vec<String> {
        let now_ms = now_ns / 1_000_000;
        let waited_ms = now_ms.saturating_sub(self.cycle_ms);
        let again_ms = if self.asked { ASKED_MS } else { CYCLE_MS };
        if self.cycle == Cycle::Done && waited_ms >= again_ms {
            (self.cycle, self.hurry) = (Cycle::Keys(0), false);
            self.cycle_ms = now_ms;
            self.nodes.iter_mut().for_each(Node::forget_gone);
            self.holds.retry();
        }
        // Who asks while a cycle is on its way asks again if the rest of it was not enough.
        self.hurry |= std::mem::take(&mut self.asked);
        let mut messages = Vec::new();
        while messages.len() < MAX_PER_TURN && self.holds.told.is_due() {
            let mut draft = self.draft(now_ns);
            self.holds.told.tell(&mut draft);
            messages.push(draft.finish());
        }
        let most = (messages.len() + MAX_CALLS_PER_TURN).min(MAX_PER_TURN);
        while messages.len() < most && self.calls.is_due() {
            let mut draft = self.draft(now_ns);
            self.calls.tell(&mut draft);
            messages.push(draft.finish());
        }
        let most = if self.hurry {
            MAX_PER_TURN
        } else {
            messages.len() + 1
        };
        while messages.len() < most.min(MAX_PER_TURN) && self.cycle != Cycle::Done {
            messages.push(self.page(now_ns));
        }
        if messages.is_empty() && now_ms.saturating_sub(self.sent_ms) >= HEARTBEAT_MS {
            messages.push(self.draft(now_ns).finish());
        }
        if !messages.is_empty() {
            self.sent_ms = now_ms;
        }
        messages
    }

    /// The next part of all that there is.
    fn page(&mut self, now_ns: u64) -> String {
        let mut draft = self.draft(now_ns);
        if let Cycle::Keys(from) = self.cycle {
            let next = self.holds.told.tell_all(from, &mut draft);
            self.cycle = next.map_or(Cycle::Calls(0), Cycle::Keys);
        }
        if let Cycle::Calls(from) = self.cycle
            && draft.has_room()
        {
            let next = self.calls.tell_all(from, &mut draft);
            self.cycle = next.map_or(Cycle::Done, Cycle::Calls);
        }
        draft.finish()
    }

    /// A message that says nothing yet, of this moment.
    fn draft(&mut self, now_ns: u64) -> Draft {
        self.time = (now_ns / 1000).max(self.time + 1);
        let asks = self.nodes.iter().any(|node| !node.is_complete());
        Draft::new(self.instance, self.boot, self.time, asks)
    }

    fn show(&mut self, server: &Server, sent: usize) {
        let shared = server.observed.nodes();
        shared.sent.fetch_add(sent as u64, Relaxed);
        let unplaced = self.holds.unplaced() as u64;
        shared.unplaced.store(unplaced, Relaxed);
        self.nodes.iter_mut().for_each(|node| node.show(shared));
    }
}
