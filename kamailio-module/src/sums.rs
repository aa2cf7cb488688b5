//! What is true of a whole pool, summed once a second by the timer process, so that no request walks
//! through its members: how many calls its members carry, how many of them look down, and how many refused
//! calls of late, which it lets fade.

use kamscale_shm::Pool;
use kamscale_shm::health::Health;
use kamscale_shm::layout::PoolRow;

use crate::server::Server;
use crate::worker::Worker;
use std::sync::atomic::Ordering::Relaxed;

/// A member takes no new keys above this share of the mean load (Mirrokni, Thorup, Zadimoghaddam 2018:
/// the owner of a key moves for few keys, and no member carries much more than its share).
const BOUND_PERCENT: u128 = 125;

/// In a smaller pool the prober is never suspected.
const LEAST_SUSPECTED: u32 = 2;

/// Sums all pools of the table in use. For the timer process.
pub fn refresh(server: &Server, worker: &mut Worker) {
    worker.refresh(server);
    for pool in worker.table().pools() {
        if let Some(row) = server.observed.pool(pool.slot()) {
            sum(server, &pool, row);
        }
    }
}

fn sum(server: &Server, pool: &Pool<'_>, row: &PoolRow) {
    let (mut calls, mut weight, mut active, mut down, mut refusing) = (0, 0, 0, 0, 0);
    for member in (0..pool.active_len()).filter_map(|i| pool.active(i)) {
        active += 1;
        weight += u64::from(member.live());
        if let Some(known) = server.observed.member(member.slot()) {
            calls += u64::from(server.observed.carries(member.slot(), member.id()));
            let is_down = known.health_of(member.id()) == Some(Health::Down);
            down += u32::from(is_down && known.is_silent());
            refusing += u32::from(known.is_of(member.id()) && known.fade());
        }
    }
    // One alone cannot tell whether it is down or the prober wrong.
    let down = if active < LEAST_SUSPECTED { 0 } else { down };
    row.calls.store(calls, Relaxed);
    row.weight.store(weight, Relaxed);
    row.active.store(active, Relaxed);
    row.down.store(down, Relaxed);
    row.refusing.store(refusing, Relaxed);
}

/// Whether so many members of a pool do not answer probes that the prober, or its network, is more likely
/// to be wrong than they are: then it is not held against them.
#[must_use]
#[inline]
pub fn is_panic(row: &PoolRow, threshold_percent: u32) -> bool {
    let down = u64::from(row.down.load(Relaxed));
    let active = u64::from(row.active.load(Relaxed));
    down * 100 > active * u64::from(threshold_percent)
}

/// Whether a member with this weight and so many calls is below its bound.
#[must_use]
#[inline]
pub fn is_below_bound(row: &PoolRow, weight: u16, calls: u64) -> bool {
    let total = u128::from(row.calls.load(Relaxed)) + 1;
    let all = u128::from(row.weight.load(Relaxed)).max(1);
    // calls < ceil(1.25 x total x weight / all)
    u128::from(calls) * 100 * all < BOUND_PERCENT * total * u128::from(weight)
}
