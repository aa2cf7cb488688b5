//! What was seen and what is wanted, in words that a person at 3 a.m. understands.

use std::fmt::Write;

use super::bounds::Want;
use super::number::nearest;
use super::supply::Supply;
use super::want::SignalReading;
use super::{Cause, Observation, Quality, SignalKind};

/// The part of a reason that comes before the verdict.
pub(super) fn facts(
    observation: &Observation,
    signals: &[SignalReading],
    supply: Supply,
    want: &Want,
) -> String {
    let mut text = String::with_capacity(256);
    match &observation.quality {
        Quality::Good => {}
        Quality::Partial(why) => _ = write!(text, "incomplete data ({why}); "),
        Quality::Missing(why) => _ = write!(text, "no data ({why}); "),
    }
    for signal in signals {
        signal_words(&mut text, signal);
        text.push_str("; ");
    }
    let _ = write!(text, "{} active", supply.serving);
    let states = [
        (supply.down, "down"),
        (supply.booting, "booting"),
        (supply.overdue, "overdue"),
        (supply.draining, "draining"),
        (supply.leaving, "leaving"),
        (supply.held, "held by an operator"),
    ];
    for (count, name) in states {
        if count > 0 {
            let _ = write!(text, ", {count} {name}");
        }
    }
    let _ = write!(text, "; wanted {}", want.members);
    let typed = for_a_type(signals, want.cause);
    let why = typed.as_deref().or(because(want.cause));
    let _ = match (why, want.limited) {
        (Some(why), None) => write!(text, " ({why})"),
        (Some(why), Some(_)) => write!(text, " ({why}; no more by the maximum)"),
        (None, Some(_)) => write!(text, " (no more by the maximum)"),
        (None, None) => Ok(()),
    };
    text
}

fn signal_words(text: &mut String, signal: &SignalReading) {
    if let Some(of) = &signal.of {
        let _ = write!(text, "{of} ");
    }
    let name = signal.kind.name();
    let _ = match signal.kind {
        _ if signal.problem.is_some() && signal.want.is_none() => write!(text, "{name} unknown"),
        SignalKind::Calls => write!(
            text,
            "{name} {} of {}",
            nearest(signal.used),
            nearest(signal.capacity)
        ),
        SignalKind::Requests | SignalKind::Refused => write!(text, "{name} {:.1}/s", signal.used),
        SignalKind::Waiting => write!(text, "{name} {}", nearest(signal.used)),
        SignalKind::Cpu | SignalKind::Memory | SignalKind::Network => write!(text, "{name}"),
    };
    if let Some(load) = signal.load {
        let _ = write!(text, " ({} %)", nearest(load * 100.0));
    }
    if signal.rises() {
        let _ = write!(text, ", {} expected", nearest(signal.expected));
    }
}

/// In a stack of several types of machines: for which of them.
fn for_a_type(signals: &[SignalReading], cause: Cause) -> Option<String> {
    let asked = signals.iter().filter_map(|signal| signal.want).max();
    let first = signals
        .iter()
        .find(|signal| signal.want.is_some() && signal.want == asked)?;
    let of = first
        .of
        .as_ref()
        .filter(|_| super::want::because(first) == cause)?;
    Some(format!("for {of} {}", first.kind.name()))
}

/// Why so many are wanted, where it is not plain from the signals.
fn because(cause: Cause) -> Option<&'static str> {
    match cause {
        Cause::Forecast => Some("expected by the time a new member is ready"),
        Cause::Surge => Some("surge"),
        Cause::Spare => Some("with spare"),
        Cause::Losses => Some("must survive losses"),
        Cause::Minimum => Some("the minimum"),
        Cause::Schedule => Some("by schedule"),
        Cause::Fallback => Some("fallback, as nothing was seen for long"),
        Cause::Requests => Some("for requests"),
        Cause::Refused => Some("for refused requests"),
        Cause::Waiting => Some("for waiting callers"),
        Cause::Cpu => Some("for cpu"),
        Cause::Memory => Some("for memory"),
        Cause::Network => Some("for network"),
        _ => None,
    }
}
