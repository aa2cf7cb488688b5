//! The optimum: a planner who knew the demand, played through the same model as everybody else.
//!
//! What nobody can do who has to live forwards; it tells how much of a policy's cost the world itself
//! asks for. The plan is a dynamic program ([`plan`]); carrying it out, it orders members a lead ahead
//! so that they are ready when the demand is, drains the emptiest, deletes at zero calls, and takes
//! drains back when something happened that it could not know (a crash, a creation that failed). It
//! cuts nothing. It knows the demand and how long boots can take, not which creations will fail.

mod bound;
mod plan;
#[cfg(test)]
mod tests;

pub use bound::least_member_hours;

use super::Pool;
use super::pool::{count, in_phase, whole};
use crate::simulate::{
    BootTime, Decision, Point, Scaler, Scenario, SimMember, SimPhase, Step, View,
};
use plan::{Need, Plan, Rules, cheapest};

const STEP_S: f64 = 60.0;
const LOOK_S: f64 = 10.0;
/// Of the capacity this share is planned with; the rest is for what balancers do not know of each
/// other, for what happens within a step, and for drained calls that end sooner than on average.
const USABLE_SHARE: f64 = 0.97;
/// The risk of a shortage by creations that fail one after the other.
const FAILURE_RISK: f64 = 0.001;

/// What the planner knows.
#[derive(Debug, Clone, PartialEq)]
pub struct Foresight {
    demand: Vec<(f64, u32)>,
    until_s: f64,
    hold_s: f64,
    boot_s: f64,
    failing_share: f64,
}

impl Foresight {
    /// The demand, as (seconds since the start, calls if none were ever refused) at 60 s or finer; the
    /// end; the mean holding time; and the time after which a creation that succeeds is ready.
    pub fn new(demand: Vec<(f64, u32)>, until_s: f64, hold_s: f64, boot_s: f64) -> Self {
        Self {
            demand,
            until_s,
            hold_s,
            boot_s,
            failing_share: 0.0,
        }
    }

    /// Orders so far ahead that creations of which this share fails can be repeated.
    pub fn failing(mut self, share: f64) -> Self {
        self.failing_share = share.clamp(0.0, 0.9);
        self
    }

    /// What there was to know of a run of any policy with the same scenario and seed.
    pub fn of(scenario: &Scenario, points: &[Point]) -> Self {
        let boot_s = match scenario.boot {
            BootTime::Normal {
                mean_s,
                deviation_s,
                ..
            } => mean_s + 3.0 * deviation_s,
            BootTime::LongTail { most_s, .. } => most_s,
        };
        let demand = points
            .iter()
            .map(|point| (point.t_s, point.demand_calls))
            .collect();
        Self::new(demand, scenario.duration_s, scenario.hold_s, boot_s)
            .failing(scenario.failing_share)
    }

    /// How long before its use a member is ordered.
    fn lead_s(&self) -> f64 {
        let mut lead_s = self.boot_s + LOOK_S;
        let mut risk = self.failing_share;
        while risk > FAILURE_RISK {
            lead_s += self.boot_s + LOOK_S;
            risk *= self.failing_share;
        }
        lead_s
    }

    /// The demand of each step: what was seen in it and at both its ends.
    fn needs(&self) -> Vec<Need> {
        let mut needs = Vec::new();
        let mut next = 0;
        let mut calls = self.demand.first().map_or(0, |(_, calls)| *calls);
        let mut end_s = STEP_S;
        while end_s < self.until_s + STEP_S {
            let first = f64::from(calls);
            let (mut most, mut least) = (calls, calls);
            while let Some((_, seen)) = self.demand.get(next).filter(|(at_s, _)| *at_s <= end_s) {
                calls = *seen;
                (most, least) = (most.max(calls), least.min(calls));
                next += 1;
            }
            needs.push(Need {
                first_calls: first,
                most_calls: f64::from(most),
                least_calls: f64::from(least),
            });
            end_s += STEP_S;
        }
        needs
    }
}

/// The planner who knew.
#[derive(Debug)]
pub struct Optimum {
    pool: Pool,
    foresight: Foresight,
    plan: Option<Plan>,
}

/// The members as the planner sees them.
struct Sight<'a> {
    active: Vec<&'a SimMember>,
    draining: Vec<&'a SimMember>,
    /// Booting, and can still be ready in time.
    booting: u32,
    /// Booting for so long that they never will be.
    stuck: Vec<u32>,
}

impl Optimum {
    /// The planner for a pool, with what it knows.
    pub fn new(pool: Pool, foresight: Foresight) -> Self {
        Self {
            pool,
            foresight,
            plan: None,
        }
    }

    fn plan(&self, start: u32) -> Plan {
        let rules = Rules {
            min: self.pool.min,
            max: self.pool.max,
            usable_calls: USABLE_SHARE * f64::from(self.pool.capacity_calls),
            step_s: STEP_S,
            hold_s: self.foresight.hold_s,
            lead_s: self.foresight.lead_s(),
        };
        cheapest(&rules, &self.foresight.needs(), start)
    }

    fn see<'a>(&self, view: &View<'a>) -> Sight<'a> {
        let is_stuck = |member: &SimMember| view.now_s - member.ordered_s > self.foresight.boot_s;
        let stuck: Vec<u32> = in_phase(view, SimPhase::Booting)
            .filter(|member| is_stuck(member))
            .map(|member| member.id)
            .collect();
        let mut active: Vec<&SimMember> = in_phase(view, SimPhase::Active).collect();
        active.sort_by_key(|member| member.calls);
        let mut draining: Vec<&SimMember> = in_phase(view, SimPhase::Draining).collect();
        draining.sort_by_key(|member| std::cmp::Reverse(member.calls));
        let booting = count(view, SimPhase::Booting) - whole(stuck.len());
        Sight {
            active,
            draining,
            booting,
            stuck,
        }
    }
}

impl Scaler for Optimum {
    fn name(&self) -> &str {
        "optimum"
    }

    fn interval_s(&self) -> f64 {
        LOOK_S
    }

    fn decide(&mut self, view: &View<'_>) -> Decision {
        let mut sight = self.see(view);
        let start = whole(sight.active.len()) + sight.booting;
        let plan = match self.plan.take() {
            Some(plan) => plan,
            None => self.plan(start),
        };
        let need = plan.at(view.now_s);
        let ahead_s = view.now_s + self.foresight.lead_s() + LOOK_S;
        let ahead = plan.with_additions(view.now_s, ahead_s);
        self.plan = Some(plan);
        let mut steps: Vec<Step> = sight.stuck.iter().map(|id| Step::Delete(*id)).collect();
        let mut active = whole(sight.active.len());
        while active < need && !sight.draining.is_empty() {
            steps.push(Step::TakeBack(sight.draining.remove(0).id));
            active += 1;
        }
        let supply = active + sight.booting;
        if supply < ahead {
            steps.push(Step::Boot(ahead - supply));
        }
        if view.metrics {
            let empty = sight.draining.iter().filter(|member| member.calls == 0);
            steps.extend(empty.map(|member| Step::Delete(member.id)));
            let surplus = active
                .saturating_sub(need)
                .min(supply.saturating_sub(ahead));
            let surplus = usize::try_from(surplus).unwrap_or(0);
            let emptiest = sight.active.iter().take(surplus);
            steps.extend(emptiest.map(|member| Step::Drain(member.id)));
        }
        Decision {
            steps,
            reason: format!("the plan has {need} now and {ahead} soon"),
        }
    }
}
