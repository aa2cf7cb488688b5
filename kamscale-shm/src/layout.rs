//! The bytes of the two files: atomics and padding only, so that a shared reference to a mapped
//! file is sound and every access is a safe one. Sizes and offsets are asserted here and written
//! out in `docs/shm-layout.md`, which a test compares.
//!
//! Version rule: another major version is refused by both sides, naming both; a minor version may
//! only use what was padding. All zero bytes are a valid, empty file that is not ready.

use core::mem::{offset_of, size_of};

use crate::keys::{KeyEntry, KeyGroup};
use crate::limits::{
    HISTORY_SLOTS, HISTORY_WORDS, KEY_GROUPS, MAX_FEATURES, MAX_MEMBERS, MAX_POOLS, MAX_PROCESSES,
    MAX_TABLE_WORDS, TABLE_SLOTS,
};
use crate::nodes::Nodes;
use crate::sync::{AtomicI64, AtomicU8, AtomicU16, AtomicU32, AtomicU64};

/// First word of the observed file.
pub const OBSERVED_MAGIC: u64 = u64::from_le_bytes(*b"KSOBSERV");
/// First word of the desired file.
pub const DESIRED_MAGIC: u64 = u64::from_le_bytes(*b"KSDESIRE");
/// Version of both files.
pub const MAJOR: u32 = 3;
/// See [`MAJOR`].
pub const MINOR: u32 = 0;
/// What `ready` holds once the rest of the file may be read.
pub const READY: u32 = 0x5245_4459;

/// A structure that consists of atomics and padding, for which any bytes are a valid value.
///
/// # Safety
/// The implementor must be `repr(C)`, built of atomics of the crate's `sync` module and of arrays
/// and structures of such alone. Then `&Self` over shared bytes that another process changes at
/// any time is sound, as every access is atomic.
#[expect(
    unsafe_code,
    reason = "a promise about a layout; the implementations stand beside it"
)]
pub unsafe trait AllAtomic {}

/// The head of either file. One side writes it, before `ready`; heartbeat and closed also later.
#[derive(Debug)]
#[repr(C, align(128))]
pub struct Header {
    /// Which file this is.
    pub magic: AtomicU64,
    /// [`MAJOR`].
    pub major: AtomicU32,
    /// [`MINOR`].
    pub minor: AtomicU32,
    /// Size of the whole file.
    pub total_bytes: AtomicU64,
    /// Drawn anew when the file is made: counters start again with another one.
    pub boot_id: AtomicU64,
    /// The writing process (Kamailio's main process, or the agent).
    pub pid: AtomicU32,
    /// 1 once the writer has ended in order, or has been replaced: look for the successor.
    pub closed: AtomicU32,
    /// [`crate::clock::monotonic_ns`] of the writer's last sign of life.
    pub heartbeat_ns: AtomicU64,
    /// [`READY`], stored last.
    pub ready: AtomicU32,
}

/// The file that the agent writes.
#[derive(Debug)]
#[repr(C, align(4096))]
pub struct DesiredFile {
    /// Its head.
    pub header: Header,
    /// The generation that readers shall use; 0 before the first. On a cache line that changes
    /// with it only, as every request loads it.
    pub generation: Line<AtomicU64>,
    /// What is admitted of each feature, in the order of the observed file. Not part of a table:
    /// it moves every second.
    pub admission: [AdmissionRow; MAX_FEATURES],
    /// Where the tables are.
    pub slots: [TableSlot; TABLE_SLOTS],
    /// What the last publications changed.
    pub history: [HistorySlot; HISTORY_SLOTS],
}

/// What is admitted of one feature.
#[derive(Debug)]
#[repr(C, align(32))]
pub struct AdmissionRow {
    /// Whose row it is ([`crate::hash::xxh3`] of the name), stored last; 0: everything is admitted.
    pub feature: AtomicU64,
    /// Nanoseconds for one request ([`crate::bucket::Allowance`]).
    pub interval_ns: AtomicU64,
    /// How far requests may run ahead.
    pub ahead_ns: AtomicU64,
    /// Until when the row stands ([`crate::clock::monotonic_ns`]); 0: for as long as the file does.
    pub until_ns: AtomicU64,
}

/// A value with a cache line pair to itself (adjacent lines are fetched together).
#[derive(Debug)]
#[repr(C, align(128))]
pub struct Line<T>(pub T);

/// One slot of the publication (see [`crate::publication`]).
#[derive(Debug)]
#[repr(C, align(4096))]
pub struct TableSlot {
    /// 2 x generation when whole, odd while being written.
    pub stamp: AtomicU64,
    /// Words of the table.
    pub length: AtomicU64,
    /// The table ([`crate::encode`]).
    pub words: [AtomicU64; MAX_TABLE_WORDS],
}

