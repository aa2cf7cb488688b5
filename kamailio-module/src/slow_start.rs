//! Slow start: since when each member takes requests, noted once a second by the timer process, on Kamailio's
//! own clock. What a share is follows from that ([`kamscale_shm::member_share`]); who uses it is
//! [`crate::selection`]'s.

use std::sync::atomic::Ordering::Relaxed;

use kamscale_shm::limits::MAX_MEMBERS;
use kamscale_shm::{Observed, Pool};

use crate::server::now;
use crate::worker::Worker;

/// What the timer process knows of the pools with slow start.
#[derive(Debug, Default)]
pub struct SlowStart {
    /// Times that it has looked.
    looks: u32,
    /// At which look the member of a slot was in a pool last: one that went and came back begins anew.
    seen: Vec<u32>,
}

impl SlowStart {
    /// Nothing seen yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            looks: 0,
            seen: Vec::new(),
        }
    }

    /// Notes who takes requests. Whoever does so at the first look was there before Kamailio and is not new.
    pub fn look(&mut self, observed: &Observed, worker: &Worker) {
        let pools = worker.table().pools().filter(|p| p.slow_start_s() > 0);
        let mut pools = pools.peekable();
        self.looks = self.looks.wrapping_add(1);
        if pools.peek().is_none() {
            return;
        }
        self.seen.resize(MAX_MEMBERS, 0);
        for pool in pools {
            let steady = self.look_at(observed, &pool);
            if let Some(sums) = observed.pool(pool.slot()) {
                sums.steady.store(steady, Relaxed);
            }
        }
    }

    /// How many members have their whole share.
    fn look_at(&mut self, observed: &Observed, pool: &Pool<'_>) -> u32 {
        let now_s = u32::try_from(now()).unwrap_or(u32::MAX);
        let mut steady = 0;
        for member in pool.members() {
            let (slot, id) = (member.slot(), member.id());
            let (Some(row), Some(seen)) = (observed.member(slot), self.seen.get_mut(slot)) else {
                continue;
            };
            let before = std::mem::replace(seen, self.looks);
            if !observed.is_probing() {
                row.claim(id);
            } else if !row.is_of(id) {
                // Until the prober has taken the row nobody uses the member, and it must not look probed.
                continue;
            }
            if before.wrapping_add(1) != self.looks {
                row.note_use(false, false, now_s);
            }
            let is_used = member.is_active() && observed.is_usable(slot, id, now);
            row.note_use(is_used, self.looks == 1, now_s);
            if is_used && row.share(id, now_s, pool.slow_start_s()) >= 100 {
                steady += 1;
            }
        }
        steady
    }
}
