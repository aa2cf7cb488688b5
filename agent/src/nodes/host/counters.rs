//! What the kernel counts of processors, memory and network. It reads a handful of small files and
//! concludes nothing.
//!
//! Kernel documentation: filesystems/proc.rst, ABI/testing/sysfs-class-net, admin-guide/cgroup-v2.rst.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use procfs_core::net::InterfaceDeviceStatus;
use procfs_core::{ExplicitSystemInfo, FromRead, FromReadSI, KernelStats, Meminfo};

/// Where the kernel's files are. Tests put recorded ones in their place.
#[derive(Debug, Clone)]
pub(super) struct Roots {
    pub(super) proc: PathBuf,
    pub(super) net: PathBuf,
    pub(super) cgroup: PathBuf,
}

impl Default for Roots {
    fn default() -> Roots {
        Roots {
            proc: "/proc".into(),
            net: "/sys/class/net".into(),
            cgroup: "/sys/fs/cgroup".into(),
        }
    }
}

/// Counters at one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Counters {
    /// Ticks of all processors.
    pub(super) cpu_ticks: u64,
    /// Those of them in which nothing was to be done.
    pub(super) idle_ticks: u64,
    /// Share of memory that could not be had without swapping.
    pub(super) memory: f64,
    /// Processor time of the container, in microseconds, and how many processors it may use.
    pub(super) container_cpu: Option<(u64, f64)>,
    /// Bytes received and sent by interface.
    pub(super) bytes: BTreeMap<String, (u64, u64)>,
}

impl Counters {
    /// Reads all.
    pub(super) fn read(roots: &Roots) -> Result<Counters, String> {
        let stat = roots.proc.join("stat");
        // Of no concern for ticks, but the parser asks for it.
        let system = ExplicitSystemInfo {
            boot_time_secs: 0,
            ticks_per_second: 100,
            page_size: 4096,
            is_little_endian: cfg!(target_endian = "little"),
        };
        let ticks = KernelStats::from_file(&stat, &system).map_err(said)?.total;
        let idle_ticks = ticks.idle + ticks.iowait.unwrap_or(0);
        // Guests' time is part of `user`. Stolen time counts: the host wanted it and did not get it.
        let busy = [ticks.user, ticks.nice, ticks.system];
        let others = [ticks.irq, ticks.softirq, ticks.steal];
        let busy = busy.into_iter().chain(others.into_iter().flatten());
        let interfaces = InterfaceDeviceStatus::from_file(roots.proc.join("net/dev"));
        let interfaces = interfaces.map_err(said)?.0.into_iter();
        Ok(Counters {
            cpu_ticks: busy.fold(idle_ticks, u64::saturating_add),
            idle_ticks,
            memory: memory(roots)?,
            container_cpu: container_cpu(&roots.cgroup),
            bytes: interfaces
                .map(|(name, counts)| (name, (counts.recv_bytes, counts.sent_bytes)))
                .collect(),
        })
    }
}

fn said(error: procfs_core::ProcError) -> String {
    format!("{error}; the agent needs /proc to see the host")
}

/// The fuller of host and container: what is nearer to its end counts.
fn memory(roots: &Roots) -> Result<f64, String> {
    let known = Meminfo::from_file(roots.proc.join("meminfo")).map_err(said)?;
    let available = known
        .mem_available
        .ok_or("the kernel does not say MemAvailable (Linux 3.14 does)")?;
    let host = 1.0 - ratio(available, known.mem_total).ok_or("MemTotal is 0 in /proc/meminfo")?;
    Ok(host
        .max(container_memory(&roots.cgroup).unwrap_or(0.0))
        .clamp(0.0, 1.0))
}

/// Only a container's root has limits: the files do not exist in the root of a host, and the limits
/// of the agent's own service are not the host's.
fn container_memory(cgroup: &Path) -> Option<f64> {
    let limit = number(&cgroup.join("memory.max"))?;
    let current = number(&cgroup.join("memory.current"))?;
    // Cached files that nobody used lately go when memory is needed.
    let stat = fs::read_to_string(cgroup.join("memory.stat")).unwrap_or_default();
    let reclaimable = field(&stat, "inactive_file").unwrap_or(0);
    ratio(current.saturating_sub(reclaimable), limit)
}

fn container_cpu(cgroup: &Path) -> Option<(u64, f64)> {
    let limit = fs::read_to_string(cgroup.join("cpu.max")).ok()?;
    let (quota, period) = limit.trim().split_once(' ')?;
    let processors = ratio(quota.parse().ok()?, period.parse().ok()?)?;
    let stat = fs::read_to_string(cgroup.join("cpu.stat")).ok()?;
    Some((field(&stat, "usage_usec")?, processors)).filter(|_| processors > 0.0)
}

/// A file with one number; `max` is none.
fn number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// The number behind a word at the start of a line.
fn field(text: &str, word: &str) -> Option<u64> {
    let mut lines = text.lines();
    lines.find_map(|line| line.strip_prefix(word)?.trim().parse().ok())
}

/// The speed of a line in bytes per second, if it says so: virtual ones say -1 or nothing.
pub(super) fn speed_bytes_per_s(roots: &Roots, interface: &str) -> Option<f64> {
    let megabits = number(&roots.net.join(interface).join("speed"))?;
    let megabits = u32::try_from(megabits).ok().filter(|speed| *speed > 0)?;
    Some(f64::from(megabits) * 125_000.0)
}

/// Whether hardware is behind it, also a virtual machine's: bridges, bonds and tunnels would count
/// the same bytes twice.
pub(super) fn is_device(roots: &Roots, interface: &str) -> bool {
    roots.net.join(interface).join("device").exists()
}

/// A share; without a whole there is none.
#[expect(clippy::cast_precision_loss, reason = "a ratio")]
pub(super) fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}
