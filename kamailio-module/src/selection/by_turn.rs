//! Algorithms that go by turn, chance or rank: no count and no key decides.

use kamscale_shm::{Member, Pool};

use super::{Cursors, Usable};

/// Random draws before a search from a random place: enough unless most of a pool is unusable.
pub(super) const DRAWS: u32 = 4;

/// The first usable one from a position on, round once.
#[inline(always)]
pub(super) fn first_from<'a>(
    pool: &Pool<'a>,
    start: usize,
    usable: &Usable<'_>,
) -> Option<Member<'a>> {
    match pool.active(start) {
        Some(member) if usable.is(&member) => Some(member),
        _ => search_from(pool, start, usable),
    }
}

/// [`first_from`] where the first is not usable: out of the way of all other requests.
#[cold]
pub(super) fn search_from<'a>(
    pool: &Pool<'a>,
    start: usize,
    usable: &Usable<'_>,
) -> Option<Member<'a>> {
    (start..pool.active_len())
        .chain(0..start)
        .filter_map(|i| pool.active(i))
        .find(|m| usable.is(m))
}

#[inline(never)]
pub(super) fn random<'a>(
    pool: &Pool<'a>,
    usable: &Usable<'_>,
    cursors: &mut Cursors,
) -> Option<Member<'a>> {
    let mut start = 0;
    for _ in 0..DRAWS {
        start = cursors.below(pool.active_len());
        if let Some(member) = pool.active(start).filter(|m| usable.is(m)) {
            return Some(member);
        }
    }
    first_from(pool, start, usable)
}

#[inline(never)]
pub(super) fn weight<'a>(
    pool: &Pool<'a>,
    usable: &Usable<'_>,
    cursors: &mut Cursors,
) -> Option<Member<'a>> {
    let mut turn = cursors.even(pool);
    for _ in 0..=DRAWS {
        let is_probing = usable.observed.is_probing();
        let random = if is_probing { cursors.random() } else { 0 };
        let takes = |m: &Member<'_>| usable.is(m) && usable.takes_turn(m, random);
        if let Some(member) = pool.weighted(turn).filter(takes) {
            return Some(member);
        }
        turn = cursors.random();
    }
    first_from(pool, 0, usable)
}
