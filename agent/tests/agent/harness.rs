//! A Kamailio that counts what the test says, and an agent in a directory of its own.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kamscale_agent::config::Config;
use kamscale_agent::decision::Decision;
use kamscale_agent::journal::{Event, Journal};
use kamscale_agent::proxy::Proxy;
use kamscale_agent::runtime::{Agent, Command, CommandError, Control, MemberRequest};
use kamscale_agent::services::Services;
use kamscale_agent::status::{Pulse, Status};
use kamscale_shm::bucket::Allowance;
use kamscale_shm::{
    FeatureCount, MemberObserved, PoolObserved, PublishError, Snapshot, TableSpec, WorkerObserved,
    member_id,
};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

/// Longer than anything here takes, on a busy machine too.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Answers every OPTIONS with 200.
pub(crate) const MEMBER: &str = r"
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind((sys.argv[1], int(sys.argv[2])))
while True:
    data, sender = s.recvfrom(4096)
    keep = ('Via', 'From', 'To', 'Call-ID', 'CSeq')
    lines = [l for l in data.decode().split('\r\n') if l.split(':')[0] in keep]
    s.sendto('\r\n'.join(['SIP/2.0 200 OK'] + lines + ['', '']).encode(), sender)
";

/// Where the scripted Kamailio counts the pool `conference`.
const POOL_SLOT: u32 = 3;

/// What the scripted Kamailio knows.
#[derive(Debug, Default)]
pub(crate) struct Script {
    pub(crate) absent: bool,
    pub(crate) boot_id: u64,
    pub(crate) calls: Vec<(String, String, u32)>,
    /// Calls begun on each member, beyond those that it carries.
    pub(crate) ended: u64,
    /// Of every pool: requests that found no member.
    pub(crate) refused: u64,
    /// Requests of the feature `conference`.
    pub(crate) requests: u64,
    pub(crate) published: Option<TableSpec>,
    pub(crate) generation: u64,
}

/// The scripted Kamailio.
#[derive(Debug, Clone, Default)]
pub(crate) struct Kamailio(pub(crate) Arc<Mutex<Script>>);

impl Kamailio {
    pub(crate) fn set_calls(&self, pool: &str, member: &str, calls: u32) {
        let mut script = self.0.lock().unwrap();
        script
            .calls
            .retain(|(p, m, _)| (p.as_str(), m.as_str()) != (pool, member));
        script.calls.push((pool.into(), member.into(), calls));
    }
}

#[derive(Debug)]
struct FakeProxy {
    kamailio: Kamailio,
    table: Option<TableSpec>,
}

impl Proxy for FakeProxy {
    fn look(&mut self) -> Result<Snapshot, String> {
        let script = self.kamailio.0.lock().unwrap();
        if script.absent {
            return Err("Kamailio is not attached".into());
        }
        let row = |(pool, member, calls): &(String, String, u32)| MemberObserved {
            slot: 0,
            id: member_id(pool, member),
            calls: *calls,
            calls_total: u64::from(*calls) + script.ended,
            failures: 0,
            down: false,
            probed: None,
            override_state: None,
        };
        let worker = WorkerObserved {
            process: 1,
            pid: 1,
            rank: 1,
            generation: script.generation,
            applied: 1,
            rejected: 0,
            torn: 0,
            panics: 0,
            applied_ns: 0,
        };
        Ok(Snapshot {
            boot_id: script.boot_id,
            pid: 1,
            heartbeat_age_s: 0.1,
            closed: false,
            calls_tracked: true,
            features: vec![FeatureCount {
                name: "conference".into(),
                requests: script.requests,
                admitted: 0,
                refused: 0,
            }],
            members: script.calls.iter().map(row).collect(),
            pools: vec![PoolObserved {
                slot: POOL_SLOT,
                selected: 0,
                refused: script.refused,
            }],
            workers: vec![worker],
        })
    }

    fn admit(&self, _: usize, _: &str, _: Option<Allowance>, _: Option<Duration>) {}

    fn publish(&mut self, table: &TableSpec) -> Result<u64, PublishError> {
        let mut script = self.kamailio.0.lock().unwrap();
        script.generation += 1;
        script.published = Some(table.clone());
        self.table = Some(table.clone());
        Ok(script.generation)
    }

    fn is_in_force(&self) -> bool {
        true
    }

    fn published(&self) -> Option<&TableSpec> {
        self.table.as_ref()
    }

    fn generation(&self) -> u64 {
        self.kamailio.0.lock().unwrap().generation
    }

    fn slot(&self, _pool: &str, _member: &str) -> Option<u32> {
        None
    }

    fn pool_slot(&self, pool: &str) -> Option<u32> {
        (pool == "conference").then_some(POOL_SLOT)
    }

    fn beat(&self) {}
}

/// A directory with a configuration, and the Kamailio of the test.
pub(crate) struct Bench {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) kamailio: Kamailio,
    pub(crate) network: u8,
}

/// A running agent.
pub(crate) struct Running {
    pub(crate) controls: mpsc::Sender<Control>,
    pub(crate) pulse: watch::Receiver<Pulse>,
    pub(crate) status: watch::Receiver<Arc<Status>>,
    pub(crate) journal: Journal,
    task: JoinHandle<()>,
}

