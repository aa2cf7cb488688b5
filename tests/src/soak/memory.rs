//! How much memory Kamailio and the agent have now, and whether it has grown.

use std::fs;

use serde_json::Value;

use crate::kamailio::Kamailio;

/// Memory at one moment.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// Kamailio's shared memory in use, in bytes (`core.shmmem`).
    pub shared: u64,
    /// The largest private pool of a process in use, in bytes (`pkg.stats`).
    pub private: u64,
    /// Memory of all Kamailio processes that is theirs alone, in kB (RssAnon).
    pub resident_kb: u64,
    /// The same of the agent.
    pub agent_kb: u64,
    /// The agent's process.
    pub agent: u32,
}

impl Memory {
    /// Looks now.
    ///
    /// # Panics
    /// If Kamailio does not answer.
    #[must_use]
    pub fn of(kamailio: &Kamailio<'_>, agent: u32) -> Self {
        let shared = kamailio.rpc(&["core.shmmem"]);
        let of = |value: &Value, name: &str| value[name].as_u64().unwrap_or(0);
        let private = kamailio.rpc(&["pkg.stats"]);
        let processes = kamailio.processes().into_keys();
        Self {
            shared: shared.iter().map(|v| of(v, "used")).max().unwrap_or(0),
            private: private.iter().map(|v| of(v, "used")).max().unwrap_or(0),
            resident_kb: processes.map(resident_kb).sum(),
            agent_kb: resident_kb(agent),
            agent,
        }
    }
}

/// Private memory of a process that is really there, in kB; 0 if it has gone.
#[must_use]
pub fn resident_kb(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|l| l.strip_prefix("RssAnon:"));
    line.and_then(|l| l.trim_end_matches("kB").trim().parse().ok())
        .unwrap_or(0)
}

/// By how much something grew: the least of the last third over the least of the first one, so that what
/// comes and goes with the calls does not count.
#[must_use]
pub fn growth(values: &[u64]) -> u64 {
    let third = values.len() / 3;
    let least = |part: &[u64]| part.iter().copied().min().unwrap_or(0);
    let (early, late) = (&values[..third], &values[values.len() - third..]);
    least(late).saturating_sub(least(early))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_and_goes_is_no_growth_and_a_leak_is_one() {
        assert_eq!(growth(&[5, 9, 5, 8, 9, 5, 7, 5, 6]), 0);
        assert_eq!(growth(&[1, 2, 3, 4, 5, 6, 7, 8, 9]), 6);
        assert_eq!(growth(&[]), 0);
    }
}