/// What one publication changed (see [`crate::history`]).
#[derive(Debug)]
#[repr(C, align(4096))]
pub struct HistorySlot {
    /// 2 x generation when whole, odd while being written.
    pub stamp: AtomicU64,
    /// Words of the record.
    pub length: AtomicU64,
    /// The record.
    pub words: [AtomicU64; HISTORY_WORDS],
}

/// The file that Kamailio writes.
#[derive(Debug)]
#[repr(C, align(4096))]
pub struct ObservedFile {
    /// Its head.
    pub header: Header,
    /// What concerns all of Kamailio.
    pub server: ServerRow,
    /// Names of the features, in the order of their counters.
    pub features: [NameRow; MAX_FEATURES],
    /// What is known of each member, by slot.
    pub members: [MemberRow; MAX_MEMBERS],
    /// What each process did, by `process_no`.
    pub processes: [ProcessRow; MAX_PROCESSES],
    /// The token bucket of each feature: when it would be full again ([`crate::bucket`]).
    pub buckets: [Line<AtomicU64>; MAX_FEATURES],
    /// Times that no room was left for a sticky key.
    pub keys_refused: Line<AtomicU64>,
    /// Which member holds which sticky key.
    pub keys: [KeyGroup; KEY_GROUPS],
    /// What is summed over each pool, by slot.
    pub pools: [PoolRow; MAX_POOLS],
    /// What concerns other nodes.
    pub nodes: Nodes,
}

/// What the timer process sums over one pool, once a second.
#[derive(Debug)]
#[repr(C, align(32))]
pub struct PoolRow {
    /// Calls on its active members.
    pub calls: AtomicU64,
    /// The weights of its active members together.
    pub weight: AtomicU64,
    /// How many members are active.
    pub active: AtomicU32,
    /// How many of them are down and do not answer probes at all; 0 if there are no two members.
    pub down: AtomicU32,
    /// How many of them take requests with their whole weight, in a pool with slow start.
    pub steady: AtomicU32,
    /// How many of them refused calls of late.
    pub refusing: AtomicU32,
}

/// What concerns all of Kamailio; written before the fork and by its timer process.
#[derive(Debug)]
#[repr(C, align(128))]
pub struct ServerRow {
    /// Grows when another desired file is there: the workers look for it.
    pub desired_epoch: AtomicU64,
    /// Kamailio's own clock in seconds (`get_ticks`), which does not begin at 0. Times in [`MemberRow`] are on it.
    pub now_s: AtomicU64,
    /// 1 if calls are counted (the dialog module is loaded).
    pub calls_tracked: AtomicU32,
    /// How many features are declared.
    pub features: AtomicU32,
    /// How many processes Kamailio has; 0 before it knows.
    pub processes: AtomicU32,
    /// 1 while an operator lets nobody be probed (`kamscale.probe off`); kept over a restart.
    pub probing_off: AtomicU32,
}

/// A name: its bytes, then zeros.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct NameRow {
    /// At most 63 of them are used.
    pub bytes: [AtomicU8; 64],
}

/// What Kamailio knows of one member. Written by all its processes, hence by read-modify-write; the
/// second half by the process that probes and by whoever gets an answer ([`crate::health`]).
#[derive(Debug)]
#[repr(C, align(128))]
pub struct MemberRow {
    /// Whose row this is ([`crate::hash::member_id`]); 0 before anybody used it.
    pub id: AtomicU64,
    /// Calls that it carries now.
    pub calls: AtomicI64,
    /// Out of selection until `now_s` (passive detection); 0 or past: up.
    pub down_until_s: AtomicU64,
    /// The operator's word (`kamscale.set_state`): 0 none, else 1 + the state's number in the low 3
    /// bits and the member's id, shifted by them, above: it speaks of that member alone.
    pub override_word: AtomicU64,
    /// What probing says, in the same form: 0 nothing, else [`crate::Health`]'s number and the id.
    pub health_word: AtomicU64,
    /// Times a script marked it as failed.
    pub failures: AtomicU64,
    /// Calls that were ever counted on it.
    pub calls_total: AtomicU64,
    /// 0 as long as nothing ever spoke against a member of this slot: a selection then looks no
    /// further. It never goes back to 0.
    pub held: AtomicU8,
    /// Not used.
    pub unused: AtomicU8,
    /// Calls that it refused of late, in sixteenths: they count as load for a while.
    pub refusals: AtomicU16,
    /// Second since which it takes requests; 0: it takes none, or the timer process has not seen yet
    /// that it does; 1: since before the timer process looked first.
    pub used_since_s: AtomicU32,
    /// When the last probe was sent ([`crate::clock::monotonic_ns`]).
    pub probe_sent_ns: AtomicU64,
    /// The answer to the last probe ([`crate::health::Answer`]), for the process that probes.
    pub answer: AtomicU64,
    /// When it came.
    pub answered_ns: AtomicU64,
    /// Time to an answer, smoothed (each new one counts a fifth); 0: none came yet.
    pub latency_us: AtomicU32,
    /// Status of the last answer; 408 if none came in time.
    pub last_code: AtomicU32,
    /// Good answers in a row.
    pub successes: AtomicU32,
    /// Probes in a row without a good one.
    pub misses: AtomicU32,
    /// Calls that it says it carries, plus 1; 0: it does not say.
    pub reported_calls: AtomicU32,
    /// Calls that it says it may carry, plus 1; 0: it does not say.
    pub reported_capacity: AtomicU32,
    /// Per cent of its weight that it asks for, plus 1; 0: it does not say.
    pub reported_weight: AtomicU32,
    /// Number of the last probe.
    pub probe: AtomicU32,
    /// Failures that scripts marked of late: since which second (high half), and how many.
    pub failure_window: AtomicU64,
}

