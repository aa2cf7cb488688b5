//! One other node: what it has said, and since when.

use std::sync::atomic::Ordering;

use kamscale_shm::limits::{KEY_GROUPS, KEYS_PER_GROUP, MAX_MEMBERS};
use kamscale_shm::nodes::{NodeRow, Nodes};

use super::message::{Hold, Message};
use super::registers::Registers;

/// A message that is older than the newest one of its node by so many microseconds is not believed:
/// tm gives one up after 30 s.
const MAX_AGE_US: u64 = 40_000_000;
/// So long it is remembered that something is gone: longer than a message may be on its way.
const GONE_US: u64 = 60_000_000;

/// Another node.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) boot: u64,
    pub(super) keys: Registers<Hold>,
    pub(super) calls: Registers<u32>,
    /// By this node's clock.
    pub(super) heard_ns: u64,
    /// By its own.
    newest: u64,
    received: u64,
    /// Of these messages other processes see what came of them.
    shown: u64,
    /// Its row in shared memory.
    row: usize,
}

impl Node {
    /// One that was just heard of; `None` if there are too many.
    pub(super) fn new(name: &str, boot: u64, now_ns: u64, nodes: &Nodes) -> Option<Self> {
        let free = |row: &NodeRow| row.heard_ns.load(Ordering::Relaxed) == 0;
        let row = nodes.rows.iter().position(free)?;
        nodes.rows[row].set_name(name);
        nodes.rows[row]
            .heard_ns
            .store(now_ns.max(1), Ordering::Release);
        Some(Self {
            name: name.to_owned(),
            boot,
            // Twice as many as can live: the rest is remembered as gone.
            keys: Registers::new(2 * KEY_GROUPS * KEYS_PER_GROUP),
            calls: Registers::new(2 * MAX_MEMBERS),
            heard_ns: now_ns,
            newest: 0,
            received: 0,
            shown: 0,
            row,
        })
    }

    /// Takes what it says; keys and members of which it says something new are told.
    pub(super) fn take(
        &mut self,
        message: &Message,
        now_ns: u64,
        key: impl FnMut(u64),
        member: impl FnMut(u64),
    ) {
        if message.time + MAX_AGE_US < self.newest {
            return;
        }
        self.newest = self.newest.max(message.time);
        self.heard_ns = now_ns;
        self.received += 1;
        self.keys.take(message.time, &message.keys, key);
        self.calls.take(message.time, &message.calls, member);
    }

    pub(super) fn forget_gone(&mut self) {
        let before = self.newest.saturating_sub(GONE_US);
        self.keys.forget_gone(before);
        self.calls.forget_gone(before);
    }

    /// Whether it has told all that it has.
    pub(super) fn is_complete(&self) -> bool {
        self.keys.is_complete() && self.calls.is_complete()
    }

    /// Shows it to other processes.
    pub(super) fn show(&mut self, nodes: &Nodes) {
        let row = nodes.rows.get(self.row);
        let Some(row) = row.filter(|_| self.shown != self.received) else {
            return;
        };
        self.shown = self.received;
        let calls: u64 = self.calls.live().map(|(_, calls)| u64::from(calls)).sum();
        let small = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        row.boot.store(self.boot, Ordering::Relaxed);
        row.received.store(self.received, Ordering::Relaxed);
        row.keys.store(small(self.keys.len()), Ordering::Relaxed);
        row.calls
            .store(u32::try_from(calls).unwrap_or(u32::MAX), Ordering::Relaxed);
        let complete = u32::from(self.is_complete());
        row.complete.store(complete, Ordering::Relaxed);
        // Partner: the Acquire load in the report: the row is somebody's.
        row.heard_ns.store(self.heard_ns, Ordering::Release);
    }

    /// Frees its row.
    pub(super) fn hide(&self, nodes: &Nodes) {
        if let Some(row) = nodes.rows.get(self.row) {
            row.heard_ns.store(0, Ordering::Release);
        }
    }
}
