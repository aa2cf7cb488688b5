//! A SIP endpoint for tests that need odd behaviour: it answers, refuses or says nothing, as told,
//! and counts what it gets. Ordinary members are SIPp's.

use std::collections::HashMap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::message::SipMessage;

const MAX_DATAGRAM_BYTES: usize = 65_536;
const TICK: Duration = Duration::from_millis(50);
/// A 200 that is not acknowledged is sent again after so long, so many times.
const RETRANSMIT: Duration = Duration::from_millis(500);
const RETRANSMISSIONS: u32 = 6;

/// What to do with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Answer with this status; 200 for an INVITE begins a call.
    Status(u16),
    /// Answer 180 and never anything else, until CANCEL.
    Ring,
    /// Answer with this status, so many milliseconds later; nothing else is done meanwhile.
    Late(u16, u64),
    /// Say nothing.
    Silence,
}

/// What a member got.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberCounts {
    /// INVITEs, without those that came again.
    pub invites: u64,
    /// Where each of them came from, in their order.
    pub sources: Vec<SocketAddr>,
    /// INVITEs that came again.
    pub invites_again: u64,
    /// ACKs.
    pub acks: u64,
    /// BYEs, without those that came again.
    pub byes: u64,
    /// CANCELs.
    pub cancels: u64,
    /// OPTIONS.
    pub options: u64,
    /// Call-IDs of INVITEs, in their order.
    pub call_ids: Vec<String>,
    /// Their Request-URIs.
    pub uris: Vec<String>,
    /// Calls that were answered and not hung up.
    pub calls: u64,
}

#[derive(Debug)]
struct Shared {
    invite: Answer,
    options: Answer,
    /// A header that answers to OPTIONS carry.
    report: Option<(String, String)>,
    counts: MemberCounts,
}

