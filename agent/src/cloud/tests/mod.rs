//! Faults are played by a recorded-answer server; the real Keystone is asked where it is up.

mod faults;
pub(crate) mod real;
pub(crate) mod recorded;
mod sessions;
mod tls;
mod written;
