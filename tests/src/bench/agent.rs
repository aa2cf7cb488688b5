//! What the agent itself costs with as much as one instance may have: processor and memory.

use std::time::{Duration, Instant};

use super::gnocchi::Gnocchi;
use crate::agent::AgentSetup;
use crate::kamailio::Kamailio;
use crate::report::{Figure, Report, rounded};
use crate::run::RunDir;
use crate::tools::repository;
use crate::wait::wait_until;

/// As many features as one instance may have, and members near its limit.
const FEATURES: usize = 64;
const POOLS: usize = 1000;
const MEMBERS_PER_POOL: usize = 10;
/// How long processor time is counted.
pub const MEASURED: Duration = Duration::from_secs(30);
/// The agent creates 100 resources a second.
const CREATED: Duration = Duration::from_secs(300);
/// Clock ticks of /proc/PID/stat.
const TICKS_PER_S: f64 = 100.0;

/// Adds `agent.cpu_share` and `agent.rss_mb`, with Keystone and Gnocchi played.
///
/// # Panics
/// If Kamailio or the agent does not come up.
pub fn cost(report: &mut Report, broken: &mut Vec<String>) {
    let run = RunDir::new("agent");
    let kamailio = Kamailio::with_text(&run, &many_features()).start();
    let gnocchi = Gnocchi::start(&run);
    let clouds = gnocchi.clouds(&run);
    let toml = format!("[cloud]\nname = \"played\"\n[gnocchi]\n\n{}", many_pools());
    let mut agent = as_deployed(AgentSetup::new(&run, &toml))
        .environment("OS_CLIENT_CONFIG_FILE", &clouds.display().to_string())
        .interval_s(1.0)
        .start();
    let resources = 1 + FEATURES + POOLS + POOLS * MEMBERS_PER_POOL;
    wait_until("all is created in Gnocchi", CREATED, || {
        usize::try_from(gnocchi.resources()).is_ok_and(|n| n >= resources)
    });
    let before = gnocchi.batches();
    figures(agent.process().pid(), "Gnocchi played").for_each(|figure| report.figure(figure));
    let batches = gnocchi.batches() - before;
    if batches + 2 < MEASURED.as_secs() {
        broken.push(format!(
            "{batches} batches in {MEASURED:?}, not one a second"
        ));
    }
    agent.stop();
    drop(kamailio);
}

/// With the environment that its systemd unit gives it.
///
/// # Panics
/// If the unit cannot be read.
#[must_use]
pub fn as_deployed(setup: AgentSetup<'_>) -> AgentSetup<'_> {
    let path = repository().join("agent/systemd/kamscale-agent.service");
    let unit = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let variables = unit.lines().filter_map(|line| {
        let variable = line.strip_prefix("Environment=")?;
        variable.split_once('=')
    });
    variables.fold(setup, |setup, (name, value)| setup.environment(name, value))
}

/// Measures a running agent with [`many_pools`] for [`MEASURED`].
pub fn figures(pid: u32, gnocchi: &str) -> impl Iterator<Item = Figure> {
    let (before, began) = (cpu_s(pid), Instant::now());
    std::thread::sleep(MEASURED);
    let share = (cpu_s(pid) - before) / began.elapsed().as_secs_f64();
    let how = format!(
        "{FEATURES} features (the limit of one instance), {POOLS} pools, {} members, one round and one batch \
         to Gnocchi a second; {gnocchi}",
        POOLS * MEMBERS_PER_POOL
    );
    let of_files = rss_mb(pid, "RssFile:") + rss_mb(pid, "RssShmem:");
    let megabytes = rss_mb(pid, "VmRSS:");
    let cpu = Figure::new("agent.cpu_share", rounded(share), "cores");
    let memory = Figure::new("agent.rss_mb", rounded(megabytes), "MB");
    let parts = format!("{how}; {of_files:.1} MB of it files: program and shared memory");
    let cpu = cpu.target("<= 0.01", share <= 0.01).how(how);
    let memory = memory.target("<= 40", megabytes <= 40.0).how(parts);
    [cpu, memory].into_iter()
}

/// The pools in TOML.
#[must_use]
pub fn many_pools() -> String {
    let mut toml = String::new();
    for pool in 0..POOLS {
        toml += &format!(
            "[pools.p{pool}]\nfeature = \"f{}\"\nmode = \"paused\"\n",
            pool % FEATURES
        );
        for member in 0..MEMBERS_PER_POOL {
            toml += &format!(
                "[[pools.p{pool}.members]]\nname = \"p{pool}-{member}\"\nuri = \"sip:127.0.0.1:{}\"\n",
                10_000 + pool * MEMBERS_PER_POOL + member
            );
        }
    }
    toml
}

/// The configuration that users start from, with as many features as there may be.
///
/// # Panics
/// If it cannot be read.
#[must_use]
pub fn many_features() -> String {
    let path = repository().join("kamailio-cfg/minimal.cfg");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let declared = r#"modparam("kamscale", "feature", "queue")"#;
    let own = text.matches(r#"modparam("kamscale", "feature""#).count();
    let more =
        (0..FEATURES - own).map(|n| format!("\nmodparam(\"kamscale\", \"feature\", \"f{n}\")"));
    text.replace(declared, &format!("{declared}{}", more.collect::<String>()))
}

/// Processor time so far.
fn cpu_s(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let rest = stat.rsplit(')').next().unwrap_or_default();
    let ticks = rest.split_whitespace().skip(11).take(2);
    ticks.filter_map(|t| t.parse::<f64>().ok()).sum::<f64>() / TICKS_PER_S
}

/// Memory in use now, by a line of its status.
fn rss_mb(pid: u32, what: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix(what));
    let kib = line.and_then(|l| l.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kib.unwrap_or(f64::NAN) * 1024.0 / 1e6
}
