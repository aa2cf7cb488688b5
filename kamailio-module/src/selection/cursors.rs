//! Where one process stands in each pool: turns, even sequences and chance. It must not look at members.

use kamscale_shm::Pool;
use kamscale_shm::limits::MAX_POOLS;

use crate::sticky::Places;

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
    pub(super) fn random(&mut self) -> u64 {
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
    pub(super) fn turn(&mut self, pool: &Pool<'_>) -> usize {
        let Some(turn) = self.turn.get_mut(pool.slot()) else {
            return 0;
        };
        *turn = turn.wrapping_add(1);
        *turn as usize % pool.active_len().max(1)
    }

    /// The turn is at this position now: who stands before it was passed over.
    pub(super) fn go_to(&mut self, pool: &Pool<'_>, position: usize) {
        if let Some(turn) = self.turn.get_mut(pool.slot()) {
            *turn = u32::try_from(position).unwrap_or(0);
        }
    }

    #[inline]
    pub(super) fn even(&mut self, pool: &Pool<'_>) -> u64 {
        let Some(even) = self.even.get_mut(pool.slot()) else {
            return 0;
        };
        *even = even.wrapping_add(EVEN_STEP);
        *even
    }
}
