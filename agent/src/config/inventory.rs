//! Section `[inventory]`: the file that says which members all pools have, for whoever is no Kamailio.

use std::path::PathBuf;

use serde::Deserialize;

/// Section `[inventory]`. Without it, no such file is written.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InventoryConfig {
    /// The file: Hiera data, replaced as a whole.
    pub file: PathBuf,
    /// The instances whose pools are in it; all below the prefix of the lease if empty.
    pub instances: Vec<String>,
}

impl Default for InventoryConfig {
    fn default() -> Self {
        InventoryConfig {
            file: "/var/lib/kamscale/inventory.json".into(),
            instances: Vec::new(),
        }
    }
}
