//! A pool that lives: calls come, last and end, members boot and drain. Small and exact; the tests
//! of the plan look at what it does over hours.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "numbers of calls, chosen to fit"
)]

use std::collections::{BTreeMap, VecDeque};

use rand_distr::{Binomial, Distribution, Poisson};
use rand_pcg::Pcg64;

use super::super::{
    Action, MemberView, Memory, Observation, Phase, Plan, Policy, Signal, SignalKind, decide,
};
use super::observation;

/// Seconds between two decisions.
pub(super) const TICK_S: f64 = 10.0;

/// How calls come and how long they last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Traffic {
    /// Mean calls at the same time.
    pub(super) erlangs: f64,
    /// Mean holding time, in whole ticks.
    pub(super) hold_ticks: u32,
    /// With a seed calls come and end by chance; without one evenly, each lasting as long.
    pub(super) seed: Option<u64>,
}

#[derive(Debug)]
struct Member {
    phase: Phase,
    since_s: f64,
    calls: u32,
    /// Calls by the tick at which they end; empty where they end by chance.
    ends: VecDeque<(u64, u32)>,
}

/// What a pool did at one tick: `+` for growth, `-` for a drain.
pub(super) type Order = (f64, char);

/// A pool under traffic.
#[derive(Debug)]
pub(super) struct Pool {
    pub(super) policy: Policy,
    pub(super) traffic: Traffic,
    pub(super) memory: Memory,
    /// Seconds that a member takes to boot.
    pub(super) boot_s: f64,
    /// Share signals that follow the calls of each member, by kind and what `of`.
    pub(super) follows: Vec<(SignalKind, Option<String>)>,
    pub(super) orders: Vec<Order>,
    pub(super) cut: u64,
    pub(super) refused: u64,
    pub(super) now_s: f64,
    members: BTreeMap<String, Member>,
    booted_s: Vec<f64>,
    tick: u64,
    number: u32,
    started: u64,
    owed: f64,
    dice: Pcg64,
}

impl Pool {
    pub(super) fn new(policy: Policy, traffic: Traffic, members: u32) -> Pool {
        let mut pool = Pool {
            policy,
            traffic,
            memory: Memory::default(),
            boot_s: 60.0,
            follows: Vec::new(),
            orders: Vec::new(),
            cut: 0,
            refused: 0,
            now_s: 1e9,
            members: BTreeMap::new(),
            booted_s: Vec::new(),
            tick: 0,
            number: 0,
            started: 0,
            owed: 0.0,
            dice: Pcg64::new(u128::from(traffic.seed.unwrap_or(0)), 7),
        };
        for _ in 0..members {
            pool.boot(-10_000.0, Phase::Active);
        }
        pool
    }

    /// Plays so many ticks; answers the last plan.
    pub(super) fn play(&mut self, ticks: u32) -> Option<Plan> {
        let mut last = None;
        for _ in 0..ticks {
            last = Some(self.step());
        }
        last
    }

    /// Members in a phase.
    pub(super) fn count(&self, phase: Phase) -> usize {
        let members = self.members.values();
        members.filter(|member| member.phase == phase).count()
    }

    fn boot(&mut self, ago_s: f64, phase: Phase) {
        let member = Member {
            phase,
            since_s: self.now_s + ago_s,
            calls: 0,
            ends: VecDeque::new(),
        };
        self.members.insert(format!("m{:04}", self.number), member);
        self.number += 1;
    }

    /// One tick of calls and one decision, which is carried out.
    pub(super) fn step(&mut self) -> Plan {
        self.tick += 1;
        self.now_s += TICK_S;
        self.finish_boots();
        self.end_calls();
        self.begin_calls();
        let seen = self.look();
        let (plan, memory) = decide(&seen, &self.policy, &self.memory, self.now_s);
        self.memory = memory;
        self.booted_s.clear();
        for action in &plan.actions {
            self.act(action);
        }
        plan
    }

    fn finish_boots(&mut self) {
        for member in self.members.values_mut() {
            if member.phase == Phase::Booting && self.now_s - member.since_s >= self.boot_s {
                self.booted_s.push(self.now_s - member.since_s);
                member.phase = Phase::Active;
                member.since_s = self.now_s;
            }
        }
    }

