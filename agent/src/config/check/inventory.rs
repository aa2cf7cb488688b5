//! The rules for the inventory.

use kamscale_shm::spec::is_name;

use super::{At, Checked, NAME_RULE};
use crate::config::{Config, InventoryConfig};

pub(super) fn check_inventory(config: &Config, inventory: &InventoryConfig) -> Checked {
    let at = At(&["inventory"]);
    let named = inventory.file.is_absolute() && inventory.file.file_name().is_some();
    at.need("file", named, "write an absolute path of a file")?;
    at.need(
        "file",
        inventory.file != config.agent.state_file,
        "there is the agent's own state; name another file",
    )?;
    for instance in &inventory.instances {
        at.need("instances", is_name(instance), NAME_RULE)?;
    }
    at.need(
        "instances",
        inventory.instances.is_empty() || config.lease.is_some(),
        "other instances are read where the [lease] is; write that section, or leave this out",
    )
}
