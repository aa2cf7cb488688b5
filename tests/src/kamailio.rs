//! A real Kamailio: started as the project recommends, watched over its RPC socket, killed or
//! restarted as a test wants.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use kamscale_shm::{Observer, Snapshot};
use rustix::process::Signal;
use serde_json::Value;

use crate::client::SipClient;
use crate::dns::where_resolv_conf_is;
use crate::kamcmd;
use crate::process::Process;
use crate::run::RunDir;
use crate::tools::{built, repository, tool};
use crate::wait::{PATIENCE, wait_until};

/// What a Kamailio is started with.
#[derive(Clone, Debug)]
pub struct KamailioSetup<'a> {
    run: &'a RunDir,
    name: String,
    cfg: PathBuf,
    sip: SocketAddr,
    defines: BTreeMap<String, String>,
    options: Vec<String>,
    resolv_conf: Option<PathBuf>,
    settings: bool,
}

impl<'a> KamailioSetup<'a> {
    /// Listens here instead of on a fresh address.
    #[must_use]
    pub fn at(mut self, sip: SocketAddr) -> Self {
        self.sip = sip;
        self
    }

    /// Its name in the run: of its log, its sockets and its run directory.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.name = name.into();
        self
    }

    /// `-A NAME=VALUE`, the value as it stands: a number, or a word like `udp:127.0.0.1:5060`.
    #[must_use]
    pub fn define(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        self.defines.insert(name.into(), value.to_string());
        self
    }

    /// `-A NAME="VALUE"`: a string.
    #[must_use]
    pub fn define_text(self, name: &str, value: impl std::fmt::Display) -> Self {
        self.define(name, format!("\"{value}\""))
    }

    /// Another option of Kamailio's command line.
    #[must_use]
    pub fn option(mut self, words: &[&str]) -> Self {
        self.options.extend(words.iter().map(|w| (*w).to_owned()));
        self
    }

    /// Asks the DNS servers of this file instead of those of /etc/resolv.conf; root may do that.
    #[must_use]
    pub fn resolv_conf(mut self, file: PathBuf) -> Self {
        self.resolv_conf = Some(file);
        self
    }

    /// Nothing of the harness but the module and what was defined: the file says the rest by itself.
    #[must_use]
    pub fn without_settings(mut self) -> Self {
        self.settings = false;
        self
    }

    /// The command line, for tests that need another way of starting (`kamailio -c`).
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = Command::new(tool("kamailio"));
        command.arg("-f").arg(&self.cfg).args(["-DD", "-E"]);
        // fm: the packaged default manager makes every small allocation dear.
        command.args(["-x", "fm", "-X", "fm"]);
        command
            .arg("-Y")
            .arg(self.run.dir(&format!("{}.run", self.name)));
        let socket = self.socket();
        let standard = [
            ("KS_LISTEN", format!("udp:{}", self.sip)),
            ("KS_ADDRESS", self.sip.ip().to_string()),
            ("KS_PORT", self.sip.port().to_string()),
            ("KS_CTL", format!("\"unix:{}\"", socket.display())),
            (
                "KS_MODULE",
                format!("\"{}\"", built("libkamscale.so").display()),
            ),
            (
                "KS_SHM_DIR",
                format!("\"{}\"", self.run.shm_dir().display()),
            ),
        ];
        for (name, value) in standard {
            let wanted = self.settings || name == "KS_MODULE";
            if wanted && !self.defines.contains_key(name) {
                command.args(["-A", &format!("{name}={value}")]);
            }
        }
        for (name, value) in &self.defines {
            command.args(["-A", &format!("{name}={value}")]);
        }
        command.args(&self.options).current_dir(self.run.path());
        match &self.resolv_conf {
            Some(file) => where_resolv_conf_is(file, &command),
            None => command,
        }
    }

    fn socket(&self) -> PathBuf {
        self.run.file(&format!("{}.ctl", self.name))
    }

    /// Starts it without waiting for anything: it may be meant to fail.
    #[must_use]
    #[track_caller]
    pub fn spawn(&self) -> Process {
        Process::spawn(self.run, &self.name, &mut self.command())
    }

    /// Starts it and waits until it answers SIP and RPC.
    ///
    /// # Panics
    /// If it does not come up; its log is shown.
    #[must_use]
    #[track_caller]
    pub fn start(self) -> Kamailio<'a> {
        let process = self.spawn();
        let mut kamailio = Kamailio {
            setup: self,
            process,
        };
        kamailio.await_answers();
        kamailio
    }
}

/// A running Kamailio.
#[derive(Debug)]
pub struct Kamailio<'a> {
    setup: KamailioSetup<'a>,
    process: Process,
}

