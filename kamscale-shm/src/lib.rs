//! The contract between Kamailio and the agent: two files in one directory, and nothing else.
//!
//! | file | written by | holds |
//! |---|---|---|
//! | `INSTANCE.observed` | Kamailio | requests per feature, calls and health per member, token buckets, sticky keys, what each process applied |
//! | `INSTANCE.desired` | the agent | the pool table: pools, members, states, weights, capacities; what is admitted |
//!
//! Each side maps the other's file read-only, so every byte has one writing side. This crate knows
//! neither Kamailio nor OpenStack; it must not log, block, or start threads.
//!
//! How a table travels: [`TableSpec`] (what the agent wants) is encoded into words ([`encode`]),
//! published into one of a few stamped slots ([`publication`]), copied and validated by each
//! Kamailio process, and read there as a [`Table`].

pub mod bits;
pub mod bucket;
pub mod checksum;
pub mod clock;
pub mod desired;
pub mod encode;
pub mod files;
pub mod hash;
pub mod health;
pub mod history;
pub mod inbox;
mod key_group;
mod key_word;
pub mod keys;
pub mod layout;
pub mod limits;
mod mapping;
pub mod member_row;
pub mod member_share;
pub mod nodes;
pub mod observed;
pub mod options;
pub mod publication;
mod publisher;
mod reply_codes;
pub mod rows;
mod slots;
pub mod snapshot;
pub mod spec;
mod sync;
pub mod table;
mod uri;

pub use desired::{DesiredReader, Refresh};
pub use files::ShmError;
pub use hash::{AsItIs, ById, member_id, xxh3};
pub use health::Health;
pub use observed::Observed;
pub use options::{MemberOptions, PoolOptions, ProbeOptions};
pub use publisher::{PublishError, Publisher};
pub use reply_codes::ReplyCodes;
pub use snapshot::{
    FeatureCount, MemberObserved, Observer, PoolObserved, Probed, Snapshot, WorkerObserved,
};
pub use spec::{DesiredState, MemberSpec, PoolSpec, SpecError, TableSpec};
pub use table::{Member, Pool, Table, TableError};
pub use uri::{address_of, transport_of};
