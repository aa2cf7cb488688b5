//! Sends requests through tm (`modules/tm/uac.h`) and hands their answers back.
#![allow(
    unsafe_code,
    reason = "binds the tm module and reads its callback's parameters"
)]

use std::borrow::Cow;
use std::ffi::{c_char, c_int};
use std::mem::MaybeUninit;
use std::ptr::null_mut;
use std::sync::OnceLock;

use kamailio_sys as sys;

use super::Answer;
use crate::ffi::{bytes, lend};
use crate::guard::guard;
use crate::socket;

/// The tm module is not loaded, or after this one, or is bound already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Absent;

impl std::fmt::Display for Absent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the tm module is not loaded before this one (loadmodule \"tm.so\")")
    }
}

impl std::error::Error for Absent {}

/// tm did not send a request: a URI that it does not take, no socket, no memory. It logs which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotSent;

impl std::fmt::Display for NotSent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("tm does not send it")
    }
}

impl std::error::Error for NotSent {}

type Export = unsafe extern "C" fn(*mut sys::sip_msg, *mut c_char, *mut c_char) -> c_int;
type Load = unsafe extern "C" fn(*mut sys::tm_binds) -> c_int;
type Send = unsafe extern "C" fn(
    *mut sys::uac_req,
    *mut sys::str_,
    *mut sys::str_,
    *mut sys::str_,
    *mut sys::str_,
) -> c_int;

struct Bound {
    send: Send,
    answered: fn(usize, &mut dyn Answer),
}

static BOUND: OnceLock<Bound> = OnceLock::new();

/// Binds the tm module; call it once, in `Module::init`. `answered` gets the token of each request
/// and its final answer, once, in any process: that which received the reply, or a timer.
pub fn bind(answered: fn(usize, &mut dyn Answer)) -> Result<(), Absent> {
    // SAFETY: reads the name and looks through the loaded modules; -1: no function for scripts.
    let load = unsafe { sys::find_export(c"load_tm".as_ptr().cast_mut(), -1, 0) };
    // SAFETY: the real type of load_tm (modules/tm/tm_load.h); all exports share one.
    let load = unsafe { std::mem::transmute::<Export, Load>(load.ok_or(Absent)?) };
    let mut binds = MaybeUninit::<sys::tm_binds>::zeroed();
    // SAFETY: fills the table.
    if unsafe { load(binds.as_mut_ptr()) } < 0 {
        return Err(Absent);
    }
    // SAFETY: zeroed before, and a table of optional functions: every content is valid.
    let send = unsafe { binds.assume_init() }.t_request.ok_or(Absent)?;
    BOUND.set(Bound { send, answered }).map_err(|_| Absent)
}

/// A request outside a dialog.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Its method.
    pub method: &'a [u8],
    /// The R-URI, the To, and where it goes.
    pub uri: &'a [u8],
    /// The From: a URI.
    pub from: &'a [u8],
    /// URI of the proxy that gets it instead; empty: none.
    pub proxy: &'a [u8],
    /// Name or form of the local socket that it leaves by ([`crate::socket::find`]); empty: the server
    /// chooses.
    pub socket: &'a [u8],
}

