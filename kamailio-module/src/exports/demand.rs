//! The script functions about demand: counting a feature's requests, and letting them in.

use std::ffi::CStr;

use kamailio::SipMessage;
use kamailio::script::{Arg, ScriptFunction};

use super::{SERVER, with};
use crate::{admission, code, routing};

/// Checks a feature's name, at the start or (for a computed one) at the call.
fn known_feature(name: &str) -> Result<usize, String> {
    with(|server, _| server.feature(name.as_bytes()))
        .flatten()
        .ok_or_else(|| {
            let declared = super::parameters::features().join(", ");
            format!(
                "no feature {name:?} is declared (modparam(\"kamscale\", \"feature\", {name:?})); \
             declared: {declared}"
            )
        })
}

/// `ks_count(feature)`
pub(super) struct Count;

impl ScriptFunction for Count {
    const NAME: &'static CStr = c"ks_count";
    const ARITY: usize = 1;

    fn resolve(_: usize, text: &str) -> Result<usize, String> {
        known_feature(text)
    }

    #[inline(always)]
    fn call(msg: &mut SipMessage<'_>, args: &[Arg<'_>]) -> i32 {
        let Some(feature) = feature(msg, &args[0]) else {
            return code::BAD_PARAMETER;
        };
        SERVER
            .get()
            .map_or(code::FAILED, |server| routing::count(server, feature))
    }
}

/// `ks_admit(feature)`
pub(super) struct Admit;

impl ScriptFunction for Admit {
    const NAME: &'static CStr = c"ks_admit";
    const ARITY: usize = 1;

    fn resolve(_: usize, text: &str) -> Result<usize, String> {
        known_feature(text)
    }

    #[inline(always)]
    fn call(msg: &mut SipMessage<'_>, args: &[Arg<'_>]) -> i32 {
        let Some(feature) = feature(msg, &args[0]) else {
            return code::BAD_PARAMETER;
        };
        with(|server, worker| admission::admit(server, worker, msg, feature)).unwrap_or(code::OK)
    }
}

/// The feature that a parameter names, if it is declared.
#[inline(always)]
fn feature(msg: &mut SipMessage<'_>, arg: &Arg<'_>) -> Option<usize> {
    arg.resolved().or_else(|| computed_feature(msg, arg))
}

/// Out of the way of constants, as its text takes much of the stack.
#[inline(never)]
fn computed_feature(msg: &mut SipMessage<'_>, arg: &Arg<'_>) -> Option<usize> {
    let text = arg.text(msg);
    with(|server, _| server.feature(text.as_deref()?)).flatten()
}
