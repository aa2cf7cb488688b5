//! One real Kamailio with both sides loaded, on its own or under callgrind. A request runs a case;
//! its answer says how long it took and where it would have gone.

use std::cell::Cell;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::client::SipClient;
use crate::kamailio::Kamailio;
use crate::kamcmd;
use crate::process::Process;
use crate::run::RunDir;
use crate::tools::tool;
use crate::wait::{wait_for, wait_until};

/// A case may run so long under callgrind, on a busy machine.
const LONG: Duration = Duration::from_secs(120);

/// Kamailio's memory manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Manager {
    /// The one that we recommend.
    Fm,
    /// The default.
    Qm,
}

impl Manager {
    /// Its name on Kamailio's command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fm => "fm",
            Self::Qm => "qm",
        }
    }
}

/// A running Kamailio.
#[derive(Debug)]
pub struct Bed<'a> {
    run: &'a RunDir,
    process: Process,
    client: SipClient,
    sip: SocketAddr,
    control: PathBuf,
    dumps: Cell<u32>,
}

/// What a case came to.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Nanoseconds of the loop, by Kamailio's own clock.
    pub took_ns: f64,
    /// When it began, in microseconds since midnight.
    pub began_us: f64,
    /// When it ended.
    pub ended_us: f64,
    /// The worker's process id.
    pub worker: u32,
    /// `$du` afterwards; empty if it was not set.
    pub destination: String,
}

impl<'a> Bed<'a> {
    /// Starts it with this configuration.
    ///
    /// # Panics
    /// If it does not come up.
    #[must_use]
    pub fn start(run: &'a RunDir, text: &str, manager: Manager, callgrind: bool) -> Self {
        let sip = run.endpoint();
        let control = run.file("bench.ctl");
        let setup = Kamailio::with_text(run, text)
            .at(sip)
            .define_text("KS_CTL", format_args!("unix:{}", control.display()))
            .option(&["-m", "512", "-M", "64"])
            .option(&["-x", manager.name(), "-X", manager.name()]);
        let plain = setup.command();
        let mut command = plain;
        if callgrind {
            command = under_callgrind(run, &command);
        }
        let bed = Self {
            run,
            process: Process::spawn(run, "kamailio", &mut command),
            client: SipClient::new(run),
            sip,
            control,
            dumps: Cell::new(0),
        };
        bed.await_answers()
    }

    /// Over RPC, not SIP: a request that was sent again would be counted by callgrind.
    fn await_answers(mut self) -> Self {
        wait_until("Kamailio answers RPC", LONG, || {
            if let Some(status) = self.process.ended() {
                panic!("Kamailio ended ({status}):\n{}", self.process.log());
            }
            self.rpc(&["core.uptime"]).is_ok()
        });
        self
    }

    /// An RPC command by kamcmd.
    ///
    /// # Errors
    /// What kamcmd printed.
    pub fn rpc(&self, words: &[&str]) -> Result<String, String> {
        kamcmd::run(&self.control, words)
    }

    /// Where it takes SIP.
    #[must_use]
    pub fn sip(&self) -> SocketAddr {
        self.sip
    }

    /// Whether it runs.
    pub fn runs(&mut self) -> bool {
        self.process.ended().is_none()
    }

    /// Sends a request for a case and so many rounds, without waiting. Nothing is sent again.
    pub fn send(&self, case: &str, rounds: u32) {
        // Always as long and, for the hashes, always the same.
        let request = self
            .client
            .request("OPTIONS", &format!("sip:{case}@{}", self.sip))
            .replacing("Call-ID", "00000001-bench@kamscale")
            .with("X-N", rounds);
        self.client.send(&request, self.sip);
    }

    /// The next answer.
    ///
    /// # Panics
    /// If none comes.
    #[must_use]
    pub fn receive(&self) -> Answer {
        let reply = self.client.receive(LONG);
        let reply = reply.unwrap_or_else(|| panic!("no answer:\n{}", self.process.log()));
        let mut words = reply.start_line().split(' ').skip(2);
        let mut time = || words.next().and_then(microseconds).unwrap_or(f64::NAN);
        let (began, ended) = (time(), time());
        Answer {
            took_ns: (ended - began) * 1000.0,
            began_us: began,
            ended_us: ended,
            worker: words.next().and_then(|w| w.parse().ok()).unwrap_or(0),
            destination: words.next().unwrap_or_default().to_owned(),
        }
    }

    /// Runs a case.
    ///
    /// # Panics
    /// If it is not answered.
    #[must_use]
    pub fn ask(&self, case: &str, rounds: u32) -> Answer {
        self.send(case, rounds);
        self.receive()
    }

    /// Runs a case under callgrind: the instructions of the whole request.
    ///
    /// # Panics
    /// If callgrind writes nothing.
    #[must_use]
    pub fn instructions(&self, case: &str, rounds: u32) -> (u64, Answer) {
        let answer = self.ask(case, rounds);
        (self.counted(), answer)
    }

    /// Under callgrind: the instructions of the next message that the one worker handled.
    ///
    /// # Panics
    /// If callgrind writes nothing.
    #[must_use]
    pub fn counted(&self) -> u64 {
        // The worker dumps after each message, and numbers its dumps.
        self.dumps.set(self.dumps.get() + 1);
        let end = format!(".{}", self.dumps.get());
        wait_for("callgrind has written its counts", LONG, || {
            let entries = fs::read_dir(self.run.path()).ok()?.flatten();
            let mut paths = entries.map(|e| e.path());
            let path = paths.find(|p| {
                let name = p.file_name().unwrap_or_default().to_string_lossy();
                name.starts_with("callgrind.") && name.ends_with(&end)
            })?;
            let text = fs::read_to_string(&path).ok()?;
            let total = text.lines().find_map(|l| l.strip_prefix("totals: "))?;
            let count = total.trim().parse().ok()?;
            let _ = fs::remove_file(path);
            Some(count)
        })
    }

    /// What it wrote.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }
}

fn under_callgrind(run: &RunDir, plain: &Command) -> Command {
    let mut command = Command::new(tool("valgrind"));
    command
        .args(["--tool=callgrind", "--toggle-collect=receive_msg"])
        .args(["--dump-after=receive_msg", "--dump-line=no"])
        .arg(format!(
            "--callgrind-out-file={}/callgrind.%p",
            run.path().display()
        ))
        .arg(plain.get_program())
        .args(plain.get_args());
    if let Some(dir) = plain.get_current_dir() {
        command.current_dir(dir);
    }
    command
}

/// `seconds.microseconds` as microseconds since midnight, which a double holds exactly.
pub(super) fn microseconds(text: &str) -> Option<f64> {
    const DAY: u64 = 86_400;
    let (seconds, rest) = text.split_once('.')?;
    let micros: u32 = rest.parse().ok()?;
    let seconds = u32::try_from(seconds.parse::<u64>().ok()? % DAY).ok()?;
    Some(f64::from(seconds) * 1e6 + f64::from(micros))
}