impl Request<'_> {
    /// Sends it; tm copies what it needs. `token` comes back with the answer. An event route
    /// `tm:local-request` runs within this call.
    ///
    /// # Errors
    /// tm refuses; then no answer will come.
    pub fn send(&self, token: usize) -> Result<(), NotSent> {
        let bound = BOUND.get().ok_or(NotSent)?;
        let mut method = lend(self.method);
        let (mut uri, mut to, mut from) = (lend(self.uri), lend(self.uri), lend(self.from));
        // SAFETY: plain C data; set_uac_req() zeroes it, too.
        let mut request: sys::uac_req = unsafe { std::mem::zeroed() };
        request.method = &raw mut method;
        // SAFETY: sets a field of the structure made above.
        unsafe {
            sys::shim_uac_set_cb_flags(&raw mut request, sys::TMCB_LOCAL_COMPLETED as c_int);
        };
        request.cb = Some(on_answer);
        let mut room = Room::of(self.socket)?;
        let mut socket = room.text();
        if !self.socket.is_empty() {
            // SAFETY: only reads the name, and a list that is complete since the start.
            let named = unsafe { sys::ksr_get_socket_by_name(&raw mut socket) };
            if named.is_null() {
                request.ssock = &raw mut socket;
            } else {
                request.ssockname = &raw mut socket;
            }
        }
        let mut proxy = lend(self.proxy);
        let next_hop = if self.proxy.is_empty() {
            null_mut()
        } else {
            &raw mut proxy
        };
        // A number, no pointer: tm keeps it and neither follows nor frees it.
        request.cbp = std::ptr::without_provenance_mut(token);
        // SAFETY: all of it lives during the call, and tm copies what it keeps.
        let sent = unsafe {
            (bound.send)(
                &raw mut request,
                &raw mut uri,
                &raw mut to,
                &raw mut from,
                next_hop,
            )
        };
        if sent < 0 { Err(NotSent) } else { Ok(()) }
    }
}

/// The text of a socket with room behind it, as tm ends it by a NUL of its own while it reads it.
struct Room([u8; socket::MAX_LEN + 1], usize);

impl Room {
    fn of(text: &[u8]) -> Result<Self, NotSent> {
        let mut room = [0; socket::MAX_LEN + 1];
        let place = room[..socket::MAX_LEN].get_mut(..text.len());
        place.ok_or(NotSent)?.copy_from_slice(text);
        Ok(Self(room, text.len()))
    }

    fn text(&mut self) -> sys::str_ {
        let mut text = lend(&self.0[..self.1]);
        text.s = self.0.as_mut_ptr().cast();
        text
    }
}

unsafe extern "C" fn on_answer(_: *mut sys::cell, _: c_int, params: *mut sys::tmcb_params) {
    guard(c"tm callback", (), || {
        let Some(bound) = BOUND.get() else { return };
        // SAFETY: null or tm's parameters, valid during the callback.
        let Some(params) = (unsafe { params.as_ref() }) else {
            return;
        };
        // SAFETY: null or the address of the `cbp` of `send`.
        let Some(token) = (unsafe { params.param.as_ref() }) else {
            return;
        };
        // FAKED_REPLY (core/parser/msg_parser.h) is the address -1: no message.
        let is_reply = !params.rpl.is_null() && params.rpl.addr() != usize::MAX;
        let mut answer = Received {
            code: u16::try_from(params.code).unwrap_or(0),
            reply: is_reply.then_some(params.rpl),
            parsed: false,
        };
        (bound.answered)((*token).addr(), &mut answer);
    });
}

/// What tm hands over during a callback.
struct Received {
    code: u16,
    reply: Option<*mut sys::sip_msg>,
    parsed: bool,
}

impl Answer for Received {
    fn code(&self) -> u16 {
        self.code
    }

    fn is_reply(&self) -> bool {
        self.reply.is_some()
    }

    fn header(&mut self, name: &str) -> Option<Cow<'_, str>> {
        let reply = self.reply?;
        if !self.parsed {
            // tm has parsed only as far as it needed.
            let all: sys::hdr_flags_t = 1 << sys::HDR_EOH_T;
            // SAFETY: tm's message, valid during the callback; parsing only adds to what is known.
            if unsafe { sys::parse_headers(reply, all, 0) } < 0 {
                return None;
            }
            self.parsed = true;
        }
        // get_hdr_by_name() of the core minds the case of the first letter.
        // SAFETY: tm's message, as above.
        let mut next = unsafe { (*reply).headers };
        // SAFETY: null or a header that lives as long as the message.
        while let Some(header) = unsafe { next.as_ref::<'static>() } {
            // SAFETY: points into the message's buffer, which does not change during the callback.
            if unsafe { bytes(header.name) }.eq_ignore_ascii_case(name.as_bytes()) {
                // SAFETY: as above; the result borrows `self`, which does not outlive the callback.
                return Some(String::from_utf8_lossy(unsafe { bytes(header.body) }));
            }
            next = header.next;
        }
        None
    }
}
