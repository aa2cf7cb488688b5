//! The atomics of shared memory. `tests/loom.rs` compiles the same protocol files with loom's
//! atomics behind this name, so that the model checker runs the very code that ships.

pub(crate) use core::sync::atomic::{
    AtomicI64, AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering, fence,
};
