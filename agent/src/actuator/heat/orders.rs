//! Carries out orders on a group: puts them into the ledger, and waits until a look shows the result.

use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, sleep};

use super::boot;
use super::group::{Group, POLL, refused};
use super::trouble::failed;
use super::until::Until;
use crate::actuator::{Actuator, ActuatorError, Found, Handle, Order};
use crate::heat::Phase;

/// Orders that come within this time go into one change.
const GATHER: Duration = Duration::from_millis(50);

#[async_trait]
impl Actuator for Group {
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
        let deadline = Instant::now() + self.boot_timeout();
        self.ledger().order(&order.name);
        let _waiting = Until(|| self.ledger().withdraw(&order.name));
        sleep(GATHER).await;
        loop {
            let stepped = self.step().await;
            if let Some(outcome) = self.outcome(order, stepped, Instant::now() >= deadline) {
                return outcome;
            }
            sleep(POLL).await;
        }
    }

    async fn ready(&self, order: &Order, handle: &Handle) -> Result<Handle, ActuatorError> {
        let Handle::Heat {
            resource: Some(resource),
            ..
        } = handle
        else {
            return Ok(handle.clone());
        };
        let deadline = Instant::now() + self.boot_timeout();
        let began = Instant::now();
        let address = loop {
            // Heat may be away for a while; the member is booting all the same.
            let stepped = self.step().await.map_err(|error| error.to_string());
            let last = match self.boot_of(order, resource, began)? {
                Ok(address) => break address,
                Err(why) => stepped.err().unwrap_or(why),
            };
            if Instant::now() >= deadline {
                return Err(boot::too_late(&self.what(order), &self.config, &last));
            }
            sleep(POLL).await;
        };
        let handle = Handle::Heat {
            resource: Some(resource.clone()),
            address: Some(address),
        };
        let lives = || self.alive(&handle);
        boot::answers(&self.what(order), &self.config, address, deadline, lives).await?;
        Ok(handle)
    }

    async fn delete(&self, order: &Order, handle: &Handle) -> Result<(), ActuatorError> {
        let Handle::Heat { resource, address } = handle else {
            return Ok(());
        };
        let began = Instant::now();
        let deadline = began + Duration::from_secs_f64(self.config.delete_timeout_s);
        let (resource, address) = match resource {
            Some(resource) => (resource.clone(), *address),
            None => match self.take_back(order, began).await? {
                Some(resource) => (resource, None),
                None => return Ok(()),
            },
        };
        self.ledger().leave(&resource, address);
        let _leaving = Until(|| self.ledger().stop_leaving(&resource));
        sleep(GATHER).await;
        loop {
            let stepped = self.step().await;
            {
                let mut ledger = self.ledger();
                if ledger.is_gone(&resource, began) {
                    ledger.forget(&resource);
                    return Ok(());
                }
            }
            match stepped {
                Err(error @ ActuatorError::Unknown(_)) => {
                    tracing::warn!("{}: {error}", self.what(order))
                }
                other => other?,
            }
            if Instant::now() >= deadline {
                return Err(self.still_there(order, &resource));
            }
            sleep(POLL).await;
        }
    }

    fn alive(&self, handle: &Handle) -> bool {
        self.ledger().is_alive(handle)
    }

    fn find(&self, order: &Order) -> Option<Handle> {
        self.ledger().handle_of(&order.name)
    }

    async fn confirm(&self, order: &Order) -> Result<Option<Handle>, ActuatorError> {
        self.ledger().order(&order.name);
        let _waiting = Until(|| self.ledger().withdraw(&order.name));
        let mut work = self.work.lock().await;
        // It asks for nothing anew.
        Group::look(self, &mut work).await?;
        let ledger = self.ledger();
        let handle = ledger.handle_of(&order.name);
        let view = ledger.view.as_ref();
        let busy = view.is_some_and(|(_, view)| view.phase == Phase::InProgress);
        if handle.is_none() && busy {
            let words = format!("{}: Heat is still at it", self.what(order));
            return Err(ActuatorError::Unknown(words));
        }
        // What comes after all is nobody's then, and will be found.
        Ok(handle)
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn know(&self, members: Vec<(String, Handle)>) {
        self.ledger().know(members);
    }

    async fn look(&self) -> Result<(), ActuatorError> {
        let mut work = self.work.lock().await;
        Group::look(self, &mut work).await?;
        self.tidy(&mut work).await;
        self.act(&mut work).await
    }

    fn found(&self) -> Vec<Found> {
        self.ledger().found()
    }

    fn held(&self) -> Vec<String> {
        self.ledger().held()
    }
}

