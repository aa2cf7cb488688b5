//! What hello.rs leaves out: the transaction's memory, dialogs, destinations, counters, the timer, a
//! process and requests of the module's own, event routes, expressions as parameters. For tests/exercise.sh only; not a model of a module.

use std::ffi::CStr;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering::Relaxed};

use kamailio::event_route::EventRoute;
use kamailio::message::{MEMORY_LEN, Message};
use kamailio::module::{Module, Rank};
use kamailio::process::Local;
use kamailio::rpc::{Args, Fault, RpcCommand, Value};
use kamailio::script::{Arg, ScriptFunction};
use kamailio::uac::{self, Answer, Request};
use kamailio::{SipMessage, counters, dialog, guard, log, parameter, process, rpc, script, timer};

static TICKS: AtomicU64 = AtomicU64::new(0);
static RESOLVED: AtomicI64 = AtomicI64::new(0);
/// Where the process of our own sends requests: to an address that answers, and to one that does not.
static ASKED: Local<Vec<String>> = Local::new(Vec::new);
/// Requests that it has sent.
static SENT: AtomicUsize = AtomicUsize::new(0);
/// The answer with this token makes the callback panic.
const PANICS: usize = 3;

struct Exercise;

impl Module for Exercise {
    const NAME: &'static CStr = c"exercise";

    fn init() -> Result<(), String> {
        let callbacks = dialog::Callbacks {
            failed: call_failed,
            ended,
            answered: call_answered,
        };
        match dialog::bind(callbacks) {
            Ok(()) => log::info(format_args!("dialog bound")),
            Err(absent) => log::warning(format_args!("{absent}")),
        }
        timer::every_second(tick).map_err(|e| e.to_string())?;
        if !ASKED.with(|asked| asked.is_empty()) {
            uac::bind(answered).map_err(|e| e.to_string())?;
            timer::reserve_process().map_err(|e| e.to_string())?;
        }
        counters::register(
            "exercise",
            "answer",
            "a constant",
            |arg| (1 << 40) + arg as i64,
            2,
        )
    }

    fn child_init(rank: Rank) -> Result<(), String> {
        if rank == Rank::Main && !ASKED.with(|asked| asked.is_empty()) {
            timer::own_process(c"exercise asks", 50_000, turn).map_err(|e| e.to_string())?;
        }
        Ok(())
    }
}

fn call_failed(word: &AtomicUsize, status: u16) {
    let word = word.load(Relaxed);
    log::info(format_args!("failed {word} with {status}"));
}

fn call_answered(word: &AtomicUsize, note: usize, from: SocketAddr) {
    let word = word.load(Relaxed);
    log::info(format_args!("answered {word} by {from}, note {note}"));
}

fn asked(uri: &str) -> Result<(), String> {
    ASKED.with(|asked| asked.push(uri.to_owned()));
    Ok(())
}

/// A request in each turn, until all were sent: as its token the number of the turn.
fn turn() {
    let token = SENT.fetch_add(1, Relaxed) + 1;
    let asked = ASKED.with(|asked| asked.clone());
    if token > PANICS {
        return;
    }
    let uri = &asked[token.min(asked.len()) - 1];
    let request = Request {
        method: b"OPTIONS",
        uri: uri.as_bytes(),
        from: b"sip:exercise@localhost",
        proxy: b"",
        socket: b"",
    };
    let sent = request.send(token);
    log::info(format_args!(
        "sent {token} {sent:?} in {}",
        process::description()
    ));
    match EventRoute::find(c"exercise:sent", None) {
        Some(route) => route.run(uri.as_bytes()),
        None => log::info(format_args!("no event route")),
    }
}

fn answered(token: usize, answer: &mut dyn Answer) {
    let server = answer.header("server").unwrap_or_default().into_owned();
    log::info(format_args!(
        "answered {token} {} {} {server:?} in {}",
        answer.code(),
        answer.is_reply(),
        process::description()
    ));
    assert!(token != PANICS, "in the callback");
}

fn ended(word: &AtomicUsize) {
    let value = word.swap(0, Relaxed);
    log::info(format_args!("ended {value} in {}", process::description()));
}

fn tick() {
    if TICKS.fetch_add(1, Relaxed) == 0 {
        log::info(format_args!(
            "first tick {} in {}",
            process::ticks(),
            process::description()
        ));
    }
}

/// ex_nothing(): the core's dispatch alone.
struct Nothing;

impl ScriptFunction for Nothing {
    const NAME: &'static CStr = c"ex_nothing";
    const ARITY: usize = 0;

    fn call(_: &mut SipMessage<'_>, _: &[Arg<'_>]) -> i32 {
        0
    }
}

/// ex_resolved("text"): returns whether the argument was resolved at the start.
struct Resolved;

impl ScriptFunction for Resolved {
    const NAME: &'static CStr = c"ex_resolved";
    const ARITY: usize = 1;

