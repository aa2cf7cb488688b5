//! A real DNS server (dnsmasq) on an address of the run, whose records a test changes, and that it takes
//! away. It serves the zone `test`, knows nothing else and asks nobody.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::Process;
use crate::run::RunDir;
use crate::tools::{installed, tool};

/// The port that a resolv.conf cannot change.
const PORT: u16 = 53;

/// The server; it ends with this.
#[derive(Debug)]
pub struct DnsServer<'a> {
    run: &'a RunDir,
    ip: Ipv4Addr,
    process: Option<Process>,
}

impl<'a> DnsServer<'a> {
    /// Serves these records, each an option of dnsmasq, as `host-record=conf.test,127.0.0.2,60`; `None`,
    /// after a line that says why, where that cannot be.
    #[must_use]
    pub fn start(run: &'a RunDir, records: &[String]) -> Option<Self> {
        let why = if installed("dnsmasq").is_none() {
            "dnsmasq is not installed; `make setup` installs it"
        } else if !rustix::process::geteuid().is_root() {
            "only root may serve DNS at its port"
        } else {
            let ip = run.next_address();
            let mut server = Self {
                run,
                ip,
                process: None,
            };
            server.serve(records);
            return Some(server);
        };
        println!("SKIPPED: {why}");
        None
    }

    /// Serves these records from now on, also after [`Self::leave`].
    pub fn serve(&mut self, records: &[String]) {
        self.leave();
        let mut command = Command::new(tool("dnsmasq"));
        command.args(["--keep-in-foreground", "--conf-file=/dev/null"]);
        command.args(["--no-hosts", "--no-resolv", "--local=/test/"]);
        command.args(["--user=", "--group=", "--pid-file=", "--bind-interfaces"]);
        command.arg(format!("--listen-address={}", self.ip));
        command.arg(format!("--port={PORT}"));
        command.args(records.iter().map(|record| format!("--{record}")));
        self.process = Some(Process::spawn(self.run, "dnsmasq", &mut command));
    }

    /// Is away: nobody answers.
    pub fn leave(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.stop();
        }
    }

    /// Its address.
    #[must_use]
    pub fn ip(&self) -> Ipv4Addr {
        self.ip
    }

    /// A resolv.conf that names it.
    #[must_use]
    pub fn resolv_conf(&self) -> PathBuf {
        self.run
            .write("resolv.conf", format!("nameserver {}\n", self.ip))
    }
}

/// The same command where /etc/resolv.conf is this file.
pub(crate) fn where_resolv_conf_is(file: &Path, command: &Command) -> Command {
    let mut inside = Command::new(tool("unshare"));
    inside.args(["--mount", "sh", "-c"]);
    inside.arg("mount --bind \"$0\" /etc/resolv.conf && exec \"$@\"");
    inside.arg(file).arg(command.get_program());
    inside.args(command.get_args());
    if let Some(dir) = command.get_current_dir() {
        inside.current_dir(dir);
    }
    let environment = command.get_envs();
    inside.envs(environment.filter_map(|(name, value)| Some((name, value?))));
    inside
}
