//! A process that was started here: its log, its signals, its end. It must not know what runs.
//!
//! Each gets a process group of its own and, in its environment, the mark of its run, so that
//! nothing survives: not its children, not after a panic, not after Ctrl-C.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Once;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, getpgid, kill_process, kill_process_group};

use crate::run::RunDir;

/// The variable that marks processes of a run.
const MARK: &str = "KAMSCALE_TEST_RUN";
/// How long a process may take to end when asked before it is killed.
const GRACE: Duration = Duration::from_secs(5);

/// A running or ended process.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    status: Option<ExitStatus>,
    log: PathBuf,
    mark: String,
}

impl Process {
    /// Starts `command` with its output in the run's file `NAME.log` (appended).
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    #[track_caller]
    pub fn spawn(run: &RunDir, name: &str, command: &mut Command) -> Self {
        let log = run.file(&format!("{name}.log"));
        let open = || File::options().create(true).append(true).open(&log);
        let (out, err) = match (open(), open()) {
            (Ok(out), Ok(err)) => (out, err),
            (Err(e), _) | (_, Err(e)) => panic!("opening {}: {e}", log.display()),
        };
        let child = command
            .env(MARK, run.mark())
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .process_group(0)
            .spawn()
            .unwrap_or_else(|e| panic!("starting {name} ({command:?}): {e}"));
        Self {
            name: name.into(),
            child,
            status: None,
            log,
            mark: run.mark().into(),
        }
    }

    /// Its process id, which is also that of its group.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it wrote.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Where it writes.
    #[must_use]
    pub fn log_file(&self) -> &Path {
        &self.log
    }

    /// How it ended, if it did.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = self.child.try_wait().ok().flatten();
        }
        self.status
    }

    /// Sends a signal to it alone.
    pub fn signal(&mut self, signal: Signal) {
        if self.ended().is_none() {
            let _ = kill_process(pid_of(self.pid()), signal);
        }
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// If it does not end before the deadline.
    #[track_caller]
    pub fn wait(&mut self, deadline: Duration) -> ExitStatus {
        let name = self.name.clone();
        crate::wait_for(&format!("{name} ends"), deadline, || self.ended())
    }

    /// Asks it to end (SIGTERM) and waits for that; kills it when it will not.
    pub fn stop(&mut self) {
        self.signal(Signal::TERM);
        let deadline = Instant::now() + GRACE;
        while self.ended().is_none() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
        self.kill();
    }

    /// kill -9, for it and whatever it forked.
    pub fn kill(&mut self) {
        if self.ended().is_none() {
            let _ = kill_process_group(pid_of(self.pid()), Signal::KILL);
            self.status = self.child.wait().ok();
            return;
        }
        // The group may outlive its leader (a killed Kamailio leaves its workers). Its number alone
        // proves nothing any more: the system may have given it away.
        let group = pid_of(self.pid());
        for pid in marked(|mark| mark == self.mark) {
            if getpgid(Some(pid)) == Ok(group) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop();
    }
}

fn pid_of(pid: u32) -> Pid {
    let raw = i32::try_from(pid).ok().and_then(Pid::from_raw);
    raw.unwrap_or_else(|| panic!("{pid} is no process id"))
}

/// Processes whose mark is wanted.
fn marked(wanted: impl Fn(&str) -> bool) -> Vec<Pid> {
    let is_ours = |pid: &u32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let mut variables = environment.split(|b| *b == 0);
        variables.any(|v| {
            let mark = std::str::from_utf8(v)
                .ok()
                .and_then(|v| v.strip_prefix(MARK));
            mark.and_then(|m| m.strip_prefix('=')).is_some_and(&wanted)
        })
    };
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|e| e.file_name().to_str()?.parse().ok());
    let others = pids.filter(|pid| *pid != std::process::id());
    others.filter(is_ours).map(pid_of).collect()
}

fn kill_all(wanted: impl Fn(&str) -> bool) {
    for pid in marked(wanted) {
        let _ = kill_process(pid, Signal::KILL);
    }
}

/// kill -9 for what is left of one run.
pub(crate) fn kill_marked(mark: &str) {
    kill_all(|m| m == mark);
}

/// From now on Ctrl-C and SIGTERM end this program and all that its runs started.
///
/// # Panics
/// If the system refuses a signal handler.
pub fn stop_everything_on_signals() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let signals = [
            signal_hook::consts::SIGINT,
            signal_hook::consts::SIGTERM,
            signal_hook::consts::SIGHUP,
        ];
        let mut signals = signal_hook::iterator::Signals::new(signals)
            .unwrap_or_else(|e| panic!("handling signals: {e}"));
        std::thread::spawn(move || {
            if let Some(signal) = signals.forever().next() {
                let own = format!("{}.", std::process::id());
                // Twice: the first round may have met a test in the middle of a start.
                kill_all(|mark| mark.starts_with(&own));
                kill_all(|mark| mark.starts_with(&own));
                crate::run::remove_all();
                std::process::exit(128 + signal);
            }
        });
    });
}
