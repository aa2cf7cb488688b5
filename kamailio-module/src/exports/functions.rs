//! The script functions: their names, how constant parameters are checked at the start, and which
//! logic they run.

use std::ffi::CStr;

use kamailio::SipMessage;
use kamailio::log;
use kamailio::script::{Arg, ScriptFunction, Text};
use kamscale_shm::xxh3;

use super::with;
use crate::algorithm::Algorithm;
use crate::code;
use crate::pool_list::{self, PoolList};
use crate::routing::{self, Choice, Fit, Mark, Target};
use crate::worker::PoolName;

/// A pool's name is an error at the start only where no agent can bring the pool later.
fn known_pool(name: &str) -> Result<usize, String> {
    if !kamscale_shm::spec::is_name(name) {
        return Err(format!("{name:?} cannot be a pool's name"));
    }
    with(|server, worker| {
        let number = worker.learn_pool(name);
        if worker.pool(PoolName::Known(number)).is_some() {
            return Ok(number);
        }
        if server.settings.pools_file.is_some() {
            let pools = worker
                .table()
                .pools()
                .map(|p| String::from_utf8_lossy(p.name()).into_owned());
            let known = pools.collect::<Vec<_>>().join(", ");
            return Err(format!(
                "no pool {name:?} in pools_file; there are: {known}"
            ));
        }
        log::notice(format_args!(
            "pool {name} is not published yet: until then its requests get -2"
        ));
        Ok(number)
    })
    .unwrap_or_else(|| Err("the module is not initialized".to_owned()))
}

/// One pool, or several; each must be known as one would.
fn known_pools(text: &str) -> Result<usize, String> {
    if !pool_list::is_list(text.as_bytes()) {
        return known_pool(text);
    }
    let list = PoolList::parse(text, |name| known_pool(name).map(|_| ()))?;
    with(|_, worker| worker.learn_list(text, list))
        .ok_or_else(|| "the module is not initialized".to_owned())
}

fn known_algorithm(name: &str) -> Result<usize, String> {
    Algorithm::from_name(name.as_bytes())
        .map(|a| a as usize)
        .ok_or_else(|| format!("no algorithm {name:?}; there are: {}", Algorithm::names()))
}

/// A pool parameter at the call: a number if it is constant, else its text.
macro_rules! pool_name {
    ($arg:expr, $msg:expr, $text:ident) => {
        match $arg.resolved() {
            Some(number) => PoolName::Known(number),
            None => {
                let Some(text) = $arg.text($msg) else {
                    return code::BAD_PARAMETER;
                };
                $text = text;
                PoolName::Text(&$text)
            }
        }
    };
}

fn resolve_choice(n: usize, text: &str) -> Result<usize, String> {
    match n {
        1 => known_pools(text),
        2 => known_algorithm(text),
        _ => Ok(0),
    }
}

#[inline(always)]
fn select(msg: &mut SipMessage<'_>, args: &[Arg<'_>], target: Target) -> i32 {
    let algorithm = match args.get(1) {
        None => Some(Algorithm::DEFAULT),
        Some(arg) => arg.resolved().and_then(Algorithm::from_number),
    };
    match (args[0].resolved(), algorithm, args.get(2)) {
        // As most scripts have it: constants, so nothing is looked up and nothing is copied.
        (Some(pool), Some(algorithm), None) => {
            let choice = Choice {
                pool: PoolName::Known(pool),
                algorithm,
                key: None,
                target,
            };
            with(|server, worker| routing::select(server, worker, msg, &choice))
                .unwrap_or(code::FAILED)
        }
        _ => select_computed(msg, args, target),
    }
}

