//! The table of each generation: who publishes it and who reads it make the same one from its number
//! alone.

use kamscale_shm::hash::mix;
use kamscale_shm::member_id;
use kamscale_shm::spec::{DesiredState, MemberSpec, PoolSpec, TableSpec};

use crate::moments::Draw;

pub(crate) const RESIDENTS: usize = 8;

pub(crate) fn resident_id(number: usize) -> u64 {
    member_id("resident", &format!("r{number}"))
}

fn member(name: String, draw: &mut Draw, generation: u64) -> MemberSpec {
    let uri = format!(
        "sip:{name}.g{generation}.example:{}",
        1024 + draw.below(60_000)
    );
    let state = match draw.below(4) {
        0 => DesiredState::Draining,
        1 => DesiredState::Joining,
        _ => DesiredState::Active,
    };
    let capacity = u32::try_from(draw.below(1000)).unwrap();
    MemberSpec {
        name,
        uri,
        state,
        weight: 100,
        priority: 0,
        capacity,
        options: Default::default(),
    }
}

/// The table of a generation: known to who reads it, so that every word of it can be checked.
/// Pools in the order of their names.
pub(crate) fn table_of(generation: u64) -> TableSpec {
    let mut draw = Draw(generation.wrapping_mul(977));
    let mut pool = |name: String, hash_bits: u8, members: u64| {
        let members = (0..members).map(|m| member(format!("r{m}"), &mut draw, generation));
        PoolSpec {
            name,
            hash_bits,
            members: members.collect(),
            options: Default::default(),
        }
    };
    // Members that are always there: their slots and keys must never move.
    let mut residents = pool("resident".into(), 10, RESIDENTS as u64);
    residents
        .members
        .iter_mut()
        .for_each(|m| m.state = DesiredState::Active);
    let mut pools = vec![residents];
    for number in 0..mix(generation) % 5 {
        pools.push(pool(
            format!("v{number}"),
            10,
            mix(generation + number) % 16,
        ));
    }
    if (generation / 64).is_multiple_of(2) {
        // A long one, so that many kills come in the middle of its words; without weight, so that
        // its rows cost no time before.
        let mut wide = pool("wide".into(), 16, 3);
        wide.members.iter_mut().for_each(|m| m.weight = 0);
        pools.push(wide);
    }
    TableSpec { pools }
}
