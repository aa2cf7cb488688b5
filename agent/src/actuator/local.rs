//! The actuator `local`: members are processes on this machine.
//!
//! Each runs in its own session and survives the agent; its output goes to a file. It is found
//! again by pid and start time, or, if that was lost, by the names in its environment.

use std::fs::{self, File};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use async_trait::async_trait;
use rustix::process::Signal;
use tokio::process::Command;
use tokio::time::{Instant, sleep};

use super::options::{self, Answers};
use super::process::{ProcessId, find_by_environment};
use super::{Actuator, ActuatorError, Handle, Order, template};
use crate::config::{LocalConfig, StopSignal};

/// How often a stopping process is looked at.
const STOP_POLL: Duration = Duration::from_millis(50);
/// How long SIGKILL may take to be carried out.
const KILL_PATIENCE: Duration = Duration::from_secs(5);

/// Makes members of one pool as processes.
#[derive(Debug)]
pub struct Local {
    instance: String,
    config: LocalConfig,
    addresses: Vec<IpAddr>,
    log_dir: PathBuf,
}

impl Local {
    /// `instance` tells the members of several agents on one machine apart.
    pub fn new(instance: &str, config: LocalConfig, log_dir: &Path) -> Local {
        let addresses = config.addresses.all().unwrap_or_default();
        Local {
            instance: instance.into(),
            config,
            addresses,
            log_dir: log_dir.into(),
        }
    }

    fn log_file(&self, order: &Order) -> PathBuf {
        self.log_dir
            .join(format!("{}-{}.log", order.pool, order.name))
    }

    /// What marks the process of a member.
    fn marks(&self, order: &Order) -> [(&'static str, String); 4] {
        [
            ("KAMSCALE_INSTANCE", self.instance.clone()),
            // Two agents may run one instance name with directories of their own.
            ("KAMSCALE_LOGS", self.log_dir.display().to_string()),
            ("KAMSCALE_POOL", order.pool.clone()),
            ("KAMSCALE_MEMBER", order.name.clone()),
        ]
    }

    fn spawn(&self, order: &Order) -> std::io::Result<ProcessId> {
        fs::create_dir_all(&self.log_dir)?;
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log_file(order))?;
        let words = self.config.start.iter();
        // setsid(1) gives the member its own session and then becomes the command, under one pid.
        let mut child = Command::new("setsid")
            .args(words.map(|word| template::fill(word, order, self.config.port, false)))
            .envs(self.marks(order))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(false)
            .spawn()?;
        let process = child.id().and_then(ProcessId::of_pid);
        // Reaped when it ends; the loop sees that by /proc, as for processes of an earlier agent.
        tokio::spawn(async move { child.wait().await });
        process.ok_or_else(|| std::io::Error::other("it ended at once"))
    }
}

#[async_trait]
impl Actuator for Local {
    fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }

    fn uri(&self, order: &Order) -> Option<String> {
        Some(template::fill(
            &self.config.uri,
            order,
            self.config.port,
            true,
        ))
    }

    fn plan(&self, order: &Order) -> Option<Handle> {
        let process = None;
        order
            .address
            .map(|address| Handle::Process { process, address })
    }

    async fn create(&self, order: &Order) -> Result<Handle, ActuatorError> {
        let address = order.address.ok_or_else(|| {
            ActuatorError::Quota(
                "every address of the pool is taken: add some to `addresses` in its `local` section"
                    .into(),
            )
        })?;
        let process = self.spawn(order).map_err(|source| ActuatorError::Start {
            command: self.config.start.join(" "),
            source,
        })?;
        Ok(Handle::Process {
            process: Some(process),
            address,
        })
    }

    async fn ready(&self, order: &Order, handle: &Handle) -> Result<Handle, ActuatorError> {
        let Handle::Process { address, .. } = handle else {
            return Ok(handle.clone());
        };
        let target = SocketAddr::new(*address, self.config.port);
        let pause = Duration::from_secs_f64(self.config.ready_interval_s);
        let deadline = Instant::now() + Duration::from_secs_f64(self.config.boot_timeout_s);
        let what = format!("{}/{}", order.pool, order.name);
        let log = self.log_file(order).display().to_string();
        let enough = self.config.ready_options;
        let lives = || self.alive(handle);
        match options::in_a_row(target, enough, pause, deadline, lives).await {
            Answers::Enough => Ok(handle.clone()),
            Answers::Ended => Err(ActuatorError::Ended { what, log }),
            Answers::TooLate => Err(ActuatorError::NotReady {
                what,
                timeout_s: self.config.boot_timeout_s,
                log,
            }),
        }
    }

    async fn delete(&self, order: &Order, handle: &Handle) -> Result<(), ActuatorError> {
        let Handle::Process {
            process: Some(process),
            ..
        } = handle
        else {
            return Ok(());
        };
        let what = format!("{}/{}", order.pool, order.name);
        let stop = |source| ActuatorError::Stop {
            what: what.clone(),
            source,
        };
        process
            .signal(signal(self.config.stop_signal))
            .map_err(stop)?;
        if gone(process, Duration::from_secs_f64(self.config.stop_timeout_s)).await {
            return Ok(());
        }
        process.signal(Signal::KILL).map_err(stop)?;
        if gone(process, KILL_PATIENCE).await {
            return Ok(());
        }
        Err(stop(std::io::Error::other(
            "it is still there after SIGKILL",
        )))
    }

    fn alive(&self, handle: &Handle) -> bool {
        match handle {
            Handle::Process {
                process: Some(process),
                ..
            } => process.alive(),
            Handle::Process { process: None, .. } => false,
            Handle::Manual | Handle::Heat { .. } => true,
        }
    }

    fn find(&self, order: &Order) -> Option<Handle> {
        let marks = self
            .marks(order)
            .map(|(name, value)| format!("{name}={value}"));
        let process = find_by_environment(&marks)?;
        Some(Handle::Process {
            process: Some(process),
            address: order.address?,
        })
    }
}

async fn gone(process: &ProcessId, patience: Duration) -> bool {
    let deadline = Instant::now() + patience;
    while process.alive() {
        if Instant::now() >= deadline {
            return false;
        }
        sleep(STOP_POLL).await;
    }
    true
}

fn signal(configured: StopSignal) -> Signal {
    match configured {
        StopSignal::Term => Signal::TERM,
        StopSignal::Int => Signal::INT,
        StopSignal::Quit => Signal::QUIT,
        StopSignal::Hup => Signal::HUP,
        StopSignal::Usr1 => Signal::USR1,
        StopSignal::Usr2 => Signal::USR2,
        StopSignal::Kill => Signal::KILL,
    }
}
