//! Survey: which signals somebody else is asked for, and what came.

use super::Agent;
use crate::config::{SignalConfig, SignalSource};
use crate::journal::Event;
use crate::nodes::node_at;
use crate::nodes::survey::{Finding, Question};
use crate::observe::without_numbers;
use crate::state::{Member, Stage};

impl Agent {
    /// Takes in what was found, and says what shall be asked next.
    pub(super) fn survey(&mut self) {
        let Some(survey) = self.services.survey.as_mut() else {
            return;
        };
        for finding in survey.found() {
            self.take_finding(finding);
        }
        let questions = self.questions();
        if let Some(survey) = &self.services.survey {
            survey.want(questions);
        }
    }

    fn take_finding(&mut self, finding: Finding) {
        let Finding {
            question,
            signal,
            at_s,
        } = finding;
        let key = (question.subject.clone(), question.kind.name());
        match signal {
            Ok(signal) => {
                self.survey_problems.remove(&key);
                if let Some(signal) = signal {
                    self.pushed.add(&question.subject, signal, at_s);
                }
            }
            Err(problem) => {
                let words = without_numbers(&problem);
                if self.survey_problems.insert(key, words.clone()) != Some(words) {
                    let event = Event::new("signal_lost").pool(&question.subject);
                    let event = event.with("signal", question.kind.name()).reason(problem);
                    self.journal
                        .record(event.with("effect", "nothing is removed once it is too old"));
                }
            }
        }
    }

    fn questions(&self) -> Vec<Question> {
        let pools = self.config.pools.iter();
        let of_pools = pools.flat_map(|(name, pool)| pool.signals.iter().map(move |s| (name, s)));
        let stacks = self.config.stacks.iter();
        let of_stacks =
            stacks.flat_map(|(name, stack)| stack.signals.iter().map(move |s| (name, s)));
        let asked = of_pools.chain(of_stacks);
        asked
            .filter(|(_, signal)| signal.from != SignalSource::Pushed)
            .map(|(subject, signal)| self.question(subject, signal))
            .collect()
    }

    fn question(&self, subject: &str, signal: &SignalConfig) -> Question {
        let pool = signal.of.as_deref().unwrap_or(subject);
        let members = self.state.pools.get(pool).map(|state| {
            let active = state.members.iter();
            let active = active.filter(|(_, member)| member.stage == Stage::Active);
            // A member does not know by which name its pool goes; a host that is one may be named by the
            // address that it has.
            let names = active.flat_map(|(name, member)| {
                let since_s = member.active_since_s.unwrap_or_default();
                let names = [Some(name.clone()), node_of(member)];
                names.into_iter().flatten().map(move |name| (name, since_s))
            });
            names.collect()
        });
        Question {
            pool: pool.into(),
            subject: subject.into(),
            kind: signal.kind,
            of: signal.of.clone(),
            source: signal.from.clone(),
            max_age_s: signal.max_age_s(),
            members: members.unwrap_or_default(),
        }
    }
}

/// The name of the node that a member is, if it is named by its address.
fn node_of(member: &Member) -> Option<String> {
    let (address, _) = kamscale_shm::address_of(member.destination()?)?;
    Some(node_at(address))
}
