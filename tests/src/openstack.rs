//! The real OpenStack services of `tests/openstack/`: started, stopped and broken from tests, and what the
//! Heat plug-in says about the members that it made. It talks to no service itself.
//!
//! The services outlive the test: starting them takes longer than most tests, and a second `up` finds them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::Value;

use crate::tools::repository;

/// `up.sh` has limits of its own; this one is for when bash itself hangs.
const DEADLINE: Duration = Duration::from_mins(10);

/// What is to run beside Keystone, Heat, Gnocchi and Aodh.
#[derive(Clone, Debug, Default)]
pub struct OpenStackOptions {
    /// Placement, glance, neutron's API, and nova with its fake driver.
    pub nova: bool,
    /// Further services by name: `etcd`, `prometheus`.
    pub with: Vec<String>,
    /// Variables of `docs/openstack-testbed.md`. What runs with others is started anew.
    pub variables: Vec<(String, String)>,
}

/// The services of one directory.
#[derive(Clone, Debug)]
pub struct OpenStack {
    dir: PathBuf,
    variables: Vec<(String, String)>,
}

/// A member that the plug-in's records know.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct CloudMember {
    /// The resource's physical id.
    pub id: String,
    /// The server's name.
    pub name: String,
    /// The stack that holds the resource; its name begins with that of the stack it is nested in.
    pub stack: String,
    /// Its loopback address.
    pub address: std::net::Ipv4Addr,
    /// Its UDP port.
    pub port: u16,
    /// The process; none while it boots, or when it was told to fail.
    pub pid: Option<u32>,
    /// When that process was started, in clock ticks since the machine was.
    start_time: Option<String>,
    /// Whether that process runs.
    #[serde(skip)]
    pub alive: bool,
}

impl OpenStack {
    /// Starts what does not run yet and returns when all of it is ready. Progress goes to stderr.
    ///
    /// # Errors
    /// What `up.sh` ended with; its own words are on stderr and name the log.
    pub fn up(options: &OpenStackOptions) -> Result<Self, String> {
        let given = options
            .variables
            .iter()
            .find(|(k, _)| k == "KAMSCALE_OPENSTACK_DIR");
        let dir = given.map(|(_, v)| PathBuf::from(v));
        let dir = dir.or_else(|| std::env::var_os("KAMSCALE_OPENSTACK_DIR").map(PathBuf::from));
        let own = Self {
            dir: dir.unwrap_or_else(|| repository().join("target/openstack")),
            variables: options.variables.clone(),
        };
        let mut words = Vec::new();
        if options.nova {
            words.push("--nova");
        }
        for name in &options.with {
            words.extend(["--with", name]);
        }
        own.script("up.sh", &words)?;
        Ok(own)
    }

    /// SIGTERM, and SIGKILL after 10 s; returns when it is gone.
    ///
    /// # Errors
    /// If there is no such service.
    pub fn stop(&self, service: &str) -> Result<(), String> {
        self.script("service.sh", &["stop", service])
    }

    /// Starts it and what it needs; returns when it is ready.
    ///
    /// # Errors
    /// If there is no such service, or it does not get ready.
    pub fn start(&self, service: &str) -> Result<(), String> {
        self.script("service.sh", &["start", service])
    }

    /// SIGKILL for all its processes; returns when they are gone.
    ///
    /// # Errors
    /// If there is no such service.
    pub fn kill(&self, service: &str) -> Result<(), String> {
        self.script("service.sh", &["kill", service])
    }

    /// SIGSTOP: its ports stay open and nobody answers, until [`Self::resume`].
    ///
    /// # Errors
    /// If there is no such service.
    pub fn pause(&self, service: &str) -> Result<(), String> {
        self.script("service.sh", &["pause", service])
    }

    /// SIGCONT.
    ///
    /// # Errors
    /// If there is no such service.
    pub fn resume(&self, service: &str) -> Result<(), String> {
        self.script("service.sh", &["resume", service])
    }

    /// Its directory: `log/`, `members/`, `endpoints.env`.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The clouds `kamscale-admin`, `kamscale`, `kamscale-application`, `kamscale-restricted`; `secure.yaml` is beside it.
    #[must_use]
    pub fn clouds_file(&self) -> PathBuf {
        self.dir.join("clouds.yaml")
    }

    /// What members are like that are made from now on: patterns of stack names, each with `boot_s`, `fail`,
    /// `address_range`, `port`, `command`. See `tests/openstack/plugins/sip_member.py`.
    ///
    /// # Panics
    /// If the file cannot be written.
    pub fn set_members(&self, settings: &Value) {
        let path = self.dir.join("members.json");
        let part = self.dir.join("members.json.part");
        let written =
            fs::write(&part, settings.to_string()).and_then(|()| fs::rename(&part, &path));
        written.unwrap_or_else(|e| panic!("writing {}: {e}", path.display()));
    }

