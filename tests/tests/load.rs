//! What tests under load share: a Kamailio whose replies tell what it selected, tables that say
//! which one they are, and callers in a closed loop. It must not judge what it sees.

use std::fs;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use kamscale_shm::{Publisher, TableSpec};
use kamscale_tests::{Kamailio, PATIENCE, RunDir, SipClient, SipMessage};

use crate::support::{member, pool};

/// One request selects from two pools and tells in the reply what it got, and from whom.
const SELECTING: &str = r#"
debug=2
children=1
listen=KS_LISTEN
disable_tcp=yes
auto_aliases=no
loadmodule "kex.so"
loadmodule "ctl.so"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule KS_MODULE
modparam("ctl", "binrpc", KS_CTL)
modparam("kamscale", "shm_dir", KS_SHM_DIR)
modparam("kamscale", "feature", "calls")
request_route {
	if (is_method("OPTIONS")) {
		sl_send_reply("200", "OK");
		exit;
	}
	ks_count("calls");
	if (!ks_select_dst("left", "round_robin")) {
		sl_send_reply("480", "Nothing Left");
		exit;
	}
	$var(left) = $du;
	if (!ks_select_dst("right", "hash")) {
		sl_send_reply("480", "Nothing Right");
		exit;
	}
	append_to_reply("X-Left: $var(left)\r\nX-Right: $du\r\nX-Worker: $pp\r\n");
	sl_send_reply("200", "OK");
}
"#;

/// Starts a Kamailio with [`SELECTING`] and one worker for each of the addresses it returns.
#[must_use]
#[track_caller]
pub(crate) fn selecting(run: &RunDir, workers: usize) -> (Kamailio<'_>, Vec<SocketAddr>) {
    let more: Vec<SocketAddr> = (1..workers).map(|_| run.endpoint()).collect();
    let listens: String = more.iter().map(|a| format!("listen=udp:{a}\n")).collect();
    let kamailio = Kamailio::with_text(run, &format!("{listens}{SELECTING}")).start();
    let targets = std::iter::once(kamailio.sip()).chain(more).collect();
    (kamailio, targets)
}

/// The agent's side of a run, played by the test.
#[must_use]
#[track_caller]
pub(crate) fn agent_side(run: &RunDir) -> Publisher {
    let publisher = Publisher::open(&run.shm_dir(), "default");
    publisher.unwrap_or_else(|e| panic!("opening the table: {e}"))
}

/// `left` and `right` with as many members each, whose URIs say `mark`. One member in each comes
/// and another goes when the mark grows by one.
#[must_use]
pub(crate) fn marked(mark: u64, size: u64) -> TableSpec {
    let members = |name: &str| {
        let one = |i| member(&format!("m{i}"), format!("sip:{name}{i}.test;mark={mark}"));
        let mut pool = pool(name, (mark..mark + size).map(one).collect());
        pool.hash_bits = 10;
        pool
    };
    TableSpec {
        pools: vec![members("left"), members("right")],
    }
}

/// What a [`SELECTING`] Kamailio answered: the marks of both pools, and the worker's process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Selected {
    pub(crate) left: u64,
    pub(crate) right: u64,
    pub(crate) worker: u32,
}

/// Sends one request.
///
/// # Errors
/// What was answered instead of a 200 with both marks.
pub(crate) fn ask(client: &SipClient, target: SocketAddr) -> Result<Selected, String> {
    let request = client.request("MESSAGE", &format!("sip:any@{target}"));
    let reply = client.exchange(&request, target, PATIENCE);
    let reply = reply.ok_or_else(|| format!("{target} does not answer"))?;
    read(&reply).ok_or_else(|| reply.to_string())
}

fn read(reply: &SipMessage) -> Option<Selected> {
    let mark = |name| {
        let uri = reply.header(name)?;
        uri.split_once(";mark=")?.1.parse().ok()
    };
    Some(Selected {
        left: mark("X-Left")?,
        right: mark("X-Right")?,
        worker: reply.header("X-Worker")?.parse().ok()?,
    })
}

