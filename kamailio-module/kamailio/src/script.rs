//! Functions that kamailio.cfg may call.
//!
//! A constant parameter is resolved once, when the server starts; a call then finds a word and
//! looks nothing up. A parameter with a `$`, or an expression, is evaluated at every call.
#![allow(unsafe_code, reason = "entries that the core calls with raw pointers")]

mod argument;
mod fixup;

pub use argument::{Arg, Text};

use std::ffi::{CStr, c_char, c_int, c_void};

use kamailio_sys as sys;

use crate::SipMessage;
use crate::guard::guard;
pub(crate) use fixup::started;

/// A function of the configuration script; the same trait serves KEMI.
pub trait ScriptFunction: 'static {
    /// The name in kamailio.cfg. Several functions may share it with different [`Self::ARITY`].
    const NAME: &'static CStr;
    /// The number of parameters, 0 to 3.
    const ARITY: usize;

    /// Resolves a constant parameter, the `n`-th from 1, to a word for [`Arg::resolved`]. Called
    /// when the server starts, after `Module::init`; an error stops the start with function,
    /// parameter, value and this text.
    fn resolve(n: usize, text: &str) -> Result<usize, String> {
        let _ = (n, text);
        Ok(0)
    }

    /// Runs the function. What it returns is `$rc`: > 0 is true, < 0 is false. 0 would end the
    /// script and drop the request, so the caller of this turns it into -1. `args` has
    /// [`Self::ARITY`] elements.
    fn call(msg: &mut SipMessage<'_>, args: &[Arg<'_>]) -> i32;
}

/// One line of the table that the core reads.
#[repr(transparent)]
#[derive(Debug)]
pub struct Entry(sys::cmd_export_t);

impl Entry {
    /// Ends the table.
    pub const END: Self = Self(sys::cmd_export_t {
        name: std::ptr::null_mut(),
        function: None,
        param_no: 0,
        fixup: None,
        free_fixup: None,
        flags: 0,
    });
}

/// The table's line for `F`; it may be called in every kind of route.
#[allow(clippy::cast_possible_truncation, reason = "at most 3")]
pub const fn function<F: ScriptFunction>() -> Entry {
    assert!(F::ARITY <= 3, "a script function takes 0 to 3 parameters");
    let takes = F::ARITY > 0;
    Entry(sys::cmd_export_t {
        name: F::NAME.as_ptr().cast_mut(),
        function: Some(match F::ARITY {
            0 => call0::<F>,
            1 => call1::<F>,
            2 => call2::<F>,
            // SAFETY: the core calls a function of three parameters by its own type
            // (cmd_function3).
            _ => unsafe { std::mem::transmute::<Call3, Call>(call3::<F>) },
        }),
        param_no: F::ARITY as c_int,
        fixup: if takes { Some(fix::<F>) } else { None },
        free_fixup: if takes { Some(free::<F>) } else { None },
        flags: sys::ANY_ROUTE,
    })
}

type Call = unsafe extern "C" fn(*mut sys::sip_msg, *mut c_char, *mut c_char) -> c_int;
type Call3 =
    unsafe extern "C" fn(*mut sys::sip_msg, *mut c_char, *mut c_char, *mut c_char) -> c_int;

unsafe extern "C" fn call0<F: ScriptFunction>(
    msg: *mut sys::sip_msg,
    _: *mut c_char,
    _: *mut c_char,
) -> c_int {
    // SAFETY: called by the core with its message.
    unsafe { run::<F, 0>(msg, []) }
}

unsafe extern "C" fn call1<F: ScriptFunction>(
    msg: *mut sys::sip_msg,
    a: *mut c_char,
    _: *mut c_char,
) -> c_int {
    // SAFETY: called by the core with its message and what `fix` made.
    unsafe { run::<F, 1>(msg, [a]) }
}

unsafe extern "C" fn call2<F: ScriptFunction>(
    msg: *mut sys::sip_msg,
    a: *mut c_char,
    b: *mut c_char,
) -> c_int {
    // SAFETY: called by the core with its message and what `fix` made.
    unsafe { run::<F, 2>(msg, [a, b]) }
}

unsafe extern "C" fn call3<F: ScriptFunction>(
    msg: *mut sys::sip_msg,
    a: *mut c_char,
    b: *mut c_char,
    c: *mut c_char,
) -> c_int {
    // SAFETY: called by the core with its message and what `fix` made.
    unsafe { run::<F, 3>(msg, [a, b, c]) }
}

/// # Safety
/// `msg` is the core's message, each of `fixed` is what [`fix`] put in place of a parameter.
#[inline(always)]
unsafe fn run<F: ScriptFunction, const N: usize>(
    msg: *mut sys::sip_msg,
    fixed: [*mut c_char; N],
) -> c_int {
    // SAFETY: `fix` leaves the address of a fixed parameter, which is freed only after the call.
    let args = fixed.map(|word| unsafe { Arg::fixed(word.cast()) });
    // SAFETY: the core lends its message to this call alone.
    let message = unsafe { SipMessage::new(msg) };
    checked::<F>(message, &args)
}

/// Calls the function under the guard; 0 becomes -1.
#[inline(always)]
pub(crate) fn checked<F: ScriptFunction>(mut message: SipMessage<'_>, args: &[Arg<'_>]) -> c_int {
    match guard(F::NAME, -1, || F::call(&mut message, args)) {
        0 => -1,
        code => code,
    }
}

unsafe extern "C" fn fix<F: ScriptFunction>(param: *mut *mut c_void, n: c_int) -> c_int {
    guard(F::NAME, -1, || {
        let n = usize::try_from(n).unwrap_or(0);
        // SAFETY: the core passes the address of a parameter that is a C string.
        match unsafe { fixup::fix(param, |text| F::resolve(n, text)) } {
            Ok(()) => 0,
            Err(message) => {
                let name = F::NAME.to_string_lossy();
                crate::log::error(format_args!("{name}(), parameter {n}: {message}"));
                -1
            }
        }
    })
}

unsafe extern "C" fn free<F: ScriptFunction>(param: *mut *mut c_void, _: c_int) -> c_int {
    guard(F::NAME, -1, || {
        // SAFETY: the core passes the address of a parameter that `fix` has changed.
        unsafe { fixup::free(param) };
        0
    })
}
