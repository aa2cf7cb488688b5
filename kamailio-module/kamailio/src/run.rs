//! The beginning and the end of each run of the script over a request (`core/script_cb.h`): what a
//! module keeps for the length of one.
#![allow(unsafe_code, reason = "registers callbacks with the core")]

use std::ffi::{c_int, c_uint, c_void};

use kamailio_sys as sys;

use crate::guard::guard;

/// The core did not take the functions: no memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused;

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("script callbacks are refused: no memory")
    }
}

impl std::error::Error for Refused {}

/// A request route (also one that goes on after a suspension, or runs without a request, as those
/// of the timer modules) and the failure routes.
const ROUTES: c_uint = (sys::REQUEST_CB | sys::FAILURE_CB | sys::BRANCH_FAILURE_CB) as c_uint;

/// Calls `begins` before and `ends` after each run of a request or failure route, in the process
/// that runs it. A failure route may run within a request route, when the request cannot be sent
/// at all: its end comes before that of the outer one. Only from `Module::init`.
pub fn around(begins: fn(), ends: fn()) -> Result<(), Refused> {
    for (when, f) in [(sys::PRE_SCRIPT_CB, begins), (sys::POST_SCRIPT_CB, ends)] {
        // SAFETY: the core keeps the pointer and passes it back to the callback, nothing else.
        let done = unsafe {
            sys::register_script_cb(Some(on_run), ROUTES | when as c_uint, f as *mut c_void)
        };
        if done < 0 {
            return Err(Refused);
        }
    }
    Ok(())
}

/// Answers 1: 0 would drop the request.
unsafe extern "C" fn on_run(_: *mut sys::sip_msg, _: c_uint, f: *mut c_void) -> c_int {
    // SAFETY: `around` registered this pointer, which is a function of this type.
    let f = unsafe { std::mem::transmute::<*mut c_void, fn()>(f) };
    guard(c"run of the script", 1, || {
        f();
        1
    })
}
