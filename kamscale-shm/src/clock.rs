//! The clock both sides share: nanoseconds since boot, not moved by settings of the wall clock; and
//! the wall clock, for what people read.

use nix::time::{ClockId, clock_gettime};

/// Nanoseconds of `CLOCK_MONOTONIC`; 0 if the system has none (no supported one does).
#[must_use]
pub fn monotonic_ns() -> u64 {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, |t| {
        let seconds = u64::try_from(t.tv_sec()).unwrap_or(0);
        let nanos = u64::try_from(t.tv_nsec()).unwrap_or(0);
        seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
    })
}

/// Seconds since 1970 by the wall clock; 0 if the system has none.
#[must_use]
pub fn wall_s() -> u64 {
    clock_gettime(ClockId::CLOCK_REALTIME).map_or(0, |t| u64::try_from(t.tv_sec()).unwrap_or(0))
}

/// Milliseconds since 1970 by the wall clock; 0 if the system has none.
#[must_use]
pub fn wall_ms() -> u64 {
    clock_gettime(ClockId::CLOCK_REALTIME).map_or(0, |t| {
        let seconds = u64::try_from(t.tv_sec()).unwrap_or(0);
        let nanos = u64::try_from(t.tv_nsec()).unwrap_or(0);
        seconds * 1000 + nanos / 1_000_000
    })
}
