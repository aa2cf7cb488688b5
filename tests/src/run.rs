//! One run: a directory for its files and a /24 of loopback for its addresses, both its own.
//! When it ends nothing that it started is left; after a failure the files stay and are named.

use std::cell::Cell;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::process;

/// The port that SIP servers of a run use; every one has an address of its own.
const SIP_PORT: u16 = 5060;
/// Whoever holds this port on the last address of a /24 owns the /24.
const CLAIM_PORT: u16 = 46_060;
/// Addresses below this one are given out by name, those from here on in order.
const FIRST_IN_ORDER: u8 = 10;
/// Addresses from here on are left to whoever asks for them by [`RunDir::address`].
const FIRST_BY_NUMBER: u8 = 100;

/// What the names of all run directories begin with.
const PREFIX: &str = "ks-";

static COUNT: AtomicU32 = AtomicU32::new(0);

/// Files and addresses of one run.
#[derive(Debug)]
pub struct RunDir {
    name: String,
    path: PathBuf,
    mark: String,
    net: [u8; 2],
    next_host: Cell<u8>,
    _claim: TcpListener,
}

impl RunDir {
    /// A fresh one. `name` only says what it is for.
    ///
    /// # Panics
    /// If the system gives no directory or no addresses.
    #[must_use]
    pub fn new(name: &str) -> Self {
        process::stop_everything_on_signals();
        let mark = format!(
            "{}.{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        // Short, because the paths of unix sockets must be.
        let path = std::env::temp_dir().join(format!("{PREFIX}{mark}"));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap_or_else(|e| panic!("making {}: {e}", path.display()));
        let (net, claim) = claim_net();
        Self {
            name: name.into(),
            path,
            mark,
            net,
            next_host: Cell::new(FIRST_IN_ORDER),
            _claim: claim,
        }
    }

    /// Where its files are.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file in it; its directory is made.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        let path = self.path.join(name);
        if let Some(dir) = path.parent() {
            let _ = fs::create_dir_all(dir);
        }
        path
    }

    /// A directory in it; it is made.
    #[must_use]
    pub fn dir(&self, name: &str) -> PathBuf {
        let path = self.path.join(name);
        let _ = fs::create_dir_all(&path);
        path
    }

    /// Writes a file in it and returns its path.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.file(name);
        fs::write(&path, content).unwrap_or_else(|e| panic!("writing {}: {e}", path.display()));
        path
    }

    /// The directory of the shared memory files; it exists.
    #[must_use]
    pub fn shm_dir(&self) -> PathBuf {
        self.dir("shm")
    }

    /// The address of this run that ends in `host` (100 to 250 are never given out otherwise).
    #[must_use]
    pub fn address(&self, host: u8) -> Ipv4Addr {
        Ipv4Addr::new(127, self.net[0], self.net[1], host)
    }

    /// An address that nobody in this run has yet.
    ///
    /// # Panics
    /// After 90 of them.
    #[must_use]
    pub fn next_address(&self) -> Ipv4Addr {
        let host = self.next_host.get();
        assert!(host < FIRST_BY_NUMBER, "a run has 90 addresses in order");
        self.next_host.set(host + 1);
        self.address(host)
    }

    /// A fresh address with the SIP port.
    #[must_use]
    pub fn endpoint(&self) -> SocketAddr {
        SocketAddr::from((self.next_address(), SIP_PORT))
    }

    /// What marks every process of this run, in its environment.
    #[must_use]
    pub fn mark(&self) -> &str {
        &self.mark
    }
}

impl Drop for RunDir {
    fn drop(&mut self) {
        // Everything with a guard of its own is gone; what is left are members that the agent made.
        process::kill_marked(&self.mark);
        if std::thread::panicking() {
            eprintln!("{}: what it left is in {}", self.name, self.path.display());
        } else {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// Removes the directories of all runs of this process, which is about to end.
pub(crate) fn remove_all() {
    for number in 0..COUNT.load(Ordering::Relaxed) {
        let mark = format!("{}.{number}", std::process::id());
        let _ = fs::remove_dir_all(std::env::temp_dir().join(format!("{PREFIX}{mark}")));
    }
}

/// A /24 of loopback. The claim ends with the process, however it ends.
fn claim_net() -> ([u8; 2], TcpListener) {
    let start = std::process::id().wrapping_mul(7) + COUNT.load(Ordering::Relaxed);
    for step in 0..4096_u32 {
        let number = start.wrapping_add(step) % 0x4000;
        let [_, _, high, low] = number.to_be_bytes();
        let net = [high + 64, low];
        let address = Ipv4Addr::new(127, net[0], net[1], 254);
        if let Ok(claim) = TcpListener::bind((address, CLAIM_PORT)) {
            return (net, claim);
        }
    }
    panic!("every loopback network is in use");
}
