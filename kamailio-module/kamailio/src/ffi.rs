//! Kamailio's `str` (pointer and length) to and from slices, for this crate only.
#![allow(unsafe_code, reason = "turns C pointers into slices")]

use kamailio_sys as sys;
use std::ffi::{CStr, c_char, c_int};

/// An empty `str`.
pub(crate) const NO_STR: sys::str_ = sys::str_ {
    s: std::ptr::null_mut(),
    len: 0,
};

/// The bytes behind a `str`.
///
/// # Safety
/// `s` must describe readable memory that does not change for `'a`.
#[inline]
pub(crate) unsafe fn bytes<'a>(s: sys::str_) -> &'a [u8] {
    let Ok(len) = usize::try_from(s.len) else {
        return &[];
    };
    if s.s.is_null() {
        return &[];
    }
    // SAFETY: not null, and the caller vouches for the memory.
    unsafe { std::slice::from_raw_parts(s.s.cast::<u8>(), len) }
}

/// A `str` for a function that only reads it during the call.
#[inline]
pub(crate) fn lend(bytes: &[u8]) -> sys::str_ {
    sys::str_ {
        s: bytes.as_ptr().cast_mut().cast::<c_char>(),
        len: c_int::try_from(bytes.len()).unwrap_or(c_int::MAX),
    }
}

/// A `str` of a constant. Its text ends in NUL, which KEMI relies on.
#[allow(
    clippy::cast_possible_truncation,
    reason = "a name; TryFrom is not const"
)]
pub(crate) const fn constant(text: &'static CStr) -> sys::str_ {
    sys::str_ {
        s: text.as_ptr().cast_mut(),
        len: text.count_bytes() as c_int,
    }
}
