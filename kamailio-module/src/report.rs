//! What the RPC commands answer, and the one thing an operator may change: a member's state.

mod health;
mod options;

use std::ops::Range;
use std::sync::atomic::Ordering;

use kamailio::rpc::{Args, Fault, Value};
use kamscale_shm::layout::ProcessRow;
use kamscale_shm::member_share::PARTS;
use kamscale_shm::{DesiredState, Member, Pool, clock};

pub use health::probe;

use crate::selection::Usable;
use crate::server::Server;
use crate::worker::Worker;

pub(crate) fn int(number: impl TryInto<i64>) -> Value {
    Value::Int(number.try_into().unwrap_or(i64::MAX))
}

pub(crate) fn text(bytes: &[u8]) -> Value {
    Value::Text(String::from_utf8_lossy(bytes).into_owned())
}

pub(crate) fn word(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// `kamscale.status`
pub fn status(server: &Server, worker: &mut Worker) -> Value {
    worker.refresh(server);
    let row = server.observed.server();
    let tracked = row.calls_tracked.load(Ordering::Relaxed) != 0;
    let agent = worker.agent();
    let total = |of: fn(&ProcessRow) -> u64| -> u64 {
        server.observed.processes().map(|(_, r)| of(r)).sum()
    };
    let table = worker.table();
    Value::Struct(vec![
        (c"version", word(env!("CARGO_PKG_VERSION"))),
        (c"instance", word(&server.settings.instance)),
        (c"uptime_s", int(server.uptime_s())),
        (c"generation", int(table.generation())),
        (c"pools", int(table.pool_count())),
        (c"members", int(table.member_count())),
        (c"features", int(server.settings.features.len())),
        (c"processes", int(row.processes.load(Ordering::Relaxed))),
        (
            c"calls_tracked",
            word(if tracked {
                "yes"
            } else {
                "no (see the log of the start)"
            }),
        ),
        (c"probing", health::probing(server)),
        (c"agent_pid", int(agent.map_or(0, |a| a.0))),
        (
            c"agent_age_ms",
            agent.map_or(word("no agent yet"), |a| int(a.1 / 1_000_000)),
        ),
        (
            c"tables_applied",
            int(total(|r| r.applied.load(Ordering::Relaxed))),
        ),
        (
            c"tables_rejected",
            int(total(|r| r.rejected.load(Ordering::Relaxed))),
        ),
        (
            c"tables_torn",
            int(total(|r| r.torn.load(Ordering::Relaxed))),
        ),
        (c"sticky_keys", int(server.observed.keys().live().count())),
        (
            c"sticky_refused",
            int(server.observed.keys_refused().load(Ordering::Relaxed)),
        ),
    ])
}

/// `kamscale.features`
pub fn features(server: &Server, worker: &mut Worker) -> Value {
    worker.refresh(server);
    let now_ns = clock::monotonic_ns();
    let one = |(index, name): (usize, &String)| {
        let (requests, admitted, refused) = server.observed.requests(index);
        let allowance = worker.allowance(index, server.feature_id(index), now_ns);
        let rate = allowance.map_or(word("unlimited"), |allowance| {
            Value::Text(format!("{:.1}", allowance.per_s()))
        });
        Value::Struct(vec![
            (c"feature", word(name)),
            (c"requests", int(requests)),
            (c"admitted", int(admitted)),
            (c"refused", int(refused)),
            (c"allowed_per_s", rate),
        ])
    };
    Value::List(
        server
            .settings
            .features
            .iter()
            .enumerate()
            .map(one)
            .collect(),
    )
}

/// How many structures are one answer without being asked for: at their longest they still fit into
/// the 128 KiB that kamcmd, and a datagram of jsonrpcs, can carry.
pub const MAX_WHOLE: usize = 150;

/// `[FIRST [COUNT]]`: which of `all` structures the caller wants. All of them if it does not say and
/// they fit; never a silent cut.
pub(crate) fn page(args: &mut Args<'_>, all: usize, command: &str) -> Result<Range<usize>, Fault> {
    let mut number = |name: &str| match args.optional().map(|text| text.parse::<usize>()) {
        None => Ok(None),
        Some(Ok(number)) => Ok(Some(number)),
        Some(Err(_)) => Err(Fault::bad_request(format!("{name} is no number"))),
    };
    let first = number("FIRST")?;
    let count = number("COUNT")?;
    if first.is_none() && all > MAX_WHOLE {
        return Err(Fault::bad_request(format!(
            "{all} are too many for one answer, ask for a part: {command} FIRST [COUNT], \
             e.g. {command} 0 {MAX_WHOLE}"
        )));
    }
    let first = first.unwrap_or(0).min(all);
    let end = first.saturating_add(count.unwrap_or(MAX_WHOLE)).min(all);
    Ok(first..end)
}

/// `kamscale.pools [FIRST [COUNT]]`
///
/// # Errors
/// 400 for arguments that are no numbers, or without any if there are very many pools.
pub fn pools(server: &Server, worker: &mut Worker, args: &mut Args<'_>) -> Result<Value, Fault> {
    worker.refresh(server);
    let part = page(args, worker.table().pool_count(), "kamscale.pools")?;
    let one = |pool: Pool<'_>| {
        let (selected, refused) = server.observed.selections(pool.slot());
        let usable = Usable::new(server, &pool, &[]);
        let takes = pool
            .members()
            .filter(|m| m.is_active() && usable.is(m))
            .count();
        let mut fields = vec![
            (c"pool", text(pool.name())),
            (c"members", int(pool.len())),
            (c"active", int(pool.active_len())),
            (c"usable", int(takes)),
            (c"calls", int(calls(server, &pool))),
            (c"capacity", int(pool.capacity())),
            (c"selected", int(selected)),
            (c"refused", int(refused)),
            (c"hash_bits", int(pool.hash_bits())),
            (c"panic", word(if usable.is_panic() { "yes" } else { "no" })),
        ];
        if pool.has_options() {
            fields.extend(options::of_pool(worker.table(), &pool));
        }
        Value::Struct(fields)
    };
    let pools = part.filter_map(|i| worker.table().pool(i));
    Ok(Value::List(pools.map(one).collect()))
}

