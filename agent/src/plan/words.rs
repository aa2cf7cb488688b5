//! What was seen and what is wanted, in words that a person at 3 a.m. understands.

use super::want::{SignalReading, Supply};
use super::{Observation, Phase, Quality};

/// The part of a reason that comes before the verdict.
pub(super) fn facts(
    observation: &Observation,
    signals: &[SignalReading],
    supply: Supply,
    want: u32,
    surging: bool,
) -> String {
    let count = |phase: Phase| {
        observation
            .members
            .iter()
            .filter(|m| m.phase == phase)
            .count()
    };
    let mut parts = Vec::new();
    match &observation.quality {
        Quality::Good => {}
        Quality::Partial(why) => parts.push(format!("incomplete data ({why})")),
        Quality::Missing(why) => parts.push(format!("no data ({why})")),
    }
    for signal in signals {
        let load = signal
            .load
            .map_or(String::new(), |load| format!(" ({:.0} %)", load * 100.0));
        parts.push(format!(
            "{} {} of {}{load}",
            signal.kind.name(), signal.used, signal.capacity
        ));
    }
    let states = [
        (supply.serving as usize, "active"),
        (supply.down as usize, "down"),
        (supply.booting as usize, "booting"),
        (count(Phase::Draining), "draining"),
        (count(Phase::Leaving), "leaving"),
        (count(Phase::Held), "held by an operator"),
    ];
    let states: Vec<String> = states
        .iter()
        .filter(|(count, name)| *count > 0 || *name == "active")
        .map(|(count, name)| format!("{count} {name}"))
        .collect();
    parts.push(states.join(", "));
    let surge = if surging { " (surge)" } else { "" };
    parts.push(format!("wanted {want}{surge}"));
    parts.join("; ")
}
