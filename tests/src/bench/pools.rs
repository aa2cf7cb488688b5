//! The pools that are measured: of three sizes, the same for both sides. All URIs have one length,
//! so that only the way of choosing differs.

use std::fmt::Write as _;

use kamscale_shm::limits::{DEFAULT_HASH_BITS, DEFAULT_WEIGHT};
use kamscale_shm::{DesiredState, MemberSpec, PoolSpec, TableSpec};

/// Members of the pools that are measured.
pub const SIZES: [usize; 3] = [10, 1000, 10_000];
/// A constant for `$du`, as long as a member's URI.
pub const CONSTANT_URI: &str = "sip:127.100.100.100:5099";

/// The port of the members of a pool of this size: it tells to which pool a URI belongs.
#[must_use]
pub fn port(size: usize) -> u16 {
    match size {
        10 => 5010,
        1000 => 5020,
        10_000 => 5030,
        _ => 5040,
    }
}

/// Its name with us.
#[must_use]
pub fn name(size: usize) -> String {
    format!("p{size}")
}

/// Its number in the dispatcher's list.
#[must_use]
pub fn set(size: usize) -> usize {
    1 + SIZES.iter().position(|s| *s == size).unwrap_or(0)
}

fn uri(index: usize, port: u16) -> String {
    let (high, middle, low) = (index / 8100, index / 90 % 90, index % 90);
    format!(
        "sip:127.{}.{}.{}:{port}",
        110 + high,
        110 + middle,
        110 + low
    )
}

/// One member.
#[must_use]
pub fn member(index: usize, port: u16) -> MemberSpec {
    MemberSpec {
        name: format!("m{index}"),
        uri: uri(index, port),
        state: DesiredState::Active,
        weight: DEFAULT_WEIGHT,
        priority: 0,
        capacity: 100,
        options: Default::default(),
    }
}

/// A pool of so many members.
#[must_use]
pub fn pool(size: usize) -> PoolSpec {
    PoolSpec {
        name: name(size),
        hash_bits: DEFAULT_HASH_BITS,
        members: (0..size).map(|i| member(i, port(size))).collect(),
        options: Default::default(),
    }
}

/// The table of these pools.
#[must_use]
pub fn table(sizes: &[usize]) -> TableSpec {
    TableSpec {
        pools: sizes.iter().map(|s| pool(*s)).collect(),
    }
}

/// The same as a dispatcher's list.
#[must_use]
pub fn dispatcher_list(sizes: &[usize]) -> String {
    let mut list = String::new();
    for size in sizes {
        for index in 0..*size {
            let _ = writeln!(list, "{} {} 0 0", set(*size), uri(index, port(*size)));
        }
    }
    list
}
