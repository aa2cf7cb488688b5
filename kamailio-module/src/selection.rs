//! Which member: one function per algorithm, over a table and the counts. Changes nothing but the
//! caller's own cursors.

use kamscale_shm::layout::PoolRow;
use kamscale_shm::limits::MAX_POOLS;
use kamscale_shm::{DesiredState, Member, Observed, Pool};

use crate::algorithm::Algorithm;
use crate::server::{Server, now};
use crate::sticky::{Places, Sticky};
use crate::sums::{is_below_bound, is_panic};

/// Random draws before a search from a random place: enough unless most of a pool is unusable.
const DRAWS: u32 = 4;
/// 2^64 / golden ratio: multiples of it are spread evenly at every length of run.
const EVEN_STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// Where this process stands in each pool.
#[derive(Debug)]
pub struct Cursors {
    /// Next position of round robin, by pool slot.
    turn: Box<[u32; MAX_POOLS]>,
    /// Even sequence for weights, by pool slot.
    even: Box<[u64; MAX_POOLS]>,
    random: u64,
    /// Where members are in the table in use.
    pub places: Places,
}

impl Cursors {
    /// Cursors that start elsewhere in every process, so that workers do not walk in step.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let start = kamscale_shm::hash::mix(seed.wrapping_add(EVEN_STEP)) | 1;
        let turn = u32::try_from(start >> 40).unwrap_or(0);
        Self {
            turn: Box::new([turn; MAX_POOLS]),
            even: Box::new([start; MAX_POOLS]),
            random: start,
            places: Places::new(),
        }
    }

    /// The next number, evenly spread over `u64` (xorshift64*, Vigna 2016).
    #[inline]
    fn random(&mut self) -> u64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        self.random.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `count`, which is not 0.
    #[inline]
    pub(crate) fn below(&mut self, count: usize) -> usize {
        let wide = u128::from(self.random()) * count as u128;
        usize::try_from(wide >> 64).unwrap_or(0)
    }

    #[inline]
    fn turn(&mut self, pool: &Pool<'_>) -> usize {
        let Some(turn) = self.turn.get_mut(pool.slot()) else {
            return 0;
        };
        *turn = turn.wrapping_add(1);
        *turn as usize % pool.active_len().max(1)
    }

    #[inline]
    fn even(&mut self, pool: &Pool<'_>) -> u64 {
        let Some(even) = self.even.get_mut(pool.slot()) else {
            return 0;
        };
        *even = even.wrapping_add(EVEN_STEP);
        *even
    }
}

/// What a selection may use of a member: neither the operator, passive detection, its answers to
/// probes nor an earlier try of the same request speaks against it.
#[derive(Clone, Copy, Debug)]
pub struct Usable<'a> {
    /// The counts.
    pub observed: &'a Observed,
    /// Slots that this request was sent to.
    pub tried: &'a [u16],
    /// What is summed over the pool.
    sums: Option<&'a PoolRow>,
    /// So many of the pool look down that answers to probes are not believed.
    is_panic: bool,
}

impl<'a> Usable<'a> {
    /// For a request to the pool of this slot that was sent to these members before.
    #[inline]
    #[must_use]
    pub fn new(server: &'a Server, pool: usize, tried: &'a [u16]) -> Self {
        let sums = server.observed.pool(pool);
        let threshold = server.settings.panic_threshold;
        let is_probing = server.observed.is_probing();
        Self {
            observed: &server.observed,
            tried,
            sums,
            is_panic: is_probing && sums.is_some_and(|row| is_panic(row, threshold)),
        }
    }
}