    fn end_calls(&mut self) {
        let ends = 1.0 - (-1.0 / f64::from(self.traffic.hold_ticks)).exp();
        for member in self.members.values_mut() {
            if self.traffic.seed.is_some() {
                let ended = Binomial::new(u64::from(member.calls), ends).unwrap();
                member.calls -= u32::try_from(ended.sample(&mut self.dice)).unwrap();
            }
            while member.ends.front().is_some_and(|(at, _)| *at <= self.tick) {
                member.calls -= member.ends.pop_front().unwrap().1;
            }
        }
    }

    fn begin_calls(&mut self) {
        let mean = self.traffic.erlangs / f64::from(self.traffic.hold_ticks);
        let mut coming = if self.traffic.seed.is_some() && mean > 0.0 {
            Poisson::new(mean).unwrap().sample(&mut self.dice) as u64
        } else {
            self.owed += mean;
            let whole = self.owed.floor();
            self.owed -= whole;
            whole as u64
        };
        let (capacity, at) = (
            self.policy.capacity_calls,
            self.tick + u64::from(self.traffic.hold_ticks),
        );
        while coming > 0 {
            let active = self.members.values_mut();
            let active = active.filter(|member| member.phase == Phase::Active);
            let emptiest = active.min_by_key(|member| member.calls);
            match emptiest.filter(|member| member.calls < capacity) {
                Some(member) => {
                    member.calls += 1;
                    self.started += 1;
                    if self.traffic.seed.is_none() {
                        match member.ends.back_mut().filter(|(end, _)| *end == at) {
                            Some((_, calls)) => *calls += 1,
                            None => member.ends.push_back((at, 1)),
                        }
                    }
                }
                None => self.refused += 1,
            }
            coming -= 1;
        }
    }

    fn look(&self) -> Observation {
        let members = self.members.iter().map(|(name, member)| MemberView {
            name: name.clone(),
            phase: member.phase,
            calls: Some(member.calls),
            capacity: self.policy.capacity_calls,
            down: false,
            elastic: true,
            age_s: self.now_s - member.since_s,
        });
        let active = self.members.values();
        let active = active.filter(|member| member.phase == Phase::Active);
        let reported = u32::try_from(active.clone().count()).ok();
        let used: f64 = active.map(|member| f64::from(member.calls)).sum();
        let signals = self.follows.iter().map(|(kind, of)| Signal {
            kind: *kind,
            of: of.clone(),
            used: used / f64::from(self.policy.capacity_calls),
            reported,
            age_s: 1.0,
        });
        Observation {
            signals: signals.collect(),
            started: Some(self.started),
            refused: Some(self.refused),
            booted_s: self.booted_s.clone(),
            ..observation(members.collect())
        }
    }

    fn act(&mut self, action: &Action) {
        match action {
            Action::Boot { count } => {
                for _ in 0..*count {
                    self.boot(0.0, Phase::Booting);
                }
                self.orders.push((self.now_s, '+'));
            }
            Action::TakeBack { member } => {
                self.members.get_mut(member).unwrap().phase = Phase::Active;
                self.orders.push((self.now_s, '+'));
            }
            Action::Drain { member } => {
                self.members.get_mut(member).unwrap().phase = Phase::Draining;
                self.orders.push((self.now_s, '-'));
            }
            Action::Remove { member } => {
                self.cut += u64::from(self.members.remove(member).unwrap().calls);
            }
            Action::Hold => {}
        }
    }

    /// Changes of direction from a moment on that follow each other within so many seconds.
    pub(super) fn reversals(&self, from_s: f64, within_s: f64) -> usize {
        let orders: Vec<&Order> = self
            .orders
            .iter()
            .filter(|order| order.0 >= from_s)
            .collect();
        let pairs = orders.windows(2);
        pairs
            .filter(|pair| pair[0].1 != pair[1].1 && pair[1].0 - pair[0].0 <= within_s)
            .count()
    }
}
