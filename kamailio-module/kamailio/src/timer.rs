//! Work that is done at intervals, beside the requests: in the server's timer process
//! (`core/timer.h`), or in a process of its own (`core/timer_proc.h`).
#![allow(unsafe_code, reason = "registers callbacks with the core")]

use std::ffi::{CStr, c_int, c_uint, c_void};

use kamailio_sys as sys;

use crate::guard::guard;

/// The core's timer did not take the function: no shared memory, or no process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused;

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the timer is refused: no shared memory, or no process")
    }
}

impl std::error::Error for Refused {}

/// Calls `f` every second in the server's timer process (`slow timer`), beside its other work: `f`
/// must not block. Only from `Module::init`.
pub fn every_second(f: fn()) -> Result<(), Refused> {
    // SAFETY: the core keeps the pointer and passes it back to the callback, nothing else.
    let id = unsafe { sys::register_timer(Some(tick), f as *mut c_void, 1) };
    if id < 0 { Err(Refused) } else { Ok(()) }
}

unsafe extern "C" fn tick(_: c_uint, f: *mut c_void) {
    // SAFETY: `every_second` or `own_process` registered this pointer, which is a function of this type.
    let f = unsafe { std::mem::transmute::<*mut c_void, fn()>(f) };
    guard(c"timer", (), f);
}

/// Asks the server for one process more, which [`own_process`] starts. Only from `Module::init`.
pub fn reserve_process() -> Result<(), Refused> {
    // SAFETY: adds to the count of processes, which is not in use yet.
    let done = unsafe { sys::register_basic_timers(1) };
    if done < 0 { Err(Refused) } else { Ok(()) }
}

/// Starts a process that calls `f` again and again, `pause_us` after it came back. It may send, also
/// over TCP. Only from `Module::child_init(Rank::Main)`, after [`reserve_process`]. `name` is what
/// `core.psx` shows.
pub fn own_process(name: &'static CStr, pause_us: u32, f: fn()) -> Result<(), Refused> {
    let pause_us = c_int::try_from(pause_us).unwrap_or(c_int::MAX);
    // SAFETY: the core copies the name, and passes the pointer back to the callback, nothing else.
    let pid = unsafe {
        sys::fork_basic_utimer(
            sys::PROC_TIMER,
            name.as_ptr().cast_mut(),
            1,
            Some(tick),
            f as *mut c_void,
            pause_us,
        )
    };
    if pid < 0 { Err(Refused) } else { Ok(()) }
}
