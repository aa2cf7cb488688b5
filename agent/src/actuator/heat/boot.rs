//! The last part of booting: a member whose stack is complete must answer OPTIONS.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::time::Instant;

use super::trouble::failed;
use crate::actuator::options::{self, Answers};
use crate::actuator::{ActuatorError, Order, template};
use crate::config::HeatConfig;

/// Waits until a member answers `ready_options` OPTIONS in a row.
pub(super) async fn answers(
    what: &str,
    config: &HeatConfig,
    address: IpAddr,
    deadline: Instant,
    lives: impl Fn() -> bool,
) -> Result<(), ActuatorError> {
    let target = SocketAddr::new(address, config.port);
    let pause = Duration::from_secs_f64(config.ready_interval_s);
    match options::in_a_row(target, config.ready_options, pause, deadline, lives).await {
        Answers::Enough => Ok(()),
        Answers::Ended => Err(failed(format!(
            "{what}: Heat deleted it while it was booting; somebody else asked for that"
        ))),
        Answers::TooLate => Err(ActuatorError::NotReady {
            what: format!("{what} at {target}"),
            timeout_s: config.boot_timeout_s,
            log: "its console (`openstack console log show`) and the security groups".into(),
        }),
    }
}

/// A member that is not made in time.
pub(super) fn too_late(what: &str, config: &HeatConfig, why: &str) -> ActuatorError {
    failed(format!(
        "{what} is not ready after {} s (boot_timeout_s): {why}; see `openstack stack resource list \
         -n 2 {}`",
        config.boot_timeout_s, config.stack
    ))
}

/// The URI of a member at its address, once it has one.
pub(super) fn uri(config: &HeatConfig, order: &Order) -> Option<String> {
    order.address?;
    Some(template::fill(&config.uri, order, config.port, true))
}
