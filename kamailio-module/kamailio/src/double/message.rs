//! The message of the double, and the memory of its transaction.

use std::collections::HashMap;
use std::ffi::CStr;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Dialogs;
use crate::message::{self, HostError, MEMORY_LEN, Method, Route};
use crate::socket::Socket;

/// What the messages of one transaction remember; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Transaction(Arc<Mutex<HashMap<&'static CStr, [u8; MEMORY_LEN]>>>);

impl Transaction {
    fn memory(&self) -> MutexGuard<'_, HashMap<&'static CStr, [u8; MEMORY_LEN]>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A message whose parts a test sets and reads.
#[derive(Clone, Debug)]
pub struct Message {
    /// See [`message::Message::id`].
    pub id: u32,
    /// See [`message::Message::method`].
    pub method: Method,
    /// See [`message::Message::request_uri`].
    pub request_uri: Option<Vec<u8>>,
    /// Whether there is a To tag.
    pub to_tag: bool,
    /// See [`message::Message::call_id`].
    pub call_id: Option<Vec<u8>>,
    /// See [`message::Message::source`].
    pub source: SocketAddr,
    /// See [`message::Message::transport`].
    pub transport: &'static str,
    /// See [`message::Message::received_by`].
    pub received_by: Option<Socket>,
    /// See [`message::Message::route`].
    pub route: Route,
    /// What `set_destination` set.
    pub destination: Option<Vec<u8>>,
    /// What `add_branch` added.
    pub branches: Vec<Vec<u8>>,
    /// The local socket of each.
    pub branch_sockets: Vec<Option<Socket>>,
    /// How many destinations the server takes for one request.
    pub max_branches: usize,
    /// What `on_answer` noted.
    pub answer_note: Option<usize>,
    /// What `set_domain` set.
    pub domain: Option<Vec<u8>>,
    /// What `set_socket` set.
    pub socket: Option<Socket>,
    /// The memory; share it with another message of the transaction.
    pub transaction: Transaction,
    /// The dialog module; share it with every message of the test.
    pub dialogs: Dialogs,
    /// Makes `set_destination`, `set_domain` and `remember` fail, as without memory.
    pub refuse: bool,
}

impl Message {
    /// A request outside a dialog, in the request route, from 192.0.2.1:5060, with a number of its
    /// own, Call-ID `call-<number>`, and no dialog module.
    pub fn new(method: Method) -> Self {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let id = LAST.fetch_add(1, Relaxed) + 1;
        Self {
            id,
            method,
            request_uri: Some(b"sip:service@example.org".to_vec()),
            to_tag: false,
            call_id: Some(format!("call-{id}").into_bytes()),
            source: SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), 5060)),
            transport: "udp",
            received_by: None,
            route: Route::Request,
            destination: None,
            branches: Vec::new(),
            branch_sockets: Vec::new(),
            max_branches: 12,
            answer_note: None,
            domain: None,
            socket: None,
            transaction: Transaction::default(),
            dialogs: Dialogs::absent(),
            refuse: false,
        }
    }

    /// The same with this Call-ID.
    pub fn with_call_id(mut self, call_id: &str) -> Self {
        self.call_id = Some(call_id.into());
        self
    }

    /// The same in a server with these dialogs.
    pub fn with_dialogs(mut self, dialogs: &Dialogs) -> Self {
        self.dialogs = dialogs.clone();
        self
    }

    /// What the failure route of this transaction sees.
    pub fn failed(&self) -> Self {
        Self {
            route: Route::Failure,
            ..self.clone()
        }
    }

    fn accepts<T>(&self, value: T) -> Result<T, HostError> {
        if self.refuse {
            Err(HostError("refused by the double"))
        } else {
            Ok(value)
        }
    }
}

impl message::Message for Message {
    fn id(&self) -> u32 {
        self.id
    }

    fn method(&self) -> Method {
        self.method
    }

    fn request_uri(&self) -> Option<&[u8]> {
        self.request_uri.as_deref()
    }

    fn has_to_tag(&mut self) -> bool {
        self.to_tag
    }

    fn call_id(&mut self) -> Option<&[u8]> {
        self.call_id.as_deref()
    }

    fn source(&self) -> SocketAddr {
        self.source
    }