/// Calls on all members of a pool.
pub fn calls(server: &Server, pool: &Pool<'_>) -> u64 {
    pool.members()
        .filter_map(|m| {
            Some(u64::from(
                server.observed.member(m.slot())?.calls_of(m.id()),
            ))
        })
        .sum()
}

/// `kamscale.members POOL [FIRST [COUNT]]`
///
/// # Errors
/// 400 without a pool, or without FIRST if it has very many members; 404 for one that is not there.
pub fn members(server: &Server, worker: &mut Worker, args: &mut Args<'_>) -> Result<Value, Fault> {
    let name = args.required("POOL")?;
    worker.refresh(server);
    let pool = find_pool(worker, &name)?;
    let part = page(args, pool.len(), &format!("kamscale.members {name}"))?;
    let members = part.filter_map(|i| pool.member(i));
    Ok(Value::List(
        members.map(|m| member(server, &pool, &m)).collect(),
    ))
}

pub(crate) fn find_pool<'a>(worker: &'a Worker, name: &str) -> Result<Pool<'a>, Fault> {
    let table = worker.table();
    let found = table
        .pool_index(name.as_bytes())
        .and_then(|i| table.pool(i));
    found.ok_or_else(|| Fault {
        code: 404,
        text: format!("no pool {name}; `kamscale.pools` lists them"),
    })
}

fn member(server: &Server, pool: &Pool<'_>, member: &Member<'_>) -> Value {
    let usable = Usable::new(server, pool, &[]);
    let row = server.observed.member(member.slot());
    let (calls, failures, by_operator) = row.map_or((0, 0, None), |row| {
        let failures = if row.is_of(member.id()) {
            row.failures.load(Ordering::Relaxed)
        } else {
            0
        };
        (
            row.calls_of(member.id()),
            failures,
            row.override_of(member.id()),
        )
    });
    let elsewhere = server.observed.calls_elsewhere(member.slot(), member.id());
    let takes = member.is_active() && usable.is(member);
    let refusals = row.map_or(0, |row| row.refusals_of(member.id()).div_ceil(PARTS));
    let mut fields = vec![
        (c"member", text(member.name())),
        (c"uri", text(member.uri())),
        (c"state", word(member.state().name())),
        (
            c"override",
            word(by_operator.map_or("none", DesiredState::name)),
        ),
        (c"usable", word(if takes { "yes" } else { "no" })),
        (c"calls", int(calls)),
        (c"calls_elsewhere", int(elsewhere)),
        (c"capacity", int(member.capacity())),
        (c"weight", int(member.weight())),
        (c"priority", int(member.priority())),
        (c"failures", int(failures)),
        (c"refusals", int(refusals)),
        (c"share", int(usable.share(member))),
        (c"slot", int(member.slot())),
    ];
    if member.has_options() {
        fields.extend(options::of_member(member));
    }
    let health = row.and_then(|row| Some((row, row.health_of(member.id())?)));
    if let Some((row, state)) = health {
        fields.extend(health::probed(row, state));
    }
    Value::Struct(fields)
}

/// `kamscale.set_state POOL MEMBER STATE`
///
/// # Errors
/// 400 for a state that cannot be set, 404 for a pool or member that is not there.
pub fn set_state(
    server: &Server,
    worker: &mut Worker,
    args: &mut Args<'_>,
) -> Result<Value, Fault> {
    let (pool_name, name) = (args.required("POOL")?, args.required("MEMBER")?);
    let state = match args.required("STATE")?.as_str() {
        "active" => None,
        "draining" => Some(DesiredState::Draining),
        "disabled" => Some(DesiredState::Disabled),
        other => {
            return Err(Fault::bad_request(format!(
                "{other:?}: a member can be set draining or disabled, or active again"
            )));
        }
    };
    worker.refresh(server);
    let pool = find_pool(worker, &pool_name)?;
    let found = pool.members().find(|m| m.name() == name.as_bytes());
    let Some((found, row)) = found.and_then(|m| Some((m, server.observed.member(m.slot())?)))
    else {
        let text = format!("no member {name} in pool {pool_name}; `kamscale.members {pool_name}`");
        return Err(Fault { code: 404, text });
    };
    row.set_override(found.id(), state);
    if state.is_none() {
        // Back in use means that what passive detection held against it is over, too.
        row.mark_up(found.id());
    }
    Ok(member(server, &pool, &found))
}
