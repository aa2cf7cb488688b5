//! Kamscale as a scaler: the plan function that the agent runs, unchanged.
//!
//! It only translates: what the simulator shows into an observation, the plan's actions into steps.
//! It must not decide anything.

use super::scaler::{Decision, Scaler, SimMember, SimPhase, Step, View};
use super::scenario::Scenario;
use crate::plan::{self, Action, MemberView, Memory, Observation, Phase, Policy, Quality};

/// Seconds between two decisions.
const INTERVAL_S: f64 = 10.0;
/// The midnight at which simulations begin, in unix seconds: Monday, 2026-01-05 00:00 UTC.
const START_UNIX_S: f64 = 1_767_571_200.0;

/// The plan function with a policy and its memory.
#[derive(Debug, Clone)]
pub struct Kamscale {
    policy: Policy,
    memory: Memory,
    observation: Observation,
    /// The numbers of the members in `observation`, in the same order.
    ids: Vec<u32>,
}

impl Kamscale {
    /// With any policy.
    pub fn new(policy: Policy) -> Kamscale {
        Kamscale {
            policy,
            memory: Memory::default(),
            observation: Observation {
                quality: Quality::Good,
                boot_id: Some(1),
                members: Vec::new(),
                signals: Vec::new(),
                started: None,
                refused: None,
                failed_creates: 0,
                quota_reached: false,
                unconfirmed_creates: 0,
                booted_s: Vec::new(),
                others_fell: false,
                agent_restarted: false,
            },
            ids: Vec::new(),
        }
    }

    /// With the default policy, as an operator of this scenario's pool would set it.
    pub fn for_scenario(scenario: &Scenario) -> Kamscale {
        Kamscale::new(Kamscale::policy_for(scenario))
    }

    /// The default policy with the scenario's bounds and capacity, and the stabilization that operators
    /// are told to set for such traffic.
    pub fn policy_for(scenario: &Scenario) -> Policy {
        let default = Policy::default();
        Policy {
            min: scenario.min,
            max: scenario.max,
            capacity_calls: scenario.capacity_calls,
            stabilization_s: scenario.stabilization_s.unwrap_or(default.stabilization_s),
            ..default
        }
    }

    fn observe(&mut self, view: &View<'_>) {
        let observation = &mut self.observation;
        observation.quality = if view.metrics {
            Quality::Good
        } else {
            Quality::Missing("metric blackout".into())
        };
        observation.started = view.metrics.then_some(view.started);
        observation.refused = view.metrics.then_some(view.refused);
        observation.failed_creates = view.failed_creates;
        observation.booted_s.clear();
        observation.booted_s.extend_from_slice(view.booted_s);
        self.follow(view.members);
        for (seen, member) in self.observation.members.iter_mut().zip(view.members) {
            seen.phase = match member.phase {
                SimPhase::Booting => Phase::Booting,
                SimPhase::Active => Phase::Active,
                SimPhase::Draining => Phase::Draining,
            };
            seen.calls = view.metrics.then_some(member.calls);
            seen.capacity = view.capacity_calls;
            seen.age_s = member
                .active_s
                .map_or(0.0, |active_s| view.now_s - active_s);
        }
    }

    /// Keeps the observed members those that exist, without writing names anew. Both are in the order
    /// of their numbers, and new members have greater ones.
    fn follow(&mut self, members: &[SimMember]) {
        let exists = |id: &u32| members.binary_search_by_key(id, |member| member.id).is_ok();
        if !self.ids.iter().all(exists) {
            let mut ids = self.ids.iter();
            self.observation
                .members
                .retain(|_| ids.next().is_some_and(exists));
            self.ids.retain(exists);
        }
        for member in &members[self.ids.len()..] {
            self.ids.push(member.id);
            self.observation.members.push(MemberView {
                name: format!("m{}", member.id),
                phase: Phase::Booting,
                calls: None,
                capacity: 0,
                down: false,
                elastic: true,
                age_s: 0.0,
            });
        }
    }
}

/// The number behind a name that `follow` wrote.
fn id_of(name: &str) -> Option<u32> {
    name.strip_prefix('m')?.parse().ok()
}

impl Scaler for Kamscale {
    fn name(&self) -> &str {
        "kamscale"
    }

    fn interval_s(&self) -> f64 {
        INTERVAL_S
    }

    fn decide(&mut self, view: &View<'_>) -> Decision {
        self.observe(view);
        let now_s = START_UNIX_S + view.now_s;
        let (plan, memory) = plan::decide(&self.observation, &self.policy, &self.memory, now_s);
        self.memory = memory;
        let steps = plan.actions.iter().filter_map(|action| match action {
            Action::Boot { count } => Some(Step::Boot(*count)),
            Action::TakeBack { member } => id_of(member).map(Step::TakeBack),
            Action::Drain { member } => id_of(member).map(Step::Drain),
            Action::Remove { member } => id_of(member).map(Step::Delete),
            Action::Hold => None,
        });
        Decision {
            steps: steps.collect(),
            reason: plan.reason,
        }
    }
}
