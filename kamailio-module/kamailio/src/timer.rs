//! Work that is done every second, beside the requests (`core/timer.h`).
#![allow(unsafe_code, reason = "registers a callback with the core")]

use std::ffi::{c_uint, c_void};

use kamailio_sys as sys;

use crate::guard::guard;

/// The core's timer did not take the function: no shared memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused;

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the timer is refused: no shared memory")
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
    // SAFETY: `every_second` registered this pointer, which is a function of this type.
    let f = unsafe { std::mem::transmute::<*mut c_void, fn()>(f) };
    guard(c"timer", (), f);
}