/// Ids of a Kamailio's processes.
#[must_use]
pub(crate) fn pids(kamailio: &Kamailio<'_>) -> Vec<u32> {
    kamailio.processes().into_keys().collect()
}

/// Workers that serve requests, with the generation that each uses.
#[must_use]
pub(crate) fn generations(kamailio: &Kamailio<'_>) -> Vec<u64> {
    let workers = kamailio.observed("default").workers.into_iter();
    workers
        .filter(|w| w.rank > 0)
        .map(|w| w.generation)
        .collect()
}

/// A figure of `/proc/PID/status`, in kB.
#[must_use]
pub(crate) fn memory_kb(pid: u32, figure: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|l| l.strip_prefix(figure));
    let number = line.and_then(|l| l.trim_matches([':', ' ', '\t', 'k', 'B']).parse().ok());
    number.unwrap_or_else(|| panic!("process {pid} has no {figure}"))
}

/// Callers in a closed loop: each sends its next request when the last one is answered.
#[derive(Debug)]
pub(crate) struct Load {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    ended: AtomicBool,
    answered: AtomicU64,
    halves: AtomicU64,
    newest: AtomicU64,
    failures: Mutex<Vec<String>>,
}

/// What a [`Load`] came to.
#[derive(Debug)]
pub(crate) struct LoadTotals {
    /// Requests that found a member in both pools.
    pub(crate) answered: u64,
    /// Of those, the ones that saw two generations at once.
    pub(crate) halves: u64,
    /// What was answered to the others.
    pub(crate) failures: Vec<String>,
}

impl Load {
    /// Starts so many callers; each goes round the targets.
    #[must_use]
    pub(crate) fn start(run: &RunDir, targets: &[SocketAddr], callers: usize) -> Self {
        let shared = Arc::new(Shared::default());
        let threads = (0..callers).map(|first| {
            let client = SipClient::new(run);
            let (shared, targets) = (Arc::clone(&shared), targets.to_vec());
            std::thread::spawn(move || {
                for target in targets.iter().cycle().skip(first) {
                    if shared.ended.load(Ordering::Relaxed) {
                        return;
                    }
                    shared.note(ask(&client, *target));
                }
            })
        });
        let threads = threads.collect();
        Self { shared, threads }
    }

    /// Requests answered so far.
    #[must_use]
    pub(crate) fn answered(&self) -> u64 {
        self.shared.answered.load(Ordering::Relaxed)
    }

    /// The highest mark seen so far.
    #[must_use]
    pub(crate) fn newest(&self) -> u64 {
        self.shared.newest.load(Ordering::Relaxed)
    }

    /// Waits until so many more requests were answered (or one failed).
    #[track_caller]
    pub(crate) fn go_on(&self, requests: u64) {
        let until = self.answered() + requests;
        kamscale_tests::wait_until("requests are answered", PATIENCE, || {
            self.answered() >= until || !lock(&self.shared.failures).is_empty()
        });
        let failures = lock(&self.shared.failures);
        assert!(failures.is_empty(), "{failures:#?}");
    }

    /// Ends them.
    #[must_use]
    pub(crate) fn stop(mut self) -> LoadTotals {
        self.end();
        LoadTotals {
            answered: self.answered(),
            halves: self.shared.halves.load(Ordering::Relaxed),
            failures: std::mem::take(&mut lock(&self.shared.failures)),
        }
    }

    fn end(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.end();
    }
}

impl Shared {
    fn note(&self, outcome: Result<Selected, String>) {
        match outcome {
            Ok(selected) => {
                self.answered.fetch_add(1, Ordering::Relaxed);
                let halves = u64::from(selected.left != selected.right);
                self.halves.fetch_add(halves, Ordering::Relaxed);
                self.newest.fetch_max(selected.right, Ordering::Relaxed);
            }
            Err(failure) => {
                lock(&self.failures).push(failure);
                // One is enough to fail; many would only fill the log.
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Only one test at a time that keeps all cores busy.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    lock(&ALONE)
}