impl Usable<'_> {
    /// Whether so many members look down that their answers to probes are not believed.
    #[must_use]
    pub const fn is_panic(&self) -> bool {
        self.is_panic
    }

    /// Whether the member may get this request.
    #[inline]
    #[must_use]
    pub fn is(&self, member: &Member<'_>) -> bool {
        let (slot, id) = (member.slot(), member.id());
        let is_usable = match self.is_panic {
            false => self.observed.is_usable(slot, id, now),
            true => self.observed.is_usable_unprobed(slot, id, now),
        };
        is_usable && !self.was_tried(member)
    }

    /// Whether a new key may go to the member: it carries no more than 1.25 times its share.
    #[inline]
    fn is_below_bound(&self, member: &Member<'_>) -> bool {
        let (calls, _) = self.load(member);
        self.sums
            .is_none_or(|row| is_below_bound(row, member.live(), calls))
    }

    /// Whether this request was sent to the member before.
    #[inline]
    #[must_use]
    pub fn was_tried(&self, member: &Member<'_>) -> bool {
        let is = |slot: &u16| usize::from(*slot) == member.slot();
        self.tried.iter().any(is)
    }

    /// Whether the member goes on with what it has: a draining one does, one that is disabled or
    /// down does not.
    #[inline]
    #[must_use]
    pub fn keeps(&self, member: &Member<'_>) -> bool {
        self.observed.keeps(member.slot(), member.id(), now)
            && member.state() != DesiredState::Disabled
    }

    /// Whether the member has room for another call.
    #[inline]
    #[must_use]
    pub fn has_room(&self, member: &Member<'_>) -> bool {
        let (calls, capacity) = self.load(member);
        capacity == 0 || calls < capacity
    }

    /// Calls and capacity. Where members report them, a node counts its own calls only, so the larger
    /// number is nearer to the truth, and the member knows its capacity best.
    #[inline]
    fn load(&self, member: &Member<'_>) -> (u64, u64) {
        let Some(row) = self.observed.member(member.slot()) else {
            return (0, u64::from(member.capacity()));
        };
        let (mut calls, mut capacity) = (row.calls_of(member.id()), member.capacity());
        if self.observed.is_probing() && row.is_of(member.id()) {
            let report = row.report();
            calls = calls.max(report.calls.unwrap_or(0));
            capacity = report.capacity.unwrap_or(capacity);
        }
        (u64::from(calls), u64::from(capacity))
    }

    /// Whether the member takes this turn of `weight`: it may ask for less than its weight.
    #[inline]
    fn takes_turn(&self, member: &Member<'_>, random: u64) -> bool {
        if !self.observed.is_probing() {
            return true;
        }
        let row = self.observed.member(member.slot());
        let asked = row.and_then(|row| row.report().weight.filter(|_| row.is_of(member.id())));
        asked.is_none_or(|percent| random % 100 < u64::from(percent))
    }

    /// Whether `a` would carry less load than `b` with one call more. Without a capacity a member
    /// counts as one that carries one call at a time: the fewest calls win.
    #[inline]
    fn is_less_loaded(&self, a: &Member<'_>, b: &Member<'_>) -> bool {
        let ((calls_a, capacity_a), (calls_b, capacity_b)) = (self.load(a), self.load(b));
        (calls_a + 1) * capacity_b.max(1) < (calls_b + 1) * capacity_a.max(1)
    }
}

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
    match algorithm {
        Algorithm::RoundRobin => {
            let turn = cursors.turn(pool);
            first_from(pool, turn, usable)
        }
        Algorithm::Random => random(pool, usable, cursors),
        Algorithm::Weight => weight(pool, usable, cursors),
        Algorithm::Serial => first_from(pool, 0, usable),
        Algorithm::LeastCalls => {
            let turn = cursors.turn(pool);
            least_calls(pool, turn, usable)
        }
        Algorithm::P2c => two_choices(pool, usable, cursors),
        Algorithm::BoundedHash => bounded_hash(pool, key, usable),
        Algorithm::Hash => match pool.owner(key, |m| usable.is(m)) {
            Some(member) => Some(member),
            // Nobody with a weight takes it: any active member is better than none.
            None => search_from(pool, 0, usable),
        },
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

/// The key's owner of those that are not too full; if all are, its owner by `hash`.
#[inline(never)]
fn bounded_hash<'a>(pool: &Pool<'a>, key: u64, usable: &Usable<'_>) -> Option<Member<'a>> {
    let takes = |m: &Member<'a>| usable.is(m) && usable.is_below_bound(m);
    let owner = pool.owner(key, takes);
    let owner = owner.or_else(|| pool.owner(key, |m| usable.is(m)));
    owner.or_else(|| search_from(pool, 0, usable))
}

/// The first usable one from a position on, round once.
#[inline(always)]
fn first_from<'a>(pool: &Pool<'a>, start: usize, usable: &Usable<'_>) -> Option<Member<'a>> {
    match pool.active(start) {
        Some(member) if usable.is(&member) => Some(member),
        _ => search_from(pool, start, usable),
    }
}

/// [`first_from`] where the first is not usable: out of the way of all other requests.
#[cold]
fn search_from<'a>(pool: &Pool<'a>, start: usize, usable: &Usable<'_>) -> Option<Member<'a>> {
    (start..pool.active_len())
        .chain(0..start)
        .filter_map(|i| pool.active(i))
        .find(|m| usable.is(m))
}

#[inline(never)]
fn random<'a>(pool: &Pool<'a>, usable: &Usable<'_>, cursors: &mut Cursors) -> Option<Member<'a>> {
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
fn weight<'a>(pool: &Pool<'a>, usable: &Usable<'_>, cursors: &mut Cursors) -> Option<Member<'a>> {
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

/// Ties go to the next in turn, so that idle members share.
#[inline(never)]
fn least_calls<'a>(pool: &Pool<'a>, start: usize, usable: &Usable<'_>) -> Option<Member<'a>> {
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
fn two_choices<'a>(
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
