//! A small SIP caller over one UDP socket: single requests, replies, and calls in which the test
//! decides what is sent again and what is never sent. Calls at a rate are SIPp's.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::call::Call;
use crate::message::SipMessage;
use crate::run::RunDir;

const MAX_DATAGRAM_BYTES: usize = 65_536;
/// When an unanswered request is sent again (T1 of RFC 3261).
const RETRANSMIT: Duration = Duration::from_millis(500);

/// A caller with an address of its own.
#[derive(Debug)]
pub struct SipClient {
    socket: UdpSocket,
    local: SocketAddr,
    next: AtomicU32,
}

impl SipClient {
    /// A caller on a fresh address of the run.
    ///
    /// # Panics
    /// If the address cannot be had.
    #[must_use]
    pub fn new(run: &RunDir) -> Self {
        Self::at(run.endpoint())
    }

    /// A caller at this address.
    ///
    /// # Panics
    /// If it cannot be had.
    #[must_use]
    pub fn at(local: SocketAddr) -> Self {
        let socket = UdpSocket::bind(local).unwrap_or_else(|e| panic!("binding {local}: {e}"));
        Self {
            socket,
            local,
            next: AtomicU32::new(1),
        }
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.local
    }

    /// A request with all headers it must have, in a dialog of its own.
    #[must_use]
    pub fn request(&self, method: &str, uri: &str) -> SipMessage {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let local = self.local;
        SipMessage::request(method, uri)
            .with("Via", self.via())
            .with("Max-Forwards", 70)
            .with("From", format!("<sip:client@{local}>;tag=f{number}"))
            .with("To", format!("<{uri}>"))
            .with(
                "Call-ID",
                format!("{number}-{}@{local}", std::process::id()),
            )
            .with("CSeq", format!("1 {method}"))
            .with("Contact", format!("<sip:client@{local}>"))
    }

    /// A Via header with a branch that no other request has.
    #[must_use]
    pub fn via(&self) -> String {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        format!(
            "SIP/2.0/UDP {};rport;branch=z9hG4bK-{}-{number}",
            self.local,
            std::process::id()
        )
    }

    /// Sends a message as it is.
    ///
    /// # Panics
    /// If the system refuses.
    pub fn send(&self, message: &SipMessage, target: SocketAddr) {
        let sent = self.socket.send_to(message.to_string().as_bytes(), target);
        sent.unwrap_or_else(|e| panic!("sending to {target}: {e}"));
    }

    /// The next message that comes in, whatever it is.
    #[must_use]
    pub fn receive(&self, patience: Duration) -> Option<SipMessage> {
        let end = Instant::now() + patience;
        let mut buffer = vec![0; MAX_DATAGRAM_BYTES];
        loop {
            let rest = end.saturating_duration_since(Instant::now());
            if rest.is_zero() || self.socket.set_read_timeout(Some(rest)).is_err() {
                return None;
            }
            let Ok((length, _)) = self.socket.recv_from(&mut buffer) else {
                continue; // the deadline, or an ICMP error of an earlier request
            };
            if let Ok(message) = String::from_utf8_lossy(&buffer[..length]).parse() {
                return Some(message);
            }
        }
    }

    /// Sends a request, again if need be, and returns its final reply.
    #[must_use]
    pub fn exchange(
        &self,
        request: &SipMessage,
        target: SocketAddr,
        patience: Duration,
    ) -> Option<SipMessage> {
        let end = Instant::now() + patience;
        let is_ours = |m: &SipMessage| {
            m.header("Call-ID") == request.header("Call-ID") && m.cseq() == request.cseq()
        };
        while Instant::now() < end {
            self.send(request, target);
            let again = Instant::now() + RETRANSMIT;
            while let Some(rest) = again.checked_duration_since(Instant::now()) {
                let Some(reply) = self.receive(rest.max(Duration::from_millis(1))) else {
                    break;
                };
                if is_ours(&reply) && reply.status().is_some_and(|s| s >= 200) {
                    return Some(reply);
                }
            }
        }
        None
    }

    /// The status of the answer to OPTIONS, if one comes.
    #[must_use]
    pub fn options(&self, target: SocketAddr, patience: Duration) -> Option<u16> {
        let request = self.request("OPTIONS", &format!("sip:{target}"));
        self.exchange(&request, target, patience)?.status()
    }

    /// Sends an INVITE for `user` at `target`, once; the rest of the call is up to the caller.
    #[must_use]
    pub fn invite(&self, target: SocketAddr, user: &str) -> Call<'_> {
        let request = self.request("INVITE", &format!("sip:{user}@{target}"));
        self.start_call(target, request)
    }

    /// Sends this INVITE, once; the rest of the call is up to the caller.
    #[must_use]
    pub fn start_call(&self, target: SocketAddr, invite: SipMessage) -> Call<'_> {
        Call::start(self, target, invite)
    }

    /// The call of an INVITE that was sent already.
    #[must_use]
    pub fn sent(&self, target: SocketAddr, invite: SipMessage) -> Call<'_> {
        Call::of(self, target, invite)
    }
}
