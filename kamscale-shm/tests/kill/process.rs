//! The processes that are killed: how the parent starts, asks and kills one, and how the one that
//! runs in a role hears it. What a role does is its own module's.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const ROLE: &str = "KAMSCALE_KILL_ROLE";
const DIR: &str = "KAMSCALE_KILL_DIR";

/// A process in one of the roles. Without its parent it ends by itself (its input closes).
pub(crate) struct Process {
    role: &'static str,
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Process {
    pub(crate) fn start(role: &'static str, dir: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", role, "--nocapture", "--test-threads=1"])
            .env(ROLE, role)
            .env(DIR, dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self {
            role,
            child,
            input,
            output,
        }
    }

    pub(crate) fn tell(&mut self, word: &str) {
        writeln!(self.input, "{word}").unwrap();
    }

    /// The numbers that the role reports now.
    pub(crate) fn ask(&mut self) -> Vec<u64> {
        self.tell("?");
        loop {
            let mut line = String::new();
            let bytes = self.output.read_line(&mut line).unwrap();
            assert!(
                bytes > 0,
                "{} ended by itself: see its panic above",
                self.role
            );
            if let Some((_, numbers)) = line.split_once("answer:") {
                return numbers
                    .split_whitespace()
                    .map(|n| n.parse().unwrap())
                    .collect();
            }
        }
    }

    /// kill -9; the role must have been alive until then.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        let status = self.child.wait().unwrap();
        assert_eq!(
            status.signal(),
            Some(9),
            "{} ended by itself: {status}",
            self.role
        );
    }

    /// Lets it end in order, after a last report.
    pub(crate) fn end(mut self) -> Vec<u64> {
        let report = self.ask();
        drop(self.input);
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{} failed: {status}", self.role);
        report
    }
}

/// What the parent wants of the role that runs here.
#[derive(Default)]
pub(crate) struct Orders {
    pub(crate) go: AtomicBool,
    stop: AtomicBool,
}

impl Orders {
    pub(crate) fn stop(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// The directory, if this process was started in this role.
pub(crate) fn in_role(role: &str) -> Option<PathBuf> {
    (std::env::var(ROLE).ok()? == role).then(|| std::env::var_os(DIR).unwrap().into())
}

/// Listens to the parent beside the role's own work.
pub(crate) fn obey(report: impl Fn() -> Vec<u64> + Send + 'static) -> Arc<Orders> {
    let orders = Arc::new(Orders::default());
    let mine = Arc::clone(&orders);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines() {
            match line.as_deref() {
                Ok("?") => {
                    let numbers: Vec<String> = report().iter().map(u64::to_string).collect();
                    println!("\nanswer: {}", numbers.join(" "));
                }
                Ok("go") => mine.go.store(true, Ordering::Relaxed),
                _ => break,
            }
        }
        mine.stop.store(true, Ordering::Relaxed);
    });
    orders
}
