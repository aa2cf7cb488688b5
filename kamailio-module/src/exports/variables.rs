//! The pseudo-variables: what was selected for this request, and what a pool carries.

use std::borrow::Cow;
use std::ffi::CStr;

use kamailio::SipMessage;
use kamailio::process::Local;
use kamailio::pv::{PseudoVariable, Value};

use super::{watcher, with};
use crate::health::events::Event;
use crate::report;
use crate::routing;
use crate::server::Server;
use crate::worker::PoolName;

/// Names in parentheses: they are read before anything is initialized.
static NAMES: Local<Vec<String>> = Local::new(Vec::new);

fn learn(inner: &str) -> Result<usize, String> {
    if !kamscale_shm::spec::is_name(inner) {
        return Err("use a constant name of A-Z a-z 0-9 _ . -".to_owned());
    }
    Ok(NAMES.with(|names| {
        names.push(inner.to_owned());
        names.len() - 1
    }))
}

fn text(bytes: &[u8]) -> Value {
    Value::Text(Cow::Owned(String::from_utf8_lossy(bytes).into_owned()))
}

fn int(number: impl TryInto<i64>) -> Value {
    Value::Int(number.try_into().unwrap_or(i64::MAX))
}

/// A number of the named pool; `$null` if it is not in the table.
fn of_pool(word: usize, f: impl FnOnce(&Server, kamscale_shm::Pool<'_>) -> Value) -> Value {
    let name = NAMES
        .with(|names| names.get(word).cloned())
        .unwrap_or_default();
    with(|server, worker| {
        worker.refresh(server);
        let pool = worker
            .pool(PoolName::Text(name.as_bytes()))
            .map(|(pool, _)| pool);
        pool.map_or(Value::Null, |pool| f(server, pool))
    })
    .unwrap_or(Value::Null)
}

/// The member or the pool of the last selection for this request.
fn used(msg: &mut SipMessage<'_>, member: bool) -> Value {
    let Some(memory) = routing::recall(msg) else {
        return Value::Null;
    };
    with(|_, worker| {
        routing::with_used(worker, &memory, |pool, used| {
            text(if member { used.name() } else { pool.name() })
        })
    })
    .flatten()
    .unwrap_or(Value::Null)
}

/// Runs `f` on the member of the event whose route runs, or else of the last selection for this request.
fn of_member<R>(
    msg: &mut SipMessage<'_>,
    f: impl FnOnce(&kamscale_shm::Member<'_>) -> R,
) -> Option<R> {
    let of_event = watcher::event(|event| (event.pool.clone(), event.member.clone()));
    let Some((pool, name)) = of_event else {
        let memory = routing::recall(msg)?;
        return with(|_, worker| routing::with_used(worker, &memory, |_, used| f(used))).flatten();
    };
    with(|_, worker| {
        let (pool, _) = worker.pool(PoolName::Text(pool.as_bytes()))?;
        let member = pool.members().find(|m| m.name() == name.as_bytes())?;
        Some(f(&member))
    })
    .flatten()
}

/// A name; `$null` where there is none.
fn named(name: &str) -> Value {
    match name {
        "" => Value::Null,
        name => Value::Text(Cow::Owned(name.to_owned())),
    }
}

/// `$ks_event(part)`: the event whose route runs now.
pub(super) struct EventPart;

/// What may stand in its parentheses.
const PARTS: [&str; 9] = [
    "name",
    "pool",
    "member",
    "uri",
    "before",
    "reason",
    "code",
    "latency_us",
    "generation",
];

impl PseudoVariable for EventPart {
    const NAME: &'static CStr = c"ks_event";

    fn parse(inner: &str) -> Result<usize, String> {
        PARTS
            .iter()
            .position(|part| *part == inner)
            .ok_or_else(|| format!("there are: {}", PARTS.join(", ")))
    }

    fn get(_: &mut SipMessage<'_>, word: usize) -> Value {
        let of = |event: &Event| match PARTS.get(word).copied() {
            Some("name") => Value::Text(Cow::Borrowed(event.kind.name())),
            Some("pool") => named(&event.pool),
            Some("member") => named(&event.member),
            Some("uri") => named(&event.uri),
            Some("before") => named(event.before),
            Some("reason") => Value::Text(Cow::Borrowed(event.reason)),
            Some("code") => int(event.code),
            Some("latency_us") => int(event.latency_us),
            Some("generation") => int(event.generation),
            _ => Value::Null,
        };
        watcher::event(of).unwrap_or(Value::Null)
    }
}

/// `$ks_member`: the member that was selected last for this request; in an event route, whose it is.
pub(super) struct Member;

impl PseudoVariable for Member {
    const NAME: &'static CStr = c"ks_member";

    fn get(msg: &mut SipMessage<'_>, _: usize) -> Value {
        watcher::event(|event| named(&event.member)).unwrap_or_else(|| used(msg, true))
    }
}

/// `$ks_attr(name)`: an attribute of `$ks_member`; `$null` if it has none of this name.
pub(super) struct Attribute;

impl PseudoVariable for Attribute {
    const NAME: &'static CStr = c"ks_attr";

    fn parse(inner: &str) -> Result<usize, String> {
        learn(inner)
    }

    fn get(msg: &mut SipMessage<'_>, word: usize) -> Value {
        let name = NAMES.with(|names| names.get(word).cloned());
        let name = name.unwrap_or_default();
        of_member(msg, |member| member.attribute(name.as_bytes()).map(text))
            .flatten()
            .unwrap_or(Value::Null)
    }
}

/// `$ks_pool`: the pool of `$ks_member`.
pub(super) struct Pool;

impl PseudoVariable for Pool {
    const NAME: &'static CStr = c"ks_pool";

    fn get(msg: &mut SipMessage<'_>, _: usize) -> Value {
        watcher::event(|event| named(&event.pool)).unwrap_or_else(|| used(msg, false))
    }
}

/// `$ks_generation`: the generation that this process uses.
pub(super) struct Generation;

impl PseudoVariable for Generation {
    const NAME: &'static CStr = c"ks_generation";

    fn get(_: &mut SipMessage<'_>, _: usize) -> Value {
        with(|server, worker| {
            worker.refresh(server);
            int(worker.table().generation())
        })
        .unwrap_or(Value::Null)
    }
}

/// `$ks_calls(pool)`: calls that the pool carries now.
pub(super) struct Calls;

impl PseudoVariable for Calls {
    const NAME: &'static CStr = c"ks_calls";

    fn parse(inner: &str) -> Result<usize, String> {
        learn(inner)
    }

    fn get(_: &mut SipMessage<'_>, word: usize) -> Value {
        of_pool(word, |server, pool| int(report::calls(server, &pool)))
    }
}

/// `$ks_capacity(pool)`: calls that its active members may carry.
pub(super) struct Capacity;

impl PseudoVariable for Capacity {
    const NAME: &'static CStr = c"ks_capacity";

    fn parse(inner: &str) -> Result<usize, String> {
        learn(inner)
    }

    fn get(_: &mut SipMessage<'_>, word: usize) -> Value {
        of_pool(word, |_, pool| int(pool.capacity()))
    }
}

/// `$ks_active(pool)`: how many active members it has.
pub(super) struct Active;

impl PseudoVariable for Active {
    const NAME: &'static CStr = c"ks_active";

    fn parse(inner: &str) -> Result<usize, String> {
        learn(inner)
    }

    fn get(_: &mut SipMessage<'_>, word: usize) -> Value {
        of_pool(word, |_, pool| int(pool.active_len()))
    }
}

/// `$ks_requests(feature)`: requests of a feature since the start.
pub(super) struct Requests;

impl PseudoVariable for Requests {
    const NAME: &'static CStr = c"ks_requests";

    fn parse(inner: &str) -> Result<usize, String> {
        learn(inner)
    }

    fn get(_: &mut SipMessage<'_>, word: usize) -> Value {
        let name = NAMES
            .with(|names| names.get(word).cloned())
            .unwrap_or_default();
        with(|server, _| {
            let feature = server.feature(name.as_bytes());
            feature.map_or(Value::Null, |f| int(server.observed.requests(f).0))
        })
        .unwrap_or(Value::Null)
    }
}

/// `$ks_retry_after`: seconds for a Retry-After header (RFC 3261, 20.33), drawn anew each time, so
/// that what was refused together does not come again together.
pub(super) struct RetryAfter;

impl PseudoVariable for RetryAfter {
    const NAME: &'static CStr = c"ks_retry_after";

    fn get(_: &mut SipMessage<'_>, _: usize) -> Value {
        with(|server, worker| {
            let least_s = server.settings.retry_after_s;
            int(worker.draw(least_s, least_s.saturating_mul(3)))
        })
        .unwrap_or(Value::Null)
    }
}
