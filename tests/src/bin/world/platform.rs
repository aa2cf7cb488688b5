//! The world that `tests/world/` makes: its hosts, what runs and lies in them, and the ways to break them. It must
//! not know what a story is, nor what a host's role means.

use std::fs;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use kamscale_tests::repository;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// What the kernel counts the start of a process in.
const TICKS_PER_S: f64 = 100.0;

/// Who decides about the pools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decider {
    Agent,
    Aodh,
}

impl Decider {
    /// Its word in agent.toml and in the names of figures.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Aodh => "aodh",
        }
    }
}

/// The hosts.
#[derive(Clone, Debug)]
pub(crate) struct Platform {
    dir: PathBuf,
}

impl Platform {
    /// The one of this source tree, whether it runs or not.
    pub(crate) fn here() -> Self {
        let given = std::env::var_os("KAMSCALE_WORLD_DIR").map(PathBuf::from);
        Self {
            dir: given.unwrap_or_else(|| repository().join("target/world")),
        }
    }

    /// Where the cloud of the world has its clouds.yaml.
    pub(crate) fn cloud_dir(&self) -> PathBuf {
        let given = std::env::var_os("KAMSCALE_OPENSTACK_DIR").map(PathBuf::from);
        given.unwrap_or_else(|| self.dir.join("openstack"))
    }

    /// How machines are that Heat makes from now on (docs/world.md, *Breaking it*).
    pub(crate) fn machines_from_now_on(&self, faults: &str) -> Result<(), String> {
        let path = self.dir.join("faults.json");
        let part = self.dir.join("faults.json.part");
        let written = fs::write(&part, faults).and_then(|()| fs::rename(&part, &path));
        written.map_err(|e| format!("{}: {e}", path.display()))
    }

    /// Runs a script of `tests/world/` with its progress on stderr.
    ///
    /// # Errors
    /// If it failed; its own words are on stderr.
    pub(crate) fn script(name: &str, words: &[&str]) -> Result<(), String> {
        let mut command = Command::new(repository().join("tests/world").join(name));
        command.args(words).stdin(Stdio::null());
        let status = command.status().map_err(|e| format!("{name}: {e}"))?;
        let said = format!("tests/world/{name} {}: {status}", words.join(" "));
        status.success().then_some(()).ok_or(said)
    }

