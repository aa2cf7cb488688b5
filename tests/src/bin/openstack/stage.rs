//! What all scenarios share: the services, the two clouds' users, the plug-in's settings and book, and
//! the sums. A [`Scene`] is one scenario's part of it: addresses, files and stack names of its own.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use kamscale_tests::{AgentSetup, CloudMember, OpenStack, OpenStackOptions, RunDir, built};
use serde_json::{Value, json};

use crate::cloud::Cloud;
use crate::heat::Heat;
use crate::tally::Tally;

/// Hosts of a run's /24 that the plug-in gives to members.
const MEMBER_HOSTS: [u8; 2] = [101, 180];

/// What the scenarios need beside the usual services.
const ALSO: [&str; 2] = ["etcd", "prometheus"];

/// Port of an agent's metrics, below those that the system gives out.
const METRICS_PORT: u16 = 9130;

/// Servers that Nova allows the plain user (`KAMSCALE_NOVA_SERVERS`).
pub(crate) const NOVA_QUOTA: u32 = 3;
/// What `up.sh --nova` starts.
const NOVA: [&str; 7] = [
    "nova-api",
    "nova-compute",
    "nova-scheduler",
    "nova-conductor",
    "neutron",
    "glance",
    "placement",
];

/// What the names of all stacks here begin with.
const STACKS: &str = "show-";

/// Everything that is there once.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) services: OpenStack,
    /// The plain user, as whom the agents act.
    pub(crate) cloud: Cloud,
    /// Who may also revoke tokens and read everything.
    pub(crate) admin: Cloud,
    pub(crate) tally: Tally,
    /// What the plug-in reads before each create, by pattern of stack names.
    settings: Mutex<BTreeMap<String, Value>>,
    /// Also what takes minutes.
    pub(crate) full: bool,
}

impl Stage {
    /// Starts the services.
    ///
    /// # Errors
    /// If they cannot be started.
    pub(crate) fn up(full: bool) -> Result<Self, String> {
        let options = OpenStackOptions {
            with: ALSO.map(str::to_owned).to_vec(),
            ..OpenStackOptions::default()
        };
        let stage = Self::new(OpenStack::up(&options)?, full);
        stage.prepare()?;
        // What an earlier run that was broken off has left.
        Heat(&stage.cloud).delete_all(STACKS);
        Ok(stage)
    }

    fn new(services: OpenStack, full: bool) -> Self {
        let dir = services.dir().to_path_buf();
        Self {
            services,
            cloud: Cloud::new(&dir, "kamscale"),
            admin: Cloud::new(&dir, "kamscale-admin"),
            tally: Tally::default(),
            settings: Mutex::default(),
            full,
        }
    }

    /// What an administrator does once: Gnocchi's archive policy and resource types.
    fn prepare(&self) -> Result<(), String> {
        let clouds = self.services.clouds_file();
        let output = Command::new(built("kamscale"))
            .args(["cloud", "prepare", "--cloud", "kamscale-admin"])
            .env(
                "OS_CLIENT_SECURE_FILE",
                clouds.with_file_name("secure.yaml"),
            )
            .env("OS_CLIENT_CONFIG_FILE", clouds)
            .output();
        let output = output.map_err(|e| e.to_string())?;
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        output.status.success().then_some(()).ok_or(said)
    }

    fn set(&self, pattern: &str, values: &Value) {
        let mut settings = self.settings.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = settings
            .entry(pattern.to_owned())
            .or_insert_with(|| json!({}));
        for (key, value) in values.as_object().into_iter().flatten() {
            entry[key] = value.clone();
        }
        self.services.set_members(&json!(*settings));
    }

    /// Starts the services with other settings; what reads them is started anew.
    pub(crate) fn again(&self, variables: &[(&str, &str)]) -> Result<(), String> {
        let variables = variables
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        let options = OpenStackOptions {
            variables: variables.collect(),
            with: ALSO.map(str::to_owned).to_vec(),
            ..OpenStackOptions::default()
        };
        OpenStack::up(&options).map(|_| ())
    }

    /// Starts Nova, which runs until the answer is dropped: meanwhile templates may name only what it knows.
    #[track_caller]
    pub(crate) fn nova(&self) -> Nova<'_> {
        let options = OpenStackOptions {
            nova: true,
            with: ALSO.map(str::to_owned).to_vec(),
            ..OpenStackOptions::default()
        };
        let nova = Nova(self);
        OpenStack::up(&options).unwrap_or_else(|e| panic!("{e}"));
        nova.allow(NOVA_QUOTA);
        nova
    }

    /// Starts a service again.
    #[track_caller]
    pub(crate) fn start(&self, service: &str) {
        let started = self.services.start(service);
        started.unwrap_or_else(|e| panic!("starting {service}: {e}"));
    }

    /// Stops a service.
    #[track_caller]
    pub(crate) fn stop(&self, service: &str) {
        let stopped = self.services.stop(service);
        stopped.unwrap_or_else(|e| panic!("stopping {service}: {e}"));
    }

    /// A value that up.sh noted, as `KAMSCALE_ETCD_PORT`.
    #[track_caller]
    pub(crate) fn endpoint(&self, name: &str) -> String {
        let path = self.services.dir().join("endpoints.env");
        let text = std::fs::read_to_string(&path)
            .unwrap_or_else(|e| panic!("reading {}: {e}", path.display()));
        let mut lines = text.lines().filter_map(|l| l.split_once('='));
        let found = lines.find(|(is, _)| *is == name);
        let found = found.unwrap_or_else(|| panic!("{}: no {name}", path.display()));
        found.1.trim_matches('\'').to_owned()
    }
}

