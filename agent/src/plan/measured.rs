//! Measured: what is seen beside the calls of a pool, against its thresholds. What was measured too long
//! ago, by too few or as no number asks for nothing, and keeps everybody.

use super::number::count;
use super::supply::Supply;
use super::want::{SignalReading, band};
use super::{MemberView, Phase, Signal, SignalPolicy};

/// A signal is used if so many reported it of the active members that can have done so.
const REPORTED: f64 = 0.8;

/// A measured signal against its thresholds.
pub(super) fn read_signal(
    signal: &Signal,
    rule: &SignalPolicy,
    supply: Supply,
    members: &[MemberView],
) -> SignalReading {
    let active = supply.serving + supply.down;
    let reported = signal.reported.unwrap_or(active);
    if !signal.used.is_finite() || signal.age_s.is_nan() {
        return unusable(rule, supply, "what was reported is no number".into());
    }
    if signal.age_s > rule.max_age_s {
        let why = format!(
            "it is {:.0} s old, usable for {:.0} s",
            signal.age_s, rule.max_age_s
        );
        return unusable(rule, supply, why);
    }
    // A newcomer need not have reported yet: waiting for it would make a small pool blind whenever it grows.
    let is_due = |m: &&MemberView| m.phase == Phase::Active && m.age_s >= rule.max_age_s;
    let due = u32::try_from(members.iter().filter(is_due).count()).unwrap_or(u32::MAX);
    if f64::from(reported) < REPORTED * f64::from(due) {
        let why = format!("{reported} of {active} members reported it");
        return unusable(rule, supply, why);
    }
    // A member that did not report counts as idle for additions and as full for removals.
    let missing = f64::from(active.saturating_sub(reported)) * rule.capacity;
    let capacity = borne(rule, supply);
    let used = signal.used.max(0.0);
    let (want, _) = band(used, rule.capacity, rule.scale_out_load, rule.scale_in_load);
    let filled = used * coming(signal, supply) + missing;
    let (_, keep) = band(
        filled,
        rule.capacity,
        rule.scale_out_load,
        rule.scale_in_load,
    );
    SignalReading {
        kind: rule.kind,
        of: rule.of.clone(),
        used,
        expected: used,
        capacity,
        load: Some(used / capacity).filter(|load| load.is_finite()),
        want: Some(want),
        urgent: want,
        keep,
        problem: None,
    }
}

/// What the members that serve can bear.
fn borne(rule: &SignalPolicy, supply: Supply) -> f64 {
    (f64::from(supply.serving) * rule.capacity).min(f64::MAX)
}

/// What the active members report grows by so much once the successors of the calls on draining
/// members come to them; at most as if those did as much as they do.
fn coming(signal: &Signal, supply: Supply) -> f64 {
    if signal.reported.is_none() || supply.calls == 0 || supply.serving == 0 {
        return 1.0;
    }
    let most = f64::from(supply.serving + supply.draining) / f64::from(supply.serving);
    (count(supply.all_calls) / count(supply.calls)).min(most)
}

/// A configured signal that says nothing now: it asks for nothing, and nothing may be removed.
pub(super) fn unusable(rule: &SignalPolicy, supply: Supply, why: String) -> SignalReading {
    let name = match &rule.of {
        Some(of) => format!("{of} {}", rule.kind.name()),
        None => rule.kind.name().into(),
    };
    SignalReading {
        kind: rule.kind,
        of: rule.of.clone(),
        used: 0.0,
        expected: 0.0,
        capacity: borne(rule, supply),
        load: None,
        want: None,
        urgent: 0,
        keep: 0,
        problem: Some(format!("{name} cannot be used: {why}")),
    }
}

/// A signal without thresholds: people see it, decisions do not.
pub(super) fn informing(signal: &Signal) -> SignalReading {
    SignalReading {
        kind: signal.kind,
        of: signal.of.clone(),
        used: signal.used,
        expected: signal.used,
        capacity: 0.0,
        load: None,
        want: None,
        urgent: 0,
        keep: 0,
        problem: None,
    }
}
