//! A pool as a group in a stack: looks at it, and brings it to what the ledger wishes.
//!
//! Nothing here remembers what was sent: each step looks, computes the wish from what is there, and
//! sets sizes as absolute numbers, so that a change repeated after a lost answer does nothing twice.
//! One lock per pool: two changes never overlap.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::ledger::Ledger;
use super::tidy::Sign;
use super::trouble::{Trouble, failed};
use super::view::Row;
use super::wish::Wish;
use super::{autoscaling_group, resource_group};
use crate::actuator::ActuatorError;
use crate::cloud::{Cloud, CloudError};
use crate::config::{HeatActuator, HeatConfig};
use crate::heat::{Action, Heat, Phase, StackPath};

/// Between two looks while something is waited for.
pub(super) const POLL: Duration = Duration::from_secs(1);
/// A change of which nothing is seen after so long is sent again.
const SEND_AGAIN: Duration = Duration::from_secs(10);
/// What is to be sent. Everything in it may be sent twice.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Change {
    /// Members whose marks are taken off first.
    pub(super) heal: Vec<Row>,
    /// Members that are marked unhealthy then.
    pub(super) mark: Vec<Row>,
    /// Parameters that are set last.
    pub(super) parameters: BTreeMap<String, Value>,
    /// Those to be set if the first are refused.
    pub(super) instead: Option<BTreeMap<String, Value>>,
}

/// What only one at a time may use.
#[derive(Debug, Default)]
pub(super) struct Work {
    pub(super) looked_at: Option<Instant>,
    pub(super) version: u64,
    pub(super) stack: Option<StackPath>,
    sent: Option<(Instant, Wish)>,
    pub(super) addresses: HashMap<String, (Instant, Option<IpAddr>)>,
    /// When members that Heat has not finished were asked for their addresses.
    pub(super) early: HashMap<String, Instant>,
    pub(super) held: HashMap<String, Vec<String>>,
    /// What was seen of the members, and since when it is just so.
    pub(super) still: Option<(Instant, Vec<Sign>)>,
    pub(super) going_since: HashMap<String, Instant>,
    pub(super) strange_since: HashMap<String, Instant>,
    pub(super) obeyed_at: Option<Instant>,
    /// How many members stayed at the last look.
    pub(super) members: usize,
    pub(super) alarm: Option<String>,
}

impl Work {
    /// The stack, once it was found.
    pub(super) fn stack_path(&self) -> Option<&StackPath> {
        self.stack.as_ref()
    }
}

/// One group.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) pool: String,
    pub(super) config: HeatConfig,
    pub(super) heat: Heat,
    pub(super) aodh: bool,
    ledger: Mutex<Ledger>,
    pub(super) work: tokio::sync::Mutex<Work>,
}

impl Group {
    pub(super) fn new(pool: &str, config: &HeatConfig, aodh: bool, cloud: Arc<dyn Cloud>) -> Group {
        Group {
            pool: pool.into(),
            config: config.clone(),
            heat: Heat::new(cloud),
            aodh,
            ledger: Mutex::default(),
            work: tokio::sync::Mutex::default(),
        }
    }

