//! Observe: from what Kamailio counts and what the agent knows to the observation of each pool.

mod counts;
mod pushed;
mod rates;
mod seen;
mod stack;

use kamscale_shm::{DesiredState, MemberObserved};

use crate::plan::{MemberView, Observation, Phase, Quality, Signal, SignalKind};
use crate::state::{Member, Origin, PoolState, Stage};

pub use counts::{Counts, Reading};
pub use pushed::Pushed;
pub use rates::{Rate, Rates};
pub use seen::Seen;
pub use stack::{Machine, machines_of, observe_stack, unit_of};

/// A problem without its figures: the same problem on the next round is no news.
pub fn without_numbers(problem: &str) -> String {
    problem
        .chars()
        .filter(|character| !character.is_ascii_digit())
        .collect()
}

/// Creations since the last decision about a pool.
#[derive(Debug, Clone, Default)]
pub struct Creations {
    /// Those that failed.
    pub failed: u32,
    /// Whether one failed because nothing more is to be had.
    pub quota_reached: bool,
    /// How many seconds each took that succeeded.
    pub booted_s: Vec<f64>,
}

/// What belongs to an observation beside the members.
#[derive(Debug, Clone, Default)]
pub struct Around {
    /// What was measured beside calls.
    pub signals: Vec<Signal>,
    /// Calls begun since Kamailio's start.
    pub started: Option<u64>,
    /// Requests refused since Kamailio's start.
    pub refused: Option<u64>,
    /// Whether another pool's demand collapsed.
    pub others_fell: bool,
    /// Creations that ended.
    pub creations: Creations,
    /// Creations whose outcome is not known. Their members are among the booting ones.
    pub unconfirmed_creates: u32,
    /// Whether this is the agent's first look at the pool.
    pub agent_restarted: bool,
}

/// A rate as a signal of the pool as a whole, if there is one.
pub fn rate_signal(kind: SignalKind, rate: Option<&Rate>, now_s: f64) -> Option<Signal> {
    let rate = rate?;
    Some(Signal {
        kind,
        of: None,
        used: rate.per_s()?,
        reported: None,
        age_s: (now_s - rate.read_s()?).max(0.0),
    })
}

/// What the counters say about a pool in this round; `refused` is that of its row.
pub fn read(pool: &str, state: &PoolState, seen: &Seen, refused: Option<u64>) -> Reading {
    let mut reading = Reading {
        refused,
        ..Reading::default()
    };
    for (name, id) in state.members.keys().zip(state.members.ids(pool)) {
        let (row, calls) = seen.look(*id, pool, name);
        reading
            .begun
            .extend(row.map(|row| (row.id, row.calls_total)));
        reading.calls += u64::from(calls.unwrap_or(0));
    }
    reading
}

/// The observation of one pool. `names` are written over for it: thousands would be made and thrown
/// away each second.
pub fn observe(
    pool: &str,
    state: &PoolState,
    seen: &Seen,
    around: Around,
    names: &mut Vec<String>,
    now_s: f64,
) -> Observation {
    let mut members = Vec::with_capacity(state.members.len());
    for ((known, member), id) in state.members.iter().zip(state.members.ids(pool)) {
        let (row, calls) = seen.look(*id, pool, known);
        let Some(phase) = phase(member, row) else {
            continue;
        };
        let mut name = names.pop().unwrap_or_default();
        name.clone_from(known);
        members.push(MemberView {
            name,
            phase,
            calls,
            capacity: member.capacity_calls,
            down: is_down(member, row),
            elastic: member.origin == Origin::Plan,
            age_s: age_s(member, now_s),
        });
    }
    assemble(members, seen, seen.silent_about(pool), around)
}

fn assemble(
    members: Vec<MemberView>,
    seen: &Seen,
    silent: Option<String>,
    around: Around,
) -> Observation {
    let quality = match (&seen.problem, silent) {
        (Some(problem), _) => Quality::Missing(problem.clone()),
        (None, Some(silent)) => Quality::Partial(silent),
        (None, None) => Quality::Good,
    };
    Observation {
        quality,
        boot_id: seen.boot_id(),
        members,
        signals: around.signals,
        started: around.started,
        refused: around.refused,
        failed_creates: around.creations.failed,
        quota_reached: around.creations.quota_reached,
        unconfirmed_creates: around.unconfirmed_creates,
        booted_s: around.creations.booted_s,
        others_fell: around.others_fell,
        agent_restarted: around.agent_restarted,
    }
}

/// Seconds since a member became active; while it boots, since it was ordered.
fn age_s(member: &Member, now_s: f64) -> f64 {
    let booting = Some(member.since_s).filter(|_| member.stage == Stage::Booting);
    let since_s = booting.or(member.active_since_s);
    since_s.map_or(0.0, |since_s| (now_s - since_s).max(0.0))
}

/// Whether a member carries nothing: Kamailio found it down, or cannot know where it is.
fn is_down(member: &Member, row: Option<&MemberObserved>) -> bool {
    let is_lost = member.stage != Stage::Booting && member.destination().is_none();
    is_lost || row.is_some_and(|row| row.down)
}

/// The stage of a member, and what an operator said about it in Kamailio (`kamscale.set_state`).
fn phase(member: &Member, row: Option<&MemberObserved>) -> Option<Phase> {
    let overridden = row.and_then(|row| row.override_state);
    let phase = match member.stage {
        Stage::Stopping => return None,
        Stage::Booting => Phase::Booting,
        Stage::Leaving => Phase::Leaving,
        Stage::Held => Phase::Held,
        Stage::Active => Phase::Active,
        Stage::Draining => Phase::Draining,
    };
    Some(match (phase, overridden) {
        (Phase::Active, Some(DesiredState::Active)) => Phase::Active,
        (Phase::Active | Phase::Draining, Some(_)) => Phase::Held,
        (phase, _) => phase,
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::actuator::Handle;

    pub(crate) fn member(stage: Stage) -> Member {
        Member {
            uri: "sip:127.0.0.1".into(),
            located: None,
            capacity_calls: 20,
            weight: 100,
            options: Default::default(),
            priority: 0,
            is_set: false,
            origin: Origin::Plan,
            stage,
            since_s: 0.0,
            active_since_s: None,
            handle: Handle::Manual,
            stack: None,
        }
    }

    fn row(override_state: Option<DesiredState>) -> MemberObserved {
        MemberObserved {
            slot: 0,
            id: 1,
            calls: 0,
            calls_total: 0,
            failures: 0,
            down: false,
            probed: None,
            override_state,
        }
    }

    #[test]
    fn what_an_operator_set_in_kamailio_is_held_not_scaled() {
        let drained = row(Some(DesiredState::Draining));
        assert_eq!(
            phase(&member(Stage::Active), Some(&drained)),
            Some(Phase::Held)
        );
        assert_eq!(
            phase(&member(Stage::Draining), Some(&drained)),
            Some(Phase::Held)
        );
        assert_eq!(
            phase(&member(Stage::Active), Some(&row(None))),
            Some(Phase::Active)
        );
        assert_eq!(phase(&member(Stage::Stopping), None), None);
    }

    #[test]
    fn calls_are_unknown_without_data_and_zero_without_a_row() {
        let absent = Seen::new(Err("not attached".into()));
        assert_eq!(absent.calls("a", "b"), None);
        let present = Seen {
            snapshot: None,
            problem: None,
            by_id: kamscale_shm::ById::default(),
            elsewhere: None,
        };
        assert_eq!(present.calls("a", "b"), Some(0));
    }
}
