//! Decide: asks the plan about each pool, carries out what it says and puts it on record.

use std::sync::Arc;

use super::Agent;
use crate::decision::{Decision, Input};
use crate::observe::{Around, observe, rate_signal, read, without_numbers};
use crate::plan::{Action, Cause, Mode, Policy, Signal, SignalKind};

/// A decision that does nothing, but for another cause than before, is on record at most this often:
/// a load that trembles around a limit must not fill the disk.
const NEWS_EVERY_S: f64 = 10.0;

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
        let rows = self.seen.snapshot.iter().flat_map(|seen| &seen.pools);
        let refused = |pool: &str| {
            let slot = self.proxy.pool_slot(pool)?;
            let row = rows.clone().find(|row| row.slot == slot)?;
            Some(row.refused)
        };
        let pools = self.state.pools.iter().map(|(name, state)| {
            let reading = read(name, state, &self.seen, refused(name));
            (name.clone(), reading)
        });
        let readings = pools.collect();
        self.counts.add(boot_id, readings, now_s);
    }

    pub(super) fn decide_pool(&mut self, pool: &str, now_s: f64) {
        let Some(policy) = self.policy(pool) else {
            return;
        };
        let around = self.around(pool, now_s);
        let state = self.state.pools.entry(pool.to_owned()).or_default();
        let input = Input {
            observation: observe(pool, state, &self.seen, around, now_s),
            policy,
            memory: std::mem::take(&mut state.memory),
            now_s,
        };
        let (plan, memory) = input.decide();
        state.memory = memory;
        let decision = Arc::new(Decision { input, plan });
        self.put_on_record(pool, &decision);
        self.act(pool, &decision.plan, now_s);
        self.journal.note_decision(pool, decision.clone());
        self.plans.insert(pool.to_owned(), decision);
    }

    /// The policy in force: as configured, or paused by an operator.
    pub(super) fn policy(&self, pool: &str) -> Option<Policy> {
        let mut policy = self.config.pools.get(pool)?.policy(pool);
        if self.paused_since_s(pool).is_some() {
            policy.mode = Mode::Paused;
        }
        Some(policy)
    }

    /// When an operator paused a pool, in unix seconds.
    pub(super) fn paused_since_s(&self, pool: &str) -> Option<f64> {
        self.state.pools.get(pool)?.paused_since_s
    }

    fn around(&mut self, pool: &str, now_s: f64) -> Around {
        let seen = self.seen.problem.is_none();
        let waiting = self.unconfirmed.iter().filter(|(name, _)| name == pool);
        Around {
            signals: self.signals(pool, now_s),
            started: self.counts.started(pool).filter(|_| seen),
            refused: self.counts.refused(pool).filter(|_| seen),
            others_fell: self.counts.others_fell(pool),
            unconfirmed_creates: u32::try_from(waiting.count()).unwrap_or(u32::MAX),
            creations: self.creations.remove(pool).unwrap_or_default(),
            agent_restarted: self.fresh.remove(pool),
        }
    }

    fn signals(&self, pool: &str, now_s: f64) -> Vec<Signal> {
        let config = self.config.pools.get(pool);
        let feature = config.map_or(pool, |config| config.feature(pool));
        // Counters of a Kamailio that gives no sign of life are as old as its last one.
        let snapshot = self.seen.snapshot.as_ref();
        let silent_s = snapshot
            .filter(|_| self.seen.problem.is_some())
            .map_or(0.0, |snapshot| snapshot.heartbeat_age_s);
        let requests = rate_signal(SignalKind::Requests, self.rates.of(feature), now_s);
        let refused = self.counts.refused_rate(pool);
        let refused = rate_signal(SignalKind::Refused, refused, now_s);
        let counted = requests.into_iter().chain(refused);
        let counted = counted.map(|signal| Signal {
            age_s: signal.age_s + silent_s,
            ..signal
        });
        counted.chain(self.pushed.of(pool, now_s)).collect()
    }

    /// Counts a decision; it is put on record when it does something, or when an advice, the cause
    /// or the reason (its numbers aside) is another one.
    fn put_on_record(&mut self, pool: &str, decision: &Decision) {
        let (plan, at_s) = (&decision.plan, decision.input.now_s);
        let counts = self.decisions.entry(pool.to_owned()).or_default();
        for action in &plan.actions {
            let by_reason = counts.entry(action.name().to_owned()).or_default();
            *by_reason.entry(plan.cause.name().to_owned()).or_default() += 1;
        }
        let words = without_numbers(&plan.reason);
        let last = self.recorded.get(pool);
        let changed = last.is_none_or(|last| {
            (last.cause, &last.words, &last.advice) != (plan.cause, &words, &plan.advice)
        });
        let waited = last.is_none_or(|last| (at_s - last.at_s).abs() >= NEWS_EVERY_S);
        let advises = last.is_none_or(|last| last.advice != plan.advice);
        if plan.acts() || changed && (waited || advises) {
            self.journal.record_decision(pool, decision);
            let recorded = Recorded {
                at_s,
                cause: plan.cause,
                words,
                advice: plan.advice.clone(),
            };
            self.recorded.insert(pool.to_owned(), recorded);
        }
    }
}
