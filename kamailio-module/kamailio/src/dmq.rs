//! Messages between servers, through the dmq module (`modules/dmq/bind_dmq.h`): one channel, on
//! which every server that dmq knows hears what another one says. Nothing here keeps or repeats a
//! message: tm sends it again until it is answered, and gives up; it may come late, twice, or not.
#![allow(
    unsafe_code,
    reason = "binds the dmq module and reads its callback's parameters"
)]

use std::ffi::{CStr, c_char, c_int};
use std::mem::MaybeUninit;
use std::ptr::null_mut;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, Ordering};

use kamailio_sys as sys;

use crate::ffi::{bytes, constant, lend};
use crate::guard::guard;

/// The dmq module is not loaded, or after this one, or is bound already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Absent;

impl std::fmt::Display for Absent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the dmq module is not loaded before this one (loadmodule \"dmq.so\")")
    }
}

impl std::error::Error for Absent {}

/// dmq did not send a message to everybody: no memory, or an address that tm does not take. It logs
/// which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotSent;

impl std::fmt::Display for NotSent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("dmq does not send it")
    }
}

impl std::error::Error for NotSent {}

/// A message of another server.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    /// Who says to have sent it: the URI of its From, e.g. `sip:channel@192.0.2.1:5060`. Nobody has
    /// checked it; empty if there is none.
    pub from: &'a [u8],
    /// What it says.
    pub body: &'a [u8],
}

type Export = unsafe extern "C" fn(*mut sys::sip_msg, *mut c_char, *mut c_char) -> c_int;
type Load = unsafe extern "C" fn(*mut sys::dmq_api_t) -> c_int;

struct Bound {
    broadcast: unsafe extern "C" fn(
        *mut sys::dmq_peer_t,
        *mut sys::str_,
        *mut sys::dmq_node_t,
        *mut sys::dmq_resp_cback_t,
        c_int,
        *mut sys::str_,
    ) -> c_int,
    /// dmq's own record of the channel.
    channel: AtomicPtr<sys::dmq_peer_t>,
    received: fn(&Received<'_>),
}

static BOUND: OnceLock<Bound> = OnceLock::new();

/// Opens the channel of this name; call it once, in `Module::init`. `received` gets every message of
/// another server, in a process of dmq's own; several of these may run at once, and they do not
/// keep the order in which messages were sent.
pub fn bind(channel: &'static CStr, received: fn(&Received<'_>)) -> Result<(), Absent> {
    // SAFETY: reads the name and looks through the loaded modules.
    let load = unsafe { sys::find_export(c"bind_dmq".as_ptr().cast_mut(), 0, 0) };
    // SAFETY: the real type of bind_dmq (modules/dmq/bind_dmq.h); all exports share one.
    let load = unsafe { std::mem::transmute::<Export, Load>(load.ok_or(Absent)?) };
    let mut api = MaybeUninit::<sys::dmq_api_t>::zeroed();
    // SAFETY: fills the table.
    if unsafe { load(api.as_mut_ptr()) } < 0 {
        return Err(Absent);
    }
    // SAFETY: zeroed before, and a table of optional functions: every content is valid.
    let api = unsafe { api.assume_init() };
    let mut peer = sys::dmq_peer_t {
        peer_id: constant(channel),
        description: constant(channel),
        callback: Some(on_message),
        init_callback: None,
        next: null_mut(),
    };
    let register = api.register_dmq_peer.ok_or(Absent)?;
    // SAFETY: dmq copies the record. Null before dmq is initialized: it comes after us then.
    let channel = unsafe { register(&raw mut peer) };
    if channel.is_null() {
        return Err(Absent);
    }
    let bound = Bound {
        broadcast: api.bcast_message.ok_or(Absent)?,
        channel: AtomicPtr::new(channel),
        received,
    };
    BOUND.set(bound).map_err(|_| Absent)
}

/// Sends `body` to every server that dmq takes for active, never to this one. It must fit into a
/// datagram with its SIP headers. dmq holds the lock of its list of servers meanwhile: not for the
/// way of a request. From `Module::child_init` on.
///
/// # Errors
/// dmq failed at one of them; it did not try those that come after.
pub fn broadcast(body: &[u8]) -> Result<(), NotSent> {
    let bound = BOUND.get().ok_or(NotSent)?;
    let (mut body, mut kind) = (lend(body), constant(c"text/plain"));
    // dmq copies it; nobody is told whether a message arrived.
    let mut answered = sys::dmq_resp_cback_t {
        f: None,
        param: null_mut(),
    };
    // Relaxed: written before the fork.
    let channel = bound.channel.load(Ordering::Relaxed);
    // SAFETY: the channel is dmq's own and lives as long as the server; tm copies the rest.
    let done = unsafe {
        (bound.broadcast)(
            channel,
            &raw mut body,
            null_mut(),
            &raw mut answered,
            1,
            &raw mut kind,
        )
    };
    if done < 0 { Err(NotSent) } else { Ok(()) }
}

unsafe extern "C" fn on_message(
    msg: *mut sys::sip_msg,
    answer: *mut sys::peer_reponse_t,
    _: *mut sys::dmq_node_t,
) -> c_int {
    // Whatever becomes of it: without an answer tm would send it again for half a minute.
    // SAFETY: dmq's own structure, valid during the callback.
    if let Some(answer) = unsafe { answer.as_mut() } {
        answer.resp_code = 200;
        answer.reason = constant(c"OK");
    }
    guard(c"dmq callback", (), || {
        let Some(bound) = BOUND.get() else { return };
        let received = Received {
            // SAFETY: dmq's copy of the message, valid during the callback.
            from: unsafe { from(msg) },
            // SAFETY: as above.
            body: unsafe { body(msg) },
        };
        (bound.received)(&received);
    });
    0
}

/// The URI of the From, which dmq has parsed.
///
/// # Safety
/// `msg` must be a message that does not change for `'a`.
unsafe fn from<'a>(msg: *const sys::sip_msg) -> &'a [u8] {
    // SAFETY: the caller vouches for the message.
    let header = unsafe { (*msg).from };
    // SAFETY: null or a header that lives as long as the message.
    let Some(header) = (unsafe { header.as_ref() }) else {
        return &[];
    };
    // SAFETY: null, or what parse_from_header() made of this header.
    let parsed = unsafe { header.parsed.cast::<sys::to_body>().as_ref() };
    // SAFETY: points into the message's buffer.
    parsed.map_or(&[], |parsed| unsafe { bytes(parsed.uri) })
}

/// From the end of the headers to the end of the message.
///
/// # Safety
/// `msg` must be a message that does not change for `'a`.
unsafe fn body<'a>(msg: *mut sys::sip_msg) -> &'a [u8] {
    // SAFETY: the caller vouches for the message; dmq has parsed all headers.
    let start = unsafe { sys::get_body(msg) };
    // SAFETY: as above.
    let Some(message) = (unsafe { msg.as_ref() }).filter(|_| !start.is_null()) else {
        return &[];
    };
    let before = start.addr().checked_sub(message.buf.addr());
    let rest = usize::try_from(message.len).ok().zip(before);
    let Some(rest) = rest.and_then(|(len, before)| len.checked_sub(before)) else {
        return &[];
    };
    // SAFETY: `start` is within the buffer, whose end is `rest` bytes on.
    unsafe { std::slice::from_raw_parts(start.cast::<u8>(), rest) }
}
