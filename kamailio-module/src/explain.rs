//! `kamscale.explain`: which member a key gets, and of every other one why it does not. It asks the
//! same selection that requests go through, and changes nothing.
//!
//! What keeps a member out is a [`Reason`]: another one is another variant, told by its name and
//! its own fields, and found in [`against`] (whoever asks) or [`behind`] (by the algorithm).

use std::ffi::CStr;

use kamailio::rpc::{Args, Fault, Value};
use kamscale_shm::{DesiredState, Health, Member, Pool, xxh3};

use crate::algorithm::Algorithm;
use crate::report::{find_pool, int, page, text, word};
use crate::selection::{self, Cursors, Usable};
use crate::server::{Server, now};
use crate::sticky;
use crate::worker::Worker;

/// Members of which it is told when their turn would come: the first, and to whom it fails over.
const PLACES: usize = 5;

/// Why a member does not get a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The agent wants it to be in this state, which takes nothing new.
    State(DesiredState),
    /// An operator set this state (`kamscale.set_state`).
    Override(DesiredState),
    /// It was marked as down (`ks_mark_dst()`), for so many more seconds.
    Down(u64),
    /// Its answers to probes say so, or it has not given enough of them yet.
    Health(Health),
    /// Selection passes it over for a reason that has no name here.
    NotUsable,
    /// Its weight of 0 owns no keys.
    NoWeight,
    /// The key is another member's.
    NotOwner,
    /// Calls of the key live on another member.
    LiveElsewhere,
    /// It has no room (for a new key, or as its pool respects capacities): its calls, and its capacity.
    Full(u64, u64),
    /// It has just come up and gets so many percent of its weight.
    Ramping(u32),
    /// Another one has a higher priority, or the same and comes first.
    LowerPriority(u16),
    /// Another one carries less: its calls, and its capacity.
    MoreLoaded(u32, u32),
}

impl Reason {
    /// Its name, and what belongs to it.
    fn fields(self) -> Vec<(&'static CStr, Value)> {
        let (name, more) = match self {
            Self::State(state) => ("state", vec![(c"is", word(state.name()))]),
            Self::Override(state) => ("override", vec![(c"is", word(state.name()))]),
            Self::Down(left_s) => ("down", vec![(c"left_s", int(left_s))]),
            Self::Health(health) => ("health", vec![(c"is", word(health.name()))]),
            Self::NotUsable => ("not_usable", Vec::new()),
            Self::NoWeight => ("no_weight", Vec::new()),
            Self::NotOwner => ("not_owner", Vec::new()),
            Self::LiveElsewhere => ("live_elsewhere", Vec::new()),
            Self::Full(calls, capacity) => (
                "full",
                vec![(c"calls", int(calls)), (c"capacity", int(capacity))],
            ),
            Self::Ramping(share) => ("ramping", vec![(c"share", int(share))]),
            Self::LowerPriority(is) => ("lower_priority", vec![(c"is", int(is))]),
            Self::MoreLoaded(calls, capacity) => (
                "more_loaded",
                vec![(c"calls", int(calls)), (c"capacity", int(capacity))],
            ),
        };
        let mut fields = vec![(c"reason", word(name))];
        fields.extend(more);
        fields
    }
}

/// What keeps a member out whatever the algorithm; nothing if selection may use it.
#[must_use]
pub fn against(server: &Server, pool: &Pool<'_>, member: &Member<'_>) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if !member.is_active() {
        reasons.push(Reason::State(member.state()));
    }
    if everybody(server, pool).is(member) {
        return reasons;
    }
    let before = reasons.len();
    if let Some(row) = server.observed.member(member.slot()) {
        let by_operator = row.override_of(member.id());
        reasons.extend(
            by_operator
                .filter(|s| *s != DesiredState::Active)
                .map(Reason::Override),
        );
        // Relaxed: one number that the report shows, nothing else follows from it.
        let until_s = row.down_until_s.load(std::sync::atomic::Ordering::Relaxed);
        let left_s = until_s.saturating_sub(now());
        if left_s > 0 && row.is_of(member.id()) {
            reasons.push(Reason::Down(left_s));
        }
        let health = row.health_of(member.id()).unwrap_or(Health::New);
        if server.observed.is_probing() && !health.takes() {
            reasons.push(Reason::Health(health));
        }
    }
    let usable = everybody(server, pool);
    if usable.is_full(member) {
        let load = usable.load(member);
        reasons.push(Reason::Full(load.calls, load.capacity));
    }
    if reasons.len() == before {
        reasons.push(Reason::NotUsable);
    }
    reasons
}

/// Why a member that could be used is not the one. `None` where chance or turn decides.
fn behind(server: &Server, pool: &Pool<'_>, by: By, member: &Member<'_>) -> Option<Reason> {
    let row = server.observed.member(member.slot());
    let calls = row.map_or(0, |row| row.calls_of(member.id()));
    let usable = everybody(server, pool);
    match by {
        By::Live(..) => Some(Reason::LiveElsewhere),
        By::Room if !usable.has_room(member) => {
            let load = usable.load(member);
            Some(Reason::Full(load.calls, load.capacity))
        }
        By::Key | By::Room if member.weight() == 0 => Some(Reason::NoWeight),
        By::Key | By::Room => Some(Reason::NotOwner),
        By::Priority => Some(Reason::LowerPriority(member.priority())),
        By::Load => Some(Reason::MoreLoaded(calls, member.capacity())),
        By::Turn(_) => None,
    }
}