    /// Names of the hosts that run.
    pub(crate) fn hosts(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir.join("hosts"));
        let names = entries.into_iter().flatten().flatten();
        let names = names.filter_map(|e| e.file_name().into_string().ok());
        let mut names: Vec<String> = names.filter(|n| self.init(n).is_some()).collect();
        names.sort();
        names
    }

    /// The process that is number 1 in a host, if it runs.
    pub(crate) fn init(&self, host: &str) -> Option<u32> {
        let path = self.dir.join("hosts").join(host).join("init");
        let text = fs::read_to_string(path).ok()?;
        let pid = text.split_whitespace().next()?.parse().ok()?;
        fs::exists(format!("/proc/{pid}/root/etc"))
            .ok()?
            .then_some(pid)
    }

    /// When a host's number 1 was started, in seconds since 1970.
    pub(crate) fn booted_s(&self, host: &str) -> Option<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.init(host)?)).ok()?;
        let ticks = stat.rsplit(')').next()?.split_whitespace().nth(19)?;
        let machine = fs::read_to_string("/proc/stat").ok()?;
        let since = machine.lines().find_map(|l| l.strip_prefix("btime "))?;
        let (since, ticks): (f64, f64) = (since.trim().parse().ok()?, ticks.parse().ok()?);
        Some(since + ticks / TICKS_PER_S)
    }

    /// A path in a running host, as this machine sees it.
    pub(crate) fn path(&self, host: &str, path: &str) -> Option<PathBuf> {
        Some(PathBuf::from(format!(
            "/proc/{}/root{path}",
            self.init(host)?
        )))
    }

    /// A file of a running host.
    pub(crate) fn read(&self, host: &str, path: &str) -> Option<String> {
        fs::read_to_string(self.path(host, path)?).ok()
    }

    /// Its address, as its own /etc/hosts has it.
    pub(crate) fn address(&self, host: &str) -> Option<Ipv4Addr> {
        let text = self.read(host, "/etc/hosts")?;
        let mut lines = text
            .lines()
            .filter(|l| l.split_whitespace().any(|w| w == host));
        lines.next()?.split_whitespace().next()?.parse().ok()
    }

    /// Runs a command in a host; what it printed.
    ///
    /// # Errors
    /// What it said, if it failed.
    pub(crate) fn run(host: &str, words: &[&str]) -> Result<String, String> {
        let mut command = Command::new(repository().join("tests/world/host.sh"));
        answer(command.arg("exec").arg(host).args(words))
    }

    /// Share of its processors that a host has used since it booted, times seconds, and how many it has.
    pub(crate) fn processor(host: &str) -> Option<(f64, f64)> {
        let number = |controller: &str, file: &str| -> Option<f64> {
            let path = format!("/sys/fs/cgroup/{controller}/{}/{host}/{file}", world());
            fs::read_to_string(path).ok()?.trim().parse().ok()
        };
        let used = number("cpuacct", "cpuacct.usage")? / 1e9;
        let (quota, period) = (
            number("cpu", "cpu.cfs_quota_us")?,
            number("cpu", "cpu.cfs_period_us")?,
        );
        Some((used, if quota > 0.0 { quota / period } else { 1.0 }))
    }

    /// Megabytes that the cloud's services take, what they share counted once.
    pub(crate) fn cloud_memory_mb(&self) -> f64 {
        let marked = format!("KAMSCALE_OPENSTACK_DIR={}", self.cloud_dir().display());
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let of_cloud = entries.filter(|e| {
            let environment = fs::read(e.path().join("environ")).unwrap_or_default();
            environment
                .split(|b| *b == 0)
                .any(|v| v == marked.as_bytes())
        });
        let share = |e: fs::DirEntry| -> Option<f64> {
            let text = fs::read_to_string(e.path().join("smaps_rollup")).ok()?;
            let line = text.lines().find_map(|l| l.strip_prefix("Pss:"))?;
            line.split_whitespace().next()?.parse::<f64>().ok()
        };
        of_cloud.filter_map(share).sum::<f64>() / 1024.0
    }

    /// Bytes that all hosts take, their disks included.
    pub(crate) fn memory() -> Option<f64> {
        let path = format!("/sys/fs/cgroup/memory/{}/memory.usage_in_bytes", world());
        fs::read_to_string(path).ok()?.trim().parse().ok()
    }
}

fn world() -> String {
    std::env::var("KAMSCALE_WORLD").unwrap_or_else(|_| "kw".into())
}

/// Where a host's network is found.
pub(crate) fn namespace(host: &str) -> String {
    format!("/run/netns/{}-{host}", world())
}

/// A command in a bare namespace of the world, as `phones` or `operator`.
pub(crate) fn command_in(namespace: &str, program: &str) -> Command {
    let mut command = Command::new("nsenter");
    command.arg(format!("--net={}", self::namespace(namespace)));
    command.args(["--", program]);
    command
}

/// A command there, which has that namespace's share of the processors, too.
pub(crate) fn command_of(namespace: &str, program: &str) -> Command {
    let enter = r#"for group in cpu cpuacct; do echo $$ >"/sys/fs/cgroup/$group/$0/cgroup.procs" || exit; done; exec "$@""#;
    let mut command = Command::new("sh");
    command.args(["-c", enter, &format!("{}/{namespace}", world())]);
    command.args(["nsenter", &format!("--net={}", self::namespace(namespace))]);
    command.args(["--", program]);
    command
}

/// Runs a function on a thread whose sockets are in a namespace of the world.
pub(crate) fn inside<T: Send>(
    namespace: &str,
    work: impl FnOnce() -> T + Send,
) -> Result<T, String> {
    let path = self::namespace(namespace);
    let file = fs::File::open(&path).map_err(|e| format!("{path}: {e}"))?;
    let entered = || {
        let kind = Some(LinkNameSpaceType::Network);
        move_into_link_name_space(file.as_fd(), kind).map_err(|e| format!("{path}: {e}"))?;
        Ok(work())
    };
    let joined = std::thread::scope(|scope| scope.spawn(entered).join());
    joined.unwrap_or_else(|_| Err(format!("a thread in {namespace} panicked")))
}

/// What a command printed.
///
/// # Errors
/// What it said, if it failed.
pub(crate) fn answer(command: &mut Command) -> Result<String, String> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|e| format!("{command:?}: {e}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{command:?}: {} {}", text.trim(), said.trim()))
}