impl Group {
    fn boot_timeout(&self) -> Duration {
        Duration::from_secs_f64(self.config.boot_timeout_s)
    }

    fn what(&self, order: &Order) -> String {
        format!("{}/{}", self.pool, order.name)
    }

    /// What came of an order after a step; `None` while it waits.
    fn outcome(
        &self,
        order: &Order,
        stepped: Result<(), ActuatorError>,
        is_late: bool,
    ) -> Option<Result<Handle, ActuatorError>> {
        let ledger = self.ledger();
        if let Some(handle) = ledger.handle_of(&order.name) {
            return Some(Ok(handle));
        }
        let Some(waiting) = ledger.waiting(&order.name).cloned() else {
            let words = format!("{}: the order was taken back", self.what(order));
            return Some(Err(failed(words)));
        };
        if !waiting.requested {
            // Nothing was asked for: this is the end of it.
            let error = match (waiting.refused, stepped) {
                (Some((quota, words)), _) => refused(quota, words),
                (None, Err(error)) if is_late || !matches!(error, ActuatorError::Unknown(_)) => {
                    error
                }
                (None, Ok(())) if is_late => self.unnamed(order),
                _ => return None,
            };
            return Some(Err(error));
        }
        match stepped {
            Err(error) if is_late => Some(Err(ActuatorError::Unknown(error.to_string()))),
            Ok(()) if is_late => Some(Err(self.unnamed(order))),
            Err(error) => {
                tracing::warn!("{}: {error}", self.what(order));
                None
            }
            Ok(()) => None,
        }
    }

    fn unnamed(&self, order: &Order) -> ActuatorError {
        ActuatorError::Unknown(format!(
            "{}: Heat has not begun to make it within {} s (boot_timeout_s); see `openstack stack event list {}`",
            self.what(order),
            self.config.boot_timeout_s,
            self.config.stack,
        ))
    }

    fn still_there(&self, order: &Order, resource: &str) -> ActuatorError {
        let ledger = self.ledger();
        let row = ledger.row(resource);
        let how = row.map_or_else(String::new, |row| {
            format!("{:?}: {}", row.status, row.reason)
        });
        failed(format!(
            "{}: member {resource} of stack {} is still there after {} s (delete_timeout_s; {how}); it \
             is asked for again",
            self.what(order),
            self.config.stack,
            self.config.delete_timeout_s,
        ))
    }

    /// The address of a member that Heat has finished, or what it still waits for.
    fn boot_of(
        &self,
        order: &Order,
        resource: &str,
        since: Instant,
    ) -> Result<Result<IpAddr, String>, ActuatorError> {
        let ledger = self.ledger();
        let Some(row) = ledger.row(resource) else {
            let fresh = ledger.view.as_ref().is_some_and(|(at, _)| *at >= since);
            return if fresh {
                let words = "Heat deleted it while it was booting; somebody else asked for that";
                Err(failed(format!("{}: {words}", self.what(order))))
            } else {
                Ok(Err("Heat was not heard".into()))
            };
        };
        if row.is_stillborn() {
            return Err(self.trouble().stillborn(resource, &row.reason));
        }
        if row.status.is_leaving() {
            let words = "it is being deleted while it was booting; somebody else asked for that";
            return Err(failed(format!("{}: {words}", self.what(order))));
        }
        if row.is_coming() {
            return Ok(Err("Heat has not finished it".into()));
        }
        let output = &self.config.address_output;
        let none = format!("its stack has no address in output {output} (`address_output`)");
        Ok(row.address.ok_or(none))
    }

    /// Takes an order back that was never named. Answers the member that was made for it, if there
    /// is one that nobody else waits for.
    async fn take_back(
        &self,
        order: &Order,
        began: Instant,
    ) -> Result<Option<String>, ActuatorError> {
        let claimed = self.ledger().resource_of(&order.name).cloned();
        if claimed.is_some() {
            return Ok(claimed);
        }
        let requested = self.ledger().cancel(&order.name);
        if !requested {
            return Ok(None);
        }
        // What was asked for a moment ago may not be listed yet.
        let settled = began + POLL * 3;
        loop {
            self.step().await?;
            let spare = self.ledger().spare();
            if spare.is_some() {
                return Ok(spare);
            }
            if Instant::now() >= settled {
                return Ok(None);
            }
            sleep(POLL).await;
        }
    }
}
