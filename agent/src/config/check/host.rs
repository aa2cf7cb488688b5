//! The rules for the host where the agent runs.

use kamscale_shm::spec::is_name;

use super::{At, Checked, NAME_RULE};
use crate::config::HostConfig;

/// The longest name of an interface: `IFNAMSIZ` of Linux' if.h without its zero.
const MAX_INTERFACE: usize = 15;

pub(super) fn check_host(host: &HostConfig) -> Checked {
    let at = At(&["host"]);
    // Not one of this file's pools: the agent on a member's host need not know any.
    if let Some(pool) = &host.pool {
        at.need("pool", is_name(pool), NAME_RULE)?;
    }
    for interface in &host.interfaces {
        let holds = (1..=MAX_INTERFACE).contains(&interface.len())
            && interface.chars().all(|c| c.is_ascii_graphic() && c != '/')
            && !matches!(interface.as_str(), "." | "..");
        let problem = format!("\"{interface}\" is no name of an interface, as eth0");
        at.need("interfaces", holds, problem)?;
    }
    if let Some(speed) = host.network_bytes_per_s {
        let problem =
            format!("{speed} is no speed; write bytes per second, as 125000000 for 1 Gbit/s");
        let holds = speed.is_finite() && speed >= 1.0;
        at.need("network_bytes_per_s", holds, problem)?;
    }
    Ok(())
}
