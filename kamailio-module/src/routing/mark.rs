//! What a script says of a member: of the one that a request was sent to last, or of any.

use kamailio::message::Message;
use kamscale_shm::layout::MemberRow;
use kamscale_shm::member_row::FailureLimit;
use kamscale_shm::{Member, Pool};

use super::recall;
use super::refusal::no_pool;
use crate::code;
use crate::memory::Memory;
use crate::server::{Server, now};
use crate::worker::{PoolName, Worker};

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

/// Tells what happened to a member of a pool, named by its name or by its URI (of which several may be).
pub fn mark_member(
    server: &Server,
    worker: &mut Worker,
    name: PoolName<'_>,
    member: &[u8],
    mark: Mark,
) -> i32 {
    worker.refresh(server);
    let Some((pool, _)) = worker.pool(name) else {
        return no_pool(worker, name);
    };
    let mut code = code::NO_MEMBER;
    let named = |m: &Member<'_>| m.name() == member || m.uri() == member;
    for member in pool.members().filter(named) {
        if let Some(row) = server.observed.member(member.slot()) {
            apply(server, row, member.id(), mark);
            code = code::OK;
        }
    }
    code
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