/// By what an algorithm decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// The key alone.
    Key,
    /// The key, among those that have room.
    Room,
    /// Calls of the key that live: so many here, and whether there are others at other nodes.
    Live(u64, bool),
    Priority,
    Load,
    /// Something that is another one at the next request.
    Turn(&'static str),
}

impl By {
    fn of(server: &Server, pool: &Pool<'_>, algorithm: Algorithm, key: u64) -> Self {
        match algorithm {
            Algorithm::Hash | Algorithm::BoundedHash => Self::Key,
            Algorithm::Sticky => {
                let lives = sticky::lives(&server.observed, pool.name_hash(), key);
                lives.map_or(Self::Room, |(here, elsewhere)| Self::Live(here, elsewhere))
            }
            Algorithm::Serial => Self::Priority,
            Algorithm::LeastCalls => Self::Load,
            Algorithm::RoundRobin => Self::Turn("turn"),
            Algorithm::Random => Self::Turn("chance"),
            Algorithm::Weight => Self::Turn("weight"),
            Algorithm::P2c => Self::Turn("load_of_two"),
            Algorithm::Latency => Self::Turn("latency_of_two"),
            Algorithm::Fork => Self::Turn("all"),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Room => "key_and_room",
            Self::Live(..) => "live_calls",
            Self::Priority => "priority",
            Self::Load => "load",
            Self::Turn(name) => name,
        }
    }
}

fn everybody<'s>(server: &'s Server, pool: &Pool<'_>) -> Usable<'s> {
    Usable::new(server, pool, &[])
}

/// The member that a request with this key gets, then those that `ks_next_dst()` would go on to.
fn order<'a>(server: &Server, pool: &Pool<'a>, algorithm: Algorithm, key: u64) -> Vec<Member<'a>> {
    let mut cursors = Cursors::new(0);
    let mut tried = Vec::new();
    let mut found: Vec<Member<'a>> = Vec::new();
    while found.len() < PLACES {
        let usable = Usable::new(server, pool, &tried);
        let Some(next) = selection::select(pool, algorithm, key, &usable, &mut cursors) else {
            break;
        };
        tried.extend(u16::try_from(next.slot()));
        found.push(next);
    }
    found
}

/// `kamscale.explain POOL KEY [ALGORITHM [FIRST [COUNT]]]`
///
/// # Errors
/// 400 without pool or key, for an algorithm that there is not, or without FIRST if the pool has
/// very many members; 404 for a pool that is not there.
pub fn explain(server: &Server, worker: &mut Worker, args: &mut Args<'_>) -> Result<Value, Fault> {
    let (name, key) = (args.required("POOL")?, args.required("KEY")?);
    let algorithm = match args.optional() {
        None => Algorithm::Hash,
        Some(name) => Algorithm::from_name(name.as_bytes()).ok_or_else(|| {
            let names = Algorithm::names();
            Fault::bad_request(format!("no algorithm {name}; there are: {names}"))
        })?,
    };
    worker.refresh(server);
    let generation = worker.table().generation();
    let pool = find_pool(worker, &name)?;
    let part = page(args, pool.len(), "POOL KEY ALGORITHM")?;
    let hash = xxh3(key.as_bytes());
    let by = By::of(server, &pool, algorithm, hash);
    let order = match by {
        By::Turn(_) => Vec::new(),
        _ => order(server, &pool, algorithm, hash),
    };
    let one = |member: &Member<'_>| {
        let place = order.iter().position(|m| m.id() == member.id());
        let mut reasons = against(server, &pool, member);
        let takes = reasons.is_empty();
        let share = everybody(server, &pool).share(member);
        if takes && place != Some(0) && share < 100 {
            reasons.push(Reason::Ramping(share));
        }
        if takes && place != Some(0) {
            reasons.extend(behind(server, &pool, by, member));
        }
        let reasons = reasons.into_iter().map(|r| Value::Struct(r.fields()));
        Value::Struct(vec![
            (c"member", text(member.name())),
            (c"takes", word(if takes { "yes" } else { "no" })),
            (c"place", int(place.map_or(0, |p| p + 1))),
            (c"reasons", Value::List(reasons.collect())),
        ])
    };
    let members = part.filter_map(|i| pool.member(i));
    let overflow = pool.overflow().and_then(|i| worker.table().pool(i));
    let overflow = overflow.map_or(Value::Text(String::new()), |p| text(p.name()));
    let chosen = order
        .first()
        .map_or(Value::Text(String::new()), |m| text(m.name()));
    let mut fields = vec![
        (c"pool", word(&name)),
        (c"generation", int(generation)),
        (c"algorithm", word(algorithm.name())),
        (c"key", word(&key)),
        (c"by", word(by.name())),
        (c"member", chosen),
        (c"overflow", overflow),
    ];
    if let By::Live(here, elsewhere) = by {
        fields.push((c"calls_here", int(here)));
        fields.push((
            c"lives_elsewhere",
            word(if elsewhere { "yes" } else { "no" }),
        ));
    }
    fields.push((c"members", Value::List(members.map(|m| one(&m)).collect())));
    Ok(Value::Struct(fields))
}
