//! How long a change of a pool takes until every busy worker uses it, beside `dispatcher.reload`.
//!
//! Each worker stamps the moment at which it has put a table into use (`applied_ns`, on the clock
//! that all processes share), so looking for the stamps does not disturb what they say.

use std::path::Path;
use std::time::{Duration, Instant};

use kamscale_shm::limits::DEFAULT_HASH_BITS;
use kamscale_shm::{DesiredReader, DesiredState, Observer, PoolSpec, Publisher, TableSpec, clock};

use super::bed::{Bed, Manager};
use super::cost::{median, number};
use super::rpc::{self, Rpc};
use super::traffic::Traffic;
use super::{INSTANCE, pools, published, script};
use crate::run::RunDir;
use crate::wait::{PATIENCE, wait_for};

/// Publications and reloads that are measured, taking turns.
pub const ROUNDS: usize = 21;
/// Of the other kinds of change.
const FEW_ROUNDS: usize = 11;
/// How often each worker gets a request.
pub const INTERVAL: Duration = Duration::from_micros(100);
/// Workers; the machine has two cores.
const WORKERS: usize = 2;
/// The widest rows that are shown.
const WIDE_BITS: u8 = 16;
/// Starts after which a stock side that crashes is given up.
const STARTS: u32 = 4;

/// What was measured for a pool of one size, in milliseconds unless it says otherwise.
#[derive(Clone, Debug, Default)]
pub struct Publication {
    /// From the call of publish until the last worker used the table; a member came or went.
    pub applied_ms: f64,
    /// Of that, publish itself.
    pub call_ms: f64,
    /// Until applied; one member changed its state.
    pub state_ms: f64,
    /// Until applied; a member came or went, with [`WIDE_BITS`].
    pub wide_ms: f64,
    /// One copy and check of the table by one process.
    pub copy_ms: f64,
    /// Bytes of the table.
    pub table_bytes: u64,
    /// The dispatcher's reload, and an RPC that does nothing.
    pub reload_ms: f64,
    /// See [`Self::reload_ms`].
    pub rpc_ms: f64,
    /// Requests per second meanwhile.
    pub traffic_per_s: f64,
    /// How often the stock side crashed before.
    pub crashes: u32,
}

/// Measures a pool of this size.
///
/// # Errors
/// Why it could not be measured.
pub fn measure(size: usize) -> Result<Publication, String> {
    let mut why = String::new();
    for crashes in 0..STARTS {
        match once(size) {
            Ok(done) => return Ok(Publication { crashes, ..done }),
            Err(error) => why = error,
        }
    }
    Err(format!("Kamailio ended {STARTS} times: {why}"))
}

fn once(size: usize) -> Result<Publication, String> {
    let run = RunDir::new("publish");
    let publisher = published(&run, &pools::table(&[size]));
    let list = run.write("dispatcher.list", pools::dispatcher_list(&[size]));
    let mut bed = Bed::start(
        &run,
        &config(size, &list, &rpc::path(&run)),
        Manager::Fm,
        false,
    );
    let observer = Observer::open(&run.shm_dir(), INSTANCE).map_err(|e| e.to_string())?;
    let rpc = Rpc::connect(&run).map_err(|e| e.to_string())?;
    let traffic = Traffic::start(&run, bed.sip(), INTERVAL);
    let mut side = Changes::new(size, publisher, observer);
    let mut reloads = Vec::new();
    let mut pings = Vec::new();
    let (mut members, mut calls, mut states, mut wide) = (vec![], vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        let (call, applied) = side.member()?;
        calls.push(call);
        members.push(applied);
        // Both right after another RPC: after a pause the first one is slower.
        rpc.timed("core.uptime")?;
        pings.push(rpc.timed("core.uptime")?);
        reloads.push(rpc.timed("dispatcher.reload")?);
    }
    for _ in 0..FEW_ROUNDS {
        states.push(side.state()?);
    }
    let (copy_ms, table_bytes) = copy(&run)?;
    side.widen()?;
    for _ in 0..FEW_ROUNDS {
        wide.push(side.member()?.1);
    }
    let traffic_per_s = traffic.end();
    if !bed.runs() {
        return Err("it crashed".into());
    }
    Ok(Publication {
        applied_ms: median(&members),
        call_ms: median(&calls),
        state_ms: median(&states),
        wide_ms: median(&wide),
        copy_ms,
        table_bytes,
        reload_ms: median(&reloads),
        rpc_ms: median(&pings),
        traffic_per_s,
        crashes: 0,
    })
}

