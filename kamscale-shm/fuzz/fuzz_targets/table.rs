//! Any words at all, given to `Table::adopt` as they are or with what it checks first put right,
//! and then everything that can be asked of a table: nothing may panic, whatever the file held.
#![no_main]

use std::hint::black_box;
use std::net::IpAddr;
use std::sync::OnceLock;

use kamscale_shm::MemberOptions;
use kamscale_shm::spec::{DesiredState, MemberSpec, PoolSpec, TableSpec};
use kamscale_shm::{Member, Pool, Table, checksum, encode, rows, xxh3};
use libfuzzer_sys::fuzz_target;

/// Numbers that fall on the first, the last and some entry between of an alias list.
const SPREAD: [u64; 5] = [0, 1, u64::MAX / 3, u64::MAX / 2, u64::MAX];

fuzz_target!(|data: &[u8]| {
    let Some((how, bytes)) = data.split_first() else {
        return;
    };
    let words: Vec<u64> = bytes
        .chunks_exact(8)
        .map(|c| u64::from_le_bytes(c.try_into().expect("chunks of 8")))
        .collect();
    let words = if how & 1 == 0 {
        words
    } else {
        damaged_table(*how, &words)
    };
    let words = if how & 2 == 0 {
        words
    } else {
        believable(words)
    };
    // A reader's copy is longer than its table, and a length may be a lie.
    let length = words.len() - usize::from(how >> 4).min(words.len());
    for length in [words.len(), length, words.len() + 1] {
        if let Ok(table) = Table::adopt(words.clone(), length) {
            ask_everything(&table);
            black_box(table.into_words());
        }
    }
});

/// A true table with some words replaced: gets behind the checks that random words never pass.
fn damaged_table(how: u8, damage: &[u64]) -> Vec<u64> {
    static TRUE: OnceLock<[Vec<u64>; 4]> = OnceLock::new();
    let tables = TRUE.get_or_init(|| [1, 2, 3, 4].map(true_table));
    let mut words = tables[usize::from(how >> 2 & 3)].clone();
    let length = words.len();
    for pair in damage.chunks_exact(2) {
        // The low half says where, and whether a half word, a quarter or all of it is replaced.
        let at = usize::try_from(pair[0] & 0xffff).unwrap_or(0) % length;
        let mask = match pair[0] >> 16 & 7 {
            0 => u64::MAX,
            1 => 0xffff_ffff,
            2 => 0xffff_ffff << 32,
            shift => 0xffff << (16 * (shift & 3)),
        };
        words[at] = words[at] & !mask | pair[1] & mask;
    }
    words
}

fn true_table(pools: usize) -> Vec<u64> {
    let states = [
        DesiredState::Active,
        DesiredState::Draining,
        DesiredState::Joining,
        DesiredState::Disabled,
    ];
    let member = |i: usize| MemberSpec {
        name: format!("m{i}"),
        uri: match i % 3 {
            0 => format!("sip:10.0.0.{i}:5070;transport=tcp"),
            1 => format!("sips:u@[2001:db8::{i}]"),
            _ => format!("sip:m{i}.example.net"),
        },
        state: states[i / 2 % 4],
        weight: u16::try_from(i * 40).unwrap_or(0),
        priority: u16::try_from(i).unwrap_or(0),
        capacity: 10,
        options: MemberOptions {
            attributes: format!("n={i}"),
            probe: i % 4 != 0,
            ..MemberOptions::default()
        },
    };
    let pool = |i: usize| PoolSpec {
        name: format!("p{i}"),
        hash_bits: 10,
        members: (0..i * 3).map(member).collect(),
        options: Default::default(),
    };
    let spec = TableSpec {
        pools: (0..pools).map(pool).collect(),
    };
    let rows: Vec<_> = spec
        .pools
        .iter()
        .map(|p| rows::RowTable::new(10, &encode::weighted(p)))
        .collect();
    let place = |(pool, rows)| encode::Placement {
        slot: 1,
        member_slots: (0..PoolSpec::clone(pool).members.len())
            .map(|m| m as u32)
            .collect(),
        rows,
    };
    let placed: Vec<_> = spec.pools.iter().zip(&rows).map(place).collect();
    encode::encode(&spec, &placed, 7).expect("a small table")
}

/// Magic, length and checksum put right, so that the offsets alone are what is wrong.
fn believable(mut words: Vec<u64>) -> Vec<u64> {
    if words.len() > encode::CHECKED_FROM {
        words[0] = encode::MAGIC;
        words[1] = words.len() as u64;
        words[2] = checksum::of(&words[encode::CHECKED_FROM..]);
    }
    words
}

fn ask_everything(table: &Table) {
    black_box((table.generation(), table.member_count()));
    black_box(table.to_spec());
    for pool in table.pools() {
        ask_pool(table, pool);
    }
    assert!(
        table.pool(table.pool_count()).is_none(),
        "a pool behind the last one"
    );
    for ip in ["10.0.0.0", "10.0.0.3", "2001:db8::1", "2001:db8::4", "::"] {
        let ip: IpAddr = ip.parse().expect("an address");
        table.members_at(ip).for_each(|m| ask_member(&m));
    }
}

fn ask_pool(table: &Table, pool: Pool<'_>) {
    black_box((
        pool.slot(),
        pool.hash_bits(),
        pool.is_empty(),
        pool.capacity(),
    ));
    black_box(table.pool_index(pool.name()));
    for member in pool.members() {
        ask_member(&member);
        if let Some((ip, _)) = member.address() {
            table.members_at(ip).for_each(|m| ask_member(&m));
        }
    }
    for position in 0..=pool.active_len() {
        if let Some(member) = pool.active(position) {
            ask_member(&member);
        }
    }
    assert!(
        pool.member(pool.len()).is_none(),
        "a member behind the last one"
    );
    for number in SPREAD {
        black_box(pool.weighted(number).map(|m| m.id()));
        let key = xxh3(&number.to_le_bytes());
        black_box(pool.owner(key, |m| m.is_active()).map(|m| m.slot()));
        black_box(pool.owner(number, |_| true).map(|m| m.slot()));
        black_box(pool.owner(number, |_| false).map(|m| m.slot()));
    }
}

fn ask_member(member: &Member<'_>) {
    black_box((
        member.id(),
        member.slot(),
        member.state(),
        member.is_active(),
    ));
    black_box((
        member.weight(),
        member.live(),
        member.priority(),
        member.capacity(),
    ));
    black_box((member.pool(), member.address()));
    black_box((member.uri(), member.host_port(), member.name()));
}
