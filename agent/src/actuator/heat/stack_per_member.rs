//! One stack for each member, or for each unit of several machines: made and deleted by name.
//!
//! The name is the order's, so that an order carried out twice meets its own stack: Heat refuses a
//! second one of that name. Tags tell our stacks from others'.

use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, sleep};

use super::boot;
use super::group::{POLL, is_passing};
use super::stacks::{StackPerMember, is_broken};
use super::tidy::FORGOTTEN;
use super::trouble::failed;
use crate::actuator::{Actuator, ActuatorError, Found, Handle, Order};
use crate::heat::StackPath;

#[async_trait]
impl Actuator for StackPerMember {
    fn addresses(&self) -> &[IpAddr] {
        &[]
    }

    fn uri(&self, order: &Order) -> Option<String> {
        boot::uri(&self.config, order)
    }

    fn plan(&self, _order: &Order) -> Option<Handle> {
        Some(Handle::Heat {
            resource: None,
            address: None,
        })
    }

    async fn create(&self, order: &Order) -> Result<Handle, ActuatorError> {
        let name = self.names.stack(order);
        self.seen().making.push(order.name.clone());
        let made = self.make(order, &name).await;
        let mut seen = self.seen();
        seen.made.insert(name.clone(), Instant::now());
        seen.making.retain(|of| *of != order.name);
        seen.known.push(order.name.clone());
        drop(seen);
        made?;
        Ok(self.handle(&name, &order.name))
    }

    async fn ready(&self, order: &Order, _handle: &Handle) -> Result<Handle, ActuatorError> {
        let name = self.names.stack(order);
        let began = Instant::now();
        let deadline = began + Duration::from_secs_f64(self.config.boot_timeout_s);
        let what = format!("{}/{}", order.pool, order.name);
        let address = loop {
            // Heat may be away for a while; the member is booting all the same.
            let stepped = self.step().await;
            if let Some(address) = self.boot_of(order, &name, began)? {
                break address;
            }
            if Instant::now() >= deadline {
                let none = "its stack is not complete, or has no address in its outputs".into();
                let why = stepped.err().map_or(none, |error| error.to_string());
                return Err(boot::too_late(&what, &self.config, &why));
            }
            sleep(POLL).await;
        };
        let handle = Handle::Heat {
            resource: Some(name),
            address: Some(address),
        };
        let lives = || self.alive(&handle);
        boot::answers(&what, &self.config, address, deadline, lives).await?;
        Ok(handle)
    }

    async fn delete(&self, order: &Order, handle: &Handle) -> Result<(), ActuatorError> {
        let named = match handle {
            Handle::Heat { resource, .. } => resource.clone(),
            _ => return Ok(()),
        };
        let name = named.unwrap_or_else(|| self.names.stack(order));
        let deadline = Instant::now() + Duration::from_secs_f64(self.config.delete_timeout_s);
        let mut deleted: Option<StackPath> = None;
        let mut asked_at = Instant::now();
        loop {
            let found = match (self.find(&name).await?, &deleted) {
                (Some(stack), _) => Some(stack),
                (None, Some(whole)) => self.left_of(whole).await?,
                (None, None) => None,
            };
            let Some(stack) = found else {
                self.seen().stacks.remove(&name);
                return Ok(());
            };
            let path = stack.path();
            if stack.name == name {
                deleted = Some(path.clone());
            }
            let is_going = stack.status.is_leaving() && !stack.status.is_failed();
            if is_going && asked_at.elapsed() < FORGOTTEN {
                self.release(&path).await?;
            } else {
                asked_at = Instant::now();
                match self.heat.delete(&path).await {
                    Ok(_) => {}
                    Err(error) if error.is_not_found() || is_passing(&error) => {}
                    Err(error) => return Err(self.trouble(&name).change(error)),
                }
            }
            if Instant::now() >= deadline {
                return Err(failed(format!(
                    "{}/{}: stack {name} is still there after {} s (delete_timeout_s): {:?} {}; it is \
                     asked for again",
                    order.pool,
                    order.name,
                    self.config.delete_timeout_s,
                    stack.status,
                    stack.reason.unwrap_or_default()
                )));
            }
            sleep(POLL).await;
        }
    }

    fn alive(&self, handle: &Handle) -> bool {
        let Handle::Heat {
            resource: Some(name),
            ..
        } = handle
        else {
            return true;
        };
        let seen = self.seen();
        if seen.looked.is_none() || seen.made.contains_key(name) {
            return true;
        }
        let stack = seen.stacks.get(name);
        stack.is_some_and(|stack| !stack.status.is_leaving() && !is_broken(stack))
    }

    fn find(&self, order: &Order) -> Option<Handle> {
        let name = self.names.stack(order);
        let there = self.seen().stacks.contains_key(&name);
        there.then(|| self.handle(&name, &order.name))
    }

    async fn confirm(&self, order: &Order) -> Result<Option<Handle>, ActuatorError> {
        let name = self.names.stack(order);
        let found = self.find(&name).await;
        let found = found.map_err(|error| ActuatorError::Unknown(error.to_string()))?;
        Ok(found.map(|_| self.handle(&name, &order.name)))
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn know(&self, members: Vec<(String, Handle)>) {
        let mut seen = self.seen();
        seen.known = members.into_iter().map(|(name, _)| name).collect();
        seen.told = true;
    }

    async fn look(&self) -> Result<(), ActuatorError> {
        let mut looked = self.work.lock().await;
        *looked = Some(Instant::now());
        self.look_now().await?;
        self.remove_broken().await
    }

    fn found(&self) -> Vec<Found> {
        let seen = self.seen();
        if !seen.told {
            return Vec::new();
        }
        let known = |name: &String| seen.known.contains(name) || seen.making.contains(name);
        let mut found = Vec::new();
        for stack in seen.stacks.values() {
            if stack.status.is_leaving() || is_broken(stack) {
                continue;
            }
            let addresses = seen.addresses.get(&stack.id);
            for member in self.names.members(&stack.name) {
                if !known(&member) {
                    let address = addresses.and_then(|all| *all.get(self.names.index(&member))?);
                    let resource = Some(stack.name.clone());
                    found.push(Found {
                        handle: Handle::Heat { resource, address },
                        name: Some(member),
                    });
                }
            }
        }
        found
    }
}
