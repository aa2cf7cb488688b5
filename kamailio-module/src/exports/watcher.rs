//! The process that watches over the members: it sends the probes, runs the event routes, and shares
//! with other nodes. It is there only if members are probed, if the configuration handles an event of
//! ours, or if calls and keys are shared.

use std::sync::OnceLock;
use std::sync::atomic::Ordering;

use kamailio::event_route::EventRoute;
use kamailio::process::{self, Local};
use kamailio::uac::{self, Answer, Request};
use kamailio::{log, timer};
use kamscale_shm::clock;

use super::{SERVER, sharing, with};
use crate::health::events::{Event, Kind};
use crate::health::{self, Watch};
use crate::server::Server;

/// Between two looks at the members.
const PAUSE_US: u32 = 50_000;
/// Between two turns if this node shares: so long a new key stays untold.
const SHARING_PAUSE_US: u32 = 20_000;

/// The events that the configuration handles.
static ROUTES: OnceLock<Vec<(Kind, EventRoute)>> = OnceLock::new();
/// Of the process that watches.
static WATCH: Local<Option<Watch>> = Local::new(|| None);
/// When it looks at the members again.
static DUE_NS: Local<u64> = Local::new(|| 0);
/// The event whose route runs now, for `$ks_event()` and others.
static EVENT: Local<Option<Event>> = Local::new(|| None);

const EVENTS: [(Kind, &std::ffi::CStr); 4] = [
    (Kind::Up, c"kamscale:member-up"),
    (Kind::Down, c"kamscale:member-down"),
    (Kind::Draining, c"kamscale:member-draining"),
    (Kind::TableApplied, c"kamscale:table-applied"),
];

/// Before the fork: whether there is anything to watch for.
pub(super) fn prepare(server: &'static Server) -> Result<(), String> {
    let callback = super::parameters::probing::callback();
    let routes: Vec<_> = EVENTS
        .into_iter()
        .filter_map(|(kind, name)| Some((kind, EventRoute::find(name, callback)?)))
        .collect();
    sharing::prepare(server)?;
    let is_watching = !routes.is_empty() || server.settings.probing.is_some();
    if !is_watching && !server.settings.share {
        return Ok(());
    }
    let routes = ROUTES.get_or_init(|| routes);
    if server.settings.probing.is_some() {
        uac::bind(answered).map_err(|e| format!("modparam \"probe_interval_s\": {e}"))?;
    }
    with(|server, worker| {
        if !is_watching {
            return;
        }
        let mut watch = Watch::new(clock::monotonic_ns() ^ u64::from(process::pid()));
        watch.begin(server, worker.table(), clock::monotonic_ns());
        WATCH.with(|w| *w = Some(watch));
    });
    log::debug(format_args!("{} kinds of events are handled", routes.len()));
    timer::reserve_process().map_err(|e| e.to_string())
}

/// In the main process, which may fork now.
pub(super) fn start() -> Result<(), String> {
    match ROUTES.get() {
        None => Ok(()),
        Some(_) => timer::own_process(c"kamscale watcher", pause_us(), turn)
            .map_err(|e| format!("starting the process that watches over members: {e}")),
    }
}

fn pause_us() -> u32 {
    let shares = SERVER.get().is_some_and(|server| server.settings.share);
    if shares { SHARING_PAUSE_US } else { PAUSE_US }
}

fn answered(word: usize, answer: &mut dyn Answer) {
    if let Some(server) = SERVER.get() {
        health::answered(server, word, answer);
    }
}

/// One turn. Nothing of this process is held while something is sent or a route runs, as a script
/// may come back to it.
fn turn() {
    sharing::turn();
    let now_ns = clock::monotonic_ns();
    if DUE_NS.with(|due| now_ns < *due) {
        return;
    }
    // A turn of no other use comes at the pace of the process.
    let pause_ns = u64::from(PAUSE_US - pause_us()) * 1000;
    DUE_NS.with(|due| *due = now_ns + pause_ns);
    let turn = with(|server, worker| {
        worker.refresh(server);
        let row = worker.row(server);
        let applied = row.map_or(0, |row| row.applied.load(Ordering::Relaxed));
        WATCH.with(|watch| {
            let watch = watch.as_mut()?;
            Some(watch.turn(server, worker.table(), applied, now_ns))
        })
    });
    let Some((turn, server)) = turn.flatten().zip(SERVER.get()) else {
        return;
    };
    for probe in &turn.probes {
        send(server, probe);
    }
    for event in turn.events {
        tell(event);
    }
}

fn send(server: &Server, probe: &health::Probe) {
    let request = Request {
        method: probe.probing.method.as_bytes(),
        uri: &probe.uri,
        from: &probe.from,
        proxy: &probe.proxy,
        socket: &probe.socket,
    };
    health::sending(server, probe.token, clock::monotonic_ns());
    if request.send(probe.token.to_word()).is_err() {
        health::not_sent(server, probe.token);
    }
}

/// Writes what happened to a member into the log, and runs the route for it.
fn tell(event: Event) {
    if event.kind != Kind::TableApplied {
        log::notice(format_args!(
            "{} of {}/{} (was {}, says the {}; last answer {})",
            event.kind.name(),
            event.pool,
            event.member,
            event.before,
            event.reason,
            event.code,
        ));
    }
    let routes = ROUTES.get().map_or(&[][..], Vec::as_slice);
    let Some((_, route)) = routes.iter().find(|(kind, _)| *kind == event.kind) else {
        return;
    };
    let uri = event.uri.clone();
    EVENT.with(|now| *now = Some(event));
    route.run(uri.as_bytes());
    EVENT.with(|now| *now = None);
}

/// Runs `f` on the event whose route runs now.
pub(super) fn event<R>(f: impl FnOnce(&Event) -> R) -> Option<R> {
    EVENT.with(|now| now.as_ref().map(f))
}
