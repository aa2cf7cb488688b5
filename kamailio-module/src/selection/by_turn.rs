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

/// The next in turn. Who cannot be used is passed over together with its turn: else the one behind it would
/// get twice as much as the others.
#[inline(always)]
pub(super) fn round_robin<'a>(
    pool: &Pool<'a>,
    usable: &Usable<'_>,
    cursors: &mut Cursors,
) -> Option<Member<'a>> {
    let turn = cursors.turn(pool);
    match pool.active(turn) {
        Some(member) if usable.is(&member) => Some(member),
        _ => pass_over(pool, turn, usable, cursors),
    }
}

#[cold]
fn pass_over<'a>(
    pool: &Pool<'a>,
    turn: usize,
    usable: &Usable<'_>,
    cursors: &mut Cursors,
) -> Option<Member<'a>> {
    let (position, member) = (turn..pool.active_len())
        .chain(0..turn)
        .filter_map(|i| Some((i, pool.active(i)?)))
        .find(|(_, m)| usable.is(m))?;
    cursors.go_to(pool, position);
    Some(member)
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
        let takes = |m: &Member<'_>| usable.is(m) && random % 100 < u64::from(usable.asks(m));
        if let Some(member) = pool.weighted(turn).filter(takes) {
            return Some(member);
        }
        turn = cursors.random();
    }
    by_share(pool, usable, cursors).or_else(|| random(pool, usable, cursors))
}

/// One of those that may be used and ask for anything, in proportion: where drawing found nobody, because
/// most are not usable or ask for little.
#[cold]
fn by_share<'a>(pool: &Pool<'a>, usable: &Usable<'_>, cursors: &mut Cursors) -> Option<Member<'a>> {
    let mut total = 0;
    let mut chosen = None;
    for member in (0..pool.active_len()).filter_map(|i| pool.active(i)) {
        let share = usize::from(member.live()) * usable.asks(&member) as usize;
        if share == 0 || !usable.is(&member) {
            continue;
        }
        // Each one takes the place of those before it as often as its part of the sum so far.
        total += share;
        if cursors.below(total) < share {
            chosen = Some(member);
        }
    }
    chosen
}
