//! `fork`: a request goes to all members at once. Its call is counted on the first, `$du`, and from the
//! answer on where it was answered: one call is one count.

use std::net::SocketAddr;
use std::sync::atomic::AtomicUsize;

use kamailio::message::Message;
use kamscale_shm::{Member, Observed, Pool, Table};

use super::attempt::{Attempt, attempt_first};
use super::refusal::not_set;
use super::{Choice, Target, extras, is_call, send, several};
use crate::algorithm::Algorithm;
use crate::calls;
use crate::code;
use crate::memory::{MAX_TRIED, Memory};
use crate::selection::Usable;
use crate::server::Server;
use crate::worker::Worker;

/// The first selection of a request.
#[inline(never)]
pub(super) fn select<M: Message>(
    server: &Server,
    worker: &mut Worker,
    msg: &mut M,
    choice: &Choice<'_>,
) -> i32 {
    // Branches differ in their destination and share the R-URI.
    if choice.target == Target::Domain {
        return code::BAD_PARAMETER;
    }
    let row = worker.row(server);
    let Some((pool, cursors)) = worker.pool(choice.pool) else {
        return several::select(server, worker, msg, choice);
    };
    let usable = Usable::new(server, &pool, &[]);
    let how = (Algorithm::Fork, 0, true);
    let Attempt::Found(first) = attempt_first(server, msg, &pool, cursors, &usable, how) else {
        return several::overflow(server, worker, msg, choice, true);
    };
    let mut memory = Memory::new(choice.algorithm, pool.name_hash(), 0);
    add_others(server, msg, &pool, &first, &mut memory);
    memory.add(first.slot());
    let kept = server.settings.failover.then_some(&mut memory);
    let counts = row.and_then(|row| row.pools.get(pool.slot()));
    send(msg, &first, kept, choice.target, counts)
}

/// Adds the pool's other members that may be used as branches, and notes them as tried; as many as the
/// server takes, those behind the first one first.
pub(super) fn add_others<M: Message>(
    server: &Server,
    msg: &mut M,
    pool: &Pool<'_>,
    first: &Member<'_>,
    memory: &mut Memory,
) {
    let before = *memory;
    let tried = before.tried().len();
    let usable = Usable::new(server, pool, before.tried());
    let room = msg.branch_room().min(MAX_TRIED - 1).saturating_sub(tried);
    let all = || (0..pool.active_len()).filter_map(|i| pool.active(i));
    let at = all().position(|m| m.id() == first.id()).unwrap_or(0);
    let others = all().skip(at + 1).chain(all().take(at));
    let mut is_forked = false;
    for member in others.filter(|m| usable.is(m)).take(room) {
        let added = extras::socket(&member);
        let added = added.and_then(|socket| msg.add_branch(member.uri(), socket));
        if let Err(why) = added {
            let _ = not_set(why);
            break;
        }
        memory.add(member.slot());
        is_forked = true;
    }
    if is_forked && is_call(msg) {
        msg.on_answer(usize::try_from(pool.name_hash()).unwrap_or(0));
    }
}

/// A forked call is answered: it is counted on the member at that address from now on. Where no member of
/// the pool (by the hash of its name) has it, it stays where it is.
pub fn answered(
    observed: &Observed,
    table: &Table,
    word: &AtomicUsize,
    pool: usize,
    from: SocketAddr,
) {
    let Some(counted) = calls::counted(word) else {
        return;
    };
    let is_of_pool = |m: &Member<'_>| {
        let name = table.pool(m.pool()).map(|pool| pool.name_hash());
        name.and_then(|name| usize::try_from(name).ok()) == Some(pool)
    };
    let at = |m: &Member<'_>| m.address().is_some_and(|a| a.1 == from.port()) && is_of_pool(m);
    let there = || table.members_at(from.ip()).filter(at);
    // Two members may have one address: if the call is counted on one of them, it is right already.
    if there().any(|m| counted.is(&m)) {
        return;
    }
    if let Some(winner) = there().next() {
        calls::count(observed, word, &winner, None);
    }
}
