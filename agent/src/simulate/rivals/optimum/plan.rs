//! The cheapest course of active members for a known demand: a dynamic program.
//!
//! State at each step: active members, and calls that drained members still carry. Those are kept in
//! classes that shrink by exactly one per step, as calls with an exponential holding time do, and are
//! rounded down, so the plan counts on fewer of them than there are. Costs are seconds that members
//! exist: every active member; an addition from its order until it is needed; a removal for the time
//! until the last of its calls ended, which for `c` calls is the holding time times the harmonic
//! number H(c), at most until the end. Active members share the calls equally. A shortage costs so
//! much that it only happens where nothing can prevent it.
//!
//! Taking a drained member back is never part of the plan: who knows the future would not have
//! drained it, since it exists all the same.

use crate::simulate::rivals::pool::{round_up, whole};

/// What a call-second without capacity costs, in member-seconds.
const SHORTAGE_COST: f64 = 1000.0;
/// Larger plans are made for groups of members.
const MOST_STATES: usize = 40_000_000;
const EULER_GAMMA: f64 = 0.577_215_664_901_532_9;

const ADD: u8 = 1;
const REMOVE: u8 = 2;
const FALL: u8 = 4;

/// What a plan must keep to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rules {
    pub(super) min: u32,
    pub(super) max: u32,
    /// Calls that may be planned on each member.
    pub(super) usable_calls: f64,
    pub(super) step_s: f64,
    pub(super) hold_s: f64,
    /// How long before its use a member is ordered.
    pub(super) lead_s: f64,
}

/// The demand during one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Need {
    /// When it begins; drains happen then.
    pub(super) first_calls: f64,
    pub(super) most_calls: f64,
    pub(super) least_calls: f64,
}

/// Active members at each step.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plan {
    pub(super) step_s: f64,
    pub(super) members: Vec<u32>,
}

impl Plan {
    fn step(&self, at_s: f64) -> usize {
        let last = self.members.len().saturating_sub(1);
        usize::try_from(round_up((at_s / self.step_s).floor()))
            .unwrap_or(last)
            .min(last)
    }

    /// Active members at a moment.
    pub(super) fn at(&self, at_s: f64) -> u32 {
        self.members.get(self.step(at_s)).copied().unwrap_or(0)
    }

    /// Active members at a moment, and all that are added until a later one: the plan may drain old
    /// ones while new ones boot, and then counts on both.
    pub(super) fn with_additions(&self, at_s: f64, until_s: f64) -> u32 {
        let course = self
            .members
            .get(self.step(at_s)..=self.step(until_s))
            .unwrap_or(&[]);
        let added: u32 = course
            .windows(2)
            .map(|pair| pair[1].saturating_sub(pair[0]))
            .sum();
        self.at(at_s) + added
    }
}

/// Levels of size and classes of drained calls.
#[derive(Debug)]
pub(super) struct Grid<'a> {
    rules: &'a Rules,
    needs: &'a [Need],
    /// Members of one level more.
    unit: u32,
    /// The first level.
    floor: u32,
    pub(super) levels: usize,
    pub(super) classes: usize,
}

impl<'a> Grid<'a> {
    pub(super) fn new(rules: &'a Rules, needs: &'a [Need], start: u32) -> Self {
        let most = needs.iter().map(|need| need.most_calls).fold(0.0, f64::max);
        let floor = rules.min.min(start);
        let top = round_up(most / rules.usable_calls)
            .min(rules.max)
            .max(start)
            .max(rules.min);
        let width = rules.step_s / rules.hold_s;
        let classes = round_up(most.max(1.0).ln() / width) + 2;
        let classes = usize::try_from(classes).unwrap_or(usize::MAX);
        let sizes = usize::try_from(top - floor + 1).unwrap_or(usize::MAX);
        let states = sizes.saturating_mul(classes).saturating_mul(needs.len());
        let unit = whole(states.div_ceil(MOST_STATES)).max(1);
        let levels = usize::try_from((top - floor).div_ceil(unit) + 1).unwrap_or(usize::MAX);
        Self {
            rules,
            needs,
            unit,
            floor,
            levels,
            classes,
        }
    }

    pub(super) fn members(&self, level: usize) -> u32 {
        (self.floor + whole(level) * self.unit).min(self.rules.max.max(self.floor))
    }

    pub(super) fn level(&self, members: u32) -> usize {
        let level = members.saturating_sub(self.floor).div_ceil(self.unit);
        usize::try_from(level).unwrap_or(0).min(self.levels - 1)
    }

    /// The calls of a class.
    fn calls(&self, class: usize) -> f64 {
        let width = self.rules.step_s / self.rules.hold_s;
        if class == 0 {
            0.0
        } else {
            (f64::from(whole(class)) * width).exp()
        }
    }

    /// The class of so many calls, rounded down.
    fn class(&self, calls: f64) -> usize {
        if calls <= 0.0 {
            return 0;
        }
        let class = (calls.ln() * self.rules.hold_s / self.rules.step_s + 1e-9).floor();
        usize::try_from(round_up(class))
            .unwrap_or(0)
            .min(self.classes - 1)
    }

