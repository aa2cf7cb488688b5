//! The decision: from observation, policy, memory and time to a plan with its reason.

use super::bounds::{self, Want};
use super::drains::Drained;
use super::supply::Supply;
use super::{
    Action, Cause, Memory, Mode, Observation, Plan, Policy, Quality, budget, creation, drains,
    flow, grow, removal, time, want, words,
};

/// A creation that takes so many times (and so many seconds) longer than nine of ten is not counted on
/// any more: most of those fail in the end. If it succeeds after all, the pool has a spare member.
const OVERDUE: f64 = 1.5;
const OVERDUE_S: f64 = 30.0;

/// What is to be done, and why that and no more.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) actions: Vec<Action>,
    pub(super) cause: Cause,
    pub(super) words: String,
}

impl Verdict {
    pub(super) fn hold(cause: Cause, words: impl std::fmt::Display) -> Verdict {
        Verdict {
            actions: Vec::new(),
            cause,
            words: format!("holding: {words}"),
        }
    }
}

/// Decides about one pool. `now_s` is in unix seconds; only steps between calls matter, and
/// schedule floors.
pub fn decide(
    observation: &Observation,
    policy: &Policy,
    memory: &Memory,
    now_s: f64,
) -> (Plan, Memory) {
    let mut memory = memory.clone();
    let tick_s = time::advance(&mut memory, observation, policy, now_s);
    creation::learn(&mut memory, observation, policy, now_s);
    let supply = Supply::of(observation, OVERDUE * memory.boot_p90_s(policy) + OVERDUE_S);
    budget::spend(&mut memory, policy, supply, tick_s, now_s);
    if observation.quality == Quality::Good {
        flow::watch(&mut memory, observation, policy, supply, now_s);
    }
    let readings = want::read(observation, policy, &memory, supply);
    let want = bounds::want(observation, &readings, policy, &memory, supply, now_s);
    if observation.quality == Quality::Good {
        memory.remember(now_s, supply.all_calls, want.keep, policy.stabilization_s);
        memory.remember_trend(now_s, supply.all_calls, policy.stabilization_s);
    }
    let mut finished = drains::finish(&mut memory, observation, policy, supply, tick_s);
    drains::keep_needed(&mut finished, supply, &want);
    let look = Look {
        observation,
        policy,
        memory: &memory,
        supply,
        problem: readings.problem(),
        rising: readings.rising(),
        want: &want,
        now_s,
    };
    let mut verdict = look.verdict();
    let mut reason = words::facts(observation, &readings.all, supply, &want);
    reason.push_str("; ");
    reason.push_str(&verdict.words);
    let advice = advice(policy, &mut verdict, &mut reason);
    note_actions(&mut memory, &verdict.actions, now_s);
    let mut actions = verdict.actions;
    let cause = if actions.is_empty() && settles(&finished) {
        Cause::Drained
    } else {
        verdict.cause
    };
    settle(finished, &mut memory, &mut actions, &mut reason);
    if actions.is_empty() {
        actions.push(Action::Hold);
    }
    let plan = Plan {
        want: want.members,
        actions,
        advice,
        signals: readings.all,
        bounds: want.bounds,
        cause,
        reason,
    };
    (plan, memory)
}

/// Whether any drain is over and its member goes.
fn settles(finished: &[Drained]) -> bool {
    finished.iter().any(|drained| !drained.needed)
}

/// Removes members whose drain is over, unless they are taken back just now or stay as a reserve.
fn settle(
    finished: Vec<Drained>,
    memory: &mut Memory,
    actions: &mut Vec<Action>,
    reason: &mut String,
) {
    for Drained {
        member,
        why,
        needed,
        ..
    } in finished
    {
        let back = Action::TakeBack {
            member: member.clone(),
        };
        if actions.contains(&back) {
            continue;
        }
        if needed {
            reason.push_str(&format!("; {member} stays as a reserve ({why})"));
            continue;
        }
        memory.drains.remove(&member);
        reason.push_str(&format!("; removing {member}: {why}"));
        actions.push(Action::Remove { member });
    }
}

/// Everything that a verdict is made of.
#[derive(Debug)]
pub(super) struct Look<'a> {
    pub(super) observation: &'a Observation,
    pub(super) policy: &'a Policy,
    pub(super) memory: &'a Memory,
    pub(super) supply: Supply,
    pub(super) problem: Option<&'a str>,
    pub(super) rising: bool,
    pub(super) want: &'a Want,
    pub(super) now_s: f64,
}

impl Look<'_> {
    /// Growth, shrinkage, or why neither.
    fn verdict(&self) -> Verdict {
        match self.policy.mode {
            Mode::Paused => Verdict {
                actions: Vec::new(),
                cause: Cause::Mode,
                words: "paused: nobody scales this pool".into(),
            },
            _ if grow::missing(self) > 0 => grow::grow(self),
            Mode::OutOnly => Verdict::hold(Cause::Mode, "the pool's mode is out_only"),
            Mode::On | Mode::Advise => removal::shrink(self),
        }
    }
}

/// In mode `advise` steps are only said.
fn advice(policy: &Policy, verdict: &mut Verdict, reason: &mut String) -> Vec<Action> {
    if policy.mode != Mode::Advise || verdict.actions.is_empty() {
        return Vec::new();
    }
    reason.push_str(" (advice only: the pool's mode is advise)");
    std::mem::take(&mut verdict.actions)
}

fn note_actions(memory: &mut Memory, actions: &[Action], now_s: f64) {
    let mut drained = 0;
    for action in actions {
        match action {
            Action::Boot { .. } => memory.last_out_s = Some(now_s),
            Action::TakeBack { member } => {
                memory.last_out_s = Some(now_s);
                memory.drains.remove(member);
            }
            Action::Drain { member } => {
                drained += 1;
                memory.last_in_s = Some(now_s);
                memory
                    .drains
                    .insert(member.clone(), super::DrainClock::default());
            }
            Action::Remove { .. } | Action::Hold => {}
        }
    }
    if drained > 0 {
        memory.drained.push_back((now_s, drained));
    }
}
