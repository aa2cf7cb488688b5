//! Whether Kamailio is still the very same: its processes by id and start time, its modules, and
//! whether anything in it could be reloaded at all.

use std::collections::BTreeMap;

use kamscale_tests::{Kamailio, Watch};
use serde_json::Value;

/// What must be the same at the end.
#[derive(Debug, PartialEq)]
pub(crate) struct Fingerprint {
    /// Start time in ticks since the machine's boot, by process id.
    processes: BTreeMap<u32, String>,
    /// Another one after each start of Kamailio.
    boot_id: u64,
    modules: Vec<String>,
    /// RPC commands by which something could be reloaded.
    reloads: Vec<String>,
    commands: usize,
}

impl Fingerprint {
    pub(crate) fn of(kamailio: &Kamailio<'_>, watch: &Watch) -> Self {
        let words = |command: &str| -> Vec<String> {
            let values = kamailio.rpc(&[command]);
            values
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect()
        };
        let commands = words("system.listMethods");
        let pids = kamailio.processes().into_keys();
        Self {
            processes: pids.map(|pid| (pid, start_time(pid))).collect(),
            boot_id: watch.boot_id(),
            modules: words("core.modules"),
            commands: commands.len(),
            reloads: commands
                .into_iter()
                .filter(|c| c.contains("reload"))
                .collect(),
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.processes.len()
    }

    /// Processes that are not what they were.
    pub(crate) fn restarts(&self, after: &Self) -> usize {
        let gone = |pids: &BTreeMap<u32, String>, other: &BTreeMap<u32, String>| {
            pids.iter()
                .filter(|(pid, start)| other.get(pid) != Some(*start))
                .count()
        };
        let changed =
            gone(&self.processes, &after.processes).max(gone(&after.processes, &self.processes));
        changed.max(usize::from(self.boot_id != after.boot_id))
    }

    /// `None` if something could have been reloaded without a trace.
    pub(crate) fn reloads(&self, after: &Self) -> Option<usize> {
        let could = !self.reloads.is_empty() || self.modules.iter().any(|m| m == "dispatcher");
        (!could).then(|| usize::from(self.modules != after.modules))
    }

    /// How [`Self::reloads`] knows.
    pub(crate) fn how(&self) -> String {
        if self.reloads.is_empty() {
            format!(
                "no dispatcher module, and none of its {} RPC commands reloads anything; {} modules \
                 as before",
                self.commands,
                self.modules.len()
            )
        } else {
            format!("unknown: it has {}", self.reloads.join(", "))
        }
    }
}

/// Field 22 of /proc/PID/stat; the second field may hold spaces.
fn start_time(pid: u32) -> String {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let rest = stat.rsplit(')').next().unwrap_or_default();
    rest.split_whitespace()
        .nth(19)
        .unwrap_or_default()
        .to_owned()
}
