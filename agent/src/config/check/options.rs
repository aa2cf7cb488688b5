//! The rules for what pools and members have beside the numbers: those of the shared table, at the keys
//! of the file.

use kamscale_shm::limits::MAX_OVERFLOWS;
use kamscale_shm::{MemberOptions, ProbeOptions};

use super::{At, Checked};
use crate::config::{Config, PoolConfig};

pub(super) fn check_member_options(path: &[&str], options: &MemberOptions) -> Checked {
    let checked = options.check();
    checked.map_err(|fault| At(path).fault(fault.key, fault.why))
}

pub(super) fn check_pool_options(config: &Config, name: &str, pool: &PoolConfig) -> Checked {
    let at = At(&["pools", name]);
    let options = pool.options();
    let checked = options.check();
    checked.map_err(|fault| at.fault(fault.key, fault.why))?;
    check_probe(name, pool, &options.probe)?;
    if let Some(overflow) = &pool.overflow {
        let known = || {
            let names: Vec<&str> = config.pools.keys().map(String::as_str).collect();
            names.join(", ")
        };
        at.need(
            "overflow",
            config.pools.contains_key(overflow),
            format!("there is no pool \"{overflow}\"; there are: {}", known()),
        )?;
        at.need(
            "overflow",
            ends(config, name),
            format!(
                "leads back to where it began, or through more than {MAX_OVERFLOWS} pools; leave it \
                 out of the last one"
            ),
        )?;
    }
    Ok(())
}

fn check_probe(name: &str, pool: &PoolConfig, options: &ProbeOptions) -> Checked {
    let path = ["pools", name, "probe"];
    let at = At(&path);
    let seconds = |key, value: Option<f64>, least, most| match value.filter(|s| *s != 0.0) {
        Some(value) => at.seconds(key, value, least, most),
        None => Ok(()),
    };
    seconds("interval_s", pool.probe.interval_s, 0.1, 86_400.0)?;
    seconds("timeout_s", pool.probe.timeout_s, 0.05, 60.0)?;
    let checked = options.check();
    checked.map_err(|fault| at.fault(fault.key, fault.why))
}

/// Whether the chain of pools that begins here is short, and has an end.
fn ends(config: &Config, name: &str) -> bool {
    let mut at = name;
    for _ in 0..=MAX_OVERFLOWS {
        let pool = config.pools.get(at);
        match pool.and_then(|pool| pool.overflow.as_deref()) {
            Some(next) => at = next,
            None => return true,
        }
    }
    false
}
