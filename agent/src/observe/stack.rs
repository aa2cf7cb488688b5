//! Stacks: machines of several pools as the units that the plan sees.

use std::collections::BTreeMap;

use super::{Around, Seen, age_s, assemble, is_down, phase};
use crate::config::StackConfig;
use crate::plan::{MemberView, Observation, Phase, Signal, SignalKind};
use crate::state::{Member, Origin, State};

/// A machine: its pool and its name.
pub type Machine = (String, String);

/// The unit of a stack to which a machine belongs. A machine that no stack brought is one by itself.
pub fn unit_of(stack: &str, pool: &str, name: &str, member: &Member) -> String {
    match member.stack {
        Some(number) => format!("{stack}-{number}"),
        None => format!("{pool}/{name}"),
    }
}

/// The machines of one unit.
pub fn machines_of(stack: &str, config: &StackConfig, state: &State, unit: &str) -> Vec<Machine> {
    let machines = machines(config, state);
    machines
        .filter(|(pool, name, member)| unit_of(stack, pool, name, member) == unit)
        .map(|(pool, name, _)| (pool.to_owned(), name.to_owned()))
        .collect()
}

/// All machines in the pools of a stack.
fn machines<'a>(
    config: &'a StackConfig,
    state: &'a State,
) -> impl Iterator<Item = (&'a str, &'a str, &'a Member)> {
    config.pools.keys().flat_map(|pool| {
        let members = state
            .pools
            .get(pool)
            .into_iter()
            .flat_map(|pool| &pool.members);
        members.map(|(name, member)| (pool.as_str(), name.as_str(), member))
    })
}

/// The observation of a stack: one view per unit, and the calls of each pool as a signal.
pub fn observe_stack(
    stack: &str,
    config: &StackConfig,
    state: &State,
    seen: &Seen,
    mut around: Around,
    now_s: f64,
) -> Observation {
    let mut units: BTreeMap<String, Unit> = BTreeMap::new();
    for (pool, name, member) in machines(config, state) {
        let row = seen.member(pool, name);
        let Some(phase) = phase(member, row) else {
            continue;
        };
        let unit = units.entry(unit_of(stack, pool, name, member)).or_default();
        let calls = seen.calls(pool, name);
        unit.add(&MemberView {
            name: String::new(),
            phase: if member.stack.is_some() {
                phase
            } else {
                alone(phase)
            },
            calls,
            capacity: member.capacity_calls,
            down: is_down(member, row),
            elastic: member.origin == Origin::Plan && member.stack.is_some(),
            age_s: age_s(member, now_s),
        });
        *unit.calls_of.entry(pool.to_owned()).or_default() += calls.unwrap_or(0);
    }
    let active = |unit: &&Unit| unit.view.as_ref().is_some_and(|v| v.phase == Phase::Active);
    let reported = units.values().filter(active).count();
    let of_pools = config.pools.keys().map(|pool| {
        let calls = units.values().filter(active);
        let calls = calls.map(|unit| unit.calls_of.get(pool).copied().unwrap_or(0));
        Signal {
            kind: SignalKind::Calls,
            of: Some(pool.clone()),
            used: calls.fold(0.0, |sum, calls| sum + f64::from(calls)),
            reported: u32::try_from(reported).ok(),
            age_s: 0.0,
        }
    });
    // Without data their calls are not known, and what is not known is no signal.
    if seen.problem.is_none() {
        around.signals.splice(0..0, of_pools);
    }
    let views = units
        .into_iter()
        .filter_map(|(name, unit)| Some(MemberView { name, ..unit.view? }));
    let silent = config.pools.keys().find_map(|pool| seen.silent_about(pool));
    assemble(views.collect(), seen, silent, around)
}

/// What no stack brought carries none of the stack's load: it only goes when an operator says so.
fn alone(phase: Phase) -> Phase {
    match phase {
        Phase::Leaving => Phase::Leaving,
        _ => Phase::Held,
    }
}

/// The machines of a unit so far.
#[derive(Debug, Default)]
struct Unit {
    view: Option<MemberView>,
    calls_of: BTreeMap<String, u32>,
}

impl Unit {
    fn add(&mut self, machine: &MemberView) {
        let Some(view) = &mut self.view else {
            self.view = Some(machine.clone());
            return;
        };
        view.phase = together(view.phase, machine.phase);
        view.calls = view
            .calls
            .zip(machine.calls)
            .map(|(a, b)| a.saturating_add(b));
        view.capacity = view.capacity.saturating_add(machine.capacity);
        view.down |= machine.down;
        view.elastic &= machine.elastic;
        view.age_s = view.age_s.min(machine.age_s);
    }
}

/// The phase of a unit of two machines: it serves only if both do.
fn together(a: Phase, b: Phase) -> Phase {
    let order = [
        Phase::Leaving,
        Phase::Held,
        Phase::Booting,
        Phase::Draining,
        Phase::Active,
    ];
    let first = order.into_iter().find(|phase| *phase == a || *phase == b);
    first.unwrap_or(Phase::Held)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Stage;

    fn member(stack: Option<u64>, stage: Stage) -> Member {
        Member {
            active_since_s: Some(0.0),
            stack,
            ..super::super::tests::member(stage)
        }
    }

    fn config() -> StackConfig {
        StackConfig {
            pools: [("ccp".into(), 1), ("presence".into(), 1)].into(),
            ..StackConfig::default()
        }
    }

    #[test]
    fn a_stack_serves_only_if_all_of_its_machines_do() {
        let mut state = State::new("default");
        let machines = [
            ("ccp", "ccp-1", Some(1), Stage::Active),
            ("presence", "presence-1", Some(1), Stage::Active),
            ("ccp", "ccp-2", Some(2), Stage::Active),
            ("presence", "presence-2", Some(2), Stage::Booting),
            ("ccp", "ccp-3", Some(3), Stage::Draining),
            ("presence", "presence-3", Some(3), Stage::Leaving),
            ("ccp", "ccp-4", Some(4), Stage::Stopping),
            ("ccp", "by-hand", None, Stage::Active),
        ];
        for (pool, name, stack, stage) in machines {
            let pool = state.pools.entry(pool.into()).or_default();
            pool.members.insert(name.into(), member(stack, stage));
        }
        let seen = Seen {
            snapshot: None,
            problem: None,
            by_id: kamscale_shm::ById::default(),
            elsewhere: None,
        };
        let observation =
            observe_stack("platform", &config(), &state, &seen, Around::default(), 9.0);
        let members = observation.members.iter();
        let units: Vec<_> = members
            .map(|unit| (unit.name.as_str(), unit.phase, unit.capacity, unit.elastic))
            .collect();
        assert_eq!(
            units,
            [
                ("ccp/by-hand", Phase::Held, 20, false),
                ("platform-1", Phase::Active, 40, true),
                ("platform-2", Phase::Booting, 40, true),
                ("platform-3", Phase::Leaving, 40, true),
            ]
        );
        let signals: Vec<_> = observation
            .signals
            .iter()
            .map(|s| s.of.as_deref())
            .collect();
        assert_eq!(signals, [Some("ccp"), Some("presence")]);
        assert_eq!(observation.signals[0].reported, Some(1));
        assert_eq!(
            machines_of("platform", &config(), &state, "platform-2"),
            [
                ("ccp".to_owned(), "ccp-2".to_owned()),
                ("presence".to_owned(), "presence-2".to_owned())
            ]
        );
    }
}
