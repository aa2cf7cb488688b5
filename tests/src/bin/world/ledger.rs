//! What became of each call and each registration, from the lines that sipp's scenarios log: `offered`, `refused`,
//! `failover`, `answered`, `lost`, `ended` with the number of the call; `registered`, `unregistered` with the user. It
//! must not know why anything happened.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

use serde::Serialize;

/// One call, as its caller saw it; moments in seconds of the story.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Call {
    pub(crate) callee: String,
    /// The load balancer that took it.
    pub(crate) via: String,
    pub(crate) offered: f64,
    pub(crate) answered: Option<f64>,
    pub(crate) ended: Option<f64>,
    /// Why it was given up before an answer.
    pub(crate) lost: Option<String>,
    /// When its caller was over and the call had not ended as it should.
    pub(crate) broken: Option<f64>,
    pub(crate) refused: u32,
    pub(crate) failovers: u32,
}

impl Call {
    /// Never answered.
    pub(crate) fn is_lost(&self) -> bool {
        self.lost.is_some() || (self.broken.is_some() && self.answered.is_none())
    }

    /// Answered, and ended by somebody else than the caller.
    pub(crate) fn is_cut(&self) -> bool {
        self.broken.is_some() && self.answered.is_some()
    }

    fn is_over(&self) -> bool {
        self.ended.is_some() || self.lost.is_some() || self.broken.is_some()
    }
}

/// Sums over calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Totals {
    pub(crate) offered: usize,
    pub(crate) answered: usize,
    pub(crate) ended: usize,
    pub(crate) refused: usize,
    pub(crate) failovers: usize,
    pub(crate) lost: usize,
    pub(crate) cut: usize,
}

#[derive(Debug)]
struct Tail {
    path: PathBuf,
    at: u64,
    rest: String,
}

impl Tail {
    /// The complete lines that came since the last look.
    fn lines(&mut self) -> Vec<String> {
        let mut text = std::mem::take(&mut self.rest);
        if let Ok(mut file) = File::open(&self.path)
            && file.seek(SeekFrom::Start(self.at)).is_ok()
        {
            self.at += file.read_to_string(&mut text).map_or(0, |n| n as u64);
        }
        let end = text.rfind('\n').map_or(0, |end| end + 1);
        self.rest = text.split_off(end);
        text.lines().map(str::to_owned).collect()
    }
}

/// Everything that callers told so far.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    tails: BTreeMap<String, Tail>,
    calls: BTreeMap<(String, u64), Call>,
    /// Subscribers whose last REGISTER was answered by 200, and when that was.
    pub(crate) registered: BTreeMap<String, f64>,
    /// Subscribers that gave up.
    pub(crate) unregistered: BTreeSet<String>,
    pub(crate) registrations: usize,
    pub(crate) watching: usize,
    pub(crate) unwatched: usize,
}

impl Ledger {
    /// Follows a caller's log from now on.
    pub(crate) fn follow(&mut self, caller: &str, path: PathBuf) {
        let (at, rest) = (0, String::new());
        self.tails.insert(caller.into(), Tail { path, at, rest });
    }

    /// Reads what came; `t` is now.
    pub(crate) fn read(&mut self, t: f64) {
        let mut tails = std::mem::take(&mut self.tails);
        for (caller, tail) in &mut tails {
            for line in tail.lines() {
                self.note(caller, &line, t);
            }
        }
        self.tails = tails;
    }

    pub(crate) fn note(&mut self, caller: &str, line: &str, t: f64) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["registered", user] => {
                self.registrations += 1;
                self.unregistered.remove(user);
                self.registered.insert(user.into(), t);
            }
            ["unregistered", user] => {
                self.registered.remove(user);
                self.unregistered.insert(user.into());
            }
            ["watching", ..] => self.watching += 1,
            ["unwatched", ..] => self.unwatched += 1,
            [event, number, _, callee, ref more @ ..] => {
                let Ok(number) = number.parse() else { return };
                let call = self.calls.entry((caller.into(), number)).or_default();
                match event {
                    "offered" => (call.callee, call.offered) = (callee.into(), t),
                    "refused" => call.refused += 1,
                    "failover" => call.failovers += 1,
                    "answered" => {
                        call.answered = Some(t);
                        call.via = more.first().copied().unwrap_or_default().into();
                    }
                    "lost" => call.lost = Some(more.join(" ")),
                    "ended" => call.ended = Some(t),
                    _ => {}
                }
            }
            _ => {}
        }
    }

    /// A caller's process is over: what it had not ended by now, somebody else has.
    pub(crate) fn close(&mut self, caller: &str, t: f64) {
        self.read(t);
        self.tails.remove(caller);
        let own = self.calls.iter_mut().filter(|((c, _), _)| c == caller);
        for (_, call) in own.filter(|(_, call)| !call.is_over()) {
            call.broken = Some(t);
        }
    }

    /// All calls.
    pub(crate) fn calls(&self) -> impl Iterator<Item = &Call> {
        self.calls.values()
    }

    /// Calls to callees whose name begins so that were answered and have not ended.
    pub(crate) fn talking(&self, prefix: &str) -> usize {
        let talks =
            |c: &&Call| c.answered.is_some() && !c.is_over() && c.callee.starts_with(prefix);
        self.calls().filter(talks).count()
    }

    /// Sums over the calls that are meant.
    pub(crate) fn totals(&self, is_meant: impl Fn(&Call) -> bool) -> Totals {
        let mut sums = Totals::default();
        for call in self.calls().filter(|c| is_meant(c)) {
            sums.offered += 1;
            sums.answered += usize::from(call.answered.is_some());
            sums.ended += usize::from(call.ended.is_some());
            sums.refused += usize::from(call.refused > 0);
            sums.failovers += usize::from(call.failovers > 0);
            sums.lost += usize::from(call.is_lost());
            sums.cut += usize::from(call.is_cut());
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_and_answered_later_is_not_lost() {
        let mut ledger = Ledger::default();
        for line in [
            "offered 1 s1 s2",
            "refused 1 s1 s2 3",
            "failover 1 s1 s2",
            "answered 1 s1 s2 10.77.0.42",
            "ended 1 s1 s2",
        ] {
            ledger.note("a", line, 1.0);
        }
        let sums = ledger.totals(|_| true);
        let wanted = Totals {
            offered: 1,
            answered: 1,
            ended: 1,
            refused: 1,
            failovers: 1,
            lost: 0,
            cut: 0,
        };
        assert_eq!(sums, wanted);
    }

    #[test]
    fn what_its_caller_did_not_end_is_cut_or_lost() {
        let mut ledger = Ledger::default();
        for line in [
            "offered 1 s1 s2",
            "answered 1 s1 s2 x",
            "offered 2 s3 s4",
            "offered 3 s3 s4",
            "lost 3 s3 s4 404",
        ] {
            ledger.note("a", line, 1.0);
        }
        assert_eq!((ledger.talking("s"), ledger.totals(|_| true).lost), (1, 1));
        ledger.close("a", 2.0);
        let sums = ledger.totals(|_| true);
        assert_eq!((sums.cut, sums.lost, ledger.talking("s")), (1, 2, 0));
    }

    #[test]
    fn the_last_registration_counts() {
        let mut ledger = Ledger::default();
        ledger.note("a", "registered s1", 1.0);
        ledger.note("a", "registered s2", 1.0);
        ledger.note("a", "unregistered s1", 2.0);
        assert_eq!(ledger.registered.keys().collect::<Vec<_>>(), ["s2"]);
    }
}
