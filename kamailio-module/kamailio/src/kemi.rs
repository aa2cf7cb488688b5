//! The same functions for scripts in Lua, Python, JavaScript and so on: `KSR.<module>.<name>(...)`
//! (`core/kemi.h`).
#![allow(
    unsafe_code,
    reason = "entries that the script engines call with raw pointers"
)]

use std::ffi::{CStr, c_int, c_void};

use kamailio_sys as sys;

use crate::SipMessage;
use crate::ffi::{NO_STR, bytes, constant};
use crate::guard::guard;
use crate::script::{Arg, ScriptFunction, checked};

/// One line of the table that the core reads.
#[repr(transparent)]
#[derive(Debug)]
pub struct Entry(pub(crate) sys::sr_kemi_t);

impl Entry {
    /// Ends the table.
    pub const END: Self = Self(sys::sr_kemi_t {
        mname: NO_STR,
        fname: NO_STR,
        rtype: 0,
        func: std::ptr::null_mut(),
        ptypes: [0; 6],
    });
}

/// The table's line for `F` under the name `name`, unique in the module. Every argument is a text:
/// in `ScriptFunction::call`, `Arg::resolved` is `None`.
pub const fn function<F: ScriptFunction>(name: &'static CStr) -> Entry {
    assert!(F::ARITY <= 3, "a script function takes 0 to 3 parameters");
    let mut ptypes = [0; 6];
    let mut n = 0;
    while n < F::ARITY {
        ptypes[n] = sys::SR_KEMIP_STR as c_int;
        n += 1;
    }
    Entry(sys::sr_kemi_t {
        // the name of the module is known when it registers
        mname: NO_STR,
        fname: constant(name),
        rtype: sys::SR_KEMIP_INT as c_int,
        func: match F::ARITY {
            0 => call0::<F> as *mut c_void,
            1 => call1::<F> as *mut c_void,
            2 => call2::<F> as *mut c_void,
            _ => call3::<F> as *mut c_void,
        },
        ptypes,
    })
}

unsafe extern "C" fn call0<F: ScriptFunction>(msg: *mut sys::sip_msg) -> c_int {
    // SAFETY: called by a script engine with the core's message.
    unsafe { run::<F, 0>(msg, []) }
}

unsafe extern "C" fn call1<F: ScriptFunction>(msg: *mut sys::sip_msg, a: *mut sys::str_) -> c_int {
    // SAFETY: called by a script engine with the core's message, as ptypes says.
    unsafe { run::<F, 1>(msg, [a]) }
}

unsafe extern "C" fn call2<F: ScriptFunction>(
    msg: *mut sys::sip_msg,
    a: *mut sys::str_,
    b: *mut sys::str_,
) -> c_int {
    // SAFETY: called by a script engine with the core's message, as ptypes says.
    unsafe { run::<F, 2>(msg, [a, b]) }
}

unsafe extern "C" fn call3<F: ScriptFunction>(
    msg: *mut sys::sip_msg,
    a: *mut sys::str_,
    b: *mut sys::str_,
    c: *mut sys::str_,
) -> c_int {
    // SAFETY: called by a script engine with the core's message, as ptypes says.
    unsafe { run::<F, 3>(msg, [a, b, c]) }
}

/// # Safety
/// `msg` is the core's message; each of `texts` is null or a str that lives during the call.
unsafe fn run<F: ScriptFunction, const N: usize>(
    msg: *mut sys::sip_msg,
    texts: [*mut sys::str_; N],
) -> c_int {
    if msg.is_null() {
        return guard(F::NAME, -1, || {
            crate::log::error(format_args!("{:?} is called without a message", F::NAME));
            -1
        });
    }
    let args = texts.map(|text| {
        // SAFETY: null or a str of the engine.
        let text = unsafe { text.as_ref() }.copied().unwrap_or(NO_STR);
        // SAFETY: the engine keeps the text during the call.
        Arg::text_only(unsafe { bytes(text) })
    });
    // SAFETY: the engine lends the message to this call alone.
    let message = unsafe { SipMessage::new(msg) };
    checked::<F>(message, &args)
}
