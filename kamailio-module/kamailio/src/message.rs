//! What a module's logic may ask and change about the request at hand, without knowing the server.
//!
//! `SipMessage` is the real one (feature `host`), [`crate::double::Message`] the one for tests.

use std::ffi::CStr;
use std::net::SocketAddr;
use std::sync::atomic::AtomicUsize;

use crate::socket::Socket;

/// Bytes that one name can hold in the memory of a transaction.
pub const MEMORY_LEN: usize = 64;

/// The method of a request, or of the request that a reply answers (`core/parser/msg_parser.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// INVITE
    Invite,
    /// CANCEL
    Cancel,
    /// ACK
    Ack,
    /// BYE
    Bye,
    /// INFO
    Info,
    /// OPTIONS
    Options,
    /// UPDATE
    Update,
    /// REGISTER
    Register,
    /// MESSAGE
    Message,
    /// SUBSCRIBE
    Subscribe,
    /// NOTIFY
    Notify,
    /// PRACK
    Prack,
    /// REFER
    Refer,
    /// PUBLISH
    Publish,
    /// Any other, or none.
    Other,
}

/// The kind of route that is running (`core/route.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// `request_route`
    Request,
    /// `failure_route`
    Failure,
    /// `branch_route`
    Branch,
    /// `onreply_route`, of a transaction or of the core
    Onreply,
    /// Every other kind, event routes among them.
    Other,
}

/// What the server refused, in words for a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostError(pub &'static str);

impl std::fmt::Display for HostError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for HostError {}

/// The message that a route works on.
pub trait Message {
    /// Number of the message in this process; a retransmission gets a new one.
    fn id(&self) -> u32;
    /// The method; for a reply that of its CSeq.
    fn method(&self) -> Method;
    /// The R-URI as it is now; `None` for a reply.
    fn request_uri(&self) -> Option<&[u8]>;
    /// Whether the request belongs to a dialog.
    fn has_to_tag(&mut self) -> bool;
    /// The Call-ID, `None` in a message without one.
    fn call_id(&mut self) -> Option<&[u8]>;
    /// Where the message came from: the address on the wire, not what a header says.
    fn source(&self) -> SocketAddr;
    /// The transport that it came by: `udp`, `tcp`, `tls`, `sctp`, `ws` or `wss`.
    fn transport(&self) -> &'static str;
    /// The local socket that it came in by.
    fn received_by(&self) -> Option<Socket>;
    /// The kind of route that is running.
    fn route(&self) -> Route;
    /// `$du`: where the request goes instead of its R-URI.
    fn destination(&self) -> Option<&[u8]>;
    /// Sets `$du`, and lets `t_relay()` use the R-URI for a new branch, which a `failure_route`
    /// needs.
    fn set_destination(&mut self, uri: &[u8]) -> Result<(), HostError>;
    /// Sets host and port of the R-URI, keeping its user; `host_port` may carry parameters.
    fn set_domain(&mut self, host_port: &[u8]) -> Result<(), HostError>;
    /// How many destinations more the request may have beside those that it has.
    fn branch_room(&self) -> usize;
    /// Adds a destination beside `$du` with the R-URI as it is, reached from this local socket or (`None`)
    /// from the one that the server chooses: `t_relay()` sends to all at once.
    fn add_branch(&mut self, uri: &[u8], socket: Option<Socket>) -> Result<(), HostError>;
    /// When the call of this request is answered, the module learns (`dialog::Callbacks::answered`) from
    /// which address, with this note. `None`: there is no dialog, or no dialog module.
    fn on_answer(&mut self, note: usize) -> Option<()>;
    /// Takes `$du` back: the request goes where its R-URI says.
    fn reset_destination(&mut self);
    /// Makes the request leave by this local socket; `None`: by the one that the request came in
    /// by. In a `failure_route` it holds for the branch that is made next.
    fn set_socket(&mut self, socket: Option<Socket>);
    /// What [`Message::remember`] stored under this name in this transaction, in whichever process
    /// that was.
    fn recall(&mut self, name: &'static CStr) -> Option<[u8; MEMORY_LEN]>;
    /// Stores bytes with the transaction (or with the message, until there is one). Overwrites in
    /// place: only the first call of a transaction allocates. The script sees them as
    /// `$xavp(name)`.
    fn remember(&mut self, name: &'static CStr, bytes: &[u8; MEMORY_LEN]) -> Result<(), HostError>;
    /// Runs `f` on the word that the dialog of this request carries for the module; 0 in a new
    /// dialog. Creates the dialog for an initial INVITE in the request route. `None`: there is no
    /// dialog, or no dialog module.
    ///
    /// A retransmitted INVITE and a failure route find the same word, so a change must `swap` it
    /// and give back what it held. Other processes may change it at the same time.
    fn with_call<R>(&mut self, f: impl FnOnce(&AtomicUsize) -> R) -> Option<R> {
        self.with_pass(|_| true, f)
    }
    /// [`Self::with_call`] for a call that may pass the server again with its Call-ID (a spiral): one
    /// dialog then, and a word for each pass. `f` gets the newest word that is 0 or that `mine` knows by its
    /// value. If there is none an initial INVITE in the request route gets one more, and all else the newest.
    fn with_pass<R>(
        &mut self,
        mine: impl Fn(usize) -> bool,
        f: impl FnOnce(&AtomicUsize) -> R,
    ) -> Option<R>;
    /// [`Self::with_call`] of a dialog that is there already: makes none.
    fn with_known_call<R>(&mut self, f: impl FnOnce(&AtomicUsize) -> R) -> Option<R>;
}
