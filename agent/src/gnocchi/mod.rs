//! Gnocchi: what this node measured goes there, and what all nodes measured is read there.
//!
//! What is published is right when summed. Each node sends only its own part (requests since the
//! last measure, its own calls), a load is sent as load x seconds, and what is the same from every
//! node (capacity) is never to be summed. This owns names, types and the order of sending; it must
//! not decide anything, and never holds up the control loop.

mod backlog;
mod measures;
mod names;
mod prepare;
mod publish;
mod read;
mod registry;
mod sink;
mod state;
#[cfg(test)]
mod tests;

pub use names::{ARCHIVE_POLICY, RESOURCE_TYPES};
pub use prepare::{GnocchiError, check, prepare};
pub use read::{read_hosts, read_nodes};
pub use sink::{Sink, SinkReport};
