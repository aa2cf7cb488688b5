//! What `kamscale.nodes` answers: the other nodes with which this one shares.

use std::sync::atomic::Ordering::{Acquire, Relaxed};

use kamailio::rpc::Value;
use kamscale_shm::clock;
use kamscale_shm::nodes::{NodeRow, Nodes};

use crate::report::{int, word};
use crate::server::Server;

/// How many other nodes are heard.
#[must_use]
pub fn heard(nodes: &Nodes) -> u64 {
    // Partner: the Release stores of the process that shares: who has a row.
    let heard = nodes.rows.iter().filter(|r| r.heard_ns.load(Acquire) != 0);
    heard.count() as u64
}

/// `kamscale.nodes`
pub fn nodes(server: &Server) -> Value {
    let shared = server.observed.nodes();
    let sharing = server.observed.is_sharing();
    let rows = shared.rows.iter().filter_map(node).collect();
    Value::Struct(vec![
        (c"sharing", word(if sharing { "yes" } else { "no" })),
        (c"sent", int(shared.sent.load(Relaxed))),
        (c"not_sent", int(shared.not_sent.load(Relaxed))),
        (c"received", int(shared.received.load(Relaxed))),
        (c"refused", int(shared.refused.load(Relaxed))),
        (c"lost", int(shared.lost.load(Relaxed))),
        (c"keys_elsewhere", int(shared.held().count())),
        (c"keys_unplaced", int(shared.unplaced.load(Relaxed))),
        (c"nodes", Value::List(rows)),
    ])
}

fn node(row: &NodeRow) -> Option<Value> {
    let heard_ns = row.heard_ns.load(Acquire);
    if heard_ns == 0 {
        return None;
    }
    let age_ns = clock::monotonic_ns().saturating_sub(heard_ns);
    let complete = row.complete.load(Relaxed) != 0;
    Some(Value::Struct(vec![
        (c"node", Value::Text(row.name())),
        (c"age_ms", int(age_ns / 1_000_000)),
        (c"complete", word(if complete { "yes" } else { "no" })),
        (c"keys", int(row.keys.load(Relaxed))),
        (c"calls", int(row.calls.load(Relaxed))),
        (c"received", int(row.received.load(Relaxed))),
    ]))
}
