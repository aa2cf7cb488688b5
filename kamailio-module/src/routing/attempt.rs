//! One pool asked for a member, and the call counted there. It sets no destination and remembers nothing.

use kamailio::message::{Message, Method};
use kamscale_shm::{Member, Pool};

use super::is_call;
use crate::algorithm::Algorithm;
use crate::selection::{self, Cursors, Usable, sticky};
use crate::server::Server;
use crate::sticky::Held;
use crate::tracking;

/// What came of it.
#[derive(Debug)]
pub(super) enum Attempt<'a> {
    /// This member takes the request.
    Found(Member<'a>),
    /// Nobody does.
    Nobody,
    /// A live key's member may be newer than this table: ask again with the newest.
    TooOld,
}

/// The first look of a request at a pool, whatever the algorithm.
pub(super) fn attempt_first<'a, M: Message>(
    server: &Server,
    msg: &mut M,
    pool: &Pool<'a>,
    cursors: &mut Cursors,
    usable: &Usable<'_>,
    (algorithm, key, is_newest): (Algorithm, u64, bool),
) -> Attempt<'a> {
    if algorithm == Algorithm::Sticky {
        return attempt_by_key(server, msg, pool, cursors, usable, key, is_newest);
    }
    let Some(picked) = selection::select(pool, algorithm, key, usable, cursors) else {
        return Attempt::Nobody;
    };
    let mut found = Some(picked);
    if is_call(msg) {
        let (member, entry) = (picked, None);
        let held = || Some(Held { member, entry });
        found = tracking::track(&server.observed, msg, pool, picked, held);
    }
    found.map_or(Attempt::Nobody, Attempt::Found)
}

/// The first look by a sticky key.
#[inline(always)]
pub(super) fn attempt_by_key<'a, M: Message>(
    server: &Server,
    msg: &mut M,
    pool: &Pool<'a>,
    cursors: &mut Cursors,
    usable: &Usable<'_>,
    key: u64,
    is_newest: bool,
) -> Attempt<'a> {
    let mut sticky = sticky(pool, key, usable, &mut cursors.places);
    sticky.is_newest = is_newest;
    let mut member = sticky.look();
    if let Some(picked) = member.filter(|_| is_call(msg)) {
        let hold = || sticky.hold(None);
        member = tracking::track(&server.observed, msg, pool, picked, hold);
    }
    match member {
        _ if sticky.missed => Attempt::TooOld,
        Some(member) => Attempt::Found(member),
        None => Attempt::Nobody,
    }
}

/// A later look: the call was counted somewhere, and moves.
pub(super) fn attempt_next<'a, M: Message>(
    server: &Server,
    msg: &mut M,
    pool: &Pool<'a>,
    cursors: &mut Cursors,
    usable: &Usable<'_>,
    algorithm: Algorithm,
    key: u64,
) -> Option<Member<'a>> {
    let is_call = msg.method() == Method::Invite;
    if is_call && algorithm == Algorithm::Sticky {
        let hold = |mine| sticky(pool, key, usable, &mut cursors.places).hold(mine);
        if let Some(held) = tracking::move_with_key(&server.observed, msg, usable.tried, hold) {
            return held;
        }
    }
    let member = selection::select(pool, algorithm, key, usable, cursors)?;
    if is_call {
        tracking::move_to(&server.observed, msg, usable.tried, &member);
    }
    Some(member)
}
