//! The agent beside Kamailio: it observes demand, plans capacity, and acts.
//!
//! ```text
//! shared memory --> observe --> plan (pure) --> runtime (acts) --> shared memory, actuators
//!                                                  |
//!                                                  +--> journal, state file, HTTP
//! ```
//! It never routes a call and Kamailio never waits for it: when it dies, calls go on by the last
//! table.

#![forbid(unsafe_code)]

pub mod actuator;
pub mod config;
pub mod plan;
