//! The limits of a container, and what it used of them: by cgroup v2, or by the controllers of v1.
//!
//! Both show a container its own group at the root of the mount (cgroup_namespaces(7)); v1 has a
//! directory per controller. The root of a machine has no limits. The limits of the agent's own service
//! lie deeper and are of no concern: they are not the host's.
//!
//! Kernel documentation: admin-guide/cgroup-v2.rst; admin-guide/cgroup-v1/cpuacct.rst, memory.rst;
//! scheduler/sched-bwc.rst.

use std::fs;
use std::path::Path;

use super::counters::ratio;

/// Where v1's `cpu` and `cpuacct` may be mounted: apart, or together as most systems have them.
const CPU: [&str; 3] = ["cpu,cpuacct", "cpu", "cpuacct"];

/// Processor time used so far, in microseconds, and how many processors it may use: `None` if it may use
/// all that the machine has.
pub(super) fn cpu(cgroup: &Path, processors: usize) -> Option<(u64, f64)> {
    let (used_us, allowed) = cpu_v2(cgroup).or_else(|| cpu_v1(cgroup))?;
    let all = u32::try_from(processors).map_or(f64::INFINITY, f64::from);
    Some((used_us, allowed)).filter(|_| allowed > 0.0 && (processors == 0 || allowed <= all))
}

fn cpu_v2(cgroup: &Path) -> Option<(u64, f64)> {
    let limit = fs::read_to_string(cgroup.join("cpu.max")).ok()?;
    let (quota, period) = limit.trim().split_once(' ')?;
    let processors = ratio(quota.parse().ok()?, period.parse().ok()?)?;
    let stat = fs::read_to_string(cgroup.join("cpu.stat")).ok()?;
    Some((field(&stat, "usage_usec")?, processors))
}

fn cpu_v1(cgroup: &Path) -> Option<(u64, f64)> {
    let find = |name: &str| {
        let mut directories = CPU.iter();
        directories.find_map(|directory| number(&cgroup.join(directory).join(name)))
    };
    // -1 is no limit, and no number here.
    let processors = ratio(find("cpu.cfs_quota_us")?, find("cpu.cfs_period_us")?)?;
    // With all groups below, in nanoseconds.
    Some((find("cpuacct.usage")? / 1000, processors))
}

/// Bytes that are used and cannot be had back, and how many may be.
pub(super) fn memory(cgroup: &Path) -> Option<(u64, u64)> {
    let (used, reclaimable, limit) = memory_v2(cgroup).or_else(|| memory_v1(cgroup))?;
    Some((used.saturating_sub(reclaimable), limit))
}

/// Cached files that nobody used lately go when memory is needed.
fn memory_v2(cgroup: &Path) -> Option<(u64, u64, u64)> {
    let limit = number(&cgroup.join("memory.max"))?;
    let used = number(&cgroup.join("memory.current"))?;
    let stat = fs::read_to_string(cgroup.join("memory.stat")).unwrap_or_default();
    Some((used, field(&stat, "inactive_file").unwrap_or(0), limit))
}

fn memory_v1(cgroup: &Path) -> Option<(u64, u64, u64)> {
    let directory = cgroup.join("memory");
    // Without a limit it is a number beyond all memory.
    let limit = number(&directory.join("memory.limit_in_bytes"))?;
    let used = number(&directory.join("memory.usage_in_bytes"))?;
    let stat = fs::read_to_string(directory.join("memory.stat")).unwrap_or_default();
    // Without "total_" it leaves out the groups below, where a container's services are.
    Some((
        used,
        field(&stat, "total_inactive_file").unwrap_or(0),
        limit,
    ))
}

/// A file with one number; `max` is none.
pub(super) fn number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// The number behind a word at the start of a line.
fn field(text: &str, word: &str) -> Option<u64> {
    let mut lines = text.lines();
    lines.find_map(|line| line.strip_prefix(word)?.trim().parse().ok())
}
