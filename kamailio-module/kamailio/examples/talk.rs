//! Messages between servers over dmq. For tests/talk.sh only; not a model of a module.

use std::ffi::CStr;

use kamailio::dmq::{self, Received};
use kamailio::module::Module;
use kamailio::rpc::{Args, Fault, RpcCommand, Value};
use kamailio::{log, process, rpc};

struct Talk;

impl Module for Talk {
    const NAME: &'static CStr = c"talk";

    fn init() -> Result<(), String> {
        dmq::bind(c"talk", heard).map_err(|e| e.to_string())?;
        match dmq::bind(c"talk", heard) {
            Ok(()) => Err("bound twice".to_owned()),
            Err(_) => Ok(()),
        }
    }
}

fn heard(message: &Received<'_>) {
    let text = String::from_utf8_lossy(message.body);
    log::info(format_args!(
        "heard {text:?} from {} in {}",
        String::from_utf8_lossy(message.from),
        process::description()
    ));
    assert!(text != "panic", "in the callback");
}

/// talk.say TEXT: tells it to the other servers.
struct Say;

impl RpcCommand for Say {
    const NAME: &'static CStr = c"talk.say";
    const DOC: &'static CStr = c"Says it to the others.";

    fn run(args: &mut Args<'_>) -> Result<Value, Fault> {
        let text = args.required("TEXT")?;
        match dmq::broadcast(text.as_bytes()) {
            Ok(()) => Ok(Value::Text("said".to_owned())),
            Err(why) => Err(Fault::internal(why.to_string())),
        }
    }
}

kamailio::module! {
    Talk;
    commands: [rpc::command::<Say>()];
}