fn config(size: usize, list: &Path, rpc: &Path) -> String {
    let parameters = "modparam(\"kamscale\", \"failover\", 0)\n\
                      modparam(\"dispatcher\", \"flags\", 2)\n\
                      modparam(\"dispatcher\", \"reload_delta\", 0)\n";
    let parameters = format!("{parameters}{}", rpc::module(rpc));
    let head = script::head(u32::try_from(WORKERS).unwrap_or(2), list, &parameters);
    let (pool, set) = (pools::name(size), pools::set(size));
    format!(
        "{head}request_route {{\n\
         \tks_select_dst(\"{pool}\", \"round_robin\");\n\
         \tds_select_dst(\"{set}\", \"4\", \"1\");\n\
         \tsl_send_reply(\"200\", \"OK\");\n\texit;\n}}\n"
    )
}

/// A publisher that changes one pool, and what it sees of the workers.
struct Changes {
    publisher: Publisher,
    observer: Observer,
    pool: PoolSpec,
    size: usize,
    turn: usize,
}

impl Changes {
    fn new(size: usize, publisher: Publisher, observer: Observer) -> Self {
        Self {
            publisher,
            observer,
            pool: pools::pool(size),
            size,
            turn: 0,
        }
    }

    /// One member more, or one less again: milliseconds of publish, and until applied.
    fn member(&mut self) -> Result<(f64, f64), String> {
        if self.pool.members.len() > self.size {
            self.pool.members.pop();
        } else {
            let new = pools::member(self.size, pools::port(self.size));
            self.pool.members.push(new);
        }
        self.publish()
    }

    /// One member drains, or is active again.
    fn state(&mut self) -> Result<f64, String> {
        self.turn += 1;
        self.pool.members[0].state = if self.turn.is_multiple_of(2) {
            DesiredState::Active
        } else {
            DesiredState::Draining
        };
        Ok(self.publish()?.1)
    }

    fn widen(&mut self) -> Result<(), String> {
        self.pool.hash_bits = WIDE_BITS.max(DEFAULT_HASH_BITS);
        self.publish().map(|_| ())
    }

    fn publish(&mut self) -> Result<(f64, f64), String> {
        let table = TableSpec {
            pools: vec![self.pool.clone()],
        };
        let began = clock::monotonic_ns();
        let generation = self.publisher.publish(&table).map_err(|e| e.to_string())?;
        let called = clock::monotonic_ns();
        let stamps = wait_for("every worker uses the new table", PATIENCE, || {
            let workers = self.observer.snapshot().workers;
            let stamps: Vec<u64> = workers
                .iter()
                .filter(|w| w.rank > 0 && w.generation >= generation)
                .map(|w| w.applied_ns)
                .collect();
            (stamps.len() >= WORKERS).then_some(stamps)
        });
        let last = stamps.into_iter().max().unwrap_or(0);
        let ms = |until: u64| number(until.saturating_sub(began)) / 1e6;
        Ok((ms(called), ms(last.max(called))))
    }
}

/// Copies and checks the table as a worker does: milliseconds, and the table's bytes.
fn copy(run: &RunDir) -> Result<(f64, u64), String> {
    let path = run.shm_dir().join(format!("{INSTANCE}.desired"));
    let mut bytes = 0;
    let mut times = Vec::new();
    for _ in 0..FEW_ROUNDS {
        let mut reader = DesiredReader::new(path.clone());
        reader.reserve();
        let _ = reader.refresh(1); // maps the file, and touches the memory
        let began = Instant::now();
        let change = reader.refresh(2);
        times.push(began.elapsed().as_secs_f64() * 1e3);
        let length = reader.into_table().into_words().get(1).copied();
        bytes = 8 * length.ok_or_else(|| format!("no table to copy: {change:?}"))?;
    }
    Ok((median(&times), bytes))
}
