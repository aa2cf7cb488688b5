//! The figures of a change of a pool against a reload.

use kamscale_shm::limits::DEFAULT_HASH_BITS;
use serde_json::{Value, json};

use super::figures::Goal;
use super::publish::{self, Publication};
use crate::report::{Figure, Report};

/// A change of a pool against a reload, for one size.
pub fn publication(report: &mut Report, size: usize, measured: Result<Publication, String>) {
    let least = match size {
        10 => 5.0,
        1000 => 20.0,
        _ => 100.0,
    };
    let name = format!("publish.{size}.vs_ds_reload");
    let goal = Goal::AtLeast(least);
    let is = match measured {
        Ok(is) => is,
        Err(why) => {
            let figure = Figure::new(&name, Value::Null, "ratio").how(why);
            report.figure(figure.target(&goal.text(), false));
            return;
        }
    };
    let reload = is.reload_ms - is.rpc_ms;
    let ratio = goal.ratio(Some(is.applied_ms), Some(reload));
    let crashes = match is.crashes {
        0 => String::new(),
        n => format!("; dispatcher crashed Kamailio {n} times before"),
    };
    report.figure(
        Figure::new(&name, ratio, "ratio")
            .target(&goal.text(), goal.is_met(ratio))
            .sides(
                json!({"ms": is.applied_ms, "publish_ms": is.call_ms}),
                json!({"ms": reload, "rpc_ms": is.rpc_ms}),
            )
            .how(format!(
                "{:.3} against {reload:.2} ms, median of {}: a member comes or goes, until the \
                 last of 2 workers has stamped that it uses the table; reload of one set until \
                 its RPC answers, {:.3} ms of an empty RPC subtracted; both at {:.0} requests/s; fm; \
                 hash_bits {DEFAULT_HASH_BITS}{crashes}",
                is.applied_ms,
                publish::ROUNDS,
                is.rpc_ms,
                is.traffic_per_s,
            )),
    );
    for (what, value, unit, how) in [
        (
            "applied_ms",
            is.applied_ms,
            "ms",
            "until the last worker uses it",
        ),
        (
            "call_ms",
            is.call_ms,
            "ms",
            "of that: publish() with encoding",
        ),
        (
            "copy_ms",
            is.copy_ms,
            "ms",
            "copy and check by one process, quiet",
        ),
        (
            "state_change_ms",
            is.state_ms,
            "ms",
            "one member changes its state",
        ),
        (
            "hash_bits_16_ms",
            is.wide_ms,
            "ms",
            "a member comes or goes, with hash_bits 16",
        ),
    ] {
        let value = (value * 1e4).round() / 1e4;
        report.figure(Figure::new(&format!("publish.{size}.{what}"), value, unit).how(how));
    }
    report.figure(
        Figure::new(&format!("publish.{size}.table"), is.table_bytes, "bytes")
            .how(format!("hash_bits {DEFAULT_HASH_BITS}")),
    );
}