/// What one process did. Only that process writes its row, so plain adding is enough.
#[derive(Debug)]
#[repr(C, align(128))]
pub struct ProcessRow {
    /// Process id; 0 for a row without a process.
    pub pid: AtomicU32,
    /// Kamailio's rank, plus 128: above 128 a worker that serves requests.
    pub rank: AtomicU32,
    /// The generation it uses; 0: none that an agent published.
    pub generation: AtomicU64,
    /// When it applied that generation ([`crate::clock::monotonic_ns`]).
    pub applied_ns: AtomicU64,
    /// Tables it applied.
    pub applied: AtomicU64,
    /// Tables it refused because they were not valid.
    pub rejected: AtomicU64,
    /// Copies it gave up because the publisher was faster.
    pub torn: AtomicU64,
    /// Panics its guard caught.
    pub panics: AtomicU64,
    /// Requests per feature.
    pub features: Line<[AtomicU64; MAX_FEATURES]>,
    /// Those of them that `ks_admit()` let in.
    pub admitted: Line<[AtomicU64; MAX_FEATURES]>,
    /// Those of them that `ks_admit()` refused.
    pub refused: Line<[AtomicU64; MAX_FEATURES]>,
    /// Selections per pool slot.
    pub pools: [PoolCounts; MAX_POOLS],
}

/// What one process selected from one pool.
#[derive(Debug)]
#[repr(C)]
pub struct PoolCounts {
    /// A member was found.
    pub selected: AtomicU64,
    /// No member was to be had.
    pub refused: AtomicU64,
}

#[expect(
    unsafe_code,
    reason = "the promise of AllAtomic, checked field by field above"
)]
mod all_atomic {
    // SAFETY: repr(C); Header, a Line of an atomic, rows and slots of atomics, also of the history.
    unsafe impl super::AllAtomic for super::DesiredFile {}
    // SAFETY: repr(C); every row consists of atomics and arrays of atomics.
    unsafe impl super::AllAtomic for super::ObservedFile {}
}

const _: () = {
    assert!(size_of::<Header>() == 128 && offset_of!(Header, ready) == 48);
    assert!(offset_of!(DesiredFile, generation) == 128);
    assert!(size_of::<AdmissionRow>() == 32 && offset_of!(DesiredFile, admission) == 256);
    assert!(offset_of!(DesiredFile, slots) == 4096);
    assert!(offset_of!(TableSlot, words) == 16);
    assert!(size_of::<HistorySlot>() == 4096 && offset_of!(HistorySlot, words) == 16);
    assert!(size_of::<ServerRow>() == 128 && offset_of!(ObservedFile, server) == 128);
    assert!(size_of::<NameRow>() == 64 && offset_of!(ObservedFile, features) == 256);
    assert!(size_of::<MemberRow>() == 128 && offset_of!(ObservedFile, members) == 4352);
    assert!(offset_of!(MemberRow, probe_sent_ns) == 64);
    assert!(size_of::<ProcessRow>() == 18_048 && size_of::<ProcessRow>().is_multiple_of(128));
    assert!(offset_of!(ProcessRow, features) == 128 && offset_of!(ProcessRow, pools) == 1664);
    assert!(size_of::<PoolCounts>() == 16);
    assert!(size_of::<KeyGroup>() == 128 && size_of::<KeyEntry>() == 16);
};
