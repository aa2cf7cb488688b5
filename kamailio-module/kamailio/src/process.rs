//! The Kamailio process that runs this code, its clock, and values that belong to it alone.
//!
//! Without the feature `host` number, count and clock are those of [`crate::double`], one set per
//! thread.

mod local;

pub use local::Local;

/// Number of this process in Kamailio's process table (`core/pt.h`, `process_no`); 0 is the main
/// process.
#[inline]
pub fn number() -> usize {
    backend::number()
}

/// How many processes Kamailio will have (`core/pt.h`, `get_max_procs`). Only from
/// `child_init(Rank::Init)` on: in `init` the core does not know yet, and aborts.
pub fn count() -> usize {
    backend::count()
}

/// The pid of this process.
pub fn pid() -> u32 {
    std::process::id()
}

/// What Kamailio calls this process, e.g. `udp receiver child=0 sock=127.0.0.1:5060` (`core/pt.h`,
/// `my_desc`).
pub fn description() -> String {
    backend::description()
}

/// Seconds since the server started (`core/timer.h`, `get_ticks`). Does not jump with the wall
/// clock.
#[inline]
pub fn ticks() -> u32 {
    backend::ticks()
}

#[cfg(feature = "host")]
mod backend {
    #![allow(
        unsafe_code,
        reason = "reads the process table and the timer of the core"
    )]
    use kamailio_sys as sys;
    use std::ffi::CStr;

    #[inline]
    pub(super) fn number() -> usize {
        // SAFETY: written once, when the process is forked, before any module code runs in it.
        let number = unsafe { sys::process_no };
        usize::try_from(number).unwrap_or(0)
    }

    pub(super) fn count() -> usize {
        // SAFETY: reads a counter; the documented precondition is the caller's, breaking it aborts.
        let count = unsafe { sys::get_max_procs() };
        usize::try_from(count).unwrap_or(0)
    }

    pub(super) fn description() -> String {
        // SAFETY: returns a pointer into the process table, or a constant before there is one.
        let text = unsafe { sys::my_desc() };
        if text.is_null() {
            return String::new();
        }
        // SAFETY: the description ends in NUL and does not change while the process lives.
        unsafe { CStr::from_ptr(text) }
            .to_string_lossy()
            .into_owned()
    }

    #[inline]
    pub(super) fn ticks() -> u32 {
        // SAFETY: reads the shared tick counter, which exists since before the modules were
        // initialized.
        unsafe { sys::get_ticks() }
    }
}

#[cfg(not(feature = "host"))]
mod backend {
    pub(super) use crate::double::{count, description, number, ticks};
}
