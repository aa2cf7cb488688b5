//! The actuator `manual`: members come and go by command; there is nothing to start or stop.

use std::net::IpAddr;

use async_trait::async_trait;

use super::{Actuator, ActuatorError, Handle, Order};

/// For pools whose members somebody else runs.
#[derive(Debug, Default)]
pub struct Manual;

#[async_trait]
impl Actuator for Manual {
    fn addresses(&self) -> &[IpAddr] {
        &[]
    }

    fn uri(&self, _order: &Order) -> Option<String> {
        None
    }

    fn plan(&self, _order: &Order) -> Option<Handle> {
        None
    }

    async fn create(&self, _order: &Order) -> Result<Handle, ActuatorError> {
        Err(ActuatorError::Unsupported(
            "this pool has no actuator: add members with `kamscale member add`",
        ))
    }

    async fn ready(&self, _order: &Order, handle: &Handle) -> Result<Handle, ActuatorError> {
        Ok(handle.clone())
    }

    async fn delete(&self, _order: &Order, _handle: &Handle) -> Result<(), ActuatorError> {
        Ok(())
    }

    fn alive(&self, _handle: &Handle) -> bool {
        true
    }

    fn find(&self, _order: &Order) -> Option<Handle> {
        None
    }
}
