//! An answer to a probe, in whichever process it arrives: read, and put into the member's row for the
//! process that probes. It decides nothing.

use kamailio::uac;
use kamscale_shm::clock;
use kamscale_shm::health::{Answer, NOT_SENT, Report, Said};

use crate::server::Server;

/// The header in which a member reports: `calls=12; capacity=40; weight=50; state=draining`.
const REPORT: &str = "X-Kamscale";
/// What jambonz and others send: `open` or `closed`, and the number of calls.
const FS_STATUS: &str = "X-FS-Status";
const FS_CALLS: &str = "X-FS-Calls";

/// Which probe of which member: what travels with the request instead of a pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// The member's slot.
    pub slot: u16,
    /// The number of the probe, not 0.
    pub number: u16,
    /// The upper half of the member's id.
    pub tag: u32,
}

impl Token {
    /// As one word.
    #[must_use]
    pub fn to_word(self) -> usize {
        let low = u64::from(self.number) << 16 | u64::from(self.slot);
        usize::try_from(u64::from(self.tag) << 32 | low).unwrap_or(0)
    }

    /// What [`Self::to_word`] made.
    #[must_use]
    pub fn from_word(word: usize) -> Self {
        let [s0, s1, n0, n1, t0, t1, t2, t3] = (word as u64).to_le_bytes();
        Self {
            slot: u16::from_le_bytes([s0, s1]),
            number: u16::from_le_bytes([n0, n1]),
            tag: u32::from_le_bytes([t0, t1, t2, t3]),
        }
    }
}

/// Notes the answer to a probe.
pub fn answered(server: &Server, word: usize, answer: &mut dyn uac::Answer) {
    let is_reply = answer.is_reply();
    let report = if is_reply {
        report(answer)
    } else {
        Report::default()
    };
    note(
        server,
        Token::from_word(word),
        answer.code(),
        is_reply,
        report,
    );
}

/// Notes that a probe is sent now, for the time to its answer. One that cannot be sent without waiting (a
/// name that DNS does not answer for) must not make those behind it look late.
pub fn sending(server: &Server, token: Token, now_ns: u64) {
    if let Some(row) = server.observed.member(usize::from(token.slot)) {
        row.send_probe(u32::from(token.number), now_ns);
    }
}

/// Notes that a probe could not be sent: no answer will come.
pub fn not_sent(server: &Server, token: Token) {
    note(server, token, NOT_SENT, false, Report::default());
}

fn note(server: &Server, token: Token, code: u16, is_reply: bool, report: Report) {
    let Some(row) = server.observed.member(usize::from(token.slot)) else {
        return;
    };
    let answer = Answer {
        code,
        is_reply,
        report,
        latency_us: 0,
    };
    let number = u32::from(token.number);
    row.take_answer(token.tag, number, &answer, clock::monotonic_ns());
}

/// What the member says of itself. Words that are not known, and numbers that are none, say nothing.
fn report(answer: &mut dyn uac::Answer) -> Report {
    let mut report = Report::default();
    if let Some(calls) = answer.header(FS_CALLS) {
        report.calls = number(&calls);
    }
    if let Some(status) = answer.header(FS_STATUS) {
        report.state = state(&status);
    }
    if let Some(text) = answer.header(REPORT) {
        for part in text.split([';', ',']) {
            let Some((key, value)) = part.split_once('=') else {
                continue;
            };
            match key.trim().to_ascii_lowercase().as_str() {
                "calls" => report.calls = number(value),
                "capacity" => report.capacity = number(value),
                "weight" => report.weight = number(value.trim_end().trim_end_matches('%')),
                "state" => report.state = state(value),
                _ => {}
            }
        }
    }
    report
}

fn number(text: &str) -> Option<u32> {
    text.trim().parse().ok()
}

fn state(text: &str) -> Said {
    match text.trim().to_ascii_lowercase().as_str() {
        "active" | "open" | "up" | "ready" => Said::Active,
        "draining" | "closed" | "drain" => Said::Draining,
        "down" | "disabled" | "maint" => Said::Down,
        _ => Said::Nothing,
    }
}

#[cfg(test)]
#[cfg(not(feature = "host"))]
mod tests {
    use super::*;
    use kamailio::double;
    use proptest::prelude::*;

    fn of(headers: &[(&str, &str)]) -> Report {
        let mut answer = double::Answer::reply(200);
        for (name, value) in headers {
            answer = answer.with(name, value);
        }
        report(&mut answer)
    }

    #[test]
    fn a_report_is_read_in_both_forms_and_ours_goes_before() {
        let whole = of(&[(
            "X-Kamscale",
            "calls=12; capacity=40; weight=50; state=draining",
        )]);
        let wanted = Report {
            state: Said::Draining,
            calls: Some(12),
            capacity: Some(40),
            weight: Some(50),
        };
        assert_eq!(whole, wanted);
        let jambonz = of(&[("X-FS-Status", "closed"), ("X-FS-Calls", "7")]);
        assert_eq!((jambonz.state, jambonz.calls), (Said::Draining, Some(7)));
        let both = of(&[
            ("x-fs-status", "closed"),
            ("X-KAMSCALE", "State=Active,Weight=5%"),
        ]);
        assert_eq!((both.state, both.weight), (Said::Active, Some(5)));
        assert_eq!(of(&[]), Report::default());
    }

    proptest! {
        #[test]
        fn rubbish_says_nothing_and_hurts_nobody(text in ".{0,200}") {
            let got = of(&[("X-Kamscale", &text), ("X-FS-Status", &text), ("X-FS-Calls", &text)]);
            prop_assert!(text.contains('=') || got.capacity.is_none());
        }

        #[test]
        fn a_token_comes_back_as_it_was(slot in any::<u16>(), number in any::<u16>(), tag: u32) {
            let token = Token { slot, number, tag };
            prop_assert_eq!(Token::from_word(token.to_word()), token);
        }
    }
}