    /// What a step costs at a level. Drained calls that end during the step do not help.
    pub(super) fn stay_cost(&self, step: usize, level: usize, class: usize) -> f64 {
        let members = f64::from(self.members(level));
        let carried = self.calls(self.next_class(step, class));
        let shortage = self.needs[step].most_calls - carried - members * self.rules.usable_calls;
        self.rules.step_s * (members + SHORTAGE_COST * shortage.max(0.0))
    }

    /// The class at the next step: everything shrinks by one, and no more is carried than there is.
    pub(super) fn next_class(&self, step: usize, class: usize) -> usize {
        class
            .saturating_sub(1)
            .min(self.class(self.needs[step].least_calls))
    }

    /// What one level more costs; infinite while nothing ordered can be ready.
    pub(super) fn add_cost(&self, step: usize, level: usize) -> f64 {
        let at_s = f64::from(whole(step)) * self.rules.step_s;
        if level + 1 >= self.levels || at_s < self.rules.lead_s {
            return f64::INFINITY;
        }
        f64::from(self.members(level + 1) - self.members(level)) * self.rules.lead_s
    }

    /// What one level less costs, and the class after it; infinite below the least size.
    pub(super) fn remove_cost(&self, step: usize, level: usize, class: usize) -> (f64, usize) {
        let members = self.members(level);
        let fewer = self.members(level.saturating_sub(1));
        if level == 0 || fewer < self.rules.min {
            return (f64::INFINITY, class);
        }
        let active_calls = (self.needs[step].first_calls - self.calls(class)).max(0.0);
        let each = (active_calls / f64::from(members)).min(self.rules.usable_calls);
        let left_s = f64::from(whole(self.needs.len() - step)) * self.rules.step_s;
        let gone = f64::from(members - fewer);
        let drained = self.calls(class) + gone * each;
        (
            gone * tail_s(each, self.rules.hold_s).min(left_s),
            self.class(drained),
        )
    }
}

/// The mean time until the last of so many calls ended: the holding time times H(calls).
pub(super) fn tail_s(calls: f64, hold_s: f64) -> f64 {
    if calls < 1.0 {
        return hold_s * calls.max(0.0);
    }
    let harmonic = calls.ln() + EULER_GAMMA + 1.0 / (2.0 * calls) - 1.0 / (12.0 * calls * calls);
    hold_s * harmonic
}

/// The cheapest plan for a demand, from so many active members.
pub(super) fn cheapest(rules: &Rules, needs: &[Need], start: u32) -> Plan {
    let grid = Grid::new(rules, needs, start);
    let choices = choose(&grid);
    let layer = grid.levels * grid.classes;
    let (mut level, mut class) = (grid.level(start), 0);
    let mut members = Vec::with_capacity(needs.len());
    for step in 0..needs.len() {
        let choice =
            |level: usize, class: usize| choices[step * layer + level * grid.classes + class];
        if choice(level, class) & FALL == 0 {
            while choice(level, class) & ADD != 0 {
                level += 1;
            }
        } else {
            while choice(level, class) & REMOVE != 0 {
                class = grid.remove_cost(step, level, class).1;
                level -= 1;
            }
        }
        members.push(grid.members(level));
        class = grid.next_class(step, class);
    }
    Plan {
        step_s: rules.step_s,
        members,
    }
}

/// The best choice in every state, from the last step to the first: whether to add one more level,
/// whether to remove one more, and which of the two ways to go.
fn choose(grid: &Grid<'_>) -> Vec<u8> {
    let layer = grid.levels * grid.classes;
    let mut choices = vec![0_u8; grid.needs.len() * layer];
    let mut later = vec![0.0; layer];
    let (mut rise, mut fall) = (vec![0.0; layer], vec![0.0; layer]);
    for step in (0..grid.needs.len()).rev() {
        let here = &mut choices[step * layer..(step + 1) * layer];
        for level in 0..grid.levels {
            for class in 0..grid.classes {
                let state = level * grid.classes + class;
                let next = level * grid.classes + grid.next_class(step, class);
                let stay = grid.stay_cost(step, level, class) + later[next];
                (rise[state], fall[state]) = (stay, stay);
                let (cost, after) = grid.remove_cost(step, level, class);
                if cost.is_finite() {
                    let removed = cost + fall[(level - 1) * grid.classes + after];
                    if removed < stay {
                        fall[state] = removed;
                        here[state] |= REMOVE;
                    }
                }
            }
        }
        for level in (0..grid.levels.saturating_sub(1)).rev() {
            let cost = grid.add_cost(step, level);
            for state in level * grid.classes..(level + 1) * grid.classes {
                let added = cost + rise[state + grid.classes];
                if added < rise[state] {
                    rise[state] = added;
                    here[state] |= ADD;
                }
            }
        }
        for state in 0..layer {
            if fall[state] < rise[state] {
                here[state] |= FALL;
            }
            later[state] = rise[state].min(fall[state]);
        }
    }
    choices
}
