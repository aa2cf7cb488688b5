//! The stacks of a pool of which each member is one: makes them, looks at them, lets them go.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::time::Instant;

use super::group::{POLL, is_passing};
use super::trouble::{Trouble, failed};
use super::units::Names;
use super::{UnitOf, blueprint, view};
use crate::actuator::{ActuatorError, Handle, Order};
use crate::cloud::CloudError;
use crate::config::HeatConfig;
use crate::heat::{Action, Heat, Phase, StackPath, StackSummary};

/// Stacks of which the outputs are read in one look.
const MOST_QUESTIONS: usize = 50;

/// Heat looks for a name and stores the stack in two steps: two creations at the same moment, by the
/// pools of one unit, would both pass.
static CREATION: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// A pool whose members are stacks.
#[derive(Debug)]
pub(super) struct StackPerMember {
    pub(super) names: Names,
    pub(super) instance: String,
    pub(super) config: HeatConfig,
    pub(super) unit: Option<UnitOf>,
    pub(super) heat: Heat,
    seen: Mutex<Seen>,
    pub(super) work: tokio::sync::Mutex<Option<Instant>>,
}

/// What is known of the stacks.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) told: bool,
    pub(super) known: Vec<String>,
    /// Orders being carried out.
    pub(super) making: Vec<String>,
    /// When stacks were made here: a look that began before does not know them.
    pub(super) made: HashMap<String, Instant>,
    pub(super) looked: Option<Instant>,
    pub(super) stacks: BTreeMap<String, StackSummary>,
    /// Addresses by the id of the stack.
    pub(super) addresses: HashMap<String, Vec<Option<IpAddr>>>,
    /// Stacks whose addresses were read before Heat had finished them: machines may have been missing.
    early: HashSet<String>,
}

impl StackPerMember {
    pub(super) fn new(
        pool: &str,
        instance: &str,
        config: &HeatConfig,
        unit: Option<UnitOf>,
        heat: Heat,
    ) -> StackPerMember {
        StackPerMember {
            names: Names::new(&config.stack, pool, unit.as_ref()),
            instance: instance.into(),
            config: config.clone(),
            unit,
            heat,
            seen: Mutex::default(),
            work: tokio::sync::Mutex::default(),
        }
    }

    pub(super) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn trouble<'a>(&'a self, stack: &'a str) -> Trouble<'a> {
        Trouble {
            pool: self.names.pool(),
            stack,
        }
    }

    fn is_ours(&self, stack: &StackSummary) -> bool {
        let has = |tag: &str| stack.tags.iter().flatten().any(|of| of == tag);
        has(blueprint::TAG) && has(&self.instance)
    }

    /// The stack of a name, if there is one of ours.
    pub(super) async fn find(&self, name: &str) -> Result<Option<StackSummary>, ActuatorError> {
        let found = self.heat.find(name).await;
        let found = found.map_err(|error| self.trouble(name).look(error))?;
        match found {
            Some(stack) if !self.is_ours(&stack) => Err(failed(format!(
                "pool {}: stack {name} exists and is not of this agent (it lacks the tags {} and {}): \
                 rename it, or change `stack` in the heat section",
                self.names.pool(),
                blueprint::TAG,
                self.instance
            ))),
            found => Ok(found),
        }
    }

    pub(super) fn handle(&self, name: &str, member: &str) -> Handle {
        let seen = self.seen();
        let stack = seen.stacks.get(name);
        let addresses = stack.and_then(|stack| seen.addresses.get(&stack.id));
        let at = self.names.index(member);
        Handle::Heat {
            resource: Some(name.to_owned()),
            address: addresses.and_then(|all| *all.get(at)?),
        }
    }

