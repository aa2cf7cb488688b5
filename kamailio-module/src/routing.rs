//! What the script functions do, for any message: select, go on to the next, mark, test.
//! They return [`crate::code`]s, and write a log line at most every few seconds.

use kamailio::log::{Level, RateLimit};
use kamailio::message::{HostError, Message, Method};
use kamscale_shm::layout::{MemberRow, PoolCounts, ProcessRow};
use kamscale_shm::member_row::FailureLimit;
use kamscale_shm::observed::add;
use kamscale_shm::{Member, Pool, xxh3};

use crate::algorithm::Algorithm;
use crate::calls;
use crate::code;
use crate::memory::{self, Memory};
use crate::selection::{self, Usable, sticky};
use crate::server::{Server, now};
use crate::sticky::Held;
use crate::tracking;
use crate::worker::{PoolName, Worker};

/// One line in so many seconds per kind of trouble and process.
const LOG_EVERY_S: u32 = 10;

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
    /// The key of [`Algorithm::Hash`] and [`Algorithm::Sticky`]; the Call-ID without one.
    pub key: Option<&'a [u8]>,
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
        Algorithm::Hash | Algorithm::BoundedHash | Algorithm::Sticky => match choice.key {
            Some(key) => xxh3(key),
            None => msg.call_id().map_or(0, xxh3),
        },
        _ => 0,
    };
    if choice.algorithm == Algorithm::Sticky {
        return select_by_key(server, worker, msg, choice, key);
    }
    let row = worker.row(server);
    let Some((pool, cursors)) = worker.pool(choice.pool) else {
        return no_pool(worker, choice.pool);
    };
    let usable = Usable::new(server, pool.slot(), &[]);
    let Some(picked) = selection::select(&pool, choice.algorithm, key, &usable, cursors) else {
        return no_member(&pool, row);
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
            return no_pool(worker, choice.pool);
        };
        let usable = Usable::new(server, pool.slot(), &[]);
        let mut sticky = sticky(&pool, key, &usable, &mut cursors.places);
        sticky.is_newest = is_newest;
        let mut member = sticky.look();
        if let Some(picked) = member.filter(|_| is_call(msg)) {
            let hold = || sticky.hold(None);
            member = tracking::track(&server.observed, msg, &pool, picked, hold);
        }
        if sticky.missed {
            is_newest = !worker.renew(server);
            continue;
        }
        let Some(member) = member else {
            return no_member(&pool, row);
        };
        let counts = row.and_then(|row| row.pools.get(pool.slot()));
        return send_first(server, msg, &pool, &member, choice, key, counts);
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
    let memory = server.settings.failover.then(|| {
        let mut memory = Memory::new(choice.algorithm, pool.name_hash(), key);
        memory.add(member.slot());
        memory
    });
    send(msg, member, memory.as_ref(), choice.target, counts)
}

/// Sends the request to the next best member that it was not sent to yet, from the table as it is
/// now.
pub fn next<M: Message>(server: &Server, worker: &mut Worker, msg: &mut M, target: Target) -> i32 {
    worker.refresh(server);
    let Some(mut memory) = recall(msg) else {
        return code::NOT_SELECTED;
    };
    let row = worker.row(server);
    let Some((pool, cursors)) = worker.pool_by_hash(memory.pool) else {
        return code::NO_POOL;
    };
    let usable = Usable::new(server, pool.slot(), memory.tried());
    let algorithm = memory.algorithm;
    let is_call = msg.method() == Method::Invite;
    let held = (is_call && algorithm == Algorithm::Sticky)
        .then(|| {
            let hold = |mine| sticky(&pool, memory.key, &usable, &mut cursors.places).hold(mine);
            tracking::move_with_key(&server.observed, msg, hold)
        })
        .flatten();
    let picked =
        held.unwrap_or_else(|| selection::select(&pool, algorithm, memory.key, &usable, cursors));
    let Some(member) = picked.filter(|member| memory.add(member.slot())) else {
        return no_member(&pool, row);
    };
    if is_call && held.is_none() {
        msg.with_call(|word| calls::count(&server.observed, word, &member, None));
    }
    let counts = row.and_then(|row| row.pools.get(pool.slot()));
    send(msg, &member, Some(&memory), target, counts)
}

#[inline(always)]
fn send<M: Message>(
    msg: &mut M,
    member: &Member<'_>,
    memory: Option<&Memory>,
    target: Target,
    counts: Option<&PoolCounts>,
) -> i32 {
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

/// What `ks_mark_dst()` says of the member used last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// It failed: if it does so too often, nothing new goes there for `mark_down_s` seconds.
    Down,
    /// It works after all.
    Up,
}

impl Mark {
    /// The mark of that name.
    #[must_use]
    pub fn from_name(name: &[u8]) -> Option<Self> {
        match name {
            b"down" => Some(Self::Down),
            b"up" => Some(Self::Up),
            _ => None,
        }
    }
}

