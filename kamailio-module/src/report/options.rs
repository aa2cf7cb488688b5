//! What the RPC commands tell of what pools and members have beside the rest.

use std::ffi::CStr;

use kamailio::rpc::Value;
use kamscale_shm::{Member, Pool, Table};

use super::{int, text, word};

type Fields = Vec<(&'static CStr, Value)>;

fn yes_no(yes: bool) -> Value {
    word(if yes { "yes" } else { "no" })
}

pub(super) fn of_pool(table: &Table, pool: &Pool<'_>) -> Fields {
    let overflow = pool.overflow().and_then(|index| table.pool(index));
    let threshold = pool.panic_threshold();
    vec![
        (c"slow_start_s", int(pool.slow_start_s())),
        (c"respect_capacity", yes_no(pool.respects_capacity())),
        (
            c"overflow",
            overflow.map_or(word("none"), |p| text(p.name())),
        ),
        (c"panic_threshold", threshold.map_or(word("default"), int)),
    ]
}

pub(super) fn of_member(member: &Member<'_>) -> Fields {
    let or_none = |value: &[u8]| match value {
        [] => word("none"),
        value => text(value),
    };
    vec![
        (c"socket", or_none(member.socket())),
        (c"attributes", or_none(member.attributes())),
        (c"proxy", or_none(member.proxy())),
        (c"probe", yes_no(member.is_probed())),
    ]
}
