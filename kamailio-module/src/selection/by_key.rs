//! Algorithms that go by a key and the table alone. Keys that live are [`crate::sticky`]'s.

use kamscale_shm::{Member, Pool};

use super::Usable;
use super::by_turn::search_from;

/// The key's owner among those that may be used.
#[inline(always)]
pub(super) fn hash<'a>(pool: &Pool<'a>, key: u64, usable: &Usable<'_>) -> Option<Member<'a>> {
    match pool.owner(key, |m| usable.is(m)) {
        Some(member) => Some(member),
        // Nobody with a weight takes it: any active member is better than none.
        None => search_from(pool, 0, usable),
    }
}

/// The key's owner of those that are not too full; if all are, its owner by `hash`.
#[inline(never)]
pub(super) fn bounded_hash<'a>(
    pool: &Pool<'a>,
    key: u64,
    usable: &Usable<'_>,
) -> Option<Member<'a>> {
    let takes = |m: &Member<'a>| usable.is(m) && usable.is_below_bound(m);
    let owner = pool.owner(key, takes);
    let owner = owner.or_else(|| pool.owner(key, |m| usable.is(m)));
    owner.or_else(|| search_from(pool, 0, usable))
}
