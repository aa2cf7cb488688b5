//! The same algorithms in a pool in which somebody gets less than its share now: it has just come up, or
//! refused calls of late. Pools without such members pass by here.

use kamscale_shm::{Member, Pool};

use super::by_load::{least, of_two};
use super::by_turn::{first_from, random};
use super::load::Pressure;
use super::{Cursors, Usable, plain};
use crate::algorithm::Algorithm;

/// Draws of a request that goes by turn or chance before it takes whom it drew last.
const DRAWS: u32 = 8;

/// The member for a request to a pool in which somebody has just come up.
#[cold]
pub(super) fn select<'a>(
    pool: &Pool<'a>,
    algorithm: Algorithm,
    key: u64,
    usable: &Usable<'_>,
    cursors: &mut Cursors,
) -> Option<Member<'a>> {
    match algorithm {
        Algorithm::LeastCalls => {
            let turn = cursors.turn(pool);
            least_calls(pool, turn, usable)
        }
        Algorithm::P2c => two_choices(pool, usable, cursors),
        Algorithm::Hash => pool
            .owner(key, |m| usable.is(m) && usable.takes_key(m, key))
            .or_else(|| plain(pool, algorithm, key, usable, cursors)),
        Algorithm::BoundedHash => {
            let takes = |m: &Member<'a>| usable.is(m) && usable.takes_key(m, key);
            pool.owner(key, |m| takes(m) && usable.is_below_bound(m))
                .or_else(|| pool.owner(key, takes))
                .or_else(|| plain(pool, algorithm, key, usable, cursors))
        }
        Algorithm::Serial => serial(pool, usable, cursors),
        Algorithm::RoundRobin | Algorithm::Random | Algorithm::Weight => {
            drawn(pool, algorithm, usable, cursors)
        }
        // These have their own ways: all at once, the time to an answer, keys that live.
        Algorithm::Fork | Algorithm::Latency | Algorithm::Sticky => {
            plain(pool, algorithm, key, usable, cursors)
        }
    }
}

/// `least_calls` by what members may carry now.
#[cold]
pub(super) fn least_calls<'a>(
    pool: &Pool<'a>,
    start: usize,
    usable: &Usable<'_>,
) -> Option<Member<'a>> {
    let pressure = |m: &Member<'a>| usable.pressure(m);
    least(pool, start, usable, pressure, Pressure::is_below)
}

/// `p2c` by what members may carry now.
#[cold]
pub(super) fn two_choices<'a>(
    pool: &Pool<'a>,
    usable: &Usable<'_>,
    cursors: &mut Cursors,
) -> Option<Member<'a>> {
    let pressure = |m: &Member<'a>| usable.pressure(m);
    of_two(pool, usable, cursors, pressure, Pressure::is_below)
}

/// Whether a member takes what fell to it, as often as its share says.
fn takes(member: &Member<'_>, usable: &Usable<'_>, cursors: &mut Cursors) -> bool {
    let share = usable.share(member);
    share >= 100 || cursors.below(100) < share as usize
}

/// Who does not take it leaves it to a random one (or by weight), so that no neighbour gets all of it.
fn drawn<'a>(
    pool: &Pool<'a>,
    algorithm: Algorithm,
    usable: &Usable<'_>,
    cursors: &mut Cursors,
) -> Option<Member<'a>> {
    let mut found = plain(pool, algorithm, 0, usable, cursors)?;
    for _ in 0..DRAWS {
        if takes(&found, usable, cursors) {
            break;
        }
        found = match algorithm {
            Algorithm::Weight => plain(pool, algorithm, 0, usable, cursors)?,
            _ => random(pool, usable, cursors)?,
        };
    }
    Some(found)
}

/// The first by priority that takes it.
fn serial<'a>(pool: &Pool<'a>, usable: &Usable<'_>, cursors: &mut Cursors) -> Option<Member<'a>> {
    let mut all = (0..pool.active_len()).filter_map(|i| pool.active(i));
    let found = all.find(|m| usable.is(m) && takes(m, usable, cursors));
    found.or_else(|| first_from(pool, 0, usable))
}
