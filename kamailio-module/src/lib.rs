//! kamscale.so: counts requests per feature and picks pool members from shared memory.
//!
//! The logic knows the server only through the traits of the `kamailio` crate, so all of it is
//! tested without Kamailio; [`exports`] (feature `host`) puts it before the server. On the way of a
//! request nothing here locks, waits, calls the system or allocates with the size of a pool.

pub mod admission;
mod algorithm;
pub mod calls;
pub mod code;
pub mod explain;
pub mod health;
pub mod memory;
pub mod nodes;
pub mod pool_list;
pub mod pools_file;
pub mod processes;
pub mod publications;
pub mod report;
pub mod routing;
pub mod selection;
pub mod server;
pub mod share;
pub mod slow_start;
pub mod sticky;
pub mod sums;
pub mod tracking;
pub mod worker;

#[cfg(feature = "host")]
mod exports;

#[cfg(test)]
#[cfg(not(feature = "host"))]
mod tests;
