//! The arguments of one call. They read; what a parameter means was decided at the fixup.
#![allow(unsafe_code, reason = "reads parameters through the core's evaluator")]

use std::marker::PhantomData;

use kamailio_sys as sys;

use super::fixup::Fixed;
use crate::SipMessage;
use crate::ffi::{NO_STR, bytes};

/// Longest value that is copied without an allocation.
const INLINE: usize = 119;

/// One argument.
#[derive(Clone, Copy, Debug)]
pub struct Arg<'a>(Source<'a>);

#[derive(Clone, Copy, Debug)]
enum Source<'a> {
    Fixed(*const Fixed, PhantomData<&'a Fixed>),
    Text(&'a [u8]),
}

impl<'a> Arg<'a> {
    /// # Safety
    /// `fixed` must be a parameter that the fixup made and that lives for `'a`.
    #[inline]
    pub(super) unsafe fn fixed(fixed: *const Fixed) -> Self {
        Self(Source::Fixed(fixed, PhantomData))
    }

    /// An argument that is a text already, as in KEMI.
    pub(crate) fn text_only(text: &'a [u8]) -> Self {
        Self(Source::Text(text))
    }

    /// What `ScriptFunction::resolve` made of a constant parameter. `None`: look up [`Arg::text`]
    /// instead.
    #[inline]
    pub fn resolved(&self) -> Option<usize> {
        match self.0 {
            // SAFETY: the contract of `fixed`.
            Source::Fixed(fixed, _) => unsafe { (*fixed).word },
            Source::Text(_) => None,
        }
    }

    /// The text: of a constant, or evaluated now. `None`: the expression has no value.
    pub fn text(&self, msg: &mut SipMessage<'_>) -> Option<Text<'a>> {
        match self.lent() {
            Ok(text) => Some(Text(Storage::Lent(text))),
            // Copied at once: the core's own text changes when a variable is evaluated again.
            Err(fixed) => Self::evaluate(fixed, msg, Text::copy),
        }
    }

    /// What `f` makes of the text, which is not copied.
    #[inline]
    pub fn read<R>(&self, msg: &mut SipMessage<'_>, f: impl FnOnce(&[u8]) -> R) -> Option<R> {
        match self.lent() {
            Ok(text) => Some(f(text)),
            Err(fixed) => Self::evaluate(fixed, msg, f),
        }
    }

    /// The text if it is there without an evaluation, else what is to be evaluated.
    #[inline]
    fn lent(&self) -> Result<&'a [u8], &'a Fixed> {
        let fixed = match self.0 {
            // SAFETY: the contract of `fixed`.
            Source::Fixed(fixed, _) => unsafe { &*fixed },
            Source::Text(text) => return Ok(text),
        };
        if fixed.evaluate.is_null() {
            // SAFETY: the constant lives as long as its parameter.
            return Ok(unsafe { &*fixed.text });
        }
        Err(fixed)
    }

    #[inline]
    fn evaluate<R>(
        fixed: &Fixed,
        msg: &mut SipMessage<'_>,
        f: impl FnOnce(&[u8]) -> R,
    ) -> Option<R> {
        if !fixed.variable.is_null() {
            return Some(Self::value(fixed.variable, msg, f));
        }
        let mut value = NO_STR;
        // SAFETY: evaluates what fixup_spve_null made, for the core's own message.
        if unsafe { sys::get_str_fparam(&raw mut value, msg.as_ptr(), fixed.evaluate) } != 0 {
            return None;
        }
        // SAFETY: valid until the message changes or a variable is evaluated again, which `f` cannot do.
        Some(f(unsafe { bytes(value) }))
    }

    /// Of one variable without the core's printer, which costs as much as all the rest.
    #[inline]
    fn value<R>(
        variable: *mut sys::pv_spec_t,
        msg: &mut SipMessage<'_>,
        f: impl FnOnce(&[u8]) -> R,
    ) -> R {
        // SAFETY: plain C data, for which all zeros is a valid value.
        let mut value: sys::pv_value_t = unsafe { std::mem::zeroed() };
        // SAFETY: the variable lives as long as its parameter; evaluated for the core's own message.
        let failed = unsafe { sys::pv_get_spec_value(msg.as_ptr(), variable, &raw mut value) } != 0;
        let is_null = value.flags.unsigned_abs() & sys::PV_VAL_NULL != 0;
        let result = f(match (failed, is_null) {
            // As the core prints them.
            (true, _) => b"",
            (false, true) => b"<null>",
            // SAFETY: valid until the message changes or a variable is evaluated again, which `f`
            // cannot do.
            (false, false) => unsafe { bytes(value.rs) },
        });
        // SAFETY: frees the text if the variable made it for its caller; it is not used any more.
        unsafe { sys::pv_value_destroy(&raw mut value) };
        result
    }
}

/// The text of an argument. An evaluated one is a copy: the core's own would change under the next
/// evaluation.
#[derive(Clone, Debug)]
pub struct Text<'a>(Storage<'a>);

#[derive(Clone, Debug)]
enum Storage<'a> {
    Lent(&'a [u8]),
    Inline(u8, [u8; INLINE]),
    Heap(Vec<u8>),
}

impl Text<'_> {
    fn copy(text: &[u8]) -> Self {
        match u8::try_from(text.len()) {
            Ok(len) if text.len() <= INLINE => {
                let mut copy = [0; INLINE];
                copy[..text.len()].copy_from_slice(text);
                Self(Storage::Inline(len, copy))
            }
            _ => Self(Storage::Heap(text.to_vec())),
        }
    }

    /// The text, if it is UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(self).ok()
    }
}

impl std::ops::Deref for Text<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Storage::Lent(text) => text,
            Storage::Inline(len, text) => &text[..usize::from(*len)],
            Storage::Heap(text) => text,
        }
    }
}
