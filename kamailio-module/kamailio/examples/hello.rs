//! A whole Kamailio module in one file: script functions, KEMI, parameters, a remote command and
//! pseudo-variables. It shows how the crate is used; tests/hello.sh loads it into a real server.

use std::borrow::Cow;
use std::ffi::CStr;
use std::sync::atomic::{AtomicI32, Ordering::Relaxed};

use kamailio::module::{Module, Rank};
use kamailio::process::{self, Local};
use kamailio::pv::PseudoVariable;
use kamailio::rpc::{Args, Fault, RpcCommand, Value};
use kamailio::script::{Arg, ScriptFunction};
use kamailio::{SipMessage, kemi, log, parameter, pv, rpc, script};

/// modparam("hello", "volume", 3)
static VOLUME: AtomicI32 = AtomicI32::new(1);
/// modparam("hello", "person", "alice"), once per person
static PEOPLE: Local<Vec<&'static str>> = Local::new(Vec::new);
/// How often this process greeted each of them.
static GREETED: Local<Vec<i64>> = Local::new(Vec::new);

fn add_person(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("a person has a name".into());
    }
    PEOPLE.with(|people| people.push(name.to_owned().leak()));
    Ok(())
}

fn person(name: &str) -> Result<usize, String> {
    PEOPLE
        .with(|people| people.iter().position(|known| *known == name))
        .ok_or_else(|| format!("unknown person; add modparam(\"hello\", \"person\", {name:?})"))
}

struct Hello;

impl Module for Hello {
    const NAME: &'static CStr = c"hello";

    fn init() -> Result<(), String> {
        let people = PEOPLE.with(|people| people.len());
        GREETED.with(|greeted| greeted.resize(people, 0));
        log::info(format_args!(
            "{people} people, volume {}",
            VOLUME.load(Relaxed)
        ));
        Ok(())
    }

    fn child_init(rank: Rank) -> Result<(), String> {
        if rank == Rank::Init {
            log::info(format_args!("{} processes", process::count()));
        }
        Ok(())
    }

    fn destroy() {
        log::info(format_args!("goodbye"));
    }
}

/// hello_greet("alice") or hello_greet("$rU"): true if the person is known.
struct Greet;

impl ScriptFunction for Greet {
    const NAME: &'static CStr = c"hello_greet";
    const ARITY: usize = 1;

    fn resolve(_: usize, text: &str) -> Result<usize, String> {
        person(text)
    }

    fn call(msg: &mut SipMessage<'_>, args: &[Arg<'_>]) -> i32 {
        let [name] = args else { return -1 };
        let known = name
            .resolved()
            .or_else(|| person(name.text(msg)?.as_str()?).ok());
        let Some(known) = known else { return -2 };
        GREETED.with(|greeted| greeted[known] += 1);
        1
    }
}

/// hello_panic(): what a bug does.
struct Panic;

impl ScriptFunction for Panic {
    const NAME: &'static CStr = c"hello_panic";
    const ARITY: usize = 0;

    fn call(_: &mut SipMessage<'_>, _: &[Arg<'_>]) -> i32 {
        panic!("this is a bug on purpose")
    }
}

/// $hello(alice): how often this process greeted alice.
struct Greeted;

impl PseudoVariable for Greeted {
    const NAME: &'static CStr = c"hello";

    fn parse(inner: &str) -> Result<usize, String> {
        person(inner)
    }

    fn get(_: &mut SipMessage<'_>, word: usize) -> pv::Value {
        pv::Value::Int(GREETED.with(|greeted| greeted[word]))
    }
}

/// $hello_volume: in words.
struct Volume;

impl PseudoVariable for Volume {
    const NAME: &'static CStr = c"hello_volume";

    fn get(_: &mut SipMessage<'_>, _: usize) -> pv::Value {
        pv::Value::Text(match VOLUME.load(Relaxed) {
            n if n < 2 => Cow::Borrowed("quiet"),
            n => Cow::Owned(format!("{n} times quiet")),
        })
    }
}

/// hello.people [NAME]: one struct per person.
struct People;

impl RpcCommand for People {
    const NAME: &'static CStr = c"hello.people";
    const DOC: &'static CStr = c"Lists the people, or one of them.";
    const ARRAY: bool = true;

    fn run(args: &mut Args<'_>) -> Result<Value, Fault> {
        let only = args.optional();
        let people: Vec<Value> = PEOPLE.with(|people| {
            let wanted = people
                .iter()
                .filter(|name| only.as_deref().is_none_or(|n| n == **name));
            wanted
                .map(|name| {
                    Value::Struct(vec![
                        (c"name", Value::Text((*name).to_owned())),
                        (
                            c"letters",
                            Value::Int(i64::try_from(name.len()).unwrap_or(i64::MAX)),
                        ),
                        (c"large", Value::Int(1 << 40)),
                        (c"nested", Value::Struct(vec![(c"deep", Value::Int(-1))])),
                        (
                            c"list",
                            Value::List(vec![Value::Int(1), Value::Text("two".into())]),
                        ),
                    ])
                })
                .collect()
        });
        if people.is_empty() {
            Err(Fault::bad_request("no such person"))
        } else {
            Ok(Value::List(people))
        }
    }
}

kamailio::module! {
    Hello;
    functions: [script::function::<Greet>(), script::function::<Panic>()];
    kemi: [kemi::function::<Greet>(c"greet"), kemi::function::<Panic>(c"panic")];
    parameters: [parameter::int(c"volume", &VOLUME), parameter::text(c"person", add_person)];
    commands: [rpc::command::<People>()];
    variables: [pv::with_inner::<Greeted>(), pv::plain::<Volume>()];
}
