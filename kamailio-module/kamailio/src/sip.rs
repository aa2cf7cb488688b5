//! The real [`Message`]: a `struct sip_msg` of the core, for the time of one call.
#![allow(
    unsafe_code,
    reason = "reads and changes the core's message through its own functions"
)]

use std::ffi::{CStr, c_int};
use std::marker::PhantomData;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::AtomicUsize;

use kamailio_sys as sys;

use crate::dialog;
use crate::ffi::{bytes, constant, lend};
use crate::message::{HostError, MEMORY_LEN, Message, Method, Route};
use crate::socket::Socket;

/// Longest host and port that [`Message::set_domain`] takes.
const DOMAIN_LEN: usize = 255;

/// A branch without a preference: all are tried at once (`Q_UNSPECIFIED`).
const UNSPECIFIED_Q: c_int = -1;

/// The message of a route, lent by the server for one call.
#[derive(Debug)]
pub struct SipMessage<'a> {
    msg: *mut sys::sip_msg,
    lent: PhantomData<&'a mut sys::sip_msg>,
}

impl SipMessage<'_> {
    /// # Safety
    /// `msg` must be the message that the core passed to the entry that runs now, and nothing else
    /// may use it for the lifetime of the result.
    #[inline]
    pub(crate) unsafe fn new(msg: *mut sys::sip_msg) -> Self {
        Self {
            msg,
            lent: PhantomData,
        }
    }

    pub(crate) fn as_ptr(&mut self) -> *mut sys::sip_msg {
        self.msg
    }

    #[inline]
    fn raw(&self) -> &sys::sip_msg {
        // SAFETY: valid and ours alone by the contract of `new`; the core changes it only in calls
        // that take &mut self.
        unsafe { &*self.msg }
    }

    /// The status of a reply; 0 of a request.
    pub(crate) fn status(&self) -> u16 {
        let line = &self.raw().first_line;
        if u32::from(line.type_.unsigned_abs()) == sys::SIP_REQUEST {
            return 0;
        }
        // SAFETY: the union holds a reply, the type says so.
        u16::try_from(unsafe { line.u.reply }.statuscode).unwrap_or(0)
    }

    /// Parses the message up to one header, as every module does before it reads one.
    fn parse(&self, header: sys::hdr_types_t) {
        // SAFETY: the message is valid. Parsing only adds to what is known of it: nobody holds a
        // reference into it now.
        unsafe { sys::parse_headers(self.msg, 1 << header, 0) };
    }
}

