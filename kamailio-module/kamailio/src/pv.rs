//! Pseudo-variables: `$name` and `$name(inner)`, read only (`core/pvar.h`).
#![allow(unsafe_code, reason = "entries that the core calls with raw pointers")]

use std::borrow::Cow;
use std::ffi::{CStr, c_int, c_void};

use kamailio_sys as sys;

use crate::SipMessage;
use crate::ffi::{NO_STR, bytes, constant, lend};
use crate::guard::guard;

/// The value of a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `$null`
    Null,
    /// A number. Outside the server's 32 bits it is a text of its digits.
    Int(i64),
    /// A text. One that is owned is copied into the core's buffer (8 kB by default), and `$null` if
    /// it is longer.
    Text(Cow<'static, str>),
}

/// A pseudo-variable.
pub trait PseudoVariable: 'static {
    /// The name without `$`.
    const NAME: &'static CStr;

    /// Resolves what stands in the parentheses to a word for [`Self::get`], once, when the
    /// configuration is read: before `Module::init`, so an unknown name may be learnt here, but a
    /// table is not filled yet. An error stops the start. Not called for [`plain`].
    fn parse(inner: &str) -> Result<usize, String> {
        let _ = inner;
        Ok(0)
    }

    /// The value now.
    fn get(msg: &mut SipMessage<'_>, word: usize) -> Value;
}

/// One line of the table that the core reads.
#[repr(transparent)]
#[derive(Debug)]
pub struct Entry(sys::pv_export_t);

impl Entry {
    /// Ends the table.
    pub const END: Self = Self(sys::pv_export_t {
        name: NO_STR,
        type_: 0,
        getf: None,
        setf: None,
        parse_name: None,
        parse_index: None,
        init_param: None,
        iparam: 0,
    });
}

/// `$name`; the core accepts no parentheses, and `word` is 0. A name is either plain or not.
pub const fn plain<V: PseudoVariable>() -> Entry {
    Entry(sys::pv_export_t {
        name: constant(V::NAME),
        type_: sys::PVT_OTHER,
        getf: Some(get::<V>),
        ..Entry::END.0
    })
}

/// `$name(inner)`; the core insists on the parentheses.
pub const fn with_inner<V: PseudoVariable>() -> Entry {
    Entry(sys::pv_export_t {
        parse_name: Some(parse::<V>),
        ..plain::<V>().0
    })
}

unsafe extern "C" fn parse<V: PseudoVariable>(
    spec: *mut sys::pv_spec_t,
    inner: *mut sys::str_,
) -> c_int {
    guard(V::NAME, -1, || {
        // SAFETY: the core passes the address of what stands in the parentheses.
        let inner = unsafe { *inner };
        // SAFETY: a piece of the configuration's text.
        let text = String::from_utf8_lossy(unsafe { bytes(inner) });
        match V::parse(&text) {
            Ok(word) => {
                // SAFETY: the core passes a zeroed spec to be filled.
                let name = unsafe { &mut (*spec).pvp.pvn };
                // The core follows this pointer only for names of another type, and frees it never.
                name.u.dname = std::ptr::without_provenance_mut(word);
                0
            }
            Err(message) => {
                let name = V::NAME.to_string_lossy();
                crate::log::error(format_args!("${name}({text}): {message}"));
                -1
            }
        }
    })
}

unsafe extern "C" fn get<V: PseudoVariable>(
    msg: *mut sys::sip_msg,
    param: *mut sys::pv_param_t,
    result: *mut sys::pv_value_t,
) -> c_int {
    guard(V::NAME, -1, || {
        // SAFETY: the core passes the parameter of the spec that `parse` filled, or a zeroed one.
        let name = unsafe { (*param).pvn.u };
        // SAFETY: all zeros, or the word that `parse` stored as a pointer.
        let word: *mut c_void = unsafe { name.dname };
        // SAFETY: the core lends its message to this call alone.
        let mut message = unsafe { SipMessage::new(msg) };
        let text = match V::get(&mut message, word.addr()) {
            Value::Null => None,
            Value::Text(text) => Some(text),
            Value::Int(n) => match c_int::try_from(n) {
                // SAFETY: fills the core's result.
                Ok(n) => return unsafe { sys::shim_pv_get_sintval(msg, param, result, n) },
                Err(_) => Some(Cow::Owned(n.to_string())),
            },
        };
        let lasting = match &text {
            None => None,
            Some(Cow::Borrowed(text)) => Some(lend(text.as_bytes())),
            Some(Cow::Owned(text)) => buffered(text.as_bytes()),
        };
        match lasting {
            // SAFETY: fills the core's result with a text that outlives the evaluation.
            Some(mut text) => unsafe { sys::pv_get_strval(msg, param, result, &raw mut text) },
            // SAFETY: fills the core's result.
            None => unsafe { sys::pv_get_null(msg, param, result) },
        }
    })
}

/// Copies a text into the next of the core's rotating buffers, as every module does for a value it
/// makes.
fn buffered(text: &[u8]) -> Option<sys::str_> {
    // SAFETY: reads a parameter of the core.
    let size = unsafe { sys::pv_get_buffer_size() };
    if usize::try_from(size).is_ok_and(|size| text.len() >= size) {
        return None;
    }
    // SAFETY: returns a buffer of `size` bytes of this process.
    let buffer = unsafe { sys::pv_get_buffer() };
    if buffer.is_null() {
        return None;
    }
    // SAFETY: the text is shorter than the buffer, and not in it: it is owned by Rust.
    unsafe { std::ptr::copy_nonoverlapping(text.as_ptr(), buffer.cast(), text.len()) };
    Some(sys::str_ {
        s: buffer,
        ..lend(text)
    })
}