    /// The members that Heat made and did not delete, by name.
    #[must_use]
    pub fn members(&self) -> Vec<CloudMember> {
        let entries = fs::read_dir(self.dir.join("members"));
        let paths = entries.into_iter().flatten().flatten().map(|e| e.path());
        let records = paths.filter(|p| p.extension().is_some_and(|e| e == "json"));
        let mut members: Vec<_> = records.filter_map(|p| CloudMember::read(&p)).collect();
        members.sort_by(|a, b| a.name.cmp(&b.name));
        members
    }

    /// Where a member's process runs and leaves its files, also when it is gone: SIPp's statistics, `out.log`.
    #[must_use]
    pub fn member_dir(&self, member: &CloudMember) -> PathBuf {
        self.dir.join("members/runs").join(&member.id)
    }

    /// What the plug-in did, in order: `event` is `create`, `start`, `fail` or `delete`, beside the record.
    #[must_use]
    pub fn journal(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.dir.join("members/journal.jsonl")).unwrap_or_default();
        let lines = text.lines().filter_map(|l| serde_json::from_str(l).ok());
        lines.collect()
    }

    /// Members' processes that no record knows any more: nothing will ever stop them.
    #[must_use]
    pub fn leaked(&self) -> Vec<u32> {
        let home = format!(
            "KAMSCALE_MEMBERS_DIR={}",
            self.dir.join("members").display()
        );
        let known: Vec<_> = self.members().into_iter().map(|m| m.id).collect();
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = entries.filter_map(|e| e.file_name().to_str()?.parse::<u32>().ok());
        pids.filter(|pid| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            let variables: Vec<_> = environment.split(|b| *b == 0).collect();
            let id = variables
                .iter()
                .find_map(|v| v.strip_prefix(b"KAMSCALE_MEMBER_ID="));
            variables.contains(&home.as_bytes())
                && id.is_some_and(|id| !known.iter().any(|k| k.as_bytes() == id))
        })
        .collect()
    }

    fn script(&self, name: &str, words: &[&str]) -> Result<(), String> {
        let mut command = Command::new(repository().join("tests/openstack").join(name));
        command
            .args(words)
            .env("KAMSCALE_OPENSTACK_DIR", &self.dir)
            .envs(self.variables.iter().map(|(k, v)| (k, v)))
            .stdin(Stdio::null())
            .stdout(Stdio::from(std::io::stderr()));
        let mut child = command
            .spawn()
            .map_err(|e| format!("starting {command:?}: {e}"))?;
        let end = Instant::now() + DEADLINE;
        loop {
            match child.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(()),
                Ok(Some(status)) => return Err(format!("{name} {words:?} ended with {status}")),
                Ok(None) if Instant::now() < end => std::thread::sleep(Duration::from_millis(20)),
                Ok(None) => {
                    let _ = child.kill();
                    let _ = child.wait();
                    return Err(format!(
                        "{name} {words:?} took more than {} s",
                        DEADLINE.as_secs()
                    ));
                }
                Err(e) => return Err(format!("waiting for {name}: {e}")),
            }
        }
    }
}

impl CloudMember {
    fn read(path: &Path) -> Option<Self> {
        let mut member: Self = serde_json::from_str(&fs::read_to_string(path).ok()?).ok()?;
        let started = member.pid.and_then(start_time);
        member.alive = started.is_some() && started == member.start_time;
        Some(member)
    }
}

/// What tells a process from a later one of the same number (field 22 of proc(5) `stat`); none if it is gone.
fn start_time(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    if fields.next()? == "Z" {
        return None;
    }
    fields.nth(18).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_member_is_alive_while_the_very_process_of_its_record_runs() {
        let run = crate::RunDir::new("records");
        let cloud = OpenStack {
            dir: run.path().into(),
            variables: Vec::new(),
        };
        let own = std::process::id();
        let mut record = json!({"id": "a", "name": "m1", "stack": "pool-x", "address": "127.0.20.1",
            "port": 5060, "pid": own, "start_time": start_time(own)});
        run.write("members/a.json", record.to_string());
        record["id"] = "b".into();
        record["name"] = "m2".into();
        record["start_time"] = "1".into();
        run.write("members/b.json", record.to_string());
        let members = cloud.members();
        let seen: Vec<_> = members.iter().map(|m| (m.name.as_str(), m.alive)).collect();
        assert_eq!(seen, [("m1", true), ("m2", false)]);
    }

    #[test]
    fn a_process_without_a_record_has_leaked() {
        let run = crate::RunDir::new("leak");
        let cloud = OpenStack {
            dir: run.path().into(),
            variables: Vec::new(),
        };
        let mut command = Command::new("sleep");
        command.arg("60");
        command.env("KAMSCALE_MEMBERS_DIR", run.path().join("members"));
        command.env("KAMSCALE_MEMBER_ID", "a");
        let mut process = crate::Process::spawn(&run, "sleep", &mut command);
        crate::wait_until("it runs", crate::PATIENCE, || {
            cloud.leaked() == [process.pid()]
        });
        let record = json!({"id": "a", "name": "m", "stack": "s", "address": "127.0.20.1",
            "port": 5060, "pid": process.pid(), "start_time": start_time(process.pid())});
        run.write("members/a.json", record.to_string());
        assert_eq!(cloud.leaked(), Vec::<u32>::new());
        process.stop();
    }
}
