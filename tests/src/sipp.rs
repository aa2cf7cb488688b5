//! SIPp: callers at a rate and ordinary members, and what its statistics say. Always in the
//! foreground, on loopback, and without its screen.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use rustix::process::Signal;

use crate::process::Process;
use crate::run::RunDir;
use crate::tools::tool;

const CALLER: &str = include_str!("../sipp/uac.xml");
const MEMBER: &str = include_str!("../sipp/uas.xml");

/// What a SIPp is started with. Ends by itself after `calls` calls, or when stopped.
#[derive(Debug)]
pub struct SippSetup<'a> {
    run: &'a RunDir,
    name: String,
    scenario: &'static str,
    address: SocketAddr,
    words: Vec<String>,
    target: Option<SocketAddr>,
}

/// Calls so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallTotals {
    /// Calls begun.
    pub created: u64,
    /// Calls that go on now.
    pub current: u64,
    /// Calls whose whole scenario was played.
    pub successful: u64,
    /// Calls that went another way.
    pub failed: u64,
    /// Messages sent again.
    pub retransmissions: u64,
}

/// Messages so far, per step of the scenario: `0_INVITE_Sent`, `3_200_Recv`, `7_200_Unexp`.
pub type SippSteps = BTreeMap<String, u64>;

impl<'a> SippSetup<'a> {
    /// A caller at a fresh address: calls `user` at `target`, once a second for 1 s.
    #[must_use]
    pub fn caller(run: &'a RunDir, name: &str, target: SocketAddr, user: &str) -> Self {
        let setup = Self::new(run, name, CALLER, run.endpoint());
        let target = Some(target);
        let setup = Self { target, ..setup }.option(&["-s", user]);
        setup.option(&["-l", "100000"])
    }

    /// A member: answers OPTIONS and calls at `address`.
    #[must_use]
    pub fn member(run: &'a RunDir, name: &str, address: SocketAddr) -> Self {
        Self::new(run, name, MEMBER, address)
    }

    fn new(run: &'a RunDir, name: &str, scenario: &'static str, address: SocketAddr) -> Self {
        Self {
            run,
            name: name.into(),
            scenario,
            address,
            words: Vec::new(),
            target: None,
        }
    }

    /// So many calls in each period.
    #[must_use]
    pub fn rate(self, calls: u32, period: Duration) -> Self {
        let period = period.as_millis().to_string();
        self.option(&["-r", &calls.to_string(), "-rp", &period])
    }

    /// So many calls altogether; without a limit otherwise.
    #[must_use]
    pub fn calls(self, count: u32) -> Self {
        self.option(&["-m", &count.to_string()])
    }

    /// How long the caller talks before it hangs up.
    #[must_use]
    pub fn talk(self, time: Duration) -> Self {
        self.option(&["-d", &time.as_millis().to_string()])
    }

    /// Other words of SIPp's command line.
    #[must_use]
    pub fn option(mut self, words: &[&str]) -> Self {
        self.words.extend(words.iter().map(|w| (*w).to_owned()));
        self
    }

    /// Starts it.
    #[must_use]
    #[track_caller]
    pub fn start(self) -> Sipp {
        let dir = self.run.dir(&format!("sipp-{}", self.name));
        let scenario = self
            .run
            .write(&format!("sipp-{}/play.xml", self.name), self.scenario);
        let mut command = Command::new(tool("sipp"));
        command
            .args(basic_words(&scenario, self.address))
            .args(&self.words);
        if let Some(target) = self.target {
            command.arg(target.to_string());
        }
        command.current_dir(&dir);
        let name = format!("sipp-{}/out", self.name);
        let process = Process::spawn(self.run, &name, &mut command);
        Sipp { process, dir }
    }
}

fn basic_words(scenario: &Path, address: SocketAddr) -> Vec<String> {
    let host = address.ip().to_string();
    let mut words = vec!["-sf".into(), scenario.display().to_string()];
    // -bind_local: otherwise SIPp listens on every interface of the machine.
    for option in ["-i", "-mi", "-ci"] {
        words.extend([option.into(), host.clone()]);
    }
    words.extend(["-p".into(), address.port().to_string()]);
    let rest = "-bind_local -nostdin -trace_stat -stf stat.csv -fd 1 -trace_counts -trace_err \
                -error_file errors.log";
    words.extend(rest.split(' ').map(str::to_owned));
    words
}

/// The shell command by which the agent's local actuator makes a SIPp member with `{address}`,
/// `{port}` and `{name}`, after `boot_s` seconds. Its files are in `DIR/NAME`.
#[must_use]
pub fn uas_command(run: &RunDir, dir: &str, boot_s: f64) -> String {
    let scenario = run.write("member.xml", MEMBER);
    let dir = run.dir(dir);
    let words = "-i {address} -mi {address} -ci {address} -p {port} -bind_local -nostdin \
                 -trace_stat -stf stat.csv -fd 1 -trace_counts -trace_err -error_file errors.log";
    format!(
        "mkdir -p {dir}/{{name}} && cd {dir}/{{name}} && sleep {boot_s} && exec {sipp} -sf {sf} {words}",
        dir = dir.display(),
        sipp = tool("sipp").display(),
        sf = scenario.display(),
    )
}

/// A running or ended SIPp.
#[derive(Debug)]
pub struct Sipp {
    process: Process,
    dir: PathBuf,
}

impl Sipp {
    /// Calls so far, at most one second old.
    #[must_use]
    pub fn totals(&self) -> CallTotals {
        CallTotals::read(&self.dir)
    }

    /// Messages so far, at most one second old.
    #[must_use]
    pub fn steps(&self) -> SippSteps {
        read_steps(&self.dir)
    }

    /// What went unexpectedly.
    #[must_use]
    pub fn errors(&self) -> String {
        fs::read_to_string(self.dir.join("errors.log")).unwrap_or_default()
    }

    /// Its process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Whether it ended, and how.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.process.ended()
    }

    /// No new calls; it ends when the running ones have ended (SIGUSR1).
    pub fn finish(&mut self) {
        self.process.signal(Signal::USR1);
    }

    /// Waits for its end: true if every call went as it should.
    ///
    /// # Panics
    /// If it does not end before the deadline.
    #[track_caller]
    pub fn wait(&mut self, deadline: Duration) -> bool {
        self.process.wait(deadline).success()
    }
}

impl CallTotals {
    /// What a SIPp with its files in `dir` counted.
    #[must_use]
    pub fn read(dir: &Path) -> Self {
        let last = last_line(&dir.join("stat.csv"));
        let get = |name: &str| last.get(name).copied().unwrap_or(0);
        Self {
            created: get("TotalCallCreated"),
            current: get("CurrentCall"),
            successful: get("SuccessfulCall(C)"),
            failed: get("FailedCall(C)"),
            retransmissions: get("Retransmissions(C)"),
        }
    }
}

/// The steps of a SIPp with its files in `dir`.
#[must_use]
pub fn read_steps(dir: &Path) -> SippSteps {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let paths = entries.map(|e| e.path());
    let mut counts = paths.filter(|p| p.to_string_lossy().ends_with("_counts.csv"));
    counts.next().map(|p| last_line(&p)).unwrap_or_default()
}

/// The last complete line of a CSV file, by the names of its first line.
fn last_line(path: &Path) -> BTreeMap<String, u64> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let mut lines = whole.lines();
    let (Some(head), Some(last)) = (lines.next(), lines.next_back()) else {
        return BTreeMap::new();
    };
    let pairs = head.split(';').zip(last.split(';'));
    pairs
        .filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)))
        .collect()
}