/// A member in this process.
#[derive(Debug)]
pub struct Member {
    address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Member {
    /// Starts one that answers everything with 200.
    ///
    /// # Panics
    /// If the address cannot be had.
    #[must_use]
    #[track_caller]
    pub fn start(address: SocketAddr) -> Self {
        let socket = UdpSocket::bind(address).unwrap_or_else(|e| panic!("binding {address}: {e}"));
        let _ = socket.set_read_timeout(Some(TICK));
        let shared = Arc::new(Mutex::new(Shared {
            invite: Answer::Status(200),
            options: Answer::Status(200),
            report: None,
            counts: MemberCounts::default(),
        }));
        let ended = Arc::new(AtomicBool::new(false));
        let endpoint = Endpoint {
            socket,
            address,
            shared: Arc::clone(&shared),
            open: HashMap::new(),
        };
        let stop = Arc::clone(&ended);
        Self {
            address,
            shared,
            ended,
            thread: Some(std::thread::spawn(move || endpoint.serve(&stop))),
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its URI for a pool table.
    #[must_use]
    pub fn uri(&self) -> String {
        format!("sip:{}", self.address)
    }

    /// From now on INVITEs get this.
    pub fn answer_invites(&self, with: Answer) {
        lock(&self.shared).invite = with;
    }

    /// From now on OPTIONS get this.
    pub fn answer_options(&self, with: Answer) {
        lock(&self.shared).options = with;
    }

    /// From now on answers to OPTIONS carry this header, as name and value.
    pub fn report_in_options(&self, header: Option<(&str, &str)>) {
        let owned = header.map(|(name, value)| (name.to_owned(), value.to_owned()));
        lock(&self.shared).report = owned;
    }

    /// What it got so far.
    #[must_use]
    pub fn counts(&self) -> MemberCounts {
        lock(&self.shared).counts.clone()
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A call as the member sees it.
struct Open {
    invite: SipMessage,
    reply: Option<SipMessage>,
    /// When the 200 is sent again, and how often it still may be.
    again: Option<(Instant, u32)>,
    over: bool,
    from: SocketAddr,
}

struct Endpoint {
    socket: UdpSocket,
    address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
    open: HashMap<String, Open>,
}

impl Endpoint {
    fn serve(mut self, ended: &AtomicBool) {
        let mut buffer = vec![0; MAX_DATAGRAM_BYTES];
        while !ended.load(Ordering::Relaxed) {
            if let Ok((length, from)) = self.socket.recv_from(&mut buffer)
                && let Ok(message) = String::from_utf8_lossy(&buffer[..length]).parse()
            {
                self.take(&message, from);
            }
            self.send_again();
        }
    }

    fn take(&mut self, request: &SipMessage, from: SocketAddr) {
        let id = request.header("Call-ID").unwrap_or_default().to_owned();
        match request.method() {
            Some("OPTIONS") => {
                let mut shared = lock(&self.shared);
                shared.counts.options += 1;
                let (with, report) = (shared.options, shared.report.clone());
                drop(shared);
                self.answer(request, with, report.as_ref(), from);
            }
            Some("INVITE") => self.take_invite(request, id, from),
            Some("ACK") => {
                lock(&self.shared).counts.acks += 1;
                if let Some(open) = self.open.get_mut(&id) {
                    open.again = None;
                }
            }
            Some("BYE") => self.take_bye(request, &id, from),
            Some("CANCEL") => self.take_cancel(request, &id, from),
            Some(_) => self.send(&SipMessage::reply(request, 200, "OK", "member"), from),
            None => {}
        }
    }

    fn take_invite(&mut self, request: &SipMessage, id: String, from: SocketAddr) {
        let known = self
            .open
            .get(&id)
            .filter(|o| o.invite.cseq() == request.cseq());
        if let Some(open) = known {
            lock(&self.shared).counts.invites_again += 1;
            if let Some(reply) = open.reply.clone() {
                self.send(&reply, from);
            }
            return;
        }
        let mut shared = lock(&self.shared);
        shared.counts.invites += 1;
        shared.counts.call_ids.push(id.clone());
        let uri = request.start_line().split(' ').nth(1);
        shared.counts.uris.push(uri.unwrap_or_default().to_owned());
        shared.counts.sources.push(from);
        let with = shared.invite;
        shared.counts.calls += u64::from(with == Answer::Status(200));
        drop(shared);
        let reply = self.answer(request, with, None, from);
        let open = Open {
            invite: request.clone(),
            reply,
            again: (with == Answer::Status(200))
                .then(|| (Instant::now() + RETRANSMIT, RETRANSMISSIONS)),
            over: false,
            from,
        };
        self.open.insert(id, open);
    }

    fn take_bye(&mut self, request: &SipMessage, id: &str, from: SocketAddr) {
        let known = self.open.get_mut(id);
        let status = if known.is_some() { 200 } else { 481 };
        if let Some(open) = known.filter(|o| !o.over) {
            open.over = true;
            open.again = None;
            let mut shared = lock(&self.shared);
            shared.counts.byes += 1;
            shared.counts.calls = shared.counts.calls.saturating_sub(1);
        }
        self.send(&SipMessage::reply(request, status, "BYE", "member"), from);
    }

    fn take_cancel(&mut self, request: &SipMessage, id: &str, from: SocketAddr) {
        lock(&self.shared).counts.cancels += 1;
        self.send(&SipMessage::reply(request, 200, "OK", "member"), from);
        if let Some(invite) = self.open.get(id).map(|o| o.invite.clone()) {
            self.send(
                &SipMessage::reply(&invite, 487, "Terminated", "member"),
                from,
            );
        }
    }

    fn answer(
        &self,
        request: &SipMessage,
        with: Answer,
        header: Option<&(String, String)>,
        from: SocketAddr,
    ) -> Option<SipMessage> {
        let status = match with {
            Answer::Status(status) => status,
            Answer::Late(status, ms) => {
                std::thread::sleep(Duration::from_millis(ms));
                status
            }
            Answer::Ring => 180,
            Answer::Silence => return None,
        };
        let reply = SipMessage::reply(request, status, "Member", "member")
            .with("Contact", format!("<sip:member@{}>", self.address));
        let reply = match header {
            Some((name, value)) => reply.with(name, value),
            None => reply,
        };
        self.send(&reply, from);
        Some(reply)
    }

    fn send_again(&mut self) {
        let now = Instant::now();
        let mut due = Vec::new();
        for open in self.open.values_mut() {
            if let Some((at, left)) = open.again.filter(|(at, _)| *at <= now) {
                open.again = (left > 1).then(|| (at + RETRANSMIT, left - 1));
                due.extend(open.reply.clone().map(|r| (r, open.from)));
            }
        }
        for (reply, to) in due {
            self.send(&reply, to);
        }
    }

    fn send(&self, message: &SipMessage, to: SocketAddr) {
        // A caller that is gone is no failure of the member.
        let _ = self.socket.send_to(message.to_string().as_bytes(), to);
    }
}