impl Message for SipMessage<'_> {
    fn id(&self) -> u32 {
        self.raw().id
    }

    #[inline]
    fn method(&self) -> Method {
        let line = &self.raw().first_line;
        if u32::from(line.type_.unsigned_abs()) == sys::SIP_REQUEST {
            // SAFETY: the union holds a request, the type says so.
            return method(unsafe { line.u.request }.method_value.unsigned_abs());
        }
        if self.raw().cseq.is_null() {
            self.parse(sys::HDR_CSEQ_T);
        }
        // SAFETY: null or a header that lives as long as the message.
        let Some(header) = (unsafe { self.raw().cseq.as_ref() }) else {
            return Method::Other;
        };
        // SAFETY: the core parses the body of a CSeq together with its header; null if it could
        // not.
        let body = unsafe { header.parsed.cast::<sys::cseq_body>().as_ref() };
        body.map_or(Method::Other, |body| method(body.method_id))
    }

    fn request_uri(&self) -> Option<&[u8]> {
        let line = &self.raw().first_line;
        if u32::from(line.type_.unsigned_abs()) != sys::SIP_REQUEST {
            return None;
        }
        let uri = match self.raw().new_uri {
            changed if !changed.s.is_null() && changed.len > 0 => changed,
            // SAFETY: the union holds a request, the type says so.
            _ => unsafe { line.u.request }.uri,
        };
        // SAFETY: in the message's buffer or the core's own copy, both replaced only by calls that
        // take &mut self.
        Some(unsafe { bytes(uri) })
    }

    fn has_to_tag(&mut self) -> bool {
        if self.raw().to.is_null() {
            self.parse(sys::HDR_TO_T);
        }
        // SAFETY: null or a header that lives as long as the message.
        let Some(header) = (unsafe { self.raw().to.as_ref() }) else {
            return false;
        };
        // SAFETY: the core parses the body of a To together with its header; null if it could not.
        let body = unsafe { header.parsed.cast::<sys::to_body>().as_ref() };
        body.is_some_and(|body| body.tag_value.len > 0)
    }

    #[inline]
    fn call_id(&mut self) -> Option<&[u8]> {
        if self.raw().callid.is_null() {
            self.parse(sys::HDR_CALLID_T);
        }
        // SAFETY: null or a header that lives as long as the message.
        let header = unsafe { self.raw().callid.as_ref() }?;
        // SAFETY: points into the message's buffer, which is not changed while `self` is borrowed.
        Some(unsafe { bytes(header.body) })
    }

    fn source(&self) -> SocketAddr {
        let received = &self.raw().rcv;
        let ip = if received.src_ip.len == 16 {
            // SAFETY: all members of the union are plain bytes, and 16 of them are an IPv6 address.
            IpAddr::V6(Ipv6Addr::from(unsafe { received.src_ip.u.addr }))
        } else {
            // SAFETY: all members of the union are plain bytes, and the first 4 are an IPv4
            // address.
            let [a, b, c, d, ..] = unsafe { received.src_ip.u.addr };
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        };
        SocketAddr::new(ip, received.src_port)
    }

    fn transport(&self) -> &'static str {
        match u32::try_from(self.raw().rcv.proto).unwrap_or(0) {
            sys::PROTO_TCP => "tcp",
            sys::PROTO_TLS => "tls",
            sys::PROTO_SCTP => "sctp",
            sys::PROTO_WS => "ws",
            sys::PROTO_WSS => "wss",
            _ => "udp",
        }
    }

    fn received_by(&self) -> Option<Socket> {
        let socket = self.raw().rcv.bind_address;
        (!socket.is_null()).then(|| Socket(socket.expose_provenance()))
    }

    fn route(&self) -> Route {
        // SAFETY: a plain int of this process, set by the core before it runs a route.
        route(unsafe { sys::route_type })
    }

    fn destination(&self) -> Option<&[u8]> {
        let uri = self.raw().dst_uri;
        if uri.s.is_null() || uri.len <= 0 {
            return None;
        }
        // SAFETY: the core's own copy, replaced only by calls that take &mut self.
        Some(unsafe { bytes(uri) })
    }

    #[inline]
    fn set_destination(&mut self, uri: &[u8]) -> Result<(), HostError> {
        let uri = lend(uri);
        // SAFETY: the core copies the text into its own memory.
        if unsafe { sys::set_dst_uri(self.msg, &raw const uri) } < 0 {
            return Err(HostError("no private memory for the destination"));
        }
        // Always, as the dispatcher module does: without it t_relay() in a failure_route finds no
        // branch. SAFETY: sets an int of this process.
        unsafe { sys::shim_ruri_mark_new() };
        Ok(())
    }

    fn set_domain(&mut self, host_port: &[u8]) -> Result<(), HostError> {
        if host_port.is_empty() || host_port.len() > DOMAIN_LEN || host_port.contains(&0) {
            return Err(HostError("no host, too long, or with a NUL"));
        }
        let mut text = [0u8; DOMAIN_LEN + 1];
        text[..host_port.len()].copy_from_slice(host_port);
        // SAFETY: an action is plain C data, and all zeros is the empty one (dispatcher makes it
        // so).
        let mut action: sys::action = unsafe { std::mem::zeroed() };
        action.type_ = sys::SET_HOSTALL_T;
        action.val[0].type_ = sys::STRING_ST;
        action.val[0].u.string = text.as_mut_ptr().cast();
        // SAFETY: plain C data; init_run_actions_ctx() zeroes three members of it.
        let mut context: sys::run_act_ctx = unsafe { std::mem::zeroed() };
        // SAFETY: all three live during the call, and the core copies the text into a new R-URI.
        let done = unsafe { sys::do_action(&raw mut context, &raw mut action, self.msg) };
        if done < 0 {
            Err(HostError("the R-URI does not take this host"))
        } else {
            Ok(())
        }
    }

    fn branch_room(&self) -> usize {
        // SAFETY: a plain int, set when the core read its configuration.
        let most = unsafe { sys::sr_dst_max_branches };
        // SAFETY: a plain int of this process, changed only by the core between our calls.
        let are = unsafe { sys::nr_branches };
        // The main one counts, too.
        usize::try_from(most.saturating_sub(are + 1)).unwrap_or(0)
    }

    fn add_branch(&mut self, uri: &[u8], socket: Option<Socket>) -> Result<(), HostError> {
        let mut uri = lend(uri);
        let socket = socket.map_or(std::ptr::null_mut(), |socket| {
            std::ptr::with_exposed_provenance_mut(socket.0)
        });
        let none = std::ptr::null_mut();
        // SAFETY: the core copies the text; without a URI of its own the branch gets the request's.
        let added = unsafe {
            sys::append_branch(
                self.msg,
                none,
                &raw mut uri,
                none,
                UNSPECIFIED_Q,
                0,
                socket,
                none,
                0,
                none,
                none,
            )
        };
        if added < 0 {
            Err(HostError("the server takes no further branch"))
        } else {
            Ok(())
        }
    }

    fn on_answer(&mut self, note: usize) -> Option<()> {
        dialog::on_answer(self, note)
    }

    fn reset_destination(&mut self) {
        // SAFETY: frees the core's own copy, to which nobody holds a reference now.
        unsafe { sys::reset_dst_uri(self.msg) };
    }

    fn set_socket(&mut self, socket: Option<Socket>) {
        // tm's own choice in a failure_route would be the socket of the first branch.
        let socket = socket.map_or(self.raw().rcv.bind_address, |socket| {
            std::ptr::with_exposed_provenance_mut(socket.0)
        });
        // SAFETY: null, or a socket of the core; those live as long as it.
        unsafe { sys::shim_set_force_socket(self.msg, socket) };
    }

    #[inline]
    fn recall(&mut self, name: &'static CStr) -> Option<[u8; MEMORY_LEN]> {
        let memory = memory(name)?;
        // SAFETY: `memory` gives the address of MEMORY_LEN bytes; bytes need no alignment.
        Some(unsafe { memory.read() })
    }

    #[inline]
    fn remember(&mut self, name: &'static CStr, bytes: &[u8; MEMORY_LEN]) -> Result<(), HostError> {
        match memory(name) {
            Some(memory) => {
                // SAFETY: MEMORY_LEN bytes of an xavp that only this process uses now: tm runs one
                // route of a transaction at a time.
                unsafe { memory.write(*bytes) };
                Ok(())
            }
            None => allocate(name, bytes),
        }
    }

    fn with_pass<R>(
        &mut self,
        mine: impl Fn(usize) -> bool,
        f: impl FnOnce(&AtomicUsize) -> R,
    ) -> Option<R> {
        dialog::with_word(self, mine, f)
    }

    fn with_known_call<R>(&mut self, f: impl FnOnce(&AtomicUsize) -> R) -> Option<R> {
        dialog::with_known_word(self, f)
    }
}