/// Tells what happened to the member that this request was sent to last.
pub fn mark<M: Message>(server: &Server, worker: &mut Worker, msg: &mut M, mark: Mark) -> i32 {
    worker.refresh(server);
    let Some(memory) = recall(msg) else {
        return code::NOT_SELECTED;
    };
    let marked = with_used(worker, &memory, |_, member| {
        if let Some(row) = server.observed.member(member.slot()) {
            apply(server, row, member.id(), mark);
        }
    });
    marked.map_or(code::NOT_SELECTED, |()| code::OK)
}

fn apply(server: &Server, row: &MemberRow, id: u64, mark: Mark) {
    let settings = &server.settings;
    match mark {
        Mark::Down => {
            let limit = FailureLimit {
                failures: settings.mark_down_failures,
                window_s: settings.mark_down_window_s,
                down_s: settings.mark_down_s,
            };
            row.fail(id, now(), limit);
        }
        Mark::Up => row.mark_up(id),
    }
}

/// Runs `f` on the member that a request was sent to last, and its pool; `None` if it has left the
/// table.
pub fn with_used<R>(
    worker: &mut Worker,
    memory: &Memory,
    f: impl FnOnce(&Pool<'_>, &Member<'_>) -> R,
) -> Option<R> {
    let slot = usize::from(*memory.tried().last()?);
    let (pool, _) = worker.pool_by_hash(memory.pool)?;
    let member = pool.members().find(|m| m.slot() == slot)?;
    Some(f(&pool, &member))
}

/// Whether the message comes from the address and port of a member, of one pool or of any.
pub fn is_from_pool<M: Message>(
    server: &Server,
    worker: &mut Worker,
    msg: &M,
    pool: Option<PoolName<'_>>,
) -> i32 {
    worker.refresh(server);
    let wanted = match pool {
        None => None,
        Some(name) => match worker.pool(name) {
            Some((pool, _)) => Some(pool.name_hash()),
            None => return no_pool(worker, name),
        },
    };
    let table = worker.table();
    let (ip, port) = (msg.source().ip(), msg.source().port());
    let of_pool = |m: &Member<'_>| {
        wanted.is_none_or(|hash| table.pool(m.pool()).is_some_and(|p| p.name_hash() == hash))
    };
    answer(
        table
            .members_at(ip)
            .any(|m| m.address().is_some_and(|a| a.1 == port) && of_pool(&m)),
    )
}

/// Whether there is such a pool.
pub fn pool_exists(server: &Server, worker: &mut Worker, pool: PoolName<'_>) -> i32 {
    worker.refresh(server);
    answer(worker.pool(pool).is_some())
}

/// Whether any member of the pool, or the one with this URI, takes requests now.
pub fn is_active(
    server: &Server,
    worker: &mut Worker,
    name: PoolName<'_>,
    uri: Option<&[u8]>,
) -> i32 {
    worker.refresh(server);
    let Some((pool, _)) = worker.pool(name) else {
        return no_pool(worker, name);
    };
    let usable = Usable::new(server, pool.slot(), &[]);
    let mut active = (0..pool.active_len()).filter_map(|i| pool.active(i));
    answer(active.any(|m| uri.is_none_or(|u| u == m.uri()) && usable.is(&m)))
}

/// The memory of this request.
pub fn recall<M: Message>(msg: &mut M) -> Option<Memory> {
    Memory::from_bytes(&msg.recall(memory::NAME)?)
}

const fn answer(yes: bool) -> i32 {
    if yes { code::OK } else { code::NO }
}

#[cold]
fn not_set(why: HostError) -> i32 {
    static LIMIT: RateLimit = RateLimit::new(LOG_EVERY_S);
    LIMIT.write(
        Level::Error,
        format_args!("a member was found, but not set: {why}"),
    );
    code::FAILED
}

#[cold]
fn no_pool(worker: &Worker, name: PoolName<'_>) -> i32 {
    static LIMIT: RateLimit = RateLimit::new(LOG_EVERY_S);
    let text = match name {
        PoolName::Known(number) => worker.known_name(number).to_owned(),
        PoolName::Text(text) => String::from_utf8_lossy(text).into_owned(),
    };
    let generation = worker.table().generation();
    LIMIT.write(
        Level::Warning,
        format_args!("there is no pool {text:?} in generation {generation} (see kamscale.pools)"),
    );
    code::NO_POOL
}

#[cold]
fn no_member(pool: &Pool<'_>, row: Option<&ProcessRow>) -> i32 {
    static LIMIT: RateLimit = RateLimit::new(LOG_EVERY_S);
    if let Some(counts) = row.and_then(|r| r.pools.get(pool.slot())) {
        add(&counts.refused, 1);
    }
    let name = String::from_utf8_lossy(pool.name());
    let (members, active) = (pool.len(), pool.active_len());
    LIMIT.write(
        Level::Warning,
        format_args!("pool {name}: none of {members} members ({active} active) takes this request"),
    );
    code::NO_MEMBER
}