    pub(super) async fn make(&self, order: &Order, name: &str) -> Result<(), ActuatorError> {
        let unit = self.unit.as_ref();
        let new =
            blueprint::read(&self.config, name.to_owned(), &self.instance, order, unit).await?;
        let _one_at_a_time = CREATION.lock().await;
        if self.find(name).await?.is_some() {
            return Ok(());
        }
        match self.heat.create(&new).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_conflict() && !error.is_quota() => {
                match self.find(name).await? {
                    Some(_) => Ok(()),
                    None => Err(self.trouble(name).change(error)),
                }
            }
            // The answer is lost; the stack may be there all the same.
            Err(error @ CloudError::Unknown { .. }) => match self.find(name).await {
                Ok(Some(_)) => Ok(()),
                _ => Err(self.trouble(name).change(error)),
            },
            Err(error) => Err(self.trouble(name).change(error)),
        }
    }

    /// Looks, unless another just did.
    pub(super) async fn step(&self) -> Result<(), ActuatorError> {
        let mut looked = self.work.lock().await;
        if looked.is_some_and(|at| at.elapsed() < POLL) {
            return Ok(());
        }
        *looked = Some(Instant::now());
        self.look_now().await
    }

    pub(super) async fn look_now(&self) -> Result<(), ActuatorError> {
        let began = Instant::now();
        let tags = [blueprint::TAG, &self.instance];
        let stacks = self.heat.tagged(&tags).await;
        let stacks = stacks.map_err(|error| self.trouble(&self.config.stack).look(error))?;
        let ours = stacks
            .into_iter()
            .filter(|stack| self.is_ours(stack) && self.names.number(&stack.name).is_some());
        let ours: BTreeMap<String, StackSummary> =
            ours.map(|stack| (stack.name.clone(), stack)).collect();
        let unread = {
            let mut seen = self.seen();
            let ids: Vec<&String> = ours.values().map(|stack| &stack.id).collect();
            seen.addresses.retain(|id, _| ids.contains(&id));
            seen.early.retain(|id| ids.contains(&id));
            let unread = ours.values().filter(|stack| {
                let was_early = seen.early.contains(&stack.id) && !stack.status.is_coming();
                !is_broken(stack) && (was_early || !seen.addresses.contains_key(&stack.id))
            });
            let unread = unread.map(|stack| (stack.path(), stack.status.is_coming()));
            let unread: Vec<(StackPath, bool)> = unread.collect();
            seen.stacks = ours;
            seen.looked = Some(began);
            seen.made.retain(|_, made| *made >= began);
            unread
        };
        for (path, is_coming) in unread.into_iter().take(MOST_QUESTIONS) {
            match self.read_addresses(&path, is_coming).await {
                // It will be asked again.
                Err(_) if is_coming => {}
                read => read?,
            }
        }
        Ok(())
    }

    /// Of a stack that Heat has not finished those that it has by now: all are read again when it is complete.
    async fn read_addresses(&self, path: &StackPath, is_coming: bool) -> Result<(), ActuatorError> {
        let stack = match self.heat.stack(path, true).await {
            Ok(stack) => stack,
            Err(error) if error.is_not_found() => return Ok(()),
            Err(error) => return Err(self.trouble(path.name()).look(error)),
        };
        let machines = stack.output("machines");
        let of_pool = machines.and_then(|all| all.get(self.names.pool())?.as_array().cloned());
        let address = |machine: &Value| view::address(machine.get("address")?);
        let mut addresses: Vec<Option<IpAddr>> = of_pool.iter().flatten().map(address).collect();
        if addresses.is_empty() {
            let single = stack.output(&self.config.address_output);
            addresses = vec![single.and_then(view::address)];
        }
        if addresses.iter().any(Option::is_some) {
            let mut seen = self.seen();
            if is_coming {
                seen.early.insert(path.id().to_owned());
            } else {
                seen.early.remove(path.id());
            }
            seen.addresses.insert(path.id().to_owned(), addresses);
        }
        Ok(())
    }

    /// Deletes a stack that could not be made, or not be deleted, and that belongs to nobody: at most
    /// one per look.
    pub(super) async fn remove_broken(&self) -> Result<(), ActuatorError> {
        let broken = {
            let seen = self.seen();
            let nobodys = |stack: &&StackSummary| {
                let members = self.names.members(&stack.name);
                let known = |name: &String| seen.known.contains(name) || seen.making.contains(name);
                !members.iter().any(known)
            };
            let undone =
                |stack: &&StackSummary| stack.status.is_leaving() && stack.status.is_failed();
            let mut all = seen.stacks.values().filter(|_| seen.told);
            all.find(|stack| (is_broken(stack) || undone(stack)) && nobodys(stack))
                .cloned()
        };
        let Some(stack) = broken else {
            return Ok(());
        };
        tracing::warn!(
            "pool {}: stack {} is broken and belongs to nobody: it is deleted; Heat said: {}",
            self.names.pool(),
            stack.name,
            stack.reason.clone().unwrap_or_default()
        );
        match self.heat.delete(&stack.path()).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_not_found() || is_passing(&error) => Ok(()),
            Err(error) => Err(self.trouble(&stack.name).change(error)),
        }
    }

    /// A part of a deleted stack that Heat forgot: it is deleted, too, or its machine runs on for ever.
    pub(super) async fn left_of(
        &self,
        whole: &StackPath,
    ) -> Result<Option<StackSummary>, ActuatorError> {
        let parts = self.heat.parts(whole).await;
        let parts = parts.map_err(|error| self.trouble(whole.name()).look(error))?;
        Ok(parts.into_iter().find(|part| {
            // A part that is gone may be listed for a moment.
            !(part.status.is_leaving() && part.status.phase == Phase::Complete)
        }))
    }

    /// Lets go whatever a hook holds in a stack that is being deleted.
    pub(super) async fn release(&self, path: &StackPath) -> Result<(), ActuatorError> {
        let held = match self.heat.held_below(path).await {
            Ok(held) => held,
            Err(error) if error.is_not_found() => return Ok(()),
            Err(error) => return Err(self.trouble(path.name()).look(error)),
        };
        for (nested, resource) in held {
            match self.heat.release(&nested, &resource).await {
                Ok(()) => {}
                Err(error) if is_passing(&error) => {}
                Err(error) => return Err(self.trouble(path.name()).member(&resource, error)),
            }
        }
        Ok(())
    }

    pub(super) fn boot_of(
        &self,
        order: &Order,
        name: &str,
        since: Instant,
    ) -> Result<Option<IpAddr>, ActuatorError> {
        let seen = self.seen();
        let Some(stack) = seen.stacks.get(name) else {
            let fresh = seen.looked.is_some_and(|at| at >= since);
            return if fresh {
                Err(self.deleted(order, name))
            } else {
                Ok(None)
            };
        };
        let reason = stack.reason.clone().unwrap_or_default();
        match stack.status.action {
            _ if is_broken(stack) => Err(self.trouble(name).stillborn(&order.name, &reason)),
            Action::Delete => Err(self.deleted(order, name)),
            // It may have its address; that it serves it has not said.
            _ if stack.status.is_coming() => Ok(None),
            _ => {
                let addresses = seen.addresses.get(&stack.id);
                Ok(addresses.and_then(|all| *all.get(self.names.index(&order.name))?))
            }
        }
    }

    fn deleted(&self, order: &Order, name: &str) -> ActuatorError {
        failed(format!(
            "{}/{}: stack {name} was deleted while it was booting; somebody else asked for that",
            order.pool, order.name
        ))
    }
}

/// Whether a stack could not be made, or was rolled back.
pub(super) fn is_broken(stack: &StackSummary) -> bool {
    stack.status.is_stillborn() || stack.status.action == Action::Rollback
}