/// The bytes of our xavp in the current list (tm puts the transaction's list there); `None` also if
/// the script replaced the value by something else. Walks the list itself: xavp_get() computes a
/// hash of the name first, which costs as much as all the rest.
#[inline]
fn memory(name: &'static CStr) -> Option<*mut [u8; MEMORY_LEN]> {
    // SAFETY: returns the address of the list's head, which the core or tm has set for this
    // message; never null.
    let head = unsafe { sys::xavp_get_crt_list() };
    // SAFETY: see above.
    let mut entry = unsafe { *head };
    // SAFETY: null or an entry of the list; nobody else changes the list while the route runs.
    while let Some(found) = unsafe { entry.as_ref() } {
        // SAFETY: the name is in the block of the entry itself.
        if unsafe { bytes(found.name) } == name.to_bytes() {
            return text(found);
        }
        entry = found.next;
    }
    None
}

#[inline]
fn text(found: &sys::sr_xavp_t) -> Option<*mut [u8; MEMORY_LEN]> {
    if found.val.type_ != sys::SR_XTYPE_STR {
        return None;
    }
    // SAFETY: the type says that the union holds a str.
    let text = unsafe { found.val.v.s };
    (usize::try_from(text.len) == Ok(MEMORY_LEN)).then(|| text.s.cast())
}

/// xavp_new_value() copies name and text into the block of the entry itself, so overwriting the
/// text allocates nothing.
#[cold]
fn allocate(name: &'static CStr, bytes: &[u8; MEMORY_LEN]) -> Result<(), HostError> {
    let mut name = constant(name);
    // SAFETY: plain C data, for which all zeros is a valid value; both members that count are set
    // below.
    let mut value: sys::sr_xval_t = unsafe { std::mem::zeroed() };
    value.type_ = sys::SR_XTYPE_STR;
    value.v.s = lend(bytes);
    // SAFETY: copies name and value into one block of shared memory and puts it in front of the
    // current list.
    let added = unsafe { sys::xavp_add_value(&raw mut name, &raw mut value, std::ptr::null_mut()) };
    if added.is_null() {
        Err(HostError("no shared memory for the transaction"))
    } else {
        Ok(())
    }
}

#[inline]
fn method(number: sys::request_method) -> Method {
    match number {
        sys::METHOD_INVITE => Method::Invite,
        sys::METHOD_CANCEL => Method::Cancel,
        sys::METHOD_ACK => Method::Ack,
        sys::METHOD_BYE => Method::Bye,
        sys::METHOD_INFO => Method::Info,
        sys::METHOD_OPTIONS => Method::Options,
        sys::METHOD_UPDATE => Method::Update,
        sys::METHOD_REGISTER => Method::Register,
        sys::METHOD_MESSAGE => Method::Message,
        sys::METHOD_SUBSCRIBE => Method::Subscribe,
        sys::METHOD_NOTIFY => Method::Notify,
        sys::METHOD_PRACK => Method::Prack,
        sys::METHOD_REFER => Method::Refer,
        sys::METHOD_PUBLISH => Method::Publish,
        _ => Method::Other,
    }
}

fn route(number: c_int) -> Route {
    match number.unsigned_abs() {
        sys::REQUEST_ROUTE => Route::Request,
        sys::FAILURE_ROUTE => Route::Failure,
        sys::BRANCH_ROUTE => Route::Branch,
        sys::TM_ONREPLY_ROUTE | sys::CORE_ONREPLY_ROUTE | sys::ONREPLY_ROUTE => Route::Onreply,
        _ => Route::Other,
    }
}
