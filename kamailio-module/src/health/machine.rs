//! What one answer after the other makes of a member: pure, no clock and no memory but its own.

use kamscale_shm::Health;
use kamscale_shm::health::{Answer, Said};

use super::ReplyCodes;

/// How many probes in a row decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// So many without a good answer: down. At least 1.
    pub failures: u32,
    /// So many good answers: admitted. At least 1.
    pub successes: u32,
}

/// What one probe said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A good answer.
    Good,
    /// No answer in time, or a bad one.
    Missed,
    /// The member takes nothing new.
    Draining,
    /// The member itself says that it is down.
    Refused,
}

/// Status of a server that is there but takes nothing new: Asterisk's while it stops gracefully.
const UNAVAILABLE: u16 = 503;

/// What an answer says. The member's own word about its state goes before the status.
#[must_use]
pub fn verdict(answer: &Answer, codes: &ReplyCodes) -> Verdict {
    if !answer.is_reply {
        return Verdict::Missed;
    }
    match answer.report.state {
        Said::Down => Verdict::Refused,
        Said::Draining => Verdict::Draining,
        Said::Nothing | Said::Active if codes.contains(answer.code) => Verdict::Good,
        _ if answer.code == UNAVAILABLE => Verdict::Draining,
        _ => Verdict::Missed,
    }
}

/// Probes that follow a change at the shorter interval.
const HURRIED: u8 = 3;

/// The course of one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    health: Health,
    successes: u32,
    misses: u32,
    hurried: u8,
}

impl Machine {
    /// A member that begins so ([`Health::New`] or [`Health::Trusted`]).
    #[must_use]
    pub const fn new(health: Health) -> Self {
        Self {
            health,
            successes: 0,
            misses: 0,
            hurried: 0,
        }
    }

    /// What is known of it.
    #[must_use]
    pub const fn health(&self) -> Health {
        self.health
    }

    /// Good answers in a row, and probes in a row without one.
    #[must_use]
    pub const fn in_a_row(&self) -> (u32, u32) {
        (self.successes, self.misses)
    }

    /// Takes one verdict. Whether the health is another one now.
    pub fn step(&mut self, verdict: Verdict, limits: Limits) -> bool {
        (self.successes, self.misses) = match verdict {
            Verdict::Good => (self.successes.saturating_add(1), 0),
            Verdict::Missed | Verdict::Refused => (0, self.misses.saturating_add(1)),
            Verdict::Draining => (0, 0),
        };
        let next = match (verdict, self.health) {
            (Verdict::Good, Health::Trusted) => Health::Up,
            (Verdict::Good, _) if self.successes >= limits.successes => Health::Up,
            (Verdict::Missed, _) if self.misses >= limits.failures => Health::Down,
            (Verdict::Draining, _) => Health::Draining,
            (Verdict::Refused, _) => Health::Down,
            (Verdict::Good | Verdict::Missed, same) => same,
        };
        let changed = next != self.health;
        // That a trusted member deserves it is no news: thousands of them may be there at the start.
        let news = changed && !(self.health == Health::Trusted && next == Health::Up);
        self.health = next;
        self.hurried = if news {
            HURRIED
        } else {
            self.hurried.saturating_sub(1)
        };
        changed
    }

    /// Whether the next probe shall come soon: something has just changed, or is about to.
    #[must_use]
    pub const fn is_in_a_hurry(&self) -> bool {
        let doubted = match self.health {
            Health::Up | Health::Trusted | Health::New => self.misses > 0,
            Health::Down | Health::Draining => false,
        };
        let hoped = match self.health {
            Health::New | Health::Down | Health::Draining => self.successes > 0,
            Health::Up | Health::Trusted => false,
        };
        doubted || hoped || self.hurried > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kamscale_shm::health::Report;
    use proptest::prelude::*;

    fn answer(code: u16, state: Said) -> Answer {
        let report = Report {
            state,
            ..Report::default()
        };
        Answer {
            code,
            is_reply: true,
            report,
            latency_us: 1,
        }
    }

    #[test]
    fn the_members_word_goes_before_its_status() {
        let codes = ReplyCodes::default();
        for (code, state, is) in [
            (200, Said::Nothing, Verdict::Good),
            (404, Said::Active, Verdict::Good),
            (503, Said::Nothing, Verdict::Draining),
            (503, Said::Active, Verdict::Draining),
            (200, Said::Draining, Verdict::Draining),
            (200, Said::Down, Verdict::Refused),
            (500, Said::Nothing, Verdict::Missed),
        ] {
            assert_eq!(
                verdict(&answer(code, state), &codes),
                is,
                "{code} {state:?}"
            );
        }
        let ours = Answer {
            is_reply: false,
            ..answer(503, Said::Nothing)
        };
        assert_eq!(verdict(&ours, &codes), Verdict::Missed, "nobody answered");
        let accepted = ReplyCodes::parse("200;503").unwrap();
        let is = verdict(&answer(503, Said::Nothing), &accepted);
        assert_eq!(is, Verdict::Good, "a status that is configured as good");
    }

    fn verdicts() -> impl Strategy<Value = Verdict> {
        use Verdict::{Draining, Good, Missed, Refused};
        prop::sample::select(vec![
            Good, Good, Good, Missed, Missed, Missed, Draining, Refused,
        ])
    }

    fn begins() -> impl Strategy<Value = Health> {
        prop::sample::select(vec![Health::New, Health::Trusted])
    }

    proptest! {
        /// The rules in other words: they look at the whole course, the machine at its last state.
        #[test]
        fn a_member_is_what_its_last_answers_say(
            from in begins(),
            course in prop::collection::vec(verdicts(), 0..40),
            failures in 1_u32..4,
            successes in 1_u32..4,
        ) {
            let limits = Limits { failures, successes };
            let mut machine = Machine::new(from);
            let mut before = from;
            for n in 1..=course.len() {
                let changed = machine.step(course[n - 1], limits);
                let health = machine.health();
                let run = |of: &[Verdict]| {
                    let same = course[..n].iter().rev().take_while(|v| of.contains(v)).count();
                    u32::try_from(same).unwrap()
                };
                let good = run(&[Verdict::Good]);
                let bad = run(&[Verdict::Missed, Verdict::Refused]);
                let expected = match course[n - 1] {
                    Verdict::Refused => Health::Down,
                    Verdict::Draining => Health::Draining,
                    Verdict::Missed if bad >= failures => Health::Down,
                    Verdict::Good if good >= successes || before == Health::Trusted => Health::Up,
                    _ => before,
                };
                prop_assert_eq!(health, expected, "after {:?}", &course[..n]);
                prop_assert_eq!(changed, health != before);
                prop_assert_eq!(machine.in_a_row(), (good, bad));
                let news = changed && (before, health) != (Health::Trusted, Health::Up);
                prop_assert!(!news || machine.is_in_a_hurry(), "no hurry after a change");
                before = health;
            }
            // However it came here: enough of one kind decides, and then there is peace.
            for (verdict, enough, is) in
                [(Verdict::Missed, failures, Health::Down), (Verdict::Good, successes, Health::Up)]
            {
                for _ in 0..enough {
                    machine.step(verdict, limits);
                }
                prop_assert_eq!(machine.health(), is);
                for _ in 0..=HURRIED {
                    machine.step(verdict, limits);
                }
                prop_assert!(!machine.is_in_a_hurry() || is == Health::Up && machine.in_a_row().1 > 0);
            }
        }
    }
}
