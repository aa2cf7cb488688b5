//! Actuators on Heat: a pool as a group in a stack, or a stack for each member.
//!
//! All three are level-triggered: they look at what is there, and ask for what is missing from that.

mod answers;
mod autoscaling_group;
mod blueprint;
mod boot;
mod group;
mod ledger;
mod orders;
mod resource_group;
mod sight;
mod stack_per_member;
mod stacks;
mod tidy;
mod trouble;
mod units;
mod until;
mod view;
mod wish;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Actuator;
use crate::cloud::Cloud;
use crate::config::{HeatActuator, HeatConfig};
use crate::heat::Heat;

/// The machines of a unit: how many of each pool.
pub type UnitOf = BTreeMap<String, u32>;

/// The actuator of a pool. `unit`: what a unit consists of, for pools of `[stacks.NAME]` with one
/// Heat stack for each. `aodh`: Aodh decides about the pool, and a look also does the scale-out that
/// Heat drops while a deletion is held.
///
/// [`Actuator::know`] must be called before the first order is carried out: until then nothing can
/// be said to belong to nobody, and orders wait.
pub fn build(
    pool: &str,
    instance: &str,
    config: &HeatConfig,
    unit: Option<UnitOf>,
    aodh: bool,
    cloud: Arc<dyn Cloud>,
) -> Arc<dyn Actuator> {
    match config.actuator {
        HeatActuator::StackPerMember => Arc::new(stacks::StackPerMember::new(
            pool,
            instance,
            config,
            unit,
            Heat::new(cloud),
        )),
        HeatActuator::HeatResourceGroup | HeatActuator::HeatAutoscalingGroup => {
            Arc::new(group::Group::new(pool, config, aodh, cloud))
        }
    }
}
