//! What the RPC commands tell of probing.

use std::ffi::CStr;
use std::sync::atomic::{AtomicU32, Ordering};

use kamailio::rpc::Value;
use kamscale_shm::layout::MemberRow;
use kamscale_shm::{Health, clock};

use super::{int, word};
use crate::server::Server;

/// Whether members are probed, and how often.
pub(super) fn probing(server: &Server) -> Value {
    match &server.settings.probing {
        None => word("no"),
        Some(probing) => {
            let (method, every_s) = (&probing.method, probing.pace.interval_ms / 1000);
            Value::Text(format!("{method} every {every_s} s"))
        }
    }
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
