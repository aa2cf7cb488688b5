//! `modparam()`: what the configuration sets before the module starts.
#![allow(unsafe_code, reason = "entries that the core calls with raw pointers")]

use std::ffi::{CStr, c_int, c_void};
use std::sync::atomic::AtomicI32;

use kamailio_sys as sys;

use crate::guard::guard;

/// One line of the table that the core reads.
#[repr(transparent)]
#[derive(Debug)]
pub struct Entry(sys::param_export_t);

impl Entry {
    /// Ends the table.
    pub const END: Self = Self(sys::param_export_t {
        name: std::ptr::null_mut(),
        type_: 0,
        param_pointer: std::ptr::null_mut(),
    });
}

/// An integer parameter: the core writes the configured value into `value`, whose own is the
/// default.
pub const fn int(name: &'static CStr, value: &'static AtomicI32) -> Entry {
    Entry(sys::param_export_t {
        name: name.as_ptr().cast_mut(),
        type_: sys::PARAM_INT,
        param_pointer: value.as_ptr().cast(),
    })
}

/// A text parameter: `set` gets the text of every `modparam()` line, in order, before
/// `Module::init`. An error stops the start, with the parameter's value and this text. `set` must
/// be a function item or a closure without captures.
pub const fn text<F>(name: &'static CStr, set: F) -> Entry
where
    F: Fn(&str) -> Result<(), String> + Copy + 'static,
{
    assert!(
        size_of::<F>() == 0,
        "the function of a parameter captures nothing"
    );
    let _ = set;
    Entry(sys::param_export_t {
        name: name.as_ptr().cast_mut(),
        type_: sys::PARAM_STRING | USE_FUNC,
        param_pointer: call::<F> as unsafe extern "C" fn(sys::modparam_t, *mut c_void) -> c_int
            as *mut c_void,
    })
}

/// PARAM_USE_FUNC of core/sr_module.h, a macro that bindgen does not evaluate.
const USE_FUNC: sys::modparam_t = 1 << (c_int::BITS - 1);

unsafe extern "C" fn call<F>(_: sys::modparam_t, value: *mut c_void) -> c_int
where
    F: Fn(&str) -> Result<(), String> + Copy + 'static,
{
    guard(c"modparam", -1, || {
        // SAFETY: `text` got a value of this type, which has no bytes and may be copied at will.
        let set = unsafe { std::ptr::NonNull::<F>::dangling().read() };
        // SAFETY: PARAM_STRING: the core passes a C string.
        let value = unsafe { CStr::from_ptr(value.cast()) };
        let done = value
            .to_str()
            .map_err(|_| "not UTF-8".to_owned())
            .and_then(set);
        match done {
            Ok(()) => 0,
            Err(message) => {
                crate::log::error(format_args!("modparam: {value:?}: {message}"));
                -1
            }
        }
    })
}

/// An integer parameter of another module, as it is set now (`core/sr_module.h`); `None` if the
/// module is not loaded or has no such parameter. From `Module::init` on.
#[must_use]
pub fn of_module(module: &'static CStr, name: &'static CStr) -> Option<c_int> {
    // SAFETY: reads the name and looks through the loaded modules.
    let found = unsafe { sys::find_module_by_name(module.as_ptr().cast_mut()) };
    if found.is_null() {
        return None;
    }
    let mut kind: sys::modparam_t = 0;
    let text = name.as_ptr().cast_mut();
    // SAFETY: a loaded module; the function reads the name and writes the kind.
    let value = unsafe { sys::find_param_export(found, text, sys::PARAM_INT, &raw mut kind) };
    if value.is_null() || kind != sys::PARAM_INT {
        return None;
    }
    // SAFETY: the address of an int of that module, which is set while the configuration is read.
    Some(unsafe { *value.cast::<c_int>() })
}