/// Nova, while it runs.
#[derive(Debug)]
pub(crate) struct Nova<'a>(&'a Stage);

impl Nova<'_> {
    /// So many servers may the plain user have.
    #[track_caller]
    pub(crate) fn allow(&self, servers: u32) {
        let project = self.0.cloud.project_id();
        let done = project.and_then(|project| {
            let path = format!("/os-quota-sets/{project}");
            let quota = json!({"quota_set": {"instances": servers, "force": true}});
            self.0.admin.send("compute", "PUT", &path, &quota)
        });
        done.unwrap_or_else(|e| panic!("setting Nova's quota: {e}"));
    }
}

impl Drop for Nova<'_> {
    fn drop(&mut self) {
        // After a failure its servers are still to be deleted.
        if std::thread::panicking() {
            return;
        }
        for service in NOVA {
            if let Err(why) = self.0.services.stop(service) {
                eprintln!("stopping {service}: {why}");
            }
        }
    }
}

/// One scenario's part.
#[derive(Debug)]
pub(crate) struct Scene<'a> {
    pub(crate) stage: &'a Stage,
    pub(crate) run: RunDir,
    /// For a second node.
    pub(crate) other: RunDir,
    /// What the names of its stacks begin with.
    pub(crate) prefix: String,
}

impl<'a> Scene<'a> {
    /// The scene of one scenario; `number` tells it from the others of this program.
    pub(crate) fn new(stage: &'a Stage, name: &str, number: usize) -> Self {
        let run = RunDir::new(name);
        let [first, last] = MEMBER_HOSTS.map(|host| run.address(host));
        let scene = Self {
            stage,
            other: RunDir::new(name),
            prefix: format!("{STACKS}{}-{number:02}-", std::process::id()),
            run,
        };
        scene.members(&json!({"address_range": format!("{first}-{last}")}));
        scene
    }

    /// How the plug-in makes members from now on: `boot_s`, `fail`.
    pub(crate) fn members(&self, settings: &Value) {
        self.stage.set(&format!("{}*", self.prefix), settings);
    }

    /// The instance of its nodes: in Gnocchi it tells their pools from those of other scenarios.
    pub(crate) fn instance(&self) -> String {
        self.prefix.trim_end_matches('-').to_owned()
    }

    /// A stack name of its own.
    pub(crate) fn stack(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Its members that were made and not deleted, by the plug-in's own book: neither Heat nor the agent
    /// is asked.
    pub(crate) fn made(&self) -> Vec<CloudMember> {
        let mut members = self.stage.services.members();
        members.retain(|m| m.stack.starts_with(&self.prefix));
        members
    }

    /// How often the plug-in wrote `create`, `start`, `fail` or `delete` about them.
    pub(crate) fn booked(&self, event: &str) -> usize {
        let mut lines = self.stage.services.journal();
        lines.retain(|line| {
            let stack = line["stack"].as_str().unwrap_or_default();
            line["event"] == event && stack.starts_with(&self.prefix)
        });
        lines.len()
    }

    /// Heat, asked as the plain user.
    pub(crate) fn heat(&self) -> Heat<'a> {
        Heat(&self.stage.cloud)
    }

    /// An agent of this cloud in a run.
    pub(crate) fn agent<'r>(&self, run: &'r RunDir, toml: &str) -> AgentSetup<'r> {
        let clouds = self.stage.services.clouds_file();
        let secure = clouds.with_file_name("secure.yaml").display().to_string();
        self.agent_with(run, toml, &clouds)
            .environment("OS_CLIENT_SECURE_FILE", &secure)
    }

    /// An agent with other credentials.
    pub(crate) fn agent_with<'r>(
        &self,
        run: &'r RunDir,
        toml: &str,
        clouds: &Path,
    ) -> AgentSetup<'r> {
        AgentSetup::new(run, toml)
            .instance(&self.instance())
            .environment("OS_CLIENT_CONFIG_FILE", &clouds.display().to_string())
            .interval_s(0.5)
    }

    /// Has Prometheus scrape these addresses, with these labels.
    pub(crate) fn scrape(&self, addresses: &[String], labels: &Value) {
        let file = format!("data/prometheus/targets/{}.json", self.prefix);
        let targets = json!([{"targets": addresses, "labels": labels}]).to_string();
        let path = self.stage.services.dir().join(file);
        std::fs::write(&path, targets).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    }

    /// Best effort, after a failure: what it made shall not stand in the way of the others.
    fn sweep(&self) {
        let heat = self.heat();
        let end = Instant::now() + Duration::from_secs(30);
        while Instant::now() < end {
            match heat.stacks(&self.prefix) {
                Ok(left) if left.is_empty() => return,
                Ok(left) => left.iter().for_each(|name| heat.delete_once(name)),
                Err(_) => {}
            }
            std::thread::sleep(Duration::from_millis(500));
        }
    }
}

/// Where an agent in this run may show its metrics.
pub(crate) fn metrics_address(run: &RunDir) -> String {
    format!("{}:{METRICS_PORT}", run.next_address())
}

impl Drop for Scene<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.sweep();
        }
    }
}
