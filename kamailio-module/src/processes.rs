//! `kamscale.workers`: which generation each process uses.

use std::sync::atomic::Ordering;

use kamailio::rpc::Value;
use kamscale_shm::clock;
use kamscale_shm::layout::ProcessRow;

use crate::report::{int, word};
use crate::server::Server;
use crate::worker::Worker;

/// `kamscale.workers`
pub fn workers(server: &Server, worker: &mut Worker) -> Value {
    worker.refresh(server);
    let newest = worker.table().generation();
    let now_ns = clock::monotonic_ns();
    let one = |(process, row): (usize, &ProcessRow)| {
        let load = |c: &std::sync::atomic::AtomicU64| int(c.load(Ordering::Relaxed));
        let age_ns = now_ns.saturating_sub(row.applied_ns.load(Ordering::Relaxed));
        let rank = i64::from(row.rank.load(Ordering::Relaxed))
            - i64::from(kamscale_shm::snapshot::RANK_OFFSET);
        let generation = row.generation.load(Ordering::Relaxed);
        Value::Struct(vec![
            (c"process", int(process)),
            (c"pid", int(row.pid.load(Ordering::Relaxed))),
            (c"rank", Value::Int(rank)),
            (c"kind", word(kind_of(rank))),
            (c"generation", int(generation)),
            (c"behind", int(newest.saturating_sub(generation))),
            (c"age_ms", int(age_ns / 1_000_000)),
            (c"applied", load(&row.applied)),
            (c"rejected", load(&row.rejected)),
            (c"torn", load(&row.torn)),
            (c"panics", load(&row.panics)),
        ])
    };
    Value::List(server.observed.processes().map(one).collect())
}

/// What a process of that rank is for (`core/sr_module.h`).
const fn kind_of(rank: i64) -> &'static str {
    match rank {
        // 127: a process that serves remote commands and may run routes for them.
        -2 | 127 => "rpc",
        1.. => "worker",
        0 => "main",
        -1 => "timer",
        -4 => "tcp_main",
        _ => "other",
    }
}
