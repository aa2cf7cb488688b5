//! What the script functions do, for any message: select, go on to the next, mark, ask.
//! They return [`crate::code`]s, and write a log line at most every few seconds.

mod ask;
mod attempt;
mod extras;
pub mod fork;
mod mark;
mod refusal;
mod several;

use kamailio::message::{Message, Method};
use kamscale_shm::layout::PoolCounts;
use kamscale_shm::observed::add;
use kamscale_shm::{Member, Pool, xxh3};

use crate::algorithm::Algorithm;
use crate::code;
use crate::memory::{self, Memory};
use crate::selection::{self, Usable};
use crate::server::Server;
use crate::sticky::Held;
use crate::tracking;
use crate::worker::{PoolName, Worker};
use attempt::{Attempt, attempt_by_key, attempt_next};
use refusal::{no_member, not_set};

pub use ask::{Fit, is_active, is_from_pool, pool_exists};
pub use mark::{Mark, mark, mark_member, with_used};

/// What a selection sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// `$du`: the R-URI stays as it is.
    Destination,
    /// Host and port of the R-URI.
    Domain,
}

/// What a script asks for.
#[derive(Clone, Copy, Debug)]
pub struct Choice<'a> {
    /// From which pool.
    pub pool: PoolName<'a>,
    /// How.
    pub algorithm: Algorithm,
    /// The hash ([`xxh3`]) of the key of [`Algorithm::Hash`] and [`Algorithm::Sticky`]; the Call-ID without one.
    pub key: Option<u64>,
    /// Where the result goes.
    pub target: Target,
}

/// Counts one request of a feature.
#[inline]
pub fn count(server: &Server, feature: usize) -> i32 {
    let row = server.observed.process(kamailio::process::number());
    match row.and_then(|row| row.features.0.get(feature)) {
        Some(counter) => {
            add(counter, 1);
            code::OK
        }
        None => code::FAILED,
    }
}

/// Sends the request to a member of a pool.
#[inline(always)]
pub fn select<M: Message>(
    server: &Server,
    worker: &mut Worker,
    msg: &mut M,
    choice: &Choice<'_>,
) -> i32 {
    worker.refresh(server);
    let key = match choice.algorithm {
        Algorithm::Hash | Algorithm::BoundedHash | Algorithm::Sticky => key_of(msg, choice),
        _ => 0,
    };
    if choice.algorithm.is_apart() {
        return match choice.algorithm {
            Algorithm::Fork => fork::select(server, worker, msg, choice),
            _ => select_by_key(server, worker, msg, choice, key),
        };
    }
    let row = worker.row(server);
    let Some((pool, cursors)) = worker.pool(choice.pool) else {
        return several::select(server, worker, msg, choice);
    };
    let usable = Usable::new(server, &pool, &[]);
    let Some(picked) = selection::select(&pool, choice.algorithm, key, &usable, cursors) else {
        return several::overflow(server, worker, msg, choice, true);
    };
    let member = if is_call(msg) {
        let (member, entry) = (picked, None);
        let held = || Some(Held { member, entry });
        tracking::track(&server.observed, msg, &pool, picked, held).unwrap_or(picked)
    } else {
        picked
    };
    let counts = row.and_then(|row| row.pools.get(pool.slot()));
    send_first(server, msg, &pool, &member, choice, key, counts)
}

/// [`select`] by a sticky key. A key's member may be newer than the table that this run of the script
/// has: then the run takes the newest table, because else the room would be split.
#[inline(never)]
fn select_by_key<M: Message>(
    server: &Server,
    worker: &mut Worker,
    msg: &mut M,
    choice: &Choice<'_>,
    key: u64,
) -> i32 {
    let mut is_newest = false;
    loop {
        let row = worker.row(server);
        let Some((pool, cursors)) = worker.pool(choice.pool) else {
            return several::select(server, worker, msg, choice);
        };
        if pool.has_options() && pool.overflow().is_some() {
            return several::overflow(server, worker, msg, choice, false);
        }
        let usable = Usable::new(server, &pool, &[]);
        match attempt_by_key(server, msg, &pool, cursors, &usable, key, is_newest) {
            Attempt::Found(member) => {
                let counts = row.and_then(|row| row.pools.get(pool.slot()));
                return send_first(server, msg, &pool, &member, choice, key, counts);
            }
            Attempt::Nobody => return several::overflow(server, worker, msg, choice, true),
            Attempt::TooOld => is_newest = !worker.renew(server),
        }
    }
}

