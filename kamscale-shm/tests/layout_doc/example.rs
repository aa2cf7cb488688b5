//! An encoded table to look at, and where its parts stand.

use kamscale_shm::encode::{self, Placement, RECORD_WORDS, SOURCE_WORDS};
use kamscale_shm::rows::RowTable;
use kamscale_shm::spec::{DesiredState, MemberSpec, PoolSpec, TableSpec};
use kamscale_shm::xxh3;

/// A table with two pools, of which the second record and its last member are looked at, so that
/// no number is 0 by chance.
pub(crate) struct Example {
    pub(crate) words: Vec<u64>,
    pub(crate) first: PoolSpec,
    pub(crate) second: PoolSpec,
}

pub(crate) const FIRST_SLOT: u32 = 40;
pub(crate) const POOL_SLOT: u32 = 9;

pub(crate) fn example() -> Example {
    let member = |name: &str, uri: &str, state, weight| MemberSpec {
        name: name.to_owned(),
        uri: uri.to_owned(),
        state,
        weight,
        priority: 3,
        capacity: 25,
    };
    let (active, draining) = (DesiredState::Active, DesiredState::Draining);
    let pool = |name: &str| PoolSpec {
        name: name.to_owned(),
        hash_bits: 11,
        members: vec![
            member("m1", "sip:10.0.0.1:5070", active, 100),
            member("m2", "sip:m2.example.net", draining, 100),
            member("m3", "sip:10.0.0.3:5071;transport=tcp", active, 50),
        ],
    };
    let mut pools = ["conference", "queue"].map(pool);
    pools.sort_by_key(|p| xxh3(p.name.as_bytes()));
    let spec = TableSpec {
        pools: pools.to_vec(),
    };
    let rows = [0, 1].map(|i| RowTable::new(11, &encode::weighted(&pools[i])));
    let placed = [(0, &rows[0]), (3, &rows[1])].map(|(from, rows)| Placement {
        slot: POOL_SLOT,
        member_slots: (FIRST_SLOT + from..).take(3).collect(),
        rows,
    });
    let words = encode::encode(&spec, &placed, 77).unwrap();
    let [first, second] = pools;
    Example {
        words,
        first,
        second,
    }
}

pub(crate) const POOLS_AT: usize = RECORD_WORDS;
pub(crate) const MEMBERS_AT: usize = POOLS_AT + 2 * RECORD_WORDS;
pub(crate) const ACTIVE_AT: usize = MEMBERS_AT + 6 * RECORD_WORDS;
pub(crate) const SOURCES_AT: usize = ACTIVE_AT + 4;
pub(crate) const ROWS_AT: usize = SOURCES_AT + 4 * SOURCE_WORDS;
pub(crate) const STRINGS_AT: usize = ROWS_AT + 2 * (1 << 11) / 4;
