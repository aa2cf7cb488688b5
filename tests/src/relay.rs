//! A net between SIP nodes of one run that loses datagrams and falls apart as a test wants. Each node
//! has an address that the others know; what arrives there goes on to the node, and comes from the
//! sender's own known address. It must not look into a message beyond its first Via.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::run::RunDir;

const MAX_DATAGRAM_BYTES: usize = 65_536;
/// The port that a Via need not name.
const SIP_PORT: u16 = 5060;
const TICK: Duration = Duration::from_millis(50);

/// One node behind the net.
#[derive(Debug)]
struct Port {
    /// What the others know.
    known: SocketAddr,
    /// Where the node is.
    node: SocketAddr,
    socket: UdpSocket,
    cut: AtomicBool,
}

#[derive(Debug)]
struct Shared {
    ports: Vec<Port>,
    loss_percent: AtomicU32,
    random: Mutex<u64>,
    forwarded: AtomicU64,
    lost: AtomicU64,
    ended: AtomicBool,
}

/// The net.
#[derive(Debug)]
pub struct Relay {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Relay {
    /// A net that is whole, between nodes at these addresses.
    ///
    /// # Panics
    /// If an address cannot be had.
    #[must_use]
    #[track_caller]
    pub fn start(run: &RunDir, nodes: &[SocketAddr]) -> Self {
        let port = |node: &SocketAddr| {
            let known = run.endpoint();
            let socket = UdpSocket::bind(known).unwrap_or_else(|e| panic!("binding {known}: {e}"));
            let _ = socket.set_read_timeout(Some(TICK));
            let (node, cut) = (*node, AtomicBool::new(false));
            Port {
                known,
                node,
                socket,
                cut,
            }
        };
        let shared = Arc::new(Shared {
            ports: nodes.iter().map(port).collect(),
            loss_percent: AtomicU32::new(0),
            random: Mutex::new(1),
            forwarded: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            ended: AtomicBool::new(false),
        });
        let serve = |at| {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || shared.serve(at))
        };
        let threads = (0..nodes.len()).map(serve).collect();
        Self { shared, threads }
    }

    /// The address by which the others know a node.
    #[must_use]
    pub fn known(&self, node: usize) -> SocketAddr {
        self.shared.ports[node].known
    }

    /// From now on so many of 100 datagrams are lost.
    pub fn lose(&self, percent: u32) {
        self.shared.loss_percent.store(percent, Ordering::Relaxed);
    }

    /// Takes a node off the net, or back.
    pub fn cut(&self, node: usize, cut: bool) {
        self.shared.ports[node].cut.store(cut, Ordering::Relaxed);
    }

    /// Datagrams that went through, and that were lost.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (read(&self.shared.forwarded), read(&self.shared.lost))
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn serve(&self, at: usize) {
        let mut buffer = vec![0; MAX_DATAGRAM_BYTES];
        while !self.ended.load(Ordering::Relaxed) {
            if let Ok((length, from)) = self.ports[at].socket.recv_from(&mut buffer) {
                self.forward(at, from, &buffer[..length]);
            }
        }
    }

    /// To the node from another one; or an answer from the node, to whom its Via names.
    fn forward(&self, at: usize, from: SocketAddr, bytes: &[u8]) {
        let here = &self.ports[at];
        let is_answer = from == here.node;
        let other = if is_answer { via(bytes) } else { Some(from) };
        let Some(other) = other.and_then(|other| self.ports.iter().find(|p| p.node == other))
        else {
            return;
        };
        let is_cut = [here, other].iter().any(|p| p.cut.load(Ordering::Relaxed));
        if is_cut || self.chance() < self.loss_percent.load(Ordering::Relaxed) {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.forwarded.fetch_add(1, Ordering::Relaxed);
        let to = if is_answer { other.node } else { here.node };
        let _ = here.socket.send_to(bytes, to);
    }

    /// The next number below 100 (xorshift64*, Vigna 2016).
    fn chance(&self) -> u32 {
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        *random ^= *random >> 12;
        *random ^= *random << 25;
        *random ^= *random >> 27;
        let spread = random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        u32::try_from(spread % 100).unwrap_or(0)
    }
}

/// Who sent the request that this answers.
fn via(answer: &[u8]) -> Option<SocketAddr> {
    let text = String::from_utf8_lossy(answer);
    let line = text
        .lines()
        .find(|l| l.to_ascii_lowercase().starts_with("via:"))?;
    let by = line.split(' ').nth(2)?.split(';').next()?.trim();
    let without_port = || Some(SocketAddr::new(by.parse().ok()?, SIP_PORT));
    by.parse().ok().or_else(without_port)
}
