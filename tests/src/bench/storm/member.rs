//! A member with so many channels, that can work on so many INVITEs a second and no more. It works on what
//! comes one after the other, as it came; what its callers have given up by then is work for nothing.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::message::SipMessage;

const TICK: Duration = Duration::from_millis(20);
/// Messages that wait; more are lost.
const QUEUE: usize = 1000;
/// To see that an INVITE came again costs this part of the work on a new one, as does a CANCEL.
const KNOWN: u32 = 20;

/// A member in this process.
#[derive(Debug)]
pub(super) struct SlowMember {
    address: SocketAddr,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl SlowMember {
    /// Starts one with so many channels, to which an INVITE costs so long.
    pub(super) fn start(address: SocketAddr, channels: usize, work: Duration) -> Self {
        let socket = UdpSocket::bind(address).unwrap_or_else(|e| panic!("binding {address}: {e}"));
        let ended = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&ended);
        let mut serving = Serving {
            socket,
            address,
            work,
            channels,
            busy: HashSet::new(),
            queue: VecDeque::new(),
            answers: HashMap::new(),
        };
        let serve = move || {
            while !stop.load(Ordering::Relaxed) {
                serving.take_in();
                if let Some((request, from)) = serving.queue.pop_front() {
                    serving.work_on(&request, from);
                }
            }
        };
        let thread = Some(std::thread::spawn(serve));
        Self {
            address,
            ended,
            thread,
        }
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for SlowMember {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Serving {
    socket: UdpSocket,
    address: SocketAddr,
    work: Duration,
    channels: usize,
    /// Calls that have a channel, by Call-ID.
    busy: HashSet<String>,
    queue: VecDeque<(SipMessage, SocketAddr)>,
    /// Of calls, by Call-ID.
    answers: HashMap<String, SipMessage>,
}

impl Serving {
    /// Whatever has come; waits a little if nothing is to be done.
    fn take_in(&mut self) {
        let mut buffer = [0; 8192];
        let idle = self.queue.is_empty();
        let _ = self.socket.set_nonblocking(!idle);
        let _ = self.socket.set_read_timeout(Some(TICK));
        while let Ok((length, from)) = self.socket.recv_from(&mut buffer) {
            let message = String::from_utf8_lossy(&buffer[..length]).parse();
            if let Ok(message) = message
                && self.queue.len() < QUEUE
            {
                self.queue.push_back((message, from));
            }
            let _ = self.socket.set_nonblocking(true);
        }
    }

    fn work_on(&mut self, request: &SipMessage, from: SocketAddr) {
        let id = request.header("Call-ID").unwrap_or_default();
        let answer = match (request.method(), self.answers.get(id)) {
            (Some("ACK") | None, _) => return,
            (Some("INVITE"), Some(known)) => {
                self.toil(self.work / KNOWN);
                known.clone()
            }
            (Some("INVITE"), None) => {
                self.toil(self.work);
                let answer = match self.busy.len() < self.channels {
                    true => self.answer(request, 200),
                    false => self.answer(request, 503),
                };
                if answer.status() == Some(200) {
                    self.busy.insert(id.to_owned());
                }
                self.answers.insert(id.to_owned(), answer.clone());
                answer
            }
            (Some("CANCEL"), _) => {
                self.toil(self.work / KNOWN);
                self.answer(request, 200)
            }
            (Some("BYE"), _) => {
                self.busy.remove(id);
                self.answer(request, 200)
            }
            (Some(_), _) => self.answer(request, 200),
        };
        // A caller that is gone is no failure of the member.
        let _ = self.socket.send_to(answer.to_string().as_bytes(), from);
    }

    /// The member's work takes this long; that is what makes it slow.
    fn toil(&self, time: Duration) {
        std::thread::sleep(time);
    }

    fn answer(&self, request: &SipMessage, status: u16) -> SipMessage {
        let contact = format!("<sip:member@{}>", self.address);
        SipMessage::reply(request, status, "Member", "member").with("Contact", contact)
    }
}
