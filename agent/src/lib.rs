//! The agent beside Kamailio: it observes demand, plans capacity, and acts.
//!
//! ```text
//! proxy (shared memory) --> observe --> plan (pure) --> runtime (acts) --> proxy, actuators
//!                                                          |
//!                                                          +--> journal, state file, HTTP
//! ```
//! It never routes a call and Kamailio never waits for it: when it dies, calls go on by the last
//! table.

#![forbid(unsafe_code)]

pub mod actuator;
pub mod admission;
pub mod cli;
pub mod cloud;
pub mod config;
pub mod decision;
pub mod dns;
pub mod gnocchi;
pub mod heat;
pub mod http;
pub mod inventory;
pub mod journal;
pub mod lease;
pub mod nodes;
pub mod observe;
pub mod plan;
pub mod prometheus;
pub mod proxy;
pub mod runtime;
pub mod services;
pub mod simulate;
pub mod state;
pub mod status;
