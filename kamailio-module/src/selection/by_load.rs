//! Algorithms that go by what members carry.

use kamscale_shm::{Member, Pool};

use super::by_turn::{DRAWS, random};
use super::load::{Load, Pressure};
use super::{Cursors, Usable, weighing};

/// Ties go to the next in turn, so that idle members share.
#[inline(never)]
pub(super) fn least_calls<'a>(
    pool: &Pool<'a>,
    start: usize,
    usable: &Usable<'_>,
) -> Option<Member<'a>> {
    if usable.is_refusing() {
        return weighing::least_calls(pool, start, usable);
    }
    least(pool, start, usable, |m| usable.load(m), Load::is_below)
}

/// Asked of few members: out of the way of all others.
#[inline(never)]
fn may_be_used(usable: &Usable<'_>, member: &Member<'_>) -> bool {
    usable.is(member)
}

/// Mitzenmacher 2001: of two random members the less loaded; almost as even as looking at all.
#[inline(never)]
pub(super) fn two_choices<'a>(
    pool: &Pool<'a>,
    usable: &Usable<'_>,
    cursors: &mut Cursors,
) -> Option<Member<'a>> {
    if usable.is_refusing() {
        return weighing::two_choices(pool, usable, cursors);
    }
    of_two(pool, usable, cursors, |m| usable.load(m), Load::is_below)
}

/// The same by the time to an answer.
#[inline(never)]
pub(super) fn faster_of_two<'a>(
    pool: &Pool<'a>,
    usable: &Usable<'_>,
    cursors: &mut Cursors,
) -> Option<Member<'a>> {
    let pressure = |m: &Member<'a>| usable.pressure(m);
    of_two(pool, usable, cursors, pressure, Pressure::is_faster)
}

/// The least of all by this measure, from a position on.
#[inline(always)]
pub(super) fn least<'a, L: Copy>(
    pool: &Pool<'a>,
    start: usize,
    usable: &Usable<'_>,
    measure: impl Fn(&Member<'a>) -> L,
    is_below: fn(L, L) -> bool,
) -> Option<Member<'a>> {
    let count = pool.active_len();
    let mut best: Option<(Member<'a>, L)> = None;
    let turns = (start..count).chain(0..start);
    for member in turns.filter_map(|i| pool.active(i)) {
        let load = measure(&member);
        // Whether it may be used is asked last: few members are less loaded than all before them.
        if best.is_none_or(|(_, least)| is_below(load, least)) && may_be_used(usable, &member) {
            best = Some((member, load));
        }
    }
    best.map(|(member, _)| member)
}

/// The less of two random members by this measure.
#[inline(always)]
pub(super) fn of_two<'a, L: Copy>(
    pool: &Pool<'a>,
    usable: &Usable<'_>,
    cursors: &mut Cursors,
    measure: impl Fn(&Member<'a>) -> L,
    is_below: fn(L, L) -> bool,
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
        Some(second) if is_below(measure(&second), measure(&first)) => Some(second),
        _ => Some(first),
    }
}