/// Out of the way of constants, as its texts take much of the stack.
#[inline(never)]
fn select_computed(msg: &mut SipMessage<'_>, args: &[Arg<'_>], target: Target) -> i32 {
    let pool_text: Text<'_>;
    let pool = pool_name!(args[0], msg, pool_text);
    let algorithm = match args.get(1) {
        None => Some(Algorithm::DEFAULT),
        Some(arg) => match arg.resolved() {
            Some(number) => Algorithm::from_number(number),
            None => arg.text(msg).and_then(|t| Algorithm::from_name(&t)),
        },
    };
    let Some(algorithm) = algorithm else {
        return code::BAD_PARAMETER;
    };
    let key = match args.get(2) {
        Some(arg) if algorithm.has_key() || is_list(pool) => match arg.read(msg, xxh3) {
            Some(key) => Some(key),
            None => return code::BAD_PARAMETER,
        },
        _ => None,
    };
    let choice = Choice {
        pool,
        algorithm,
        key,
        target,
    };
    with(|server, worker| routing::select(server, worker, msg, &choice)).unwrap_or(code::FAILED)
}

/// A list's pools may have algorithms of their own, which need the key.
fn is_list(pool: PoolName<'_>) -> bool {
    with(|_, worker| worker.list(pool).is_some()).unwrap_or(false)
}

/// `ks_select_dst(pools [, algorithm [, key]])`
pub(super) struct SelectDst<const ARITY: usize>;

impl<const N: usize> ScriptFunction for SelectDst<N> {
    const NAME: &'static CStr = c"ks_select_dst";
    const ARITY: usize = N;

    fn resolve(n: usize, text: &str) -> Result<usize, String> {
        resolve_choice(n, text)
    }

    #[inline(always)]
    fn call(msg: &mut SipMessage<'_>, args: &[Arg<'_>]) -> i32 {
        select(msg, args, Target::Destination)
    }
}

/// `ks_select_domain(pools [, algorithm [, key]])`
pub(super) struct SelectDomain<const ARITY: usize>;

impl<const N: usize> ScriptFunction for SelectDomain<N> {
    const NAME: &'static CStr = c"ks_select_domain";
    const ARITY: usize = N;

    fn resolve(n: usize, text: &str) -> Result<usize, String> {
        if n == 2 && text == Algorithm::Fork.name() {
            return Err("forks share the R-URI: use ks_select_dst()".to_owned());
        }
        resolve_choice(n, text)
    }

    #[inline(always)]
    fn call(msg: &mut SipMessage<'_>, args: &[Arg<'_>]) -> i32 {
        select(msg, args, Target::Domain)
    }
}

/// `ks_next_dst()`
pub(super) struct Next;

impl ScriptFunction for Next {
    const NAME: &'static CStr = c"ks_next_dst";
    const ARITY: usize = 0;

    fn call(msg: &mut SipMessage<'_>, _: &[Arg<'_>]) -> i32 {
        with(|server, worker| routing::next(server, worker, msg, Target::Destination))
            .unwrap_or(code::FAILED)
    }
}

/// `ks_next_domain()`
pub(super) struct NextDomain;

impl ScriptFunction for NextDomain {
    const NAME: &'static CStr = c"ks_next_domain";
    const ARITY: usize = 0;

    fn call(msg: &mut SipMessage<'_>, _: &[Arg<'_>]) -> i32 {
        with(|server, worker| routing::next(server, worker, msg, Target::Domain))
            .unwrap_or(code::FAILED)
    }
}

/// `ks_mark_dst([state])`
pub(super) struct MarkDst<const ARITY: usize>;

impl<const N: usize> ScriptFunction for MarkDst<N> {
    const NAME: &'static CStr = c"ks_mark_dst";
    const ARITY: usize = N;

    fn resolve(_: usize, text: &str) -> Result<usize, String> {
        match Mark::from_name(text.as_bytes()) {
            Some(mark) => Ok(mark as usize),
            None => Err(format!("no state {text:?}; there are: down, up")),
        }
    }

    fn call(msg: &mut SipMessage<'_>, args: &[Arg<'_>]) -> i32 {
        let mark = match args.first() {
            None => Some(Mark::Down),
            Some(arg) => arg.text(msg).and_then(|t| Mark::from_name(&t)),
        };
        let Some(mark) = mark else {
            return code::BAD_PARAMETER;
        };
        with(|server, worker| routing::mark(server, worker, msg, mark)).unwrap_or(code::FAILED)
    }
}

/// `ks_mark_member(pool, member, state)`
pub(super) struct MarkMember;