impl<'a> Kamailio<'a> {
    /// With the configuration that users start from.
    #[must_use]
    pub fn minimal(run: &'a RunDir) -> KamailioSetup<'a> {
        Self::with_file(run, repository().join("kamailio-cfg/minimal.cfg"))
    }

    /// With the configuration of a core node; it finds its address defined, too.
    #[must_use]
    pub fn ccp(run: &'a RunDir) -> KamailioSetup<'a> {
        Self::shipped(run, "ccp.cfg")
    }

    /// With another of the configurations that the project ships, by its name.
    #[must_use]
    pub fn shipped(run: &'a RunDir, name: &str) -> KamailioSetup<'a> {
        Self::with_file(run, repository().join("kamailio-cfg").join(name))
    }

    /// With a configuration of the test's own. It finds the words `KS_LISTEN`, `KS_CTL`,
    /// `KS_MODULE` and `KS_SHM_DIR` defined (the last three as strings).
    #[must_use]
    pub fn with_text(run: &'a RunDir, text: &str) -> KamailioSetup<'a> {
        Self::with_file(run, run.write("kamailio.cfg", text))
    }

    /// With this configuration file.
    #[must_use]
    pub fn with_file(run: &'a RunDir, cfg: PathBuf) -> KamailioSetup<'a> {
        KamailioSetup {
            run,
            name: "kamailio".into(),
            cfg,
            sip: run.endpoint(),
            defines: BTreeMap::new(),
            options: Vec::new(),
            resolv_conf: None,
            settings: true,
        }
    }

    #[track_caller]
    fn await_answers(&mut self) {
        let client = SipClient::new(self.setup.run);
        let sip = self.setup.sip;
        wait_until("Kamailio answers OPTIONS and RPC", PATIENCE, || {
            if let Some(status) = self.process.ended() {
                let log = self.process.log();
                panic!("Kamailio ended ({status}) instead of starting:\n{log}");
            }
            let answered = client.options(sip, Duration::from_millis(200)).is_some();
            answered && self.try_rpc(&["core.uptime"]).is_ok()
        });
    }

    /// Where it takes SIP.
    #[must_use]
    pub fn sip(&self) -> SocketAddr {
        self.setup.sip
    }

    /// Its main process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// All its processes: id and what each is for.
    #[must_use]
    pub fn processes(&self) -> BTreeMap<u32, String> {
        let of = |v: &Value| {
            let pid = u32::try_from(v["PID"].as_u64()?).ok()?;
            Some((pid, v["DSC"].as_str().unwrap_or_default().to_owned()))
        };
        self.rpc(&["core.psx"]).iter().filter_map(of).collect()
    }

    /// An RPC command's answer: each structure, list or line of it is one value.
    ///
    /// # Panics
    /// If Kamailio answers an error; [`Self::try_rpc`] does not.
    #[track_caller]
    pub fn rpc(&self, words: &[&str]) -> Vec<Value> {
        self.try_rpc(words)
            .unwrap_or_else(|e| panic!("RPC {words:?}: {e}"))
    }

    /// An RPC command's answer, or what was wrong.
    ///
    /// # Errors
    /// What kamcmd printed.
    pub fn try_rpc(&self, words: &[&str]) -> Result<Vec<Value>, String> {
        kamcmd::run(&self.setup.socket(), words).map(|text| kamcmd::parse(&text))
    }

    /// A statistic of Kamailio's core, as `dialog:active_dialogs`.
    ///
    /// # Panics
    /// If there is none of this name.
    #[must_use]
    #[track_caller]
    pub fn statistic(&self, name: &str) -> u64 {
        // kamcmd takes `group:` for a whole group, and the bare name for one.
        let short = name.rsplit(':').next().unwrap_or(name);
        let lines = self.rpc(&["stats.get_statistics", short]);
        let value = lines.iter().filter_map(Value::as_str).find_map(|line| {
            let (is, value) = line.split_once(" = ")?;
            (is == name).then(|| value.trim().parse().ok())?
        });
        value.unwrap_or_else(|| panic!("no statistic {name}"))
    }

    /// What it shows in shared memory now, read as the agent reads it.
    ///
    /// # Panics
    /// If the module's file cannot be read.
    #[must_use]
    #[track_caller]
    pub fn observed(&self, instance: &str) -> Snapshot {
        let observer = Observer::open(&self.setup.run.shm_dir(), instance);
        observer
            .unwrap_or_else(|e| panic!("looking at instance {instance}: {e}"))
            .snapshot()
    }

    /// What it wrote.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Whether it runs.
    pub fn runs(&mut self) -> bool {
        self.process.ended().is_none()
    }

    /// Its process, for signals and its end.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Ends it in order.
    ///
    /// # Panics
    /// If it does not end.
    #[track_caller]
    pub fn stop(&mut self) {
        self.process.signal(Signal::TERM);
        self.process.wait(PATIENCE);
    }

    /// kill -9 to all its processes at once.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again (and ends it first if it runs), with the same files and addresses.
    #[track_caller]
    pub fn restart(&mut self) {
        self.process.stop();
        self.process = self.setup.spawn();
        self.await_answers();
    }
}

impl Drop for Kamailio<'_> {
    fn drop(&mut self) {
        self.process.stop();
        if std::thread::panicking() {
            let log = self.process.log();
            let bad = ["ERROR", "CRITICAL", "ALERT", "BUG"];
            for line in log.lines().filter(|l| bad.iter().any(|b| l.contains(b))) {
                eprintln!("{}: {line}", self.setup.name);
            }
        }
    }
}