    fn resolve(_: usize, text: &str) -> Result<usize, String> {
        if text.contains("unknown") {
            Err("unknown".into())
        } else {
            Ok(text.len())
        }
    }

    fn call(_: &mut SipMessage<'_>, args: &[Arg<'_>]) -> i32 {
        let Some(word) = args[0].resolved() else {
            return -1;
        };
        RESOLVED.store(RESOLVED.load(Relaxed) + word as i64, Relaxed);
        1
    }
}

/// ex_join("a", "b", "c"): logs the three, and sets the domain of the R-URI from the first and $du
/// from the second.
struct Join;

impl ScriptFunction for Join {
    const NAME: &'static CStr = c"ex_join";
    const ARITY: usize = 3;

    fn call(msg: &mut SipMessage<'_>, args: &[Arg<'_>]) -> i32 {
        let texts: Vec<_> = args.iter().filter_map(|arg| arg.text(msg)).collect();
        let [domain, destination, third] = texts.as_slice() else {
            return -1;
        };
        if msg.set_domain(domain).is_err() || msg.set_destination(destination).is_err() {
            return -2;
        }
        let call_id = String::from_utf8_lossy(msg.call_id().unwrap_or(b"none")).into_owned();
        log::info(format_args!(
            "join {} {:?} {:?} {} {call_id} to-tag {} du {:?}",
            third.as_str().unwrap_or("not UTF-8"),
            msg.method(),
            msg.route(),
            msg.source().ip(),
            msg.has_to_tag(),
            msg.destination().map(String::from_utf8_lossy),
        ));
        1
    }
}

/// ex_destination("uri"): sets $du and nothing else, as failover does.
struct Destination;

impl ScriptFunction for Destination {
    const NAME: &'static CStr = c"ex_destination";
    const ARITY: usize = 1;

    fn call(msg: &mut SipMessage<'_>, args: &[Arg<'_>]) -> i32 {
        let Some(uri) = args[0].text(msg) else {
            return -1;
        };
        if msg.set_destination(&uri).is_ok() {
            1
        } else {
            -2
        }
    }
}

/// ex_remember(): fills the transaction's memory with 1.
struct Remember;

impl ScriptFunction for Remember {
    const NAME: &'static CStr = c"ex_remember";
    const ARITY: usize = 0;

    fn call(msg: &mut SipMessage<'_>, _: &[Arg<'_>]) -> i32 {
        let bytes = [1; MEMORY_LEN];
        if msg.remember(c"_exercise", &bytes).is_ok() {
            1
        } else {
            -1
        }
    }
}

/// ex_next(): recalls, adds one to the first byte, remembers; returns it.
struct Next;

impl ScriptFunction for Next {
    const NAME: &'static CStr = c"ex_next";
    const ARITY: usize = 0;

    fn call(msg: &mut SipMessage<'_>, _: &[Arg<'_>]) -> i32 {
        let Some(mut bytes) = msg.recall(c"_exercise") else {
            return -1;
        };
        bytes[0] = bytes[0].wrapping_add(1);
        if msg.remember(c"_exercise", &bytes).is_err() {
            return -2;
        }
        i32::from(bytes[0])
    }
}

/// ex_call(): stores 77 in the dialog's word.
struct Call;

impl ScriptFunction for Call {
    const NAME: &'static CStr = c"ex_call";
    const ARITY: usize = 0;

    fn call(msg: &mut SipMessage<'_>, _: &[Arg<'_>]) -> i32 {
        let before = msg.with_call(|word| word.swap(77, Relaxed));
        let _ = msg.on_answer(5);
        match before {
            Some(0) => 1,
            Some(_) => 2,
            None => -1,
        }
    }
}

/// exercise.panics: [panics of this process], and an error for an argument of "fault" or "panic".
struct Panics;

impl RpcCommand for Panics {
    const NAME: &'static CStr = c"exercise.panics";
    const DOC: &'static CStr = c"Counts panics; [fault|panic] makes one.";

    fn run(args: &mut Args<'_>) -> Result<Value, Fault> {
        match args.optional().as_deref() {
            Some("fault") => Err(Fault {
                code: 404,
                text: "100% not found".into(),
            }),
            Some("panic") => panic!("in a command"),
            Some("big") => Ok(Value::Struct(vec![(
                c"big",
                Value::Text("x".repeat(100_000)),
            )])),
            _ => Ok(Value::List(vec![Value::Int(
                i64::try_from(guard::panics()).unwrap_or(-1),
            )])),
        }
    }
}

kamailio::module! {
    Exercise;
    functions: [
        script::function::<Nothing>(),
        script::function::<Resolved>(),
        script::function::<Join>(),
        script::function::<Destination>(),
        script::function::<Remember>(),
        script::function::<Next>(),
        script::function::<Call>(),
    ];
    parameters: [parameter::text(c"asks", asked)];
    commands: [rpc::command::<Panics>()];
}
