//! Recorded files of the kernel, and the real ones.

use std::fs;

use super::*;

struct Recorded {
    dir: tempfile::TempDir,
    host: Host,
    start: Instant,
}

impl Recorded {
    fn new(config: HostConfig) -> Recorded {
        let dir = tempfile::tempdir().unwrap();
        let roots = Roots {
            proc: dir.path().join("proc"),
            net: dir.path().join("net"),
            cgroup: dir.path().join("cgroup"),
        };
        let host = Host::at(config, roots);
        let start = Instant::now();
        let recorded = Recorded { dir, host, start };
        recorded.write("proc/meminfo", "MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable: 750 kB\nBuffers: 0 kB\nCached: 0 kB\nSwapCached: 0 kB\nActive: 0 kB\nInactive: 0 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\nDirty: 0 kB\nWriteback: 0 kB\nMapped: 0 kB\nSlab: 0 kB\nCommitted_AS: 0 kB\nVmallocTotal: 0 kB\nVmallocUsed: 0 kB\nVmallocChunk: 0 kB\n");
        recorded.cpu("100 0 100 800 0 0 0 0");
        recorded.network(&[("eth0", 0, 0)]);
        recorded
    }

    fn write(&self, file: &str, text: &str) {
        let file = self.dir.path().join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    fn cpu(&self, ticks: &str) {
        let text = format!(
            "cpu {ticks} 0 0\ncpu0 {ticks} 0 0\nintr 5 1 2\nctxt 9\nbtime 1\nprocesses 3\n"
        );
        self.write("proc/stat", &text);
    }

    fn network(&self, lines: &[(&str, u64, u64)]) {
        let mut text =
            "Inter-| Receive\n face |bytes\n    lo: 9999 0 0 0 0 0 0 0 9999 0 0 0 0 0 0 0\n"
                .to_owned();
        for (name, received, sent) in lines {
            text += &format!("{name}: {received} 0 0 0 0 0 0 0 {sent} 0 0 0 0 0 0 0\n");
        }
        self.write("proc/net/dev", &text);
    }

    fn after(&mut self, seconds: u64) -> Option<Shares> {
        self.host.read(self.start + Duration::from_secs(seconds))
    }
}

fn near(value: f64, expected: f64) {
    assert!((value - expected).abs() < 1e-9, "{value} is not {expected}");
}

fn gigabit() -> HostConfig {
    HostConfig {
        network_bytes_per_s: Some(125_000_000.0),
        ..HostConfig::default()
    }
}

#[test]
fn the_first_reading_gives_nothing_and_the_second_what_was_between() {
    let mut host = Recorded::new(gigabit());
    assert_eq!(host.after(0), None);
    // 30 user, 20 stolen, 40 idle, 10 waiting for disks.
    host.cpu("130 0 100 840 10 0 0 20");
    host.network(&[("eth0", 25_000_000, 50_000_000)]);
    let shares = host.after(2).unwrap();
    near(shares.cpu, 0.5);
    near(shares.memory, 0.25);
    near(shares.network.unwrap(), 0.2);
    assert_eq!(host.host.problem(), None);
}

#[test]
fn a_container_is_as_full_as_its_own_limits_say() {
    let mut host = Recorded::new(gigabit());
    host.write("cgroup/cpu.max", "50000 100000\n");
    host.write("cgroup/cpu.stat", "usage_usec 1000000\nuser_usec 5\n");
    host.write("cgroup/memory.max", "1000\n");
    host.write("cgroup/memory.current", "900\n");
    host.write("cgroup/memory.stat", "anon 5\ninactive_file 300\n");
    host.after(0);
    host.cpu("110 0 100 890 0 0 0 0");
    host.write("cgroup/cpu.stat", "usage_usec 1800000\nuser_usec 5\n");
    let shares = host.after(2).unwrap();
    near(shares.cpu, 0.8);
    near(shares.memory, 0.6);
}

/// As systemd-nspawn shows them, the quota set from outside.
#[test]
fn the_controllers_of_cgroup_v1_say_it_too() {
    for directories in [["cpu", "cpuacct"], ["cpu,cpuacct"; 2]] {
        let [cpu, cpuacct] = directories;
        let mut host = Recorded::new(gigabit());
        host.write(&format!("cgroup/{cpu}/cpu.cfs_quota_us"), "50000\n");
        host.write(&format!("cgroup/{cpu}/cpu.cfs_period_us"), "100000\n");
        let usage = format!("cgroup/{cpuacct}/cpuacct.usage");
        host.write(&usage, "1000000000\n");
        host.write("cgroup/memory/memory.limit_in_bytes", "1000\n");
        host.write("cgroup/memory/memory.usage_in_bytes", "900\n");
        let stat = "inactive_file 1\ntotal_rss 5\ntotal_inactive_file 300\n";
        host.write("cgroup/memory/memory.stat", stat);
        host.after(0);
        // The machine is busy with others.
        host.cpu("200 0 100 810 0 0 0 0");
        host.write(&usage, "1200000000\n");
        let shares = host.after(2).unwrap();
        near(shares.cpu, 0.2);
        near(shares.memory, 0.6);
    }
}

#[test]
fn a_limit_beyond_the_machine_is_none() {
    let mut host = Recorded::new(gigabit());
    host.write("cgroup/cpu/cpu.cfs_quota_us", "400000\n");
    host.write("cgroup/cpu/cpu.cfs_period_us", "100000\n");
    host.write("cgroup/cpuacct/cpuacct.usage", "1000000000\n");
    host.write(
        "cgroup/memory/memory.limit_in_bytes",
        "9223372036854771712\n",
    );
    host.write("cgroup/memory/memory.usage_in_bytes", "900\n");
    host.after(0);
    host.cpu("110 0 100 890 0 0 0 0");
    let shares = host.after(1).unwrap();
    near(shares.cpu, 0.1);
    near(shares.memory, 0.25);
    // So is one that says -1.
    host.write("cgroup/cpu/cpu.cfs_quota_us", "-1\n");
    host.cpu("120 0 100 980 0 0 0 0");
    near(host.after(2).unwrap().cpu, 0.1);
}

#[test]
fn limits_without_a_value_are_none() {
    let mut host = Recorded::new(gigabit());
    host.write("cgroup/cpu.max", "max 100000\n");
    host.write("cgroup/cpu.stat", "usage_usec 1000000\n");
    host.write("cgroup/memory.max", "max\n");
    host.write("cgroup/memory.current", "900\n");
    host.after(0);
    host.cpu("110 0 100 890 0 0 0 0");
    near(host.after(1).unwrap().cpu, 0.1);
    near(host.after(2).map_or(0.25, |shares| shares.memory), 0.25);
}

#[test]
fn a_line_that_does_not_say_its_speed_has_no_share() {
    let mut host = Recorded::new(HostConfig::default());
    host.write("net/eth0/speed", "-1\n");
    host.after(0);
    host.cpu("110 0 100 890 0 0 0 0");
    assert_eq!(host.after(1).unwrap().network, None);
    let problem = host.host.problem().unwrap();
    assert!(problem.contains("eth0") && problem.contains("network_bytes_per_s"));
}

#[test]
fn the_fullest_line_counts_and_bridges_do_not() {
    let mut host = Recorded::new(HostConfig::default());
    for (name, speed) in [("eth0", "1000\n"), ("eth1", "100\n")] {
        host.write(&format!("net/{name}/speed"), speed);
        host.write(&format!("net/{name}/device/vendor"), "");
    }
    host.network(&[("eth0", 0, 0), ("eth1", 0, 0), ("br0", 0, 0)]);
    host.after(0);
    host.cpu("110 0 100 890 0 0 0 0");
    host.network(&[
        ("eth0", 5_000_000, 0),
        ("eth1", 5_000_000, 0),
        ("br0", 1 << 40, 0),
    ]);
    near(host.after(1).unwrap().network.unwrap(), 0.4);
}

#[test]
fn an_interface_that_is_not_there_is_named() {
    let mut host = Recorded::new(HostConfig {
        interfaces: vec!["eth9".into()],
        ..gigabit()
    });
    host.after(0);
    assert!(host.host.problem().unwrap().contains("eth9"));
}

#[test]
fn counts_that_went_back_give_nothing_once() {
    let mut host = Recorded::new(gigabit());
    host.network(&[("eth0", 500, 500)]);
    host.after(0);
    host.cpu("110 0 100 890 0 0 0 0");
    host.network(&[("eth0", 100, 100)]);
    assert_eq!(host.after(1).unwrap().network, None);
    host.cpu("1 0 1 8 0 0 0 0");
    assert_eq!(host.after(2), None);
    host.cpu("6 0 1 13 0 0 0 0");
    near(host.after(3).unwrap().cpu, 0.5);
}

#[test]
fn garbage_is_a_problem_and_no_share() {
    let mut host = Recorded::new(gigabit());
    host.after(0);
    host.write("proc/stat", "cpu what\n");
    assert_eq!(host.after(1), None);
    assert!(host.host.problem().unwrap().contains("/proc"));
}

#[test]
fn this_host_can_be_read() {
    let mut host = Host::new(gigabit());
    let start = Instant::now();
    assert_eq!(host.read(start), None);
    assert_eq!(host.problem(), None, "network_bytes_per_s is given");
    // Until the ticks of the processors moved on.
    let mut shares = None;
    while shares.is_none() && start.elapsed() < Duration::from_secs(10) {
        std::thread::yield_now();
        shares = host.read(Instant::now());
    }
    let shares = shares.unwrap();
    assert!((0.0..=1.0).contains(&shares.cpu) && (0.01..=1.0).contains(&shares.memory));
}
