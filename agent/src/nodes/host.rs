//! The host where the agent runs: how much of its processors, memory and network is used.
//!
//! So load balancers are measured, and members whose cloud sees them from outside only. It reads,
//! and remembers the last reading; it decides nothing and sends nothing.

mod container;
mod counters;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::Shares;
use crate::config::HostConfig;
use counters::{Counters, Roots, is_device, ratio, speed_bytes_per_s};

/// Within less the ticks of a processor (100 a second) say nothing.
const SHORTEST: Duration = Duration::from_millis(200);
/// Some drivers take long to tell a speed, and it hardly ever changes.
const SPEED_KEPT: Duration = Duration::from_secs(60);

/// The host, read again and again.
#[derive(Debug)]
pub struct Host {
    config: HostConfig,
    roots: Roots,
    last: Option<(Instant, Counters)>,
    lines: Lines,
    shares: Option<Shares>,
    problem: Option<String>,
}

/// The interfaces that count, with their speeds.
#[derive(Debug, Default)]
struct Lines {
    read: Option<Instant>,
    bytes_per_s: BTreeMap<String, f64>,
    problem: Option<String>,
}

impl Host {
    /// Nothing is read yet.
    pub fn new(config: HostConfig) -> Host {
        Host::at(config, Roots::default())
    }

    fn at(config: HostConfig, roots: Roots) -> Host {
        Host {
            config,
            roots,
            last: None,
            lines: Lines::default(),
            shares: None,
            problem: None,
        }
    }

    /// Reads the host. Shares are those between this reading and the last, so that the first one
    /// gives none. It takes less than a millisecond: call it every round.
    pub fn read(&mut self, now: Instant) -> Option<Shares> {
        let since = self
            .last
            .as_ref()
            .map(|(then, _)| now.saturating_duration_since(*then));
        if since.is_some_and(|since| since < SHORTEST) {
            return self.shares;
        }
        match Counters::read(&self.roots) {
            Ok(counters) => {
                self.lines
                    .refresh(&self.config, &self.roots, &counters, now);
                self.problem.clone_from(&self.lines.problem);
                let before = self.last.replace((now, counters));
                let after = self.last.as_ref();
                self.shares = before.zip(after).and_then(|((then, before), (_, after))| {
                    let seconds = now.saturating_duration_since(then).as_secs_f64();
                    shares(&before, after, seconds, &self.lines.bytes_per_s)
                });
            }
            Err(problem) => {
                (self.last, self.shares) = (None, None);
                self.problem = Some(problem);
            }
        }
        self.shares
    }

    /// What could not be read, and the remedy; for the log when it changes.
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }
}

impl Lines {
    fn refresh(&mut self, config: &HostConfig, roots: &Roots, seen: &Counters, now: Instant) {
        let kept = |read: Instant| now.saturating_duration_since(read) < SPEED_KEPT;
        let there = self
            .bytes_per_s
            .keys()
            .all(|name| seen.bytes.contains_key(name));
        if there && self.problem.is_none() && self.read.is_some_and(kept) {
            return;
        }
        let names = interfaces(config, roots, seen);
        *self = Lines {
            read: Some(now),
            ..Lines::default()
        };
        for name in &names {
            let speed = config.network_bytes_per_s;
            let speed = speed.or_else(|| speed_bytes_per_s(roots, name));
            if !seen.bytes.contains_key(name) {
                self.problem = Some(format!(
                    "the host has no interface {name}; correct `interfaces` in section [host]"
                ));
            } else if let Some(speed) = speed {
                self.bytes_per_s.insert(name.clone(), speed);
            } else {
                self.problem = Some(format!(
                    "{name} does not say its speed, so the network's share is not known; write \
                     network_bytes_per_s in section [host], as 125000000 for 1 Gbit/s"
                ));
            }
        }
        if self.problem.is_some() {
            // Of some lines a share would look smaller than it is.
            self.bytes_per_s.clear();
        }
    }
}

/// The configured ones; else those with hardware behind them; else, in a container, all but the loop.
fn interfaces(config: &HostConfig, roots: &Roots, seen: &Counters) -> Vec<String> {
    if !config.interfaces.is_empty() {
        return config.interfaces.clone();
    }
    let all = || seen.bytes.keys().filter(|name| *name != "lo").cloned();
    let devices: Vec<String> = all().filter(|name| is_device(roots, name)).collect();
    if devices.is_empty() {
        all().collect()
    } else {
        devices
    }
}

/// What was used between two readings.
fn shares(
    before: &Counters,
    after: &Counters,
    seconds: f64,
    lines: &BTreeMap<String, f64>,
) -> Option<Shares> {
    let ticks = after.cpu_ticks.checked_sub(before.cpu_ticks)?;
    // The kernel's count of waiting for disks may go back.
    let idle = after.idle_ticks.saturating_sub(before.idle_ticks);
    let host = 1.0 - ratio(idle, ticks)?;
    let container = before.container_cpu.zip(after.container_cpu);
    let container = container.and_then(|((before, _), (after, processors))| {
        let used = ratio(after.checked_sub(before)?, 1_000_000)?;
        Some(used / (processors * seconds))
    });
    Some(Shares {
        // Of its own share, where it has one: what neighbours on the machine use is none of its demand.
        cpu: container.unwrap_or(host).clamp(0.0, 1.0),
        memory: after.memory,
        network: network(before, after, seconds, lines),
    })
}

/// The fullest line, in its fuller direction: lines are full duplex, and one that is full is full
/// whatever the others do.
fn network(
    before: &Counters,
    after: &Counters,
    seconds: f64,
    lines: &BTreeMap<String, f64>,
) -> Option<f64> {
    let mut fullest = None;
    for (name, bytes_per_s) in lines {
        // A count that went back began again: this time nothing is known of the line.
        let (received_before, sent_before) = before.bytes.get(name)?;
        let (received, sent) = after.bytes.get(name)?;
        let received = received.checked_sub(*received_before)?;
        let sent = sent.checked_sub(*sent_before)?;
        let share = ratio(received.max(sent), 1)? / (bytes_per_s * seconds);
        fullest = Some(f64::max(fullest.unwrap_or(0.0), share.clamp(0.0, 1.0)));
    }
    fullest
}

#[cfg(test)]
mod tests;
