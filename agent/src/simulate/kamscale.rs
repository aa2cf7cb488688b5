//! Kamscale as a scaler: the plan function that the agent runs, unchanged.
//!
//! It only translates: what the simulator shows into an observation, the plan's actions into steps.
//! It must not decide anything.

use super::scaler::{Decision, Scaler, SimMember, SimPhase, Step, View};
use super::scenario::Scenario;
use crate::plan::{self, Action, MemberView, Memory, Observation, Phase, Policy, Quality};

/// Seconds between two decisions.
const INTERVAL_S: f64 = 5.0;
/// The midnight before simulations begin, in unix seconds: Monday, 2026-01-05 00:00 UTC.
const MIDNIGHT_UNIX_S: f64 = 1_767_571_200.0;

/// The plan function with a policy and its memory.
#[derive(Debug, Clone)]
pub struct Kamscale {
    policy: Policy,
    begin_unix_s: f64,
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
            begin_unix_s: MIDNIGHT_UNIX_S,
            memory: Memory::default(),
            observation: Observation::of(Vec::new()),
            ids: Vec::new(),
        }
    }

    /// With the default policy, as an operator of this scenario's pool would set it.
    pub fn for_scenario(scenario: &Scenario) -> Kamscale {
        Kamscale::new(Kamscale::policy_for(scenario))
    }

    /// Begins so many seconds after midnight (UTC), for floors that hold at certain hours; without it
    /// at midnight.
    pub fn beginning_at_s(mut self, of_day_s: f64) -> Kamscale {
        self.begin_unix_s = MIDNIGHT_UNIX_S + of_day_s;
        self
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
            seen.age_s = view.now_s - member.active_s.unwrap_or(member.ordered_s);
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
        let now_s = self.begin_unix_s + view.now_s;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn member(id: u32, phase: SimPhase, calls: u32) -> SimMember {
        SimMember {
            id,
            phase,
            calls,
            ordered_s: 0.0,
            active_s: (phase != SimPhase::Booting).then_some(100.0),
            draining_s: None,
        }
    }

    fn view(members: &[SimMember]) -> View<'_> {
        View {
            now_s: 700.0,
            members,
            capacity_calls: 200,
            metrics: true,
            started: 11,
            refused: 3,
            booted_s: &[180.0],
            failed_creates: 1,
        }
    }

    #[test]
    fn the_observation_follows_the_members_that_exist() {
        let mut kamscale = Kamscale::new(Policy::default());
        let before = [
            member(0, SimPhase::Active, 7),
            member(1, SimPhase::Draining, 5),
            member(2, SimPhase::Booting, 0),
        ];
        kamscale.observe(&view(&before));
        let after = [
            before[0].clone(),
            member(2, SimPhase::Active, 4),
            member(5, SimPhase::Booting, 0),
        ];
        kamscale.observe(&view(&after));
        let seen: Vec<_> = kamscale
            .observation
            .members
            .iter()
            .map(|seen| (seen.name.as_str(), seen.phase, seen.calls, seen.age_s))
            .collect();
        let expected = [
            ("m0", Phase::Active, Some(7), 600.0),
            ("m2", Phase::Active, Some(4), 600.0),
            ("m5", Phase::Booting, Some(0), 700.0),
        ];
        assert_eq!(seen, expected);
        let observation = &kamscale.observation;
        assert_eq!(
            (observation.started, observation.refused),
            (Some(11), Some(3))
        );
        assert_eq!(
            (observation.failed_creates, observation.booted_s.as_slice()),
            (1, &[180.0][..])
        );
    }

    #[test]
    fn nothing_is_looked_at_in_a_blackout() {
        let mut kamscale = Kamscale::new(Policy::default());
        let members = [member(0, SimPhase::Active, 7)];
        kamscale.observe(&View {
            metrics: false,
            ..view(&members)
        });
        let observation = &kamscale.observation;
        assert!(matches!(observation.quality, Quality::Missing(_)));
        assert_eq!(observation.members[0].calls, None);
        assert_eq!((observation.started, observation.refused), (None, None));
    }

    #[test]
    fn operators_of_a_conference_day_set_what_they_are_told_to() {
        let day = Scenario::named("conference_day").unwrap();
        let policy = Kamscale::policy_for(&day);
        assert_eq!(policy.stabilization_s, 2100.0);
        assert_eq!(
            (policy.min, policy.max, policy.capacity_calls),
            (2, 60, 200)
        );
    }
}