    fn transport(&self) -> &'static str {
        self.transport
    }

    fn received_by(&self) -> Option<Socket> {
        self.received_by
    }

    fn route(&self) -> Route {
        self.route
    }

    fn destination(&self) -> Option<&[u8]> {
        self.destination.as_deref()
    }

    fn set_destination(&mut self, uri: &[u8]) -> Result<(), HostError> {
        self.destination = self.accepts(Some(uri.to_vec()))?;
        Ok(())
    }

    fn set_domain(&mut self, host_port: &[u8]) -> Result<(), HostError> {
        self.domain = self.accepts(Some(host_port.to_vec()))?;
        Ok(())
    }

    fn branch_room(&self) -> usize {
        self.max_branches.saturating_sub(self.branches.len() + 1)
    }

    fn add_branch(&mut self, uri: &[u8], socket: Option<Socket>) -> Result<(), HostError> {
        let uri = self.accepts(uri.to_vec())?;
        self.branches.push(uri);
        self.branch_sockets.push(socket);
        Ok(())
    }

    fn on_answer(&mut self, note: usize) -> Option<()> {
        self.with_known_call(|_| ())?;
        self.answer_note = Some(note);
        Some(())
    }

    fn reset_destination(&mut self) {
        self.destination = None;
    }

    fn set_socket(&mut self, socket: Option<Socket>) {
        self.socket = socket;
    }

    fn recall(&mut self, name: &'static CStr) -> Option<[u8; MEMORY_LEN]> {
        self.transaction.memory().get(name).copied()
    }

    fn remember(&mut self, name: &'static CStr, bytes: &[u8; MEMORY_LEN]) -> Result<(), HostError> {
        let bytes = self.accepts(*bytes)?;
        self.transaction.memory().insert(name, bytes);
        Ok(())
    }

    fn with_pass<R>(
        &mut self,
        mine: impl Fn(usize) -> bool,
        f: impl FnOnce(&AtomicUsize) -> R,
    ) -> Option<R> {
        let create = self.method == Method::Invite && !self.to_tag && self.route == Route::Request;
        let word = self
            .dialogs
            .find(self.call_id.as_deref()?, create, |word| {
                word == 0 || mine(word)
            })?;
        Some(f(&word))
    }

    fn with_known_call<R>(&mut self, f: impl FnOnce(&AtomicUsize) -> R) -> Option<R> {
        let word = self.dialogs.word(self.call_id.as_deref()?)?;
        Some(f(&word))
    }
}

#[cfg(test)]
#[cfg(not(feature = "host"))]
mod tests {
    use super::*;
    use crate::message::Message as _;

    #[test]
    fn the_memory_belongs_to_the_transaction() {
        let mut invite = Message::new(Method::Invite);
        assert_eq!(invite.recall(c"tried"), None);
        invite.remember(c"tried", &[7; MEMORY_LEN]).unwrap();
        let mut failed = invite.failed();
        assert_eq!(failed.recall(c"tried"), Some([7; MEMORY_LEN]));
        assert_eq!(failed.recall(c"other"), None);
        assert_eq!(Message::new(Method::Invite).recall(c"tried"), None);
    }

    #[test]
    fn a_dialog_keeps_its_word_until_the_call_ends() {
        static ENDED: AtomicUsize = AtomicUsize::new(0);
        let dialogs = Dialogs::bound(|word| {
            ENDED.fetch_add(word.swap(0, Relaxed), Relaxed);
        });
        let mut bye = Message::new(Method::Bye)
            .with_call_id("a")
            .with_dialogs(&dialogs);
        bye.to_tag = true;
        assert_eq!(bye.with_call(|_| ()), None);
        let mut invite = Message::new(Method::Invite)
            .with_call_id("a")
            .with_dialogs(&dialogs);
        assert_eq!(invite.with_call(|word| word.swap(5, Relaxed)), Some(0));
        assert_eq!(bye.with_call(|word| word.load(Relaxed)), Some(5));
        assert!(dialogs.end_call(b"a"));
        assert_eq!(ENDED.load(Relaxed), 5);
        assert!(!dialogs.end_call(b"a"));
        assert_eq!(invite.failed().with_call(|_| ()), None);
    }

    #[test]
    fn a_server_without_dialogs_or_memory() {
        let mut invite = Message::new(Method::Invite);
        assert_eq!(invite.with_call(|_| ()), None);
        invite.refuse = true;
        assert!(invite.set_destination(b"sip:192.0.2.2").is_err());
        assert_eq!(invite.destination(), None);
    }
}
