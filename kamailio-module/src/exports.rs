//! Puts the logic before the server: the process's state, its life, and the tables of what the
//! module exports. Every name here is public and stable.

mod demand;
mod functions;
mod parameters;
mod remote;
mod sharing;
mod variables;
mod watcher;

use std::net::SocketAddr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use kamailio::log::{Level, RateLimit};
use kamailio::module::{Module, Rank};
use kamailio::process::Local;
use kamailio::{counters, dialog, guard, log, parameter, process, run, timer};
use kamscale_shm::ShmError;
use kamscale_shm::limits::MAX_PROCESSES;
use kamscale_shm::nodes::Nodes;

use crate::calls;
use crate::nodes;
use crate::routing::fork;
use crate::server::{Server, now};
use crate::slow_start::SlowStart;
use crate::sums;
use crate::worker::{self, Worker};
use demand::{Admit, Count};
use functions::{
    IsActive, IsFromPool, MarkDst, MarkMember, Next, NextDomain, PoolExists, SelectDomain,
    SelectDst,
};

/// What all processes share; there from `init` on.
static SERVER: OnceLock<Server> = OnceLock::new();
/// What belongs to this process; there from `init` on.
static WORKER: Local<Option<Worker>> = Local::new(|| None);
/// What the timer process knows of members that have just come up.
static SLOW_START: Local<SlowStart> = Local::new(SlowStart::new);
/// Which desired file the timer process saw last.
static DESIRED: Local<Option<(u64, u64)>> = Local::new(|| None);

