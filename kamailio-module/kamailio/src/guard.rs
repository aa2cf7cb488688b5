//! The panic guard around every entry from C, and the panic hook that logs through the server.
//!
//! A panic that leaves Rust aborts the process, and one dead process ends the whole Kamailio.
//! Standard error is closed in a daemon, so the hook writes to the server's log instead.

use std::ffi::CStr;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Once, OnceLock};

use crate::log;

static PANICS: AtomicU64 = AtomicU64::new(0);
static NOTICE: OnceLock<fn(u64)> = OnceLock::new();

/// Has `f` told of every panic that is caught, with the count of [`panics`], in the process in which it was caught:
/// for a module that shows them. Only the first registration counts; `f` must not panic.
pub fn on_caught(f: fn(u64)) {
    NOTICE.get_or_init(|| f);
}

/// Panics caught in this process since it was forked from one that had this many.
pub fn panics() -> u64 {
    PANICS.load(Relaxed)
}

/// Runs `f`; if it panics, counts and logs that, and returns `fallback`. `entry` names the entry in
/// the log.
#[inline(always)]
pub fn guard<R>(entry: &CStr, fallback: R, f: impl FnOnce() -> R) -> R {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(value) => value,
        Err(payload) => {
            caught(entry);
            // dropping a payload may panic again; it is leaked instead
            std::mem::forget(payload);
            fallback
        }
    }
}

#[cold]
#[inline(never)]
fn caught(entry: &CStr) {
    let count = PANICS.fetch_add(1, Relaxed) + 1;
    if let Some(notice) = NOTICE.get() {
        notice(count);
    }
    log::error(format_args!("panic caught in {}", entry.to_string_lossy()));
}

/// Makes panics log their message and place through the server. Called by the module's entries;
/// more than once is the same as once.
pub fn install_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| set_hook(Box::new(report)));
}

fn report(info: &PanicHookInfo<'_>) {
    let message = info.payload_as_str().unwrap_or("no message");
    match info.location() {
        Some(place) => log::critical(format_args!("panic at {place}: {message}")),
        None => log::critical(format_args!("panic: {message}")),
    }
}

#[cfg(test)]
#[cfg(not(feature = "host"))]
mod tests {
    use super::*;
    use crate::double;

    #[test]
    fn a_panic_becomes_the_fallback_and_is_counted_and_logged() {
        let before = panics();
        assert_eq!(guard(c"entry", -1, || 1), 1);
        assert_eq!(guard(c"entry", -1, || panic!("on purpose")), -1);
        assert_eq!(panics(), before + 1);
        let lines: Vec<String> = double::log_lines()
            .into_iter()
            .map(|(_, line)| line)
            .collect();
        assert_eq!(
            lines.last().map(String::as_str),
            Some("panic caught in entry")
        );
    }
}