/// The hash of the key that the script gave, or of the Call-ID.
#[inline(always)]
fn key_of<M: Message>(msg: &mut M, choice: &Choice<'_>) -> u64 {
    match choice.key {
        Some(key) => key,
        None => msg.call_id().map_or(0, xxh3),
    }
}

/// Whether the message opens a call.
#[inline]
fn is_call<M: Message>(msg: &mut M) -> bool {
    msg.method() == Method::Invite && !msg.has_to_tag()
}

#[inline(always)]
fn send_first<M: Message>(
    server: &Server,
    msg: &mut M,
    pool: &Pool<'_>,
    member: &Member<'_>,
    choice: &Choice<'_>,
    key: u64,
    counts: Option<&PoolCounts>,
) -> i32 {
    let mut memory = server.settings.failover.then(|| {
        let mut memory = Memory::new(choice.algorithm, pool.name_hash(), key);
        memory.add(member.slot());
        memory
    });
    send(msg, member, memory.as_mut(), choice.target, counts)
}

/// Sends the request to the next best member that it was not sent to yet, from the table as it is
/// now.
pub fn next<M: Message>(server: &Server, worker: &mut Worker, msg: &mut M, target: Target) -> i32 {
    worker.refresh(server);
    let Some(mut memory) = recall(msg) else {
        return code::NOT_SELECTED;
    };
    if memory.place.is_some() {
        return several::next(server, worker, msg, memory, target);
    }
    let row = worker.row(server);
    let Some((pool, cursors)) = worker.pool_by_hash(memory.pool) else {
        return code::NO_POOL;
    };
    // Before anything of the call is moved.
    if memory.is_full() {
        return no_member(&pool, row);
    }
    tracking::note_refusal(&server.observed, msg, &pool, &memory);
    let usable = Usable::new(server, &pool, memory.tried());
    let (algorithm, key) = (memory.algorithm, memory.key);
    let found = attempt_next(server, msg, &pool, cursors, &usable, algorithm, key);
    if algorithm == Algorithm::Fork
        && let Some(first) = &found
    {
        fork::add_others(server, msg, &pool, first, &mut memory);
    }
    let Some(member) = found.filter(|member| memory.add(member.slot())) else {
        return several::next_overflow(server, worker, msg, memory, target);
    };
    let counts = row.and_then(|row| row.pools.get(pool.slot()));
    send(msg, &member, Some(&mut memory), target, counts)
}

#[inline(always)]
fn send<M: Message>(
    msg: &mut M,
    member: &Member<'_>,
    mut memory: Option<&mut Memory>,
    target: Target,
    counts: Option<&PoolCounts>,
) -> i32 {
    let before = memory.as_ref().map_or(0, |memory| memory.extras);
    if member.has_options() || before != 0 {
        match extras::set(msg, member, before, target) {
            Ok(extras) => {
                if let Some(memory) = &mut memory {
                    memory.extras = extras;
                }
            }
            Err(why) => return not_set(why),
        }
    }
    let set = match target {
        Target::Destination => msg.set_destination(member.uri()),
        Target::Domain => msg.set_domain(member.host_port()),
    };
    let done = set.and_then(|()| match memory {
        Some(memory) => msg.remember(memory::NAME, &memory.to_bytes()),
        None => Ok(()),
    });
    if let Err(why) = done {
        return not_set(why);
    }
    if let Some(counts) = counts {
        add(&counts.selected, 1);
    }
    code::OK
}

/// The memory of this request.
pub fn recall<M: Message>(msg: &mut M) -> Option<Memory> {
    Memory::from_bytes(&msg.recall(memory::NAME)?)
}
