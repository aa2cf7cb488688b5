//! What members carry, to be compared. It looks at no member and no pool.

use kamscale_shm::member_share::PARTS;

/// What a member carries, and may carry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// Calls.
    pub(crate) calls: u64,
    /// Calls that it may carry; 0: not limited.
    pub(crate) capacity: u64,
}

impl Load {
    pub(super) fn new(calls: u32, capacity: u32) -> Self {
        Self {
            calls: u64::from(calls),
            capacity: u64::from(capacity),
        }
    }

    /// Whether a member with this load would be less loaded than another, with one call more on each.
    /// Without a capacity a member counts as one that carries one call at a time: the fewest calls win.
    #[inline]
    pub(super) fn is_below(self, other: Self) -> bool {
        (self.calls + 1) * other.capacity.max(1) < (other.calls + 1) * self.capacity.max(1)
    }
}

/// The same where some get less than their share: who has just come up may carry less, and calls that a member
/// refused of late count as if it carried them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pressure {
    /// With one call more, in parts of a call.
    carries: u128,
    /// What it may carry now, in percent of a call.
    may: u128,
    /// Time to its answers to probes; 0: not known.
    latency_us: u32,
}

impl Pressure {
    pub(super) fn new(load: Load, refusals: u16, share: u32, latency_us: u32) -> Self {
        Self {
            carries: u128::from(load.calls + 1) * u128::from(PARTS) + u128::from(refusals),
            may: u128::from(load.capacity.max(1)) * u128::from(share.max(1)),
            latency_us,
        }
    }

    /// Whether it is less than another's.
    pub(super) fn is_below(self, other: Self) -> bool {
        self.carries * other.may < other.carries * self.may
    }

    /// The same, times the time to an answer. Where that is not known of both, what they carry decides.
    pub(super) fn is_faster(self, other: Self) -> bool {
        if self.latency_us == 0 || other.latency_us == 0 {
            return self.is_below(other);
        }
        let (mine, others) = (u128::from(self.latency_us), u128::from(other.latency_us));
        mine * self.carries * other.may < others * other.carries * self.may
    }
}