impl Bench {
    /// An elastic pool `conference` of 1 to 3 members with 10 calls each, all waits in seconds.
    pub(crate) fn new() -> Bench {
        static NETWORK: AtomicU8 = AtomicU8::new(1);
        let bench = Bench {
            dir: tempfile::tempdir().unwrap(),
            kamailio: Kamailio::default(),
            network: NETWORK.fetch_add(1, Ordering::Relaxed),
        };
        std::fs::write(bench.path("member.py"), MEMBER).unwrap();
        bench.configure("");
        bench
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Starts an agent, as after a restart if one ran here before.
    pub(crate) fn start(&self) -> Running {
        self.start_with(Services::default())
    }

    /// The same, with what it reaches beyond this machine.
    pub(crate) fn start_with(&self, services: Services) -> Running {
        let file = self.path("agent.toml");
        let config = Config::load(&file).unwrap();
        let table = self.kamailio.0.lock().unwrap().published.clone();
        let proxy = FakeProxy {
            kamailio: self.kamailio.clone(),
            table,
        };
        let agent = Agent::start(&file, config, Box::new(proxy), services).unwrap();
        let (controls, receiver) = mpsc::channel(8);
        let (pulse, status, journal) = (agent.pulse(), agent.status(), agent.journal());
        let task = tokio::task::spawn_local(agent.run(receiver));
        Running {
            controls,
            pulse,
            status,
            journal,
            task,
        }
    }
}

/// Members live on when an agent ends, but not when a test does.
impl Drop for Bench {
    fn drop(&mut self) {
        let mark = format!("{}/member.py", self.dir.path().display());
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            if String::from_utf8_lossy(&line).contains(&mark) {
                let pid = entry.file_name();
                let _ = std::process::Command::new("kill")
                    .arg("-9")
                    .arg(pid)
                    .status();
            }
        }
    }
}

impl Running {
    /// Waits until the status is as wanted.
    pub(crate) async fn until(&self, what: &str, test: impl Fn(&Status) -> bool) -> Status {
        let mut pulse = self.pulse.clone();
        let as_wanted = async {
            loop {
                pulse.borrow_and_update();
                let status = self.now().await;
                if test(&status) {
                    return status;
                }
                pulse.changed().await.unwrap();
            }
        };
        match tokio::time::timeout(PATIENCE, as_wanted).await {
            Ok(status) => status,
            Err(_) => {
                let (status, events) = (self.status.borrow(), self.journal.recent(40));
                panic!("never: {what}; status {status:#?}; events {events:#?}")
            }
        }
    }

    /// What it reports now.
    pub(crate) async fn now(&self) -> Status {
        let mut status = self.status.clone();
        status.mark_unchanged();
        self.controls.send(Control::Report).await.unwrap();
        status.changed().await.unwrap();
        status.borrow().as_ref().clone()
    }

    /// Waits until so many members of `conference` are active and none is in between.
    pub(crate) async fn until_active(&self, count: usize) -> Status {
        self.until(&format!("{count} active"), |status| {
            let members = &status.pools.get("conference").map(|pool| &pool.members);
            members.is_some_and(|members| {
                members.len() == count && members.values().all(|member| member.state == "active")
            })
        })
        .await
    }

    pub(crate) async fn stop(self) {
        self.controls.send(Control::Stop).await.unwrap();
        self.task.await.unwrap();
    }

    /// Waits until a whole round later than now is over.
    pub(crate) async fn another_round(&self) -> Status {
        let now_s = self.pulse.borrow().now_s;
        self.until("a later round", |status| status.now_s > now_s + 0.25)
            .await
    }

    /// What an operator says about a member of `conference`: add, drain, resume or remove.
    pub(crate) async fn command(&self, verb: &str, name: &str) -> Result<String, CommandError> {
        let request = MemberRequest {
            pool: "conference".into(),
            name: name.into(),
            uri: (verb == "add").then(|| "sip:127.0.0.1:5999".into()),
            ..MemberRequest::default()
        };
        let command = match verb {
            "add" => Command::Add(request),
            "drain" => Command::Drain(request),
            "resume" => Command::Resume(request),
            _ => Command::Remove(request),
        };
        let (sender, answer) = oneshot::channel();
        let control = Control::Command(Box::new(command), sender);
        self.controls.send(control).await.unwrap();
        answer.await.unwrap()
    }

    /// The newest decision about `conference`.
    pub(crate) fn decision(&self) -> Arc<Decision> {
        self.journal.newest_decision("conference").unwrap()
    }

    pub(crate) fn events(&self, name: &str) -> Vec<Event> {
        let events = self.journal.recent(1000).into_iter();
        events.filter(|event| event.event == name).collect()
    }
}

/// Runs a test that owns an agent; the agent stays on one thread, as in production.
pub(crate) fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(tokio::task::LocalSet::new().run_until(test));
}

/// The processes of the pool `conference`, by member.
pub(crate) fn pids(status: &Status) -> Vec<(String, u32)> {
    let members = status.pools["conference"].members.iter();
    members
        .filter_map(|(name, member)| Some((name.clone(), member.pid?)))
        .collect()
}
