//! Actuators: what makes and removes members.
//!
//! An actuator carries out; it decides nothing and never retries on its own: only the control loop
//! does. Every call ends within its configured time.

pub mod heat;
mod local;
mod manual;
mod options;
mod process;
mod template;

use std::net::IpAddr;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

pub use local::Local;
pub use manual::Manual;
pub use process::ProcessId;
pub use template::unknown_placeholder;

/// A member to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Its pool.
    pub pool: String,
    /// Its name.
    pub name: String,
    /// The address it shall take; `None` where the actuator has none to give.
    pub address: Option<IpAddr>,
    /// The unit of which it is a machine, by name, as `platform-3`; `None` if it stands alone.
    pub unit: Option<String>,
}

/// What an actuator knows a member by; kept in the state file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Handle {
    /// Comes and goes by command of an operator; nothing is started or stopped.
    Manual,
    /// A process on this machine.
    Process {
        /// The process; `None` until it was started.
        process: Option<ProcessId>,
        /// The address it took.
        address: IpAddr,
    },
    /// A part of a Heat stack, or a stack of its own.
    Heat {
        /// The name of the resource in its group, or of the stack; `None` until Heat has named it.
        resource: Option<String>,
        /// The address that Heat gave it; `None` until that is known.
        address: Option<IpAddr>,
    },
}

impl Handle {
    /// The address of the member, if it is known here.
    pub fn address(&self) -> Option<IpAddr> {
        match self {
            Handle::Manual => None,
            Handle::Process { address, .. } => Some(*address),
            Handle::Heat { address, .. } => *address,
        }
    }

    /// Whether something was made that this handle names.
    pub fn is_made(&self) -> bool {
        match self {
            Handle::Manual => true,
            Handle::Process { process, .. } => process.is_some(),
            Handle::Heat { resource, .. } => resource.is_some(),
        }
    }
}

/// A member that exists though nobody here ordered it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What it is known by.
    pub handle: Handle,
    /// The name to give it, where what made it has one that fits; else the next number of its pool.
    pub name: Option<String>,
}

/// Why an actuator failed.
#[derive(Debug, thiserror::Error)]
pub enum ActuatorError {
    /// The command could not be started.
    #[error("cannot start {command}: {source}; check `start` in the pool's `local` section")]
    Start {
        /// The command.
        command: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// It ended before it was ready.
    #[error("{what} ended before it was ready; see {log}")]
    Ended {
        /// Which member.
        what: String,
        /// Its log file.
        log: String,
    },
    /// It did not answer in time.
    #[error("{what} did not answer SIP OPTIONS for {timeout_s} s (boot_timeout_s); see {log}")]
    NotReady {
        /// Which member.
        what: String,
        /// How long it was given.
        timeout_s: f64,
        /// Its log file.
        log: String,
    },
    /// It could not be stopped.
    #[error("cannot stop {what}: {source}")]
    Stop {
        /// Which member.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Nothing more is to be had, whoever asks: a quota, or addresses that are all taken.
    #[error("{0}")]
    Quota(String),
    /// Nobody knows whether it was done: the request timed out, or the answer was lost.
    #[error("{0}")]
    Unknown(String),
    /// It was refused or failed, certainly.
    #[error("{0}")]
    Failed(String),
    /// This actuator cannot do that.
    #[error("{0}")]
    Unsupported(&'static str),
}

/// Makes, watches and removes members of one pool.
#[async_trait]
pub trait Actuator: Send + Sync + std::fmt::Debug {
    /// Addresses from which the control loop picks a free one; empty if it has none to give.
    fn addresses(&self) -> &[IpAddr];

    /// The URI of a member at an address.
    fn uri(&self, order: &Order) -> Option<String>;

    /// What is noted of a member before it is made, so that a crash between loses nothing; `None` if
    /// this actuator cannot make it (it lacks an address, say).
    fn plan(&self, order: &Order) -> Option<Handle>;

    /// Starts a member; returns as soon as it exists and has a name, ready or not. Asked again for an
    /// order that was carried out before, it finds that member and makes no second one. After
    /// [`ActuatorError::Unknown`], [`Actuator::confirm`] says what is true.
    async fn create(&self, order: &Order) -> Result<Handle, ActuatorError>;

    /// Waits until it is ready to take requests; answers all that is known of it by then.
    async fn ready(&self, order: &Order, handle: &Handle) -> Result<Handle, ActuatorError>;

    /// Stops it; a member that is gone already is no error.
    async fn delete(&self, order: &Order, handle: &Handle) -> Result<(), ActuatorError>;

    /// Whether it still runs; cheap, asked on every round.
    fn alive(&self, handle: &Handle) -> bool;

    /// Looks for a member that was started but whose handle was lost (crash between the two).
    fn find(&self, order: &Order) -> Option<Handle>;

    /// What became of a creation whose outcome was not known: the member if it is there.
    ///
    /// # Errors
    /// [`ActuatorError::Unknown`] if that is still not known.
    async fn confirm(&self, order: &Order) -> Result<Option<Handle>, ActuatorError> {
        Ok(self.find(order))
    }

    /// Whether there is something to look at from time to time ([`Actuator::look`]): what others
    /// change, too.
    fn is_shared(&self) -> bool {
        false
    }

    /// The members of the pool that the state knows, by name, each with its handle. Told before
    /// every look, so that what belongs to nobody can be told from what was ordered.
    fn know(&self, _members: Vec<(String, Handle)>) {}

    /// Looks at what is there; [`Actuator::alive`], [`Actuator::found`] and [`Actuator::held`] answer
    /// by the last look that succeeded.
    async fn look(&self) -> Result<(), ActuatorError> {
        Ok(())
    }

    /// Members that exist, that the state does not know and that no order here will claim.
    fn found(&self) -> Vec<Found> {
        Vec::new()
    }

    /// Members whose deletion somebody else began and that are held until [`Actuator::delete`] lets
    /// them go; by the names of the state.
    fn held(&self) -> Vec<String> {
        Vec::new()
    }
}