    /// The ledger; never held across a request.
    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What went wrong, with the names by which somebody finds it.
    pub(super) fn trouble(&self) -> Trouble<'_> {
        Trouble {
            pool: &self.pool,
            stack: &self.config.stack,
        }
    }

    /// Looks, and does what the ledger wishes. However many wait for something of this pool, one of
    /// them looks, once in [`POLL`] or when there is a new order.
    pub(super) async fn step(&self) -> Result<(), ActuatorError> {
        let mut work = self.work.lock().await;
        let version = self.ledger().version;
        let is_due = work.looked_at.is_none_or(|at| at.elapsed() >= POLL);
        if !is_due && work.version == version {
            return Ok(());
        }
        work.version = version;
        self.look(&mut work).await?;
        self.act(&mut work).await
    }

    /// Does what the ledger wishes, unless that was just sent.
    pub(super) async fn act(&self, work: &mut Work) -> Result<(), ActuatorError> {
        let (told, wish) = {
            let ledger = self.ledger();
            (ledger.told, ledger.wish())
        };
        if !told {
            return Ok(());
        }
        self.release(wish.as_ref().unwrap_or_else(|waits| waits), work)
            .await?;
        let is_forgotten = self.is_forgotten(&wish, work);
        let wish = match wish {
            Ok(wish) | Err(wish) if is_forgotten => Wish {
                is_stuck: true,
                ..wish
            },
            Ok(wish) => wish,
            Err(_) => return Ok(()),
        };
        if !wish.is_due() {
            work.sent = None;
            return Ok(());
        }
        let sent = work.sent.as_ref();
        if sent.is_some_and(|(at, sent)| at.elapsed() < SEND_AGAIN && is_same(sent, &wish)) {
            return Ok(());
        }
        let outcome = self.send(&wish, work).await;
        self.note(&wish, &outcome);
        match outcome {
            Ok(()) => {
                work.sent = Some((Instant::now(), wish));
                work.still = None;
                Ok(())
            }
            // It is being changed, or nobody knows: the next step looks, and sends what is missing.
            Err(Failure::Request(error)) if is_passing(&error) => {
                tracing::info!("pool {}: {error}", self.pool);
                Ok(())
            }
            Err(Failure::Request(error)) => Err(self.trouble().change(error)),
            Err(Failure::Other(error)) => Err(error),
            Err(Failure::TooEarly) => Ok(()),
        }
    }

    async fn send(&self, wish: &Wish, work: &Work) -> Result<(), Failure> {
        let Some(path) = &work.stack else {
            return Ok(());
        };
        let stack = self.heat.stack(path, false).await?;
        if stack.status.action == Action::Delete {
            return Err(Failure::Other(self.trouble().is_deleted()));
        }
        // Somebody is just making it; a change would break that off (measured).
        if (stack.status.action, stack.status.phase) == (Action::Create, Phase::InProgress) {
            return Err(Failure::TooEarly);
        }
        let change = match self.config.actuator {
            HeatActuator::HeatAutoscalingGroup => autoscaling_group::change(wish, &self.config),
            _ => resource_group::change(wish, &stack, &self.config),
        };
        let Some(change) = change else {
            return Ok(());
        };
        let mut names = change.parameters.keys();
        if let Some(name) = names.find(|name| !stack.parameters.contains_key(*name)) {
            return Err(Failure::Other(self.trouble().no_parameter(name)));
        }
        let group = self
            .ledger()
            .view
            .as_ref()
            .and_then(|(_, view)| view.group.clone());
        for row in &change.heal {
            self.heal(group.as_ref(), row).await?;
        }
        for row in &change.mark {
            if let Some(group) = &group {
                let reason = autoscaling_group::LEAVES;
                self.heat.mark(group, &row.name, true, reason).await?;
            }
        }
        match (
            self.heat.set_parameters(path, &change.parameters).await,
            &change.instead,
        ) {
            (Err(CloudError::Refused { status: 400, .. }), Some(instead)) => {
                self.heat.set_parameters(path, instead).await?;
            }
            (answer, _) => drop(answer?),
        }
        Ok(())
    }

    /// Takes a mark or a failure off a member that serves.
    pub(super) async fn heal(
        &self,
        group: Option<&StackPath>,
        row: &Row,
    ) -> Result<(), CloudError> {
        let Some(group) = group else {
            return Ok(());
        };
        const STAYS: &str = "kamscale: serves, stays in the group";
        if row.status.action != Action::Check {
            // Only a mark can be taken off.
            self.heat.mark(group, &row.name, true, STAYS).await?;
        }
        self.heat.mark(group, &row.name, false, STAYS).await
    }

    /// Notes on the orders what came of the request that was made for them.
    fn note(&self, wish: &Wish, outcome: &Result<(), Failure>) {
        let mut ledger = self.ledger();
        for pending in ledger.pending.iter_mut().take(wish.need) {
            match outcome {
                Ok(()) => pending.requested = true,
                Err(Failure::Request(error)) if !error.is_undone() => pending.requested = true,
                Err(Failure::Request(error)) if error.is_conflict() && !error.is_quota() => {}
                Err(Failure::Request(error)) => {
                    let words = self.trouble().change(error.clone()).to_string();
                    pending.refused = Some((error.is_quota(), words));
                }
                Err(Failure::TooEarly) => {}
                Err(Failure::Other(error)) => {
                    pending.refused = Some((false, error.to_string()));
                }
            }
        }
    }
}

/// Why a change was not made.
enum Failure {
    Request(CloudError),
    Other(ActuatorError),
    TooEarly,
}

impl From<CloudError> for Failure {
    fn from(error: CloudError) -> Failure {
        Failure::Request(error)
    }
}

/// Whether the next step will look and ask again: it is being changed, or nobody knows.
pub(super) fn is_passing(error: &CloudError) -> bool {
    let is_unknown = matches!(error, CloudError::Unknown { .. });
    is_unknown || error.is_conflict() && !error.is_quota()
}

/// Whether the same would be sent.
fn is_same(one: &Wish, other: &Wish) -> bool {
    let names = |rows: &[Row]| -> Vec<String> {
        let names = rows.iter().map(|row| row.identity.clone());
        names.collect()
    };
    one.need == other.need
        && names(&one.go) == names(&other.go)
        && names(&one.stay) == names(&other.stay)
}

/// As an error of an actuator.
pub(super) fn refused(quota: bool, words: String) -> ActuatorError {
    if quota {
        ActuatorError::Quota(words)
    } else {
        failed(words)
    }
}
