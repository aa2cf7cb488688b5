//! A request that was given several pools: it goes to the first one in which a member takes it, and
//! [`super::next`] goes on through them in order. Requests with one pool pass by here.

use kamailio::message::Message;
use kamscale_shm::layout::PoolCounts;
use kamscale_shm::{Member, Pool};

use super::attempt::{Attempt, attempt_first, attempt_next};
use super::refusal::{bad_list, no_member, no_pool, not_set};
use super::{Choice, Target, fork, is_call, key_of, send};
use crate::algorithm::Algorithm;
use crate::code;
use crate::memory::Memory;
use crate::pool_list::{self, PoolList};
use crate::selection::Usable;
use crate::server::Server;
use crate::worker::Worker;
use crate::{sticky, tracking};

/// The first selection of a request whose parameter is no pool of the table: a list, or a mistake.
#[cold]
#[inline(never)]
pub(super) fn select<M: Message>(
    server: &Server,
    worker: &mut Worker,
    msg: &mut M,
    choice: &Choice<'_>,
) -> i32 {
    let list = match worker.list(choice.pool) {
        None => return no_pool(worker, choice.pool),
        Some(Err(why)) => return bad_list(&why),
        Some(Ok(list)) => list,
    };
    let mut walk = Walk {
        server,
        list,
        memory: Memory::new(choice.algorithm, 0, key_of(msg, choice)),
        target: choice.target,
        is_first: true,
    };
    let begin = match walk.again(worker, msg) {
        Ok(code) => return code,
        Err(live) => live,
    };
    match walk.go(worker, msg, begin) {
        code::NO_POOL => no_pool(worker, choice.pool),
        code => code,
    }
}

/// Goes on: in the pool of the last try, then in those that were not given up, in order.
#[cold]
#[inline(never)]
pub(super) fn next<M: Message>(
    server: &Server,
    worker: &mut Worker,
    msg: &mut M,
    memory: Memory,
    target: Target,
) -> i32 {
    let list = msg.recall(pool_list::NAME);
    let Some(list) = list.and_then(|bytes| PoolList::from_bytes(&bytes)) else {
        return code::NOT_SELECTED;
    };
    if memory.is_full() {
        return code::NO_MEMBER;
    }
    let begin = memory.place.map_or(0, usize::from);
    let mut walk = Walk {
        server,
        list,
        memory,
        target,
        is_first: false,
    };
    walk.go(worker, msg, begin)
}

/// One selection from several pools.
struct Walk<'s> {
    server: &'s Server,
    list: PoolList,
    memory: Memory,
    target: Target,
    is_first: bool,
}

impl Walk<'_> {
    /// How members are chosen in the pool at a place.
    fn algorithm(&self, place: usize) -> Algorithm {
        let own = self.list.get(place).and_then(|listed| listed.algorithm);
        own.unwrap_or(self.memory.algorithm)
    }

    /// A retransmission goes where the first INVITE went, whatever has become of that pool meanwhile.
    /// Else where to begin: where a call with the key lives, so that a room that spilled into a later
    /// pool stays whole.
    fn again<M: Message>(&mut self, worker: &mut Worker, msg: &mut M) -> Result<i32, usize> {
        let before = is_call(msg)
            .then(|| tracking::counted_before(msg))
            .flatten();
        if let Some(at) = before {
            let row = worker.row(self.server);
            let list = self.list;
            for (place, listed) in list.iter().enumerate() {
                let Some((pool, _)) = worker.pool_by_hash(listed.pool) else {
                    continue;
                };
                if let Some(member) = pool.members().find(|m| at.is(m)) {
                    let counts = row.and_then(|row| row.pools.get(pool.slot()));
                    return Ok(self.enter(msg, place, &pool, &member, counts));
                }
            }
        }
        let is_live = |(place, listed): &(usize, pool_list::Listed)| {
            self.algorithm(*place) == Algorithm::Sticky
                && sticky::is_live(&self.server.observed, listed.pool, self.memory.key)
        };
        Err(self
            .list
            .iter()
            .enumerate()
            .find(is_live)
            .map_or(0, |(place, _)| place))
    }

    fn go<M: Message>(&mut self, worker: &mut Worker, msg: &mut M, begin: usize) -> i32 {
        let row = worker.row(self.server);
        let mut code = code::NO_POOL;
        let mut is_newest = false;
        let mut next = Some(begin);
        while let Some(place) = next.or_else(|| self.left()) {
            let listed = self.list.get(place);
            let Some((pool, cursors)) = listed.and_then(|l| worker.pool_by_hash(l.pool)) else {
                next = self.give_up(place);
                continue;
            };
            let usable = Usable::new(self.server, pool.slot(), self.memory.tried());
            let (algorithm, key) = (self.algorithm(place), self.memory.key);
            let attempt = if self.is_first {
                let how = (algorithm, key, is_newest);
                attempt_first(self.server, msg, &pool, cursors, &usable, how)
            } else {
                attempt_next(self.server, msg, &pool, cursors, &usable, algorithm, key)
                    .map_or(Attempt::Nobody, Attempt::Found)
            };
            match attempt {
                Attempt::Found(member) => {
                    let counts = row.and_then(|row| row.pools.get(pool.slot()));
                    return self.enter(msg, place, &pool, &member, counts);
                }
                Attempt::Nobody => {
                    code = no_member(&pool, row);
                    next = self.give_up(place);
                }
                Attempt::TooOld => is_newest = !worker.renew(self.server),
            }
        }
        code
    }

    /// The first place that was not given up.
    fn left(&self) -> Option<usize> {
        (0..self.list.iter().count()).find(|place| self.memory.passed & 1 << place == 0)
    }

    /// Nobody is left there, or the pool is not in the table.
    fn give_up(&mut self, place: usize) -> Option<usize> {
        self.memory.passed |= 1 << place;
        None
    }

    /// Sends the request to this member.
    fn enter<M: Message>(
        &mut self,
        msg: &mut M,
        place: usize,
        pool: &Pool<'_>,
        member: &Member<'_>,
        counts: Option<&PoolCounts>,
    ) -> i32 {
        if self.algorithm(place) == Algorithm::Fork {
            if self.target == Target::Domain {
                return code::BAD_PARAMETER;
            }
            fork::add_others(self.server, msg, pool, member, &mut self.memory);
        }
        if !self.memory.add(member.slot()) {
            return code::NO_MEMBER;
        }
        self.memory.pool = pool.name_hash();
        self.memory.place = u8::try_from(place).ok();
        let failover = self.server.settings.failover;
        if self.is_first
            && failover
            && let Err(why) = msg.remember(pool_list::NAME, &self.list.to_bytes())
        {
            return not_set(why);
        }
        let memory = failover.then_some(&mut self.memory);
        send(msg, member, memory, self.target, counts)
    }
}
