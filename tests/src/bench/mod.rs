//! `make bench`: what our functions cost beside the stock ones, in the same Kamailio and run.
//!
//! It measures and compares; it must not decide what is good enough: targets stand in the issue.

pub mod agent;
pub mod bed;
pub mod call;
pub mod calls;
pub mod changes;
pub mod churn;
pub mod contended;
pub mod cost;
pub mod figures;
pub mod gnocchi;
pub mod growth;
pub mod moved;
pub mod pools;
pub mod publish;
pub mod rpc;
pub mod script;
pub mod storm;
pub mod traffic;

use kamscale_shm::{Publisher, TableSpec};

use crate::run::RunDir;

/// The instance of the shared files; the module's default.
pub const INSTANCE: &str = "default";

/// A run whose shared files hold these pools.
///
/// # Panics
/// If they cannot be published.
#[must_use]
pub fn published(run: &RunDir, table: &TableSpec) -> Publisher {
    let opened = Publisher::open(&run.shm_dir(), INSTANCE);
    let mut publisher = opened.unwrap_or_else(|e| panic!("opening the shared files: {e}"));
    let done = publisher.publish(table);
    done.unwrap_or_else(|e| panic!("publishing: {e}"));
    publisher
}
