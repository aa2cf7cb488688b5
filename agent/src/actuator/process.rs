//! Processes that outlive the agent: known by pid and start time, so that a recycled pid is never
//! taken for a member.

use std::path::Path;

use rustix::process::{Pid, Signal, kill_process_group};
use serde::{Deserialize, Serialize};

/// A process that cannot be confused with another one of this boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessId {
    /// Its pid; as it leads its own session, also its process group.
    pub pid: u32,
    /// Its start in clock ticks since the machine's boot.
    pub start_ticks: u64,
}

impl ProcessId {
    /// The process that has this pid now.
    pub fn of_pid(pid: u32) -> Option<ProcessId> {
        let (_, start_ticks) = stat(pid)?;
        Some(ProcessId { pid, start_ticks })
    }

    /// Whether it still runs; a zombie does not.
    pub fn alive(&self) -> bool {
        stat(self.pid).is_some_and(|(state, start_ticks)| {
            start_ticks == self.start_ticks && !matches!(state, 'Z' | 'X')
        })
    }

    /// Signals it and what it started; nothing happens if it is gone.
    pub(super) fn signal(&self, signal: Signal) -> std::io::Result<()> {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        let Some(pid) = pid.filter(|_| self.alive()) else {
            return Ok(());
        };
        match kill_process_group(pid, signal) {
            Err(rustix::io::Errno::SRCH) => Ok(()),
            other => Ok(other?),
        }
    }
}

/// State letter and start time from /proc/PID/stat. The name in it may hold blanks and brackets,
/// so fields are counted from the last closing bracket.
fn stat(pid: u32) -> Option<(char, u64)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = text.get(text.rfind(')')? + 1..)?.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    // `state` is field 3 and the start time field 22.
    let start_ticks = fields.nth(18)?.parse().ok()?;
    Some((state, start_ticks))
}

/// The process whose environment holds all of these `NAME=value`.
pub(super) fn find_by_environment(wanted: &[String]) -> Option<ProcessId> {
    let entries = std::fs::read_dir("/proc").ok()?;
    let pids = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let mut found: Vec<ProcessId> = pids
        .filter(|pid: &u32| has_environment(*pid, wanted))
        .filter_map(ProcessId::of_pid)
        .filter(ProcessId::alive)
        .collect();
    // What a member starts inherits its environment: the oldest is the member itself.
    found.sort_by_key(|process| (process.start_ticks, process.pid));
    found.first().copied()
}

fn has_environment(pid: u32, wanted: &[String]) -> bool {
    let Ok(environment) = std::fs::read(Path::new("/proc").join(pid.to_string()).join("environ"))
    else {
        return false;
    };
    let variables: Vec<&[u8]> = environment.split(|byte| *byte == 0).collect();
    wanted
        .iter()
        .all(|wanted| variables.contains(&wanted.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_knows_itself_and_not_its_pids_next_owner() {
        let me = ProcessId::of_pid(std::process::id()).unwrap();
        assert!(me.alive());
        let recycled = ProcessId {
            start_ticks: me.start_ticks + 1,
            ..me
        };
        assert!(!recycled.alive());
        // Would end the test if it were signalled.
        recycled.signal(Signal::KILL).unwrap();
    }
}
