//! Which member: one function per algorithm, over a table and the counts. Changes nothing but the
//! caller's own cursors.

mod by_key;
mod by_load;
mod by_turn;
mod cursors;
mod load;
mod usable;
mod weighing;

use kamscale_shm::{Member, Pool};

use crate::algorithm::Algorithm;
use crate::sticky::{Places, Sticky};
use by_key::{bounded_hash, hash};
use by_load::{faster_of_two, least_calls, two_choices};
use by_turn::{first_from, random, round_robin, weight};

pub use cursors::Cursors;
pub use usable::Usable;

/// The member for a request, `None` if no active one is usable. `key` is for [`Algorithm::Hash`].
#[inline(always)]
pub fn select<'a>(
    pool: &Pool<'a>,
    algorithm: Algorithm,
    key: u64,
    usable: &Usable<'_>,
    cursors: &mut Cursors,
) -> Option<Member<'a>> {
    if pool.active_len() == 0 && algorithm != Algorithm::Sticky {
        return None;
    }
    if usable.is_ramping() {
        return weighing::select(pool, algorithm, key, usable, cursors);
    }
    plain(pool, algorithm, key, usable, cursors)
}

/// [`select`] where every member gets its whole share.
#[inline(always)]
fn plain<'a>(
    pool: &Pool<'a>,
    algorithm: Algorithm,
    key: u64,
    usable: &Usable<'_>,
    cursors: &mut Cursors,
) -> Option<Member<'a>> {
    match algorithm {
        Algorithm::RoundRobin | Algorithm::Fork => round_robin(pool, usable, cursors),
        Algorithm::Random => random(pool, usable, cursors),
        Algorithm::Weight => weight(pool, usable, cursors),
        Algorithm::Serial => first_from(pool, 0, usable),
        Algorithm::LeastCalls => {
            let turn = cursors.turn(pool);
            least_calls(pool, turn, usable)
        }
        Algorithm::P2c => two_choices(pool, usable, cursors),
        Algorithm::Latency => faster_of_two(pool, usable, cursors),
        Algorithm::BoundedHash => bounded_hash(pool, key, usable),
        Algorithm::Hash => hash(pool, key, usable),
        Algorithm::Sticky => sticky(pool, key, usable, &mut cursors.places).look(),
    }
}

/// The request with its key.
pub fn sticky<'p, 'a>(
    pool: &'p Pool<'a>,
    key: u64,
    usable: &'p Usable<'p>,
    places: &'p mut Places,
) -> Sticky<'p, 'a> {
    Sticky {
        pool,
        key,
        usable,
        places,
        is_newest: true,
        missed: false,
    }
}
