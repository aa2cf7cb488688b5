//! Commands of operators about whole pools: pause, resume, and signals that they bring.

use serde::{Deserialize, Serialize};

use super::Agent;
use super::command::{Answer, CommandError};
use crate::journal::Event;
use crate::plan::{Signal, SignalKind};

/// A measurement that somebody brings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignalRequest {
    /// The pool that it is about.
    pub pool: String,
    /// What was measured: cpu, memory, network or waiting.
    pub kind: SignalKind,
    /// The pool of a stack that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// The sum over the members that reported, in the unit of the kind: 1.5 is one and a half
    /// members' processors.
    pub used: f64,
    /// How many active members reported; leave it out for a measurement of the pool as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reported: Option<u32>,
}

impl Agent {
    /// Nobody scales the pool (without one: any pool) until it is resumed; kept in the state file.
    pub(super) fn pause(&mut self, pool: Option<&str>, now_s: f64) -> Answer {
        let pools = self.named(pool)?;
        let mut paused = Vec::new();
        for name in pools {
            let paused_since_s = self.paused_mut(&name);
            if paused_since_s.is_none() {
                *paused_since_s = Some(now_s);
                let why = "paused by an operator: nobody scales it until it is resumed";
                self.journal
                    .record(Event::new("pool_paused").pool(&name).reason(why));
                paused.push(name);
            }
        }
        Ok(match paused.is_empty() {
            true => "paused already".into(),
            false => format!(
                "paused: {}; calls and members stay, and nobody scales until `kamscale resume`",
                paused.join(", ")
            ),
        })
    }

    /// Takes a pause back; the configured mode holds again.
    pub(super) fn resume_pools(&mut self, pool: Option<&str>, now_s: f64) -> Answer {
        let pools = self.named(pool)?;
        let mut resumed = Vec::new();
        for name in pools {
            if let Some(since_s) = self.paused_mut(&name).take() {
                let event = Event::new("pool_resumed").pool(&name);
                self.journal.record(
                    event
                        .reason("resumed by an operator")
                        .with("paused_s", now_s - since_s),
                );
                resumed.push(name);
            }
        }
        Ok(match resumed.is_empty() {
            true => "nothing was paused by an operator (mode = \"paused\" in agent.toml is not \
                     changed by this)"
                .into(),
            false => format!("resumed: {}", resumed.join(", ")),
        })
    }

    /// Takes a measurement in; the next round looks at it.
    pub(super) fn take_signal(&mut self, request: &SignalRequest, now_s: f64) -> Answer {
        let pool = &request.pool;
        let known = self.config.pools.contains_key(pool) || self.config.stacks.contains_key(pool);
        if !known {
            return Err(self.no_pool(pool));
        }
        let kind = request.kind.name();
        if !(request.kind.is_share() || request.kind == SignalKind::Waiting) {
            return Err(CommandError::Invalid(format!(
                "{kind} are counted by Kamailio; bring cpu, memory, network or waiting"
            )));
        }
        if !request.used.is_finite() || request.used < 0.0 {
            return Err(CommandError::Invalid(format!(
                "used {} is no measurement; give 0 or more",
                request.used
            )));
        }
        let signal = Signal {
            kind: request.kind,
            of: request.of.clone(),
            used: request.used,
            reported: request.reported,
            age_s: 0.0,
        };
        self.pushed.add(pool, signal, now_s);
        let subject = self.config.subject_of(pool);
        let of = match subject == pool {
            true => request.of.as_ref(),
            false => Some(pool),
        };
        let policy = self.policy(subject);
        let mut signals = policy.iter().flat_map(|policy| &policy.signals);
        let used = signals.any(|known| known.kind == request.kind && known.of.as_ref() == of);
        Ok(if used {
            format!("{pool}: {kind} {}", request.used)
        } else {
            format!(
                "{pool}: {kind} {}; it is only shown: agent.toml has no signal of this kind for \
                 {subject}",
                request.used
            )
        })
    }

    fn paused_mut(&mut self, subject: &str) -> &mut Option<f64> {
        let name = subject.to_owned();
        if self.config.stacks.contains_key(subject) {
            &mut self.state.stacks.entry(name).or_default().paused_since_s
        } else {
            &mut self.state.pools.entry(name).or_default().paused_since_s
        }
    }

    /// The pool or stack of this name, or all of them.
    fn named(&self, name: Option<&str>) -> Result<Vec<String>, CommandError> {
        let Some(name) = name else {
            return Ok(self.config.subjects());
        };
        if let Some((stack, _)) = self.config.stack_of(name) {
            return Err(CommandError::Conflict(format!(
                "pool {name} is scaled as a part of stack {stack}; name that"
            )));
        }
        if self.config.subjects().iter().any(|subject| subject == name) {
            return Ok(vec![name.to_owned()]);
        }
        Err(self.no_pool(name))
    }
}
