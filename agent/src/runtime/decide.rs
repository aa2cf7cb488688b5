//! Decide: asks the plan about each pool or stack, carries out what it says and puts it on record.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Agent;
use crate::config::Decider;
use crate::decision::{Decision, Input};
use crate::observe::{Around, observe, observe_stack, rate_signal, read, unit_of, without_numbers};
use crate::plan::{Action, Cause, Memory, Mode, Observation, Policy, Signal, SignalKind};

/// A decision that does nothing, but for another cause than before, is on record at most this often:
/// a load that trembles around a limit must not fill the disk.
const NEWS_EVERY_S: f64 = 10.0;

/// How often each action was decided for each cause.
pub(super) type Counted = Vec<((&'static str, Cause), u64)>;

/// What was last put on record about a pool.
#[derive(Debug)]
pub(super) struct Recorded {
    at_s: f64,
    cause: Cause,
    words: String,
    advice: Vec<Action>,
}

impl Agent {
    /// Takes in what Kamailio's counters say about all pools.
    pub(super) fn count(&mut self, now_s: f64) {
        let Some(boot_id) = self.seen.boot_id() else {
            return;
        };
        let mut counts = std::mem::take(&mut self.counts);
        let away = self.turned_away();
        let refused = |pool: &str| {
            let slot = self.proxy.pool_slot(pool);
            let row = slot.and_then(|slot| self.seen.pool(slot));
            let config = self.config.pools.get(pool);
            let feature = config.map_or(pool, |config| config.feature(pool));
            let away = away.get(feature).copied();
            // What was not let in would have come here.
            row.map(|row| row.refused + away.unwrap_or(0))
                .or(away.filter(|away| *away > 0))
        };
        let pools = self.state.pools.iter().map(|(name, state)| {
            let reading = read(name, state, &self.seen, refused(name));
            (name.as_str(), reading)
        });
        counts.add(boot_id, pools, now_s);
        self.counts = counts;
    }

    /// Decides about one pool or stack.
    pub(super) fn decide(&mut self, subject: &str, now_s: f64) {
        let Some(policy) = self.policy(subject) else {
            return;
        };
        let around = self.around(subject, now_s);
        let mut observation = self.observe(subject, around, now_s);
        self.doubt(subject, &mut observation, now_s);
        let input = Input {
            observation,
            policy,
            memory: std::mem::take(self.memory_mut(subject)),
            now_s,
        };
        let (plan, memory) = input.decide();
        *self.memory_mut(subject) = memory;
        let decision = Arc::new(Decision { input, plan });
        self.put_on_record(subject, &decision);
        self.act(subject, &decision.plan, now_s);
        let before = self.journal.note_decision(subject, decision);
        if let Some(before) = before.and_then(Arc::into_inner) {
            let views = before.input.observation.members.into_iter();
            self.names.extend(views.map(|view| view.name));
        }
    }

    fn observe(&mut self, subject: &str, around: Around, now_s: f64) -> Observation {
        if let Some(config) = self.config.stacks.get(subject) {
            return observe_stack(subject, config, &self.state, &self.seen, around, now_s);
        }
        let state = self.state.pools.entry(subject.to_owned()).or_default();
        observe(subject, state, &self.seen, around, &mut self.names, now_s)
    }

    fn memory_mut(&mut self, subject: &str) -> &mut Memory {
        let name = subject.to_owned();
        if self.config.stacks.contains_key(subject) {
            &mut self.state.stacks.entry(name).or_default().memory
        } else {
            &mut self.state.pools.entry(name).or_default().memory
        }
    }

    /// The policy in force: as configured, or paused by an operator. Where Aodh decides, this plan
    /// only says what it would do.
    pub(super) fn policy(&self, subject: &str) -> Option<Policy> {
        let mut policy = match self.config.stacks.get(subject) {
            Some(stack) => stack.policy(subject, &self.config.pools),
            None => self.config.pools.get(subject)?.policy(subject),
        };
        if self.config.decider(subject) == Decider::Aodh && policy.mode != Mode::Paused {
            policy.mode = Mode::Advise;
        }
        if self.paused_since_s(subject).is_some() {
            policy.mode = Mode::Paused;
        }
        Some(policy)
    }

    /// When an operator paused a pool or stack, in unix seconds.
    pub(super) fn paused_since_s(&self, subject: &str) -> Option<f64> {
        match self.state.stacks.get(subject) {
            Some(stack) => stack.paused_since_s,
            None => self.state.pools.get(subject)?.paused_since_s,
        }
    }

    fn around(&mut self, subject: &str, now_s: f64) -> Around {
        let pools = match self.config.stacks.get(subject) {
            Some(stack) => stack.pools.keys().cloned().collect(),
            None => vec![subject.to_owned()],
        };
        let sum = |count: &dyn Fn(&str) -> Option<u64>| {
            let seen = self.seen.problem.is_none();
            let counts = pools.iter().map(|pool| count(pool).filter(|_| seen));
            counts.sum::<Option<u64>>()
        };
        let elsewhere = |pool: &str| self.seen.elsewhere(pool);
        let (started, refused) = (
            sum(&|pool| Some(self.counts.started(pool)? + elsewhere(pool).started)),
            sum(&|pool| Some(self.counts.refused(pool)? + elsewhere(pool).refused)),
        );
        Around {
            signals: self.signals(subject, &pools, now_s),
            started,
            refused,
            others_fell: self.counts.others_fell(&pools),
            unconfirmed_creates: self.unconfirmed_of(subject, &pools),
            creations: self.creations.remove(subject).unwrap_or_default(),
            agent_restarted: self.fresh.remove(subject),
        }
    }

    /// Members, or stacks, of which nobody knows whether they were created.
    fn unconfirmed_of(&self, subject: &str, pools: &[String]) -> u32 {
        let waiting = self
            .unconfirmed
            .iter()
            .filter(|(pool, _)| pools.contains(pool));
        let units: BTreeSet<String> = waiting
            .filter_map(|(pool, name)| {
                let member = self.state.pools.get(pool)?.members.get(name)?;
                Some(unit_of(subject, pool, name, member))
            })
            .collect();
        u32::try_from(units.len()).unwrap_or(u32::MAX)
    }

    fn signals(&self, subject: &str, pools: &[String], now_s: f64) -> Vec<Signal> {
        // Counters of a Kamailio that gives no sign of life are as old as its last one.
        let snapshot = self.seen.snapshot.as_ref();
        let silent_s = snapshot
            .filter(|_| self.seen.problem.is_some())
            .map_or(0.0, |snapshot| snapshot.heartbeat_age_s);
        let mut signals = self.pushed.of(subject, now_s);
        for pool in pools {
            let of = (pool != subject).then(|| pool.clone());
            let config = self.config.pools.get(pool);
            let feature = config.map_or(pool.as_str(), |config| config.feature(pool));
            let rates = [
                (SignalKind::Requests, self.rates.of(feature)),
                (SignalKind::Refused, self.counts.refused_rate(pool)),
            ];
            let counted = rates
                .into_iter()
                .filter_map(|(kind, rate)| rate_signal(kind, rate, now_s));
            signals.extend(counted.map(|signal| Signal {
                of: of.clone(),
                age_s: signal.age_s + silent_s,
                ..signal
            }));
            if of.is_some() {
                let brought = self.pushed.of(pool, now_s).into_iter();
                signals.extend(brought.map(|signal| Signal {
                    of: of.clone(),
                    ..signal
                }));
            }
        }
        signals
    }

    /// Counts a decision; it is put on record when it does something, or when an advice, the cause
    /// or the reason (its numbers aside) is another one.
    fn put_on_record(&mut self, subject: &str, decision: &Decision) {
        let (plan, at_s) = (&decision.plan, decision.input.now_s);
        let counts = self.decisions.entry(subject.to_owned()).or_default();
        for action in &plan.actions {
            let key = (action.name(), plan.cause);
            match counts.iter_mut().find(|(known, _)| *known == key) {
                Some((_, count)) => *count += 1,
                None => counts.push((key, 1)),
            }
        }
        // What a paused pool does not do is no news, whatever its load does.
        let words = match decision.input.policy.mode {
            Mode::Paused => String::new(),
            _ => without_numbers(&plan.reason),
        };
        let last = self.recorded.get(subject);
        let changed = last.is_none_or(|last| {
            (last.cause, &last.words, &last.advice) != (plan.cause, &words, &plan.advice)
        });
        let waited = last.is_none_or(|last| (at_s - last.at_s).abs() >= NEWS_EVERY_S);
        let advises = last.is_none_or(|last| last.advice != plan.advice);
        if plan.acts() || changed && (waited || advises) {
            self.journal.record_decision(subject, decision);
            let recorded = Recorded {
                at_s,
                cause: plan.cause,
                words,
                advice: plan.advice.clone(),
            };
            self.recorded.insert(subject.to_owned(), recorded);
        }
    }
}
