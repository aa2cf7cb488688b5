//! Values that Kamailio's own statistics show: `stats.get_statistics`, `cnt.*`, `$stat()`,
//! xhttp_prom (`core/counters.h`).
#![allow(unsafe_code, reason = "registers a callback with the core")]

use std::ffi::{CString, c_int, c_void};

use kamailio_sys as sys;

use crate::guard::guard;

struct Gauge {
    read: fn(usize) -> i64,
    arg: usize,
}

/// Registers a value that is read when somebody asks, in the process that asks; it cannot be reset.
/// Only from `Module::init`. Group and name are copied; both may hold letters, digits, `.`, `-` and
/// `_`. An error names what the core refused: a name that exists, or a registration that comes too
/// late.
pub fn register(
    group: &str,
    name: &str,
    doc: &str,
    read: fn(usize) -> i64,
    arg: usize,
) -> Result<(), String> {
    let text = |text: &str| CString::new(text).map_err(|_| format!("{text:?} contains a NUL"));
    let (group, name, doc) = (text(group)?, text(name)?, text(doc)?);
    // lives as long as the server: the core has no way to give a counter back
    let gauge: *mut Gauge = Box::into_raw(Box::new(Gauge { read, arg }));
    // SAFETY: the core copies the three texts and passes the pointer back to the callback, nothing
    // else.
    let done = unsafe {
        sys::counter_register(
            std::ptr::null_mut(),
            group.as_ptr(),
            name.as_ptr(),
            sys::CNT_F_NO_RESET as c_int,
            Some(value),
            gauge.cast(),
            doc.as_ptr(),
            0,
        )
    };
    if done < 0 {
        Err(format!("counter {group:?} {name:?} is refused ({done})"))
    } else {
        Ok(())
    }
}

unsafe extern "C" fn value(_: sys::counter_handle_t, gauge: *mut c_void) -> sys::counter_val_t {
    guard(c"counter", 0, || {
        // SAFETY: `register` leaked a Gauge for this counter.
        let gauge = unsafe { &*gauge.cast::<Gauge>() };
        (gauge.read)(gauge.arg)
    })
}