/// Runs `f` with the state of this process; `None` before `init`.
#[inline]
fn with<R>(f: impl FnOnce(&'static Server, &mut Worker) -> R) -> Option<R> {
    let server = SERVER.get()?;
    WORKER.with(|worker| worker.as_mut().map(|worker| f(server, worker)))
}

struct Kamscale;

impl Module for Kamscale {
    const NAME: &'static std::ffi::CStr = c"kamscale";

    fn init() -> Result<(), String> {
        guard::on_caught(note_panics);
        let (server, table) = Server::start(parameters::settings())?;
        let server = SERVER.get_or_init(|| server);
        let found = server.observed.look_for_desired(None);
        DESIRED.with(|seen| *seen = found);
        WORKER.with(|worker| *worker = Some(Worker::new(server, table)));
        let flag = u32::from(calls_are_tracked());
        let row = server.observed.server();
        row.calls_tracked.store(flag, Ordering::Relaxed);
        register_counters(server)?;
        server.observed.beat(now());
        watcher::prepare(server)?;
        run::around(worker::begin_run, worker::end_run).map_err(|e| e.to_string())?;
        timer::every_second(every_second).map_err(|e| e.to_string())
    }

    fn child_init(rank: Rank) -> Result<(), String> {
        let number = match rank {
            Rank::Init => return fits(process::count()),
            Rank::Main | Rank::AfterChildren => 0,
            Rank::Timer => -1,
            Rank::Rpc => -2,
            Rank::TcpMain => -4,
            Rank::Worker(number) | Rank::Other(number) => number,
        };
        with(|server, worker| worker.enter(server, number));
        if rank == Rank::Main {
            watcher::start()?;
        }
        Ok(())
    }

    fn destroy() {
        if let Some(server) = SERVER.get() {
            server.observed.close();
        }
    }
}

/// Whether every call is counted. If not, that is said, and an agent removes nothing.
fn calls_are_tracked() -> bool {
    let callbacks = dialog::Callbacks {
        failed,
        ended,
        answered,
    };
    if let Err(why) = dialog::bind(callbacks) {
        log::warning(format_args!(
            "{why}: calls per member are not counted, least_calls and p2c see none, and an agent \
             removes nothing (loadmodule \"dialog.so\")"
        ));
        return false;
    }
    // Dialogs from a database carry no word of ours: a member that has some would look empty.
    let restored = parameter::of_module(c"dialog", c"db_mode").unwrap_or(0) != 0;
    if restored {
        log::warning(format_args!(
            "modparam(\"dialog\", \"db_mode\", ...): calls that it restores are not counted, so \
             an agent removes nothing (db_mode 0)"
        ));
    }
    !restored
}

fn fits(processes: usize) -> Result<(), String> {
    if processes > MAX_PROCESSES {
        return Err(format!(
            "Kamailio has {processes} processes, kamscale counts for at most {MAX_PROCESSES}: \
             lower children or the number of listen addresses"
        ));
    }
    if let Some(server) = SERVER.get() {
        let count = u32::try_from(processes).unwrap_or(0);
        server
            .observed
            .server()
            .processes
            .store(count, Ordering::Relaxed);
    }
    Ok(())
}

/// The end of a dialog, in whichever process it is seen.
fn ended(word: &AtomicUsize) {
    if let Some(server) = SERVER.get() {
        calls::end(&server.observed, word);
    }
}

/// A call came to nothing.
fn failed(word: &AtomicUsize, status: u16) {
    if let Some(server) = SERVER.get() {
        calls::failed(&server.observed, word, status);
    }
}

/// A forked call is answered.
fn answered(word: &AtomicUsize, pool: usize, from: SocketAddr) {
    with(|server, worker| fork::answered(&server.observed, worker.table(), word, pool, from));
}

/// A caught panic is seen from outside, too (`kamscale.workers`, the agent).
fn note_panics(count: u64) {
    if let Some(row) = SERVER
        .get()
        .and_then(|s| s.observed.process(process::number()))
    {
        row.panics.store(count, Ordering::Relaxed);
    }
}

fn every_second() {
    let Some(server) = SERVER.get() else { return };
    server.observed.beat(now());
    with(sums::refresh);
    with(|server, worker| SLOW_START.with(|slow| slow.look(&server.observed, worker)));
    let found = DESIRED.with(|seen| {
        *seen = server.observed.look_for_desired(*seen);
        *seen
    });
    if found.is_none()
        && let Some(why) = server.observed.desired_problem()
    {
        report_file(&why);
    }
}

#[cold]
fn report_file(why: &ShmError) {
    static LIMIT: RateLimit = RateLimit::new(10);
    LIMIT.write(
        Level::Error,
        format_args!("the agent's file cannot be used: {why}; the pools stay as they are"),
    );
}

/// Counters that Kamailio's own statistics show, group `kamscale`.
fn register_counters(server: &Server) -> Result<(), String> {
    const GROUP: &str = "kamscale";
    for (index, name) in server.settings.features.iter().enumerate() {
        let doc = format!("requests of the feature {name}");
        counters::register(GROUP, &format!("requests-{name}"), &doc, requests, index)?;
        let doc = format!("requests of the feature {name} that ks_admit() let in");
        counters::register(GROUP, &format!("admitted-{name}"), &doc, admitted, index)?;
        let doc = format!("requests of the feature {name} that ks_admit() refused");
        counters::register(GROUP, &format!("refused-{name}"), &doc, refused, index)?;
    }
    let total = |name, doc, read| counters::register(GROUP, name, doc, read, 0);
    total("selected", "selections that found a member", |_| {
        pool_total(true)
    })?;
    total("refused", "selections that found none", |_| {
        pool_total(false)
    })?;
    total("tables-applied", "tables that processes put to use", |_| {
        tables(true)
    })?;
    total("tables-rejected", "tables that processes refused", |_| {
        tables(false)
    })?;
    total("nodes", "other nodes that are heard", |_| {
        of_nodes(nodes::heard)
    })?;
    total("share-sent", "messages to other nodes", |_| {
        of_nodes(|n| n.sent.load(Ordering::Relaxed))
    })?;
    total("share-received", "messages of other nodes", |_| {
        of_nodes(|n| n.received.load(Ordering::Relaxed))
    })?;
    total("share-refused", "messages that were none", |_| {
        of_nodes(|n| n.refused.load(Ordering::Relaxed))
    })?;
    total("share-lost", "messages without room", |_| {
        of_nodes(|n| n.lost.load(Ordering::Relaxed))
    })
}

fn of_nodes(read: fn(&Nodes) -> u64) -> i64 {
    let value = SERVER.get().map_or(0, |s| read(s.observed.nodes()));
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn requests(feature: usize) -> i64 {
    SERVER.get().map_or(0, |s| {
        i64::try_from(s.observed.requests(feature).0).unwrap_or(i64::MAX)
    })
}

fn admitted(feature: usize) -> i64 {
    SERVER.get().map_or(0, |s| {
        i64::try_from(s.observed.requests(feature).1).unwrap_or(i64::MAX)
    })
}

fn refused(feature: usize) -> i64 {
    SERVER.get().map_or(0, |s| {
        i64::try_from(s.observed.requests(feature).2).unwrap_or(i64::MAX)
    })
}

fn pool_total(selected: bool) -> i64 {
    let Some(server) = SERVER.get() else { return 0 };
    let rows = server.observed.processes().flat_map(|(_, row)| &row.pools);
    let of = |c: &kamscale_shm::layout::PoolCounts| {
        if selected { &c.selected } else { &c.refused }.load(Ordering::Relaxed)
    };
    i64::try_from(rows.map(of).sum::<u64>()).unwrap_or(i64::MAX)
}

fn tables(applied: bool) -> i64 {
    let Some(server) = SERVER.get() else { return 0 };
    let of = |(_, row): (usize, &kamscale_shm::layout::ProcessRow)| {
        if applied { &row.applied } else { &row.rejected }.load(Ordering::Relaxed)
    };
    i64::try_from(server.observed.processes().map(of).sum::<u64>()).unwrap_or(i64::MAX)
}

kamailio::module! {
    Kamscale;
    functions: [
        kamailio::script::function::<Count>(),
        kamailio::script::function::<Admit>(),
        kamailio::script::function::<SelectDst<1>>(),
        kamailio::script::function::<SelectDst<2>>(),
        kamailio::script::function::<SelectDst<3>>(),
        kamailio::script::function::<SelectDomain<1>>(),
        kamailio::script::function::<SelectDomain<2>>(),
        kamailio::script::function::<SelectDomain<3>>(),
        kamailio::script::function::<Next>(),
        kamailio::script::function::<NextDomain>(),
        kamailio::script::function::<MarkDst<0>>(),
        kamailio::script::function::<MarkDst<1>>(),
        kamailio::script::function::<MarkMember>(),
        kamailio::script::function::<IsFromPool<0>>(),
        kamailio::script::function::<IsFromPool<1>>(),
        kamailio::script::function::<IsFromPool<2>>(),
        kamailio::script::function::<IsFromPool<3>>(),
        kamailio::script::function::<PoolExists>(),
        kamailio::script::function::<IsActive<1>>(),
        kamailio::script::function::<IsActive<2>>(),
    ];
    kemi: [
        kamailio::kemi::function::<Count>(c"ks_count"),
        kamailio::kemi::function::<Admit>(c"ks_admit"),
        kamailio::kemi::function::<SelectDst<1>>(c"ks_select_dst"),
        kamailio::kemi::function::<SelectDst<2>>(c"ks_select_dst_alg"),
        kamailio::kemi::function::<SelectDst<3>>(c"ks_select_dst_key"),
        kamailio::kemi::function::<SelectDomain<1>>(c"ks_select_domain"),
        kamailio::kemi::function::<SelectDomain<2>>(c"ks_select_domain_alg"),
        kamailio::kemi::function::<SelectDomain<3>>(c"ks_select_domain_key"),
        kamailio::kemi::function::<Next>(c"ks_next_dst"),
        kamailio::kemi::function::<NextDomain>(c"ks_next_domain"),
        kamailio::kemi::function::<MarkDst<0>>(c"ks_mark_dst"),
        kamailio::kemi::function::<MarkDst<1>>(c"ks_mark_dst_state"),
        kamailio::kemi::function::<MarkMember>(c"ks_mark_member"),
        kamailio::kemi::function::<IsFromPool<0>>(c"ks_is_from_any_pool"),
        kamailio::kemi::function::<IsFromPool<1>>(c"ks_is_from_pool"),
        kamailio::kemi::function::<IsFromPool<2>>(c"ks_is_from_pool_fit"),
        kamailio::kemi::function::<IsFromPool<3>>(c"ks_is_from_pool_uri"),
        kamailio::kemi::function::<PoolExists>(c"ks_pool_exists"),
        kamailio::kemi::function::<IsActive<1>>(c"ks_is_active"),
        kamailio::kemi::function::<IsActive<2>>(c"ks_is_active_uri"),
    ];
    parameters: [
        kamailio::parameter::text(c"shm_dir", parameters::shm_dir),
        kamailio::parameter::text(c"instance", parameters::instance),
        kamailio::parameter::text(c"feature", parameters::feature),
        kamailio::parameter::text(c"pools_file", parameters::pools_file),
        kamailio::parameter::int(c"failover", &parameters::FAILOVER),
        kamailio::parameter::int(c"mark_down_s", &parameters::MARK_DOWN_S),
        kamailio::parameter::int(c"mark_down_failures", &parameters::MARK_DOWN_FAILURES),
        kamailio::parameter::int(c"mark_down_window_s", &parameters::MARK_DOWN_WINDOW_S),
        kamailio::parameter::int(c"probe_interval_s", &parameters::probing::INTERVAL_S),
        kamailio::parameter::int(c"probe_jitter", &parameters::probing::JITTER),
        kamailio::parameter::int(c"probe_timeout_s", &parameters::probing::TIMEOUT_S),
        kamailio::parameter::int(c"probe_failures", &parameters::probing::FAILURES),
        kamailio::parameter::int(c"probe_successes", &parameters::probing::SUCCESSES),
        kamailio::parameter::text(c"probe_method", parameters::probing::method),
        kamailio::parameter::text(c"probe_from", parameters::probing::from),
        kamailio::parameter::text(c"probe_codes", parameters::probing::codes),
        kamailio::parameter::text(c"probe_socket", parameters::probing::socket),
        kamailio::parameter::text(c"probe_proxy", parameters::probing::proxy),
        kamailio::parameter::text(c"event_callback", parameters::probing::event_callback),
        kamailio::parameter::text(c"emergency", parameters::emergency),
        kamailio::parameter::int(c"retry_after_s", &parameters::RETRY_AFTER_S),
        kamailio::parameter::int(c"panic_threshold", &parameters::PANIC_THRESHOLD),
        kamailio::parameter::int(c"share", &parameters::SHARE),
        kamailio::parameter::int(c"share_timeout_s", &parameters::SHARE_TIMEOUT_S),
    ];
    commands: [
        kamailio::rpc::command::<remote::Status>(),
        kamailio::rpc::command::<remote::Features>(),
        kamailio::rpc::command::<remote::Pools>(),
        kamailio::rpc::command::<remote::Members>(),
        kamailio::rpc::command::<remote::SetState>(),
        kamailio::rpc::command::<remote::Probe>(),
        kamailio::rpc::command::<remote::Workers>(),
        kamailio::rpc::command::<remote::Publications>(),
        kamailio::rpc::command::<remote::Explain>(),
        kamailio::rpc::command::<remote::Nodes>(),
    ];
    variables: [
        kamailio::pv::plain::<variables::Member>(),
        kamailio::pv::plain::<variables::Pool>(),
        kamailio::pv::with_inner::<variables::Attribute>(),
        kamailio::pv::plain::<variables::Generation>(),
        kamailio::pv::with_inner::<variables::Calls>(),
        kamailio::pv::with_inner::<variables::Capacity>(),
        kamailio::pv::with_inner::<variables::Active>(),
        kamailio::pv::with_inner::<variables::Requests>(),
        kamailio::pv::plain::<variables::RetryAfter>(),
        kamailio::pv::with_inner::<variables::EventPart>(),
    ];
}
