//! What the RPC commands tell of probing.

use std::ffi::CStr;
use std::sync::atomic::{AtomicU32, Ordering};

use kamailio::rpc::{Args, Fault, Value};
use kamscale_shm::layout::MemberRow;
use kamscale_shm::{Health, clock};

use super::{int, word};
use crate::server::Server;

/// Whether members are probed, and how often.
pub(super) fn probing(server: &Server) -> Value {
    match &server.settings.probing {
        None => word("no"),
        Some(_) if !server.observed.may_probe() => word("off"),
        Some(probing) => {
            let (method, every_s) = (&probing.method, probing.pace.interval_ms / 1000);
            Value::Text(format!("{method} every {every_s} s"))
        }
    }
}

/// `kamscale.probe [on|off]`
///
/// # Errors
/// 400 for another word, or if no member is probed at all.
pub fn probe(server: &Server, args: &mut Args<'_>) -> Result<Value, Fault> {
    match args.optional().as_deref() {
        None => {}
        Some(_) if server.settings.probing.is_none() => {
            let text = "nobody is probed: modparam probe_interval_s is 0";
            return Err(Fault::bad_request(text.to_owned()));
        }
        Some("on") => server.observed.let_probe(true),
        Some("off") => server.observed.let_probe(false),
        Some(other) => {
            return Err(Fault::bad_request(format!("{other:?}: it is on or off")));
        }
    }
    Ok(Value::Struct(vec![(c"probing", probing(server))]))
}

/// What probing found out about a member.
pub(super) fn probed(row: &MemberRow, health: Health) -> Vec<(&'static CStr, Value)> {
    let report = row.report();
    let answered_ns = row.answered_ns.load(Ordering::Relaxed);
    let age_ns = clock::monotonic_ns().saturating_sub(answered_ns);
    let told = |value: Option<u32>| value.map_or(word("none"), int);
    let load = |cell: &AtomicU32| int(cell.load(Ordering::Relaxed));
    let age = if answered_ns == 0 {
        word("never")
    } else {
        int(age_ns / 1_000_000)
    };
    vec![
        (c"health", word(health.name())),
        (c"last_code", load(&row.last_code)),
        (c"answer_age_ms", age),
        (c"latency_us", load(&row.latency_us)),
        (c"answers", load(&row.successes)),
        (c"misses", load(&row.misses)),
        (c"reported_calls", told(report.calls)),
        (c"reported_capacity", told(report.capacity)),
        (c"reported_weight", told(report.weight)),
    ]
}
