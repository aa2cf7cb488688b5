//! Remote commands: what they answer, what they are given, and (feature `host`) how that reaches
//! the server.
//!
//! Works through `ctl` (kamcmd) and `jsonrpcs` alike; see `core/rpc.h`.

#[cfg(feature = "host")]
mod host;

#[cfg(feature = "host")]
pub use host::{Entry, command};

use std::collections::VecDeque;
use std::ffi::CStr;

/// One value of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A text.
    Text(String),
    /// A number. The server's integers have 32 bits; a larger one travels as a text of its digits.
    Int(i64),
    /// Named values, in this order.
    Struct(Vec<(&'static CStr, Value)>),
    /// Values. As a whole answer of a command with [`RpcCommand::ARRAY`]: that many answers.
    List(Vec<Value>),
}

impl Value {
    /// The number as the server's 32-bit integer, if it fits; else its digits.
    #[cfg(any(feature = "host", test))]
    pub(crate) fn int(n: i64) -> Result<i32, String> {
        i32::try_from(n).map_err(|_| n.to_string())
    }
}

/// An error answer: a code as in SIP (400 for what the caller did wrong, 500 else) and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// 4xx or 5xx.
    pub code: i32,
    /// For the person at the keyboard.
    pub text: String,
}

impl Fault {
    /// Code 400: the request is wrong.
    pub fn bad_request(text: impl Into<String>) -> Self {
        Self {
            code: 400,
            text: text.into(),
        }
    }

    /// Code 500: the server could not do it.
    pub fn internal(text: impl Into<String>) -> Self {
        Self {
            code: 500,
            text: text.into(),
        }
    }
}

/// The arguments of a call, taken one by one.
#[derive(Debug)]
pub struct Args<'a> {
    source: Source<'a>,
}

#[derive(Debug)]
enum Source<'a> {
    Texts(VecDeque<&'a str>),
    #[cfg(feature = "host")]
    Call(host::Call<'a>),
}

impl<'a> Args<'a> {
    /// Arguments for a test.
    pub fn from_texts(texts: &[&'a str]) -> Self {
        Self {
            source: Source::Texts(texts.iter().copied().collect()),
        }
    }

    /// The next argument if there is one. A number that the caller sent is its digits.
    pub fn optional(&mut self) -> Option<String> {
        match &mut self.source {
            Source::Texts(texts) => texts.pop_front().map(str::to_owned),
            #[cfg(feature = "host")]
            Source::Call(call) => call.next_text(),
        }
    }

    /// The next argument; without one a fault that names it.
    pub fn required(&mut self, name: &str) -> Result<String, Fault> {
        self.optional()
            .ok_or_else(|| Fault::bad_request(format!("missing argument: {name}")))
    }
}

/// A remote command.
pub trait RpcCommand: 'static {
    /// The full name, e.g. `module.command`.
    const NAME: &'static CStr;
    /// One sentence for `core.help` and `kamcmd help`.
    const DOC: &'static CStr;
    /// Whether the answer is a [`Value::List`] of answers: an array in JSON, one after the other in
    /// kamcmd.
    const ARRAY: bool = false;
    /// Answers one call.
    fn run(args: &mut Args<'_>) -> Result<Value, Fault>;
}

#[cfg(test)]
#[cfg(not(feature = "host"))]
mod tests {
    use super::*;

    #[test]
    fn arguments_come_in_order_and_a_missing_one_is_named() {
        let mut args = Args::from_texts(&["a"]);
        assert_eq!(args.required("pool"), Ok("a".to_owned()));
        assert_eq!(args.optional(), None);
        assert_eq!(
            args.required("member"),
            Err(Fault::bad_request("missing argument: member"))
        );
    }

    #[test]
    fn large_numbers_keep_their_digits() {
        assert_eq!(Value::int(-5), Ok(-5));
        assert_eq!(Value::int(1 << 40), Err("1099511627776".to_owned()));
    }
}
