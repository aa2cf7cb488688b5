//! What the kernel counts of processors, memory and network. It reads a handful of small files and
//! concludes nothing.
//!
//! Kernel documentation: filesystems/proc.rst, ABI/testing/sysfs-class-net.

use std::collections::BTreeMap;
use std::path::PathBuf;

use procfs_core::net::InterfaceDeviceStatus;
use procfs_core::{ExplicitSystemInfo, FromRead, FromReadSI, KernelStats, Meminfo};

use super::container::{self, number};

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
    /// Share of memory that could not be had without swapping: of the container's, if it has a limit.
    pub(super) memory: f64,
    /// Processor time of a container with a limit, in microseconds, and how many processors it may use.
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
        let stat = KernelStats::from_file(&stat, &system).map_err(said)?;
        let (ticks, processors) = (stat.total, stat.cpu_time.len());
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
            container_cpu: container::cpu(&roots.cgroup, processors),
            bytes: interfaces
                .map(|(name, counts)| (name, (counts.recv_bytes, counts.sent_bytes)))
                .collect(),
        })
    }
}

fn said(error: procfs_core::ProcError) -> String {
    format!("{error}; the agent needs /proc to see the host")
}

/// Of a container's own memory, where it has less than the machine: what its neighbours use is none of
/// its demand, and another member would not help against it.
fn memory(roots: &Roots) -> Result<f64, String> {
    let known = Meminfo::from_file(roots.proc.join("meminfo")).map_err(said)?;
    let available = known
        .mem_available
        .ok_or("the kernel does not say MemAvailable (Linux 3.14 does)")?;
    let host = 1.0 - ratio(available, known.mem_total).ok_or("MemTotal is 0 in /proc/meminfo")?;
    let limited = container::memory(&roots.cgroup).filter(|(_, limit)| *limit < known.mem_total);
    let own = limited.and_then(|(used, limit)| ratio(used, limit));
    Ok(own.unwrap_or(host).clamp(0.0, 1.0))
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
