//! An encoded table to look at, and where its parts stand.

use kamscale_shm::encode::{self, Placement, RECORD_WORDS, SOURCE_WORDS};
use kamscale_shm::rows::RowTable;
use kamscale_shm::spec::{DesiredState, MemberSpec, PoolSpec, TableSpec};
use kamscale_shm::{MemberOptions, PoolOptions, ProbeOptions, xxh3};

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
        options: Default::default(),
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
        options: Default::default(),
    };
    let mut pools = ["conference", "queue"].map(pool);
    pools.sort_by_key(|p| xxh3(p.name.as_bytes()));
    pools[1].options = pool_options(&pools[0].name);
    pools[1].members[2].options = member_options();
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

fn pool_options(overflow: &str) -> PoolOptions {
    PoolOptions {
        slow_start_s: 30,
        respect_capacity: true,
        overflow: overflow.to_owned(),
        panic_threshold: Some(40),
        probe: ProbeOptions {
            interval_ms: Some(5000),
            jitter_percent: Some(20),
            timeout_ms: Some(2000),
            failures: Some(4),
            successes: Some(2),
            method: "INFO".to_owned(),
            from: "sip:us@example".to_owned(),
            socket: "tls:10.0.0.9:5061".to_owned(),
            codes: "2xx;404".to_owned(),
        },
    }
}

fn member_options() -> MemberOptions {
    MemberOptions {
        socket: "udp:10.0.0.9:5060".to_owned(),
        attributes: "site=fra".to_owned(),
        proxy: "sip:10.0.0.8".to_owned(),
        probe: false,
        probe_from: "sip:me@example".to_owned(),
        probe_socket: "side".to_owned(),
    }
}

pub(crate) const POOLS_AT: usize = RECORD_WORDS;
pub(crate) const MEMBERS_AT: usize = POOLS_AT + 2 * RECORD_WORDS;
pub(crate) const ACTIVE_AT: usize = MEMBERS_AT + 6 * RECORD_WORDS;
pub(crate) const SOURCES_AT: usize = ACTIVE_AT + 4;
pub(crate) const ROWS_AT: usize = SOURCES_AT + 4 * SOURCE_WORDS;
pub(crate) const OPTIONS_AT: usize = ROWS_AT + 2 * (1 << 11) / 4;
pub(crate) const STRINGS_AT: usize = OPTIONS_AT + 2 * RECORD_WORDS;
