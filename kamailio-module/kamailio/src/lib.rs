//! A safe layer for writing Kamailio modules in Rust.
//!
//! It owns everything between the C core and a module's own logic: what the loader looks for,
//! script functions, parameters, RPC, pseudo-variables, KEMI, counters, timers, dialogs, requests of
//! the module's own, messages between servers, event routes, logging, and a guard that keeps a panic
//! from ending the server. It knows no particular module, and starts no thread.
//!
//! With the feature `host` (default) it binds to the symbols of a running Kamailio, so only a
//! `cdylib` can use it. Without it there are the traits, the plain types and a [`double`] of the
//! server: enough to test a module's logic anywhere.

pub mod double;
pub mod guard;
pub mod log;
pub mod message;
pub mod process;
pub mod rpc;
pub mod socket;
pub mod uac;

#[cfg(feature = "host")]
pub mod counters;
#[cfg(feature = "host")]
pub mod dialog;
#[cfg(feature = "host")]
pub mod dmq;
#[cfg(feature = "host")]
pub mod event_route;
#[cfg(feature = "host")]
mod ffi;
#[cfg(feature = "host")]
pub mod kemi;
#[cfg(feature = "host")]
pub mod module;
#[cfg(feature = "host")]
pub mod parameter;
#[cfg(feature = "host")]
pub mod pv;
#[cfg(feature = "host")]
pub mod run;
#[cfg(feature = "host")]
pub mod script;
#[cfg(feature = "host")]
mod sip;
#[cfg(feature = "host")]
pub mod timer;

#[cfg(feature = "host")]
pub use sip::SipMessage;
