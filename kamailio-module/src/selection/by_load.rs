//! Algorithms that go by what members carry.

use kamscale_shm::{Member, Pool};

use super::by_turn::{DRAWS, random};
use super::{Cursors, Usable};

/// Ties go to the next in turn, so that idle members share.
#[inline(never)]
pub(super) fn least_calls<'a>(
    pool: &Pool<'a>,
    start: usize,
    usable: &Usable<'_>,
) -> Option<Member<'a>> {
    let count = pool.active_len();
    (start..count)
        .chain(0..start)
        .filter_map(|i| pool.active(i))
        .filter(|m| usable.is(m))
        .reduce(|best, m| {
            if usable.is_less_loaded(&m, &best) {
                m
            } else {
                best
            }
        })
}

/// Mitzenmacher 2001: of two random members the less loaded; almost as even as looking at all.
#[inline(never)]
pub(super) fn two_choices<'a>(
    pool: &Pool<'a>,
    usable: &Usable<'_>,
    cursors: &mut Cursors,
) -> Option<Member<'a>> {
    let first = random(pool, usable, cursors)?;
    let count = pool.active_len();
    if count == 1 {
        return Some(first);
    }
    let second = (0..DRAWS)
        .filter_map(|_| pool.active(cursors.below(count)))
        .find(|m| m.id() != first.id() && usable.is(m));
    match second {
        Some(second) if usable.is_less_loaded(&second, &first) => Some(second),
        _ => Some(first),
    }
}