impl ScriptFunction for MarkMember {
    const NAME: &'static CStr = c"ks_mark_member";
    const ARITY: usize = 3;

    fn resolve(n: usize, text: &str) -> Result<usize, String> {
        match n {
            1 => known_pool(text),
            3 if Mark::from_name(text.as_bytes()).is_none() => {
                Err(format!("no state {text:?}; there are: down, up"))
            }
            _ => Ok(0),
        }
    }

    fn call(msg: &mut SipMessage<'_>, args: &[Arg<'_>]) -> i32 {
        let text: Text<'_>;
        let pool = pool_name!(args[0], msg, text);
        let mark = args[2].text(msg).and_then(|t| Mark::from_name(&t));
        let (Some(member), Some(mark)) = (args[1].text(msg), mark) else {
            return code::BAD_PARAMETER;
        };
        with(|server, worker| routing::mark_member(server, worker, pool, &member, mark))
            .unwrap_or(code::FAILED)
    }
}

/// `ks_is_from_pool([pool [, fit [, uri]]])`
pub(super) struct IsFromPool<const ARITY: usize>;

impl<const N: usize> ScriptFunction for IsFromPool<N> {
    const NAME: &'static CStr = c"ks_is_from_pool";
    const ARITY: usize = N;

    fn resolve(n: usize, text: &str) -> Result<usize, String> {
        match n {
            1 => known_pool(text),
            2 if Fit::from_words(text.as_bytes()).is_none() => Err(format!(
                "{text:?}: there are any_port, transport, socket and active"
            )),
            _ => Ok(0),
        }
    }

    fn call(msg: &mut SipMessage<'_>, args: &[Arg<'_>]) -> i32 {
        let text: Text<'_>;
        let pool = match args.first() {
            None => None,
            Some(arg) => Some(pool_name!(arg, msg, text)),
        };
        let fit = match args.get(1) {
            None => Some(Fit::default()),
            Some(arg) => arg.text(msg).and_then(|text| Fit::from_words(&text)),
        };
        let Some(fit) = fit else {
            return code::BAD_PARAMETER;
        };
        let uri = match args.get(2) {
            None => None,
            Some(arg) => match arg.text(msg) {
                None => return code::BAD_PARAMETER,
                uri => uri,
            },
        };
        with(|server, worker| {
            routing::is_from_pool(server, worker, msg, pool, (fit, uri.as_deref()))
        })
        .unwrap_or(code::FAILED)
    }
}

/// `ks_pool_exists(pool)`
pub(super) struct PoolExists;

impl ScriptFunction for PoolExists {
    const NAME: &'static CStr = c"ks_pool_exists";
    const ARITY: usize = 1;

    /// A test for a pool that is not there is no mistake.
    fn resolve(_: usize, text: &str) -> Result<usize, String> {
        with(|_, worker| worker.learn_pool(text)).ok_or_else(|| "too early".to_owned())
    }

    fn call(msg: &mut SipMessage<'_>, args: &[Arg<'_>]) -> i32 {
        let text: Text<'_>;
        let pool = pool_name!(args[0], msg, text);
        with(|server, worker| routing::pool_exists(server, worker, pool)).unwrap_or(code::FAILED)
    }
}

/// `ks_is_active(pool [, uri])`
pub(super) struct IsActive<const ARITY: usize>;

impl<const N: usize> ScriptFunction for IsActive<N> {
    const NAME: &'static CStr = c"ks_is_active";
    const ARITY: usize = N;

    fn resolve(n: usize, text: &str) -> Result<usize, String> {
        if n == 1 { known_pool(text) } else { Ok(0) }
    }

    fn call(msg: &mut SipMessage<'_>, args: &[Arg<'_>]) -> i32 {
        let text: Text<'_>;
        let pool = pool_name!(args[0], msg, text);
        let uri = args.get(1).map(|arg| arg.text(msg));
        if matches!(uri, Some(None)) {
            return code::BAD_PARAMETER;
        }
        let uri = uri.flatten();
        with(|server, worker| routing::is_active(server, worker, pool, uri.as_deref()))
            .unwrap_or(code::FAILED)
    }
}
