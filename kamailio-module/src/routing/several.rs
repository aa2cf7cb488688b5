//! A request to several pools, because a script listed them or because one overflows: it goes to the first
//! one in which a member takes it, and [`super::next`] goes on through them in order. Requests to a pool that
//! has somebody for them pass by here.

use kamailio::message::Message;
use kamscale_shm::layout::PoolCounts;
use kamscale_shm::{Member, Pool};

use super::attempt::{Attempt, attempt_first, attempt_next};
use super::refusal::{bad_list, count_refused, no_member, no_pool, nobody, not_set};
use super::{Choice, Target, fork, is_call, key_of, send};
use crate::algorithm::Algorithm;
use crate::code;
use crate::memory::Memory;
use crate::pool_list::{self, Listed, PoolList};
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
        Some(Ok(list)) => list.with_overflow(worker.table()),
    };
    let mut walk = Walk::first(server, list, msg, choice);
    if let Some(code) = walk.again(worker, msg) {
        return code;
    }
    let begin = walk.live();
    match walk.go(worker, msg, begin) {
        code::NO_POOL => no_pool(worker, choice.pool),
        code => code,
    }
}

/// The first selection of a request from one pool in which nobody takes it, or (`is_asked` is false) whose
/// rooms may have spilled into another one.
#[cold]
#[inline(never)]
pub(super) fn overflow<M: Message>(
    server: &Server,
    worker: &mut Worker,
    msg: &mut M,
    choice: &Choice<'_>,
    is_asked: bool,
) -> i32 {
    let row = worker.row(server);
    let Some((pool, _)) = worker.pool(choice.pool) else {
        return no_pool(worker, choice.pool);
    };
    let name = pool.name_hash();
    let list = PoolList::of(name).with_overflow(worker.table());
    let mut walk = Walk::first(server, list, msg, choice);
    if let Some(code) = walk.again(worker, msg) {
        return code;
    }
    if is_asked && let Some((pool, _)) = worker.pool_by_hash(name) {
        if walk.list.len() == 1 {
            return no_member(&pool, row);
        }
        count_refused(&pool, row);
        walk.memory.passed = 1;
    }
    let begin = walk.live();
    walk.go(worker, msg, begin)
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
    let begin = memory.place.map(usize::from);
    let mut walk = Walk {
        server,
        list,
        memory,
        target,
        is_first: false,
    };
    walk.go(worker, msg, begin)
}

/// Goes on where nobody is left in the only pool: to those that take what it cannot.
#[cold]
#[inline(never)]
pub(super) fn next_overflow<M: Message>(
    server: &Server,
    worker: &mut Worker,
    msg: &mut M,
    mut memory: Memory,
    target: Target,
) -> i32 {
    let list = PoolList::of(memory.pool).with_overflow(worker.table());
    let row = worker.row(server);
    if let Some((pool, _)) = worker.pool_by_hash(memory.pool) {
        if list.len() == 1 {
            return no_member(&pool, row);
        }
        count_refused(&pool, row);
    }
    memory.passed = 1;
    let mut walk = Walk {
        server,
        list,
        memory,
        target,
        is_first: false,
    };
    walk.go(worker, msg, None)
}

/// One selection from several pools.
struct Walk<'s> {
    server: &'s Server,
    list: PoolList,
    memory: Memory,
    target: Target,
    is_first: bool,
}

impl<'s> Walk<'s> {
    fn first<M: Message>(
        server: &'s Server,
        list: PoolList,
        msg: &mut M,
        choice: &Choice<'_>,
    ) -> Self {
        Self {
            server,
            list,
            memory: Memory::new(choice.algorithm, 0, key_of(msg, choice)),
            target: choice.target,
            is_first: true,
        }
    }

    /// How members are chosen in the pool at a place.
    fn algorithm(&self, place: usize) -> Algorithm {
        let own = self.list.get(place).and_then(|listed| listed.algorithm);
        own.unwrap_or(self.memory.algorithm)
    }

    /// Where a call with the key lives, so that a room that spilled into a later pool stays whole.
    fn live(&self) -> Option<usize> {
        let is_live = |(place, listed): &(usize, Listed)| {
            self.algorithm(*place) == Algorithm::Sticky
                && sticky::is_live(&self.server.observed, listed.pool, self.memory.key)
        };
        self.list
            .iter()
            .enumerate()
            .find(is_live)
            .map(|(place, _)| place)
    }

    /// A retransmission goes where the first INVITE went, whatever has become of that pool meanwhile.
    fn again<M: Message>(&mut self, worker: &mut Worker, msg: &mut M) -> Option<i32> {
        if !is_call(msg) {
            return None;
        }
        let at = tracking::counted_before(msg)?;
        let row = worker.row(self.server);
        let list = self.list;
        for (place, listed) in list.iter().enumerate() {
            let Some((pool, _)) = worker.pool_by_hash(listed.pool) else {
                continue;
            };
            if let Some(member) = pool.members().find(|m| at.is(m)) {
                let counts = row.and_then(|row| row.pools.get(pool.slot()));
                return Some(self.enter(msg, place, &pool, &member, counts));
            }
        }
        None
    }

    /// Asks the pool at this place, then those that were not given up, in order.
    fn go<M: Message>(&mut self, worker: &mut Worker, msg: &mut M, begin: Option<usize>) -> i32 {
        let row = worker.row(self.server);
        let was_asked = self.memory.passed != 0 || !self.is_first;
        let mut asked = None;
        let mut is_newest = false;
        let mut next = begin;
        while let Some(place) = next.or_else(|| self.left()) {
            let listed = self.list.get(place);
            let Some((pool, cursors)) = listed.and_then(|l| worker.pool_by_hash(l.pool)) else {
                next = self.give_up(place);
                continue;
            };
            let usable = Usable::new(self.server, &pool, self.memory.tried());
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
                    count_refused(&pool, row);
                    asked = Some(pool.name_hash());
                    next = self.give_up(place);
                }
                Attempt::TooOld => is_newest = !worker.renew(self.server),
            }
        }
        let asked = asked.and_then(|pool| worker.pool_by_hash(pool));
        match asked {
            Some((pool, _)) => nobody(&pool),
            // None of those that are left is in the table; of those before one was.
            None if was_asked => code::NO_MEMBER,
            None => code::NO_POOL,
        }
    }

    /// The first place that was not given up.
    fn left(&self) -> Option<usize> {
        (0..self.list.len()).find(|place| self.memory.passed & 1 << place == 0)
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
        let is_new = self.memory.place.is_none();
        self.memory.pool = pool.name_hash();
        self.memory.place = u8::try_from(place).ok();
        let failover = self.server.settings.failover;
        if is_new
            && failover
            && let Err(why) = msg.remember(pool_list::NAME, &self.list.to_bytes())
        {
            return not_set(why);
        }
        let memory = failover.then_some(&mut self.memory);
        send(msg, member, memory, self.target, counts)
    }
}
