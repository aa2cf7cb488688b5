//! The real agent and its command line. It must not know the meaning of a decision.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;
use serde_json::Value;

use crate::dns::where_resolv_conf_is;
use crate::process::Process;
use crate::run::RunDir;
use crate::tools::built;
use crate::wait::{PATIENCE, wait_until};

/// How an agent is configured: `[agent]` is written by the harness, the pools by the test.
#[derive(Clone, Debug)]
pub struct AgentSetup<'a> {
    run: &'a RunDir,
    instance: String,
    interval_s: f64,
    pools: String,
    environment: Vec<(String, String)>,
    also_listen: Option<String>,
    resolv_conf: Option<PathBuf>,
}

impl<'a> AgentSetup<'a> {
    /// With these pools, in TOML.
    #[must_use]
    pub fn new(run: &'a RunDir, pools: &str) -> Self {
        Self {
            run,
            instance: "default".into(),
            interval_s: 0.2,
            pools: pools.into(),
            environment: Vec::new(),
            also_listen: None,
            resolv_conf: None,
        }
    }

    /// For another instance than `default`.
    #[must_use]
    pub fn instance(mut self, name: &str) -> Self {
        self.instance = name.into();
        self
    }

    /// Seconds between two rounds of its loop.
    #[must_use]
    pub fn interval_s(mut self, seconds: f64) -> Self {
        self.interval_s = seconds;
        self
    }

    /// With a variable in its environment.
    #[must_use]
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Serves HTTP at this loopback address, too, as `127.0.0.1:9130`.
    #[must_use]
    pub fn also_listen(mut self, address: &str) -> Self {
        self.also_listen = Some(address.into());
        self
    }

    /// Asks the DNS servers of this file instead of those of /etc/resolv.conf; root may do that.
    #[must_use]
    pub fn resolv_conf(mut self, file: PathBuf) -> Self {
        self.resolv_conf = Some(file);
        self
    }

    fn file(&self, suffix: &str) -> PathBuf {
        self.run.file(&format!("agent-{}.{suffix}", self.instance))
    }

    fn write_config(&self) -> PathBuf {
        let path = self.file("toml");
        let (state, audit, socket) = (self.file("state"), self.file("audit"), self.file("sock"));
        let also = self.also_listen.as_ref();
        let also = also.map_or(String::new(), |address| format!(", \"{address}\""));
        let text = format!(
            "[agent]\ninstance = \"{}\"\nshm_dir = \"{}\"\nstate_file = \"{}\"\n\
             audit_file = \"{}\"\nlisten = [\"unix:{}\"{also}]\ninterval_s = {:?}\n\n{}",
            self.instance,
            self.run.shm_dir().display(),
            state.display(),
            audit.display(),
            socket.display(),
            self.interval_s,
            self.pools
        );
        std::fs::write(&path, text).unwrap_or_else(|e| panic!("writing {}: {e}", path.display()));
        path
    }

    fn spawn(&self) -> Process {
        let mut command = Command::new(built("kamscale-agent"));
        command.arg("--config").arg(self.write_config());
        // What it makes finds its files here.
        command.current_dir(self.run.path());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        if let Some(file) = &self.resolv_conf {
            command = where_resolv_conf_is(file, &command);
        }
        Process::spawn(self.run, &format!("agent-{}", self.instance), &mut command)
    }

    /// Starts it and waits until it answers.
    ///
    /// # Panics
    /// If it does not come up; its log is shown.
    #[must_use]
    #[track_caller]
    pub fn start(self) -> Agent<'a> {
        let process = self.spawn();
        let mut agent = Agent {
            setup: self,
            process,
        };
        agent.await_answers();
        agent
    }
}

/// A running agent.
#[derive(Debug)]
pub struct Agent<'a> {
    setup: AgentSetup<'a>,
    process: Process,
}

impl Agent<'_> {
    #[track_caller]
    fn await_answers(&mut self) {
        wait_until("the agent answers", PATIENCE, || {
            if let Some(status) = self.process.ended() {
                let log = self.process.log();
                panic!("the agent ended ({status}) instead of starting:\n{log}");
            }
            self.try_cli(&["status"]).is_ok()
        });
    }

    /// `kamscale WORDS --json`.
    ///
    /// # Panics
    /// If the command fails; [`Self::try_cli`] does not.
    #[track_caller]
    pub fn cli(&self, words: &[&str]) -> Value {
        self.try_cli(words)
            .unwrap_or_else(|e| panic!("kamscale {words:?}: {e}"))
    }

    /// `kamscale WORDS --json`, or what it said was wrong.
    ///
    /// # Errors
    /// What it printed to stderr.
    pub fn try_cli(&self, words: &[&str]) -> Result<Value, String> {
        let output = Command::new(built("kamscale"))
            .arg("--socket")
            .arg(format!("unix:{}", self.setup.file("sock").display()))
            .arg("--json")
            .args(words)
            .output()
            .map_err(|e| e.to_string())?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        serde_json::from_slice(&output.stdout).map_err(|e| e.to_string())
    }

    /// Where it puts its events on record.
    #[must_use]
    pub fn audit_file(&self) -> PathBuf {
        self.setup.file("audit")
    }

    /// Every event so far, oldest first, over restarts.
    #[must_use]
    pub fn events(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.setup.file("audit")).unwrap_or_default();
        // The last line may be half written.
        text.lines()
            .filter_map(|l| serde_json::from_str(l).ok())
            .collect()
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Where it serves its API.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.setup.file("sock")
    }

    /// Its process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// What it wrote.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Ends it in order; members and calls stay.
    ///
    /// # Panics
    /// If it does not end.
    #[track_caller]
    pub fn stop(&mut self) {
        self.process.signal(Signal::TERM);
        self.process.wait(PATIENCE);
    }

    /// kill -9; members and calls stay.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again (and ends it first if it runs), with the same files.
    #[track_caller]
    pub fn restart(&mut self) {
        self.process.stop();
        self.process = self.setup.spawn();
        self.await_answers();
    }

    /// Tells it to read its configuration again (SIGHUP).
    pub fn reload(&mut self) {
        self.process.signal(Signal::HUP);
    }

    /// Gives it other pools and tells it so (SIGHUP).
    pub fn reconfigure(&mut self, pools: &str) {
        pools.clone_into(&mut self.setup.pools);
        self.setup.write_config();
        self.reload();
    }
}

/// POST to an agent's API, for those who ask too often for a command line.
///
/// # Errors
/// Its answer if that is no success, or why there is none.
pub(crate) fn post(socket: &Path, path: &str, body: &Value) -> Result<(), String> {
    let body = body.to_string();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut answer = String::new();
    let asked = UnixStream::connect(socket).and_then(|mut stream| {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(request.as_bytes())?;
        stream.read_to_string(&mut answer)
    });
    match asked {
        Ok(_) if answer.starts_with("HTTP/1.1 200") => Ok(()),
        Ok(_) => Err(answer),
        Err(error) => Err(error.to_string()),
    }
}

impl Drop for Agent<'_> {
    fn drop(&mut self) {
        self.process.stop();
        if std::thread::panicking() {
            let log = self.process.log();
            for line in log
                .lines()
                .filter(|l| l.contains("ERROR") || l.contains("WARN"))
            {
                eprintln!("agent: {line}");
            }
        }
    }
}
