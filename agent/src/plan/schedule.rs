//! Schedule floors: at known times (a conference day) a pool has at least so many members.
//!
//! A floor begins by a cron expression in a time zone and lasts a while. It knows no demand.

use serde::{Deserialize, Serialize};

/// At least so many members during some hours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Floor {
    /// What people call it, as `working day`.
    pub name: String,
    /// When it begins: minute hour day month weekday.
    pub cron: String,
    /// Time zone of `cron`, as `Europe/Berlin`.
    pub time_zone: String,
    /// How long it lasts.
    pub duration_s: f64,
    /// At least so many members.
    pub min: u32,
    /// Whether nothing is removed meanwhile.
    pub inhibit_scale_in: bool,
}

impl Floor {
    /// Until when it holds, in unix seconds, if it holds at `at_s`.
    pub fn until_s(&self, at_s: f64) -> Option<f64> {
        let _ = at_s;
        None
    }
}
