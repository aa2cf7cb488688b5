//! Waiting for a condition, with a deadline and a name. It must not be used to measure time.

use std::thread::sleep;
use std::time::{Duration, Instant};

/// Long enough for anything that happens at all on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

const POLL: Duration = Duration::from_millis(20);

/// Returns as soon as `condition` holds.
///
/// # Panics
/// If it does not hold before the deadline; the message names `what` was awaited.
#[track_caller]
pub fn wait_until(what: &str, deadline: Duration, mut condition: impl FnMut() -> bool) {
    wait_for(what, deadline, || condition().then_some(()));
}

/// Returns what `probe` finds, as soon as it finds something.
///
/// # Panics
/// If it finds nothing before the deadline; the message names `what` was awaited.
#[track_caller]
pub fn wait_for<T>(what: &str, deadline: Duration, mut probe: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + deadline;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(
            Instant::now() < end,
            "waited {} s in vain until {what}",
            deadline.as_secs_f64()
        );
        sleep(POLL);
    }
}
