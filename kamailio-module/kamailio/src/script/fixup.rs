//! What happens to a parameter when the server starts, and to a computed one at every call.
#![allow(
    unsafe_code,
    reason = "replaces the core's parameter by its own record, and back"
)]

use std::ffi::{CStr, c_void};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use kamailio_sys as sys;

/// A parameter after the fixup. The core keeps its address in place of the text.
pub(super) struct Fixed {
    /// What `resolve` made of a constant; `None` when it is evaluated, or unknown at run time.
    pub(super) word: Option<usize>,
    /// The constant, in the core's memory.
    pub(super) text: *const [u8],
    /// How to evaluate it, or null: it is a constant.
    pub(super) evaluate: *mut sys::fparam_t,
    /// The variable that is all of what is to be evaluated, or null: then there is more to it.
    pub(super) variable: *mut sys::pv_spec_t,
    /// What the core had in its place.
    original: *mut c_void,
}

/// Set when the fixups of the start are over: what comes later is the value of an expression like
/// `"a" + $rU`.
static STARTED: AtomicBool = AtomicBool::new(false);

/// Called when the server is about to fork.
pub(crate) fn started() {
    STARTED.store(true, Relaxed);
}

/// Puts a [`Fixed`] in place of the text.
///
/// A text that an expression computed is never searched for variables (a caller could have written
/// them), and an unknown one is no error: the function sees `resolved() == None`.
///
/// # Safety
/// `*param` is a C string that lives until [`free`], or as long as the server.
pub(super) unsafe fn fix(
    param: *mut *mut c_void,
    resolve: impl FnOnce(&str) -> Result<usize, String>,
) -> Result<(), String> {
    // SAFETY: the caller's contract.
    let original = unsafe { *param };
    // SAFETY: the caller's contract.
    let text = unsafe { CStr::from_ptr(original.cast()) };
    let running = STARTED.load(Relaxed);
    let (mut evaluate, mut variable) = (std::ptr::null_mut(), std::ptr::null_mut());
    let mut word = None;
    if !running && text.to_bytes().contains(&b'$') {
        // SAFETY: the core's own fixup for "a text with variables"; 1 is a parameter that it
        // accepts.
        if unsafe { sys::fixup_spve_null(param, 1) } < 0 {
            return Err(format!(
                "{text:?} has a variable that is unknown or misspelled"
            ));
        }
        // SAFETY: the fixup has put its record there.
        evaluate = unsafe { *param }.cast::<sys::fparam_t>();
        // SAFETY: the fixup made it.
        variable = unsafe { only_variable(evaluate) };
    } else {
        let known = text
            .to_str()
            .map_err(|_| "not UTF-8".to_owned())
            .and_then(resolve)
            .map_err(|message| format!("{text:?}: {message}"));
        word = match known {
            Ok(word) => Some(word),
            Err(_) if running => None,
            Err(message) => return Err(message),
        };
    }
    let text = std::ptr::from_ref(text.to_bytes());
    let fixed = Box::new(Fixed {
        word,
        text,
        evaluate,
        variable,
        original,
    });
    // SAFETY: the caller's contract; the core never looks at what is there.
    unsafe { *param = Box::into_raw(fixed).cast() };
    Ok(())
}

/// The variable of a text that has nothing else in it; null otherwise.
///
/// # Safety
/// `evaluate` is what fixup_spve_null made, and lives.
unsafe fn only_variable(evaluate: *mut sys::fparam_t) -> *mut sys::pv_spec_t {
    // SAFETY: the caller's contract.
    let record = unsafe { &*evaluate };
    if record.type_.unsigned_abs() != sys::FPARAM_PVE {
        return std::ptr::null_mut();
    }
    // SAFETY: the type says that the union holds the list of parts.
    let first = unsafe { record.v.pve };
    // SAFETY: null or the first part, which lives as long as the record.
    match unsafe { first.as_ref() } {
        Some(part) if part.text.len == 0 && part.next.is_null() => part.spec,
        _ => std::ptr::null_mut(),
    }
}

/// Restores the text.
///
/// # Safety
/// `*param` is what [`fix`] left there.
pub(super) unsafe fn free(param: *mut *mut c_void) {
    // SAFETY: the caller's contract.
    let fixed = unsafe { *param }.cast::<Fixed>();
    if fixed.is_null() {
        return;
    }
    // SAFETY: made by Box::into_raw in `fix`, and replaced below, so it is taken once.
    let fixed = unsafe { Box::from_raw(fixed) };
    if !fixed.evaluate.is_null() {
        let mut evaluate: *mut c_void = fixed.evaluate.cast();
        // SAFETY: frees the core's record, which fixup_spve_null made.
        unsafe { sys::fixup_free_spve_null(&raw mut evaluate, 1) };
    }
    // SAFETY: the caller's contract.
    unsafe { *param = fixed.original };
}
