//! What a script may ask of pools without choosing: who sent this, what is there, who takes requests.

use kamailio::message::Message;
use kamscale_shm::Member;

use super::refusal::no_pool;
use crate::code;
use crate::selection::Usable;
use crate::server::Server;
use crate::worker::{PoolName, Worker};

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
    let usable = Usable::new(server, &pool, &[]);
    let mut active = (0..pool.active_len()).filter_map(|i| pool.active(i));
    answer(active.any(|m| uri.is_none_or(|u| u == m.uri()) && usable.is(&m)))
}

const fn answer(yes: bool) -> i32 {
    if yes { code::OK } else { code::NO }
}
