//! Requests that the server sends on its own, through the tm module: what an answer tells, and
//! (feature `host`) how the request is sent.

#[cfg(feature = "host")]
mod host;

#[cfg(feature = "host")]
pub use host::{Absent, NotSent, Request, bind};

use std::borrow::Cow;

/// The end of a transaction that this server began.
pub trait Answer {
    /// The status; 408 also if nobody answered.
    fn code(&self) -> u16;
    /// Whether the other side sent it. If not, this server gave up.
    fn is_reply(&self) -> bool;
    /// The first header of this name, whatever the case of its letters.
    fn header(&mut self, name: &str) -> Option<Cow<'_, str>>;
}
