//! Codes of what could not be done, each with a log line at most every few seconds.

use kamailio::log::{Level, RateLimit};
use kamailio::message::HostError;
use kamscale_shm::Pool;
use kamscale_shm::layout::ProcessRow;
use kamscale_shm::observed::add;

use crate::code;
use crate::worker::{PoolName, Worker};

/// One line in so many seconds per kind of trouble and process.
pub(super) const LOG_EVERY_S: u32 = 10;

#[cold]
pub(super) fn not_set(why: HostError) -> i32 {
    static LIMIT: RateLimit = RateLimit::new(LOG_EVERY_S);
    LIMIT.write(
        Level::Error,
        format_args!("a member was found, but not set: {why}"),
    );
    code::FAILED
}

#[cold]
pub(super) fn bad_list(why: &str) -> i32 {
    static LIMIT: RateLimit = RateLimit::new(LOG_EVERY_S);
    LIMIT.write(Level::Warning, format_args!("list of pools: {why}"));
    code::BAD_PARAMETER
}

#[cold]
pub(super) fn no_pool(worker: &Worker, name: PoolName<'_>) -> i32 {
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

/// Nobody of the pool takes the request.
#[cold]
pub(super) fn no_member(pool: &Pool<'_>, row: Option<&ProcessRow>) -> i32 {
    count_refused(pool, row);
    nobody(pool)
}

/// Counts that nobody of the pool took a request: demand that was there, also if another pool takes it.
pub(super) fn count_refused(pool: &Pool<'_>, row: Option<&ProcessRow>) {
    if let Some(counts) = row.and_then(|r| r.pools.get(pool.slot())) {
        add(&counts.refused, 1);
    }
}

/// The code for it, and the line.
#[cold]
pub(super) fn nobody(pool: &Pool<'_>) -> i32 {
    static LIMIT: RateLimit = RateLimit::new(LOG_EVERY_S);
    let name = String::from_utf8_lossy(pool.name());
    let (members, active) = (pool.len(), pool.active_len());
    LIMIT.write(
        Level::Warning,
        format_args!("pool {name}: none of {members} members ({active} active) takes this request"),
    );
    code::NO_MEMBER
}
