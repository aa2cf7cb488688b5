//! `--scale`: how the simulator and the plan function grow with the number of members.

use std::io::Write;

use serde_json::{Value, json};

use super::super::Failure;
use super::super::table::{aligned, columns};
use super::usage;
use crate::simulate::{POOL_MEMBERS, POOLS, Scale, scale};

pub(super) fn show(seed: u64) -> Result<(Value, String), Failure> {
    let mut sizes = Vec::new();
    for pools in POOLS {
        // Who closed stderr does not want to know.
        let _ = writeln!(std::io::stderr(), "{pools} pools of {POOL_MEMBERS} members");
        sizes.push(scale(pools, seed).map_err(|error| usage(error.to_string()))?);
    }
    Ok((json!({"scale": sizes}), text(&sizes)))
}

pub(super) fn text(sizes: &[Scale]) -> String {
    let mut rows = vec![columns([
        "MEMBERS",
        "POOLS",
        "CALLS",
        "LOST",
        "EVENTS",
        "DECISIONS",
        "WALL",
        "EVENTS/S",
        "PER DECISION",
    ])];
    rows.extend(sizes.iter().map(|size| {
        columns([
            &size.members.to_string(),
            &size.pools.to_string(),
            &size.calls.to_string(),
            &size.lost_calls.to_string(),
            &size.events.to_string(),
            &size.decisions.to_string(),
            &format!("{:.2} s", size.wall_s),
            &format!("{:.2} million", size.events_per_s / 1e6),
            &format!("{:.1} us", size.decide_us),
        ])
    }));
    let simulated_s = sizes.first().map_or(0.0, |size| size.simulated_s);
    let threads = sizes.iter().map(|size| size.threads).max().unwrap_or(1);
    format!(
        "Pools of {POOL_MEMBERS} members live {simulated_s:.0} s each, on at most {threads} threads.\n{}",
        aligned(&rows)
    )
}
