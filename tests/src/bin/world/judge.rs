//! What came of a run, and whether the promises were kept: nothing here looks at the platform any more.

use kamscale_tests::report::{Figure, Report, rounded};
use serde_json::{Value, json};

use crate::course::Course;
use crate::faults::{Fault, Injected};
use crate::ledger::{Ledger, Totals};
use crate::newcomer::Marks;
use crate::platform::Decider;
use crate::story::{Kind, Story};

/// Of a run, when it is over.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) decider: Decider,
    pub(crate) fault: Option<Fault>,
    pub(crate) injected: Option<Injected>,
    pub(crate) marks: Marks,
    pub(crate) totals: Totals,
    /// What was on the killed host, or on its way through it: said, and not counted as lost or cut.
    pub(crate) excused: Excused,
    pub(crate) split: Vec<String>,
    pub(crate) registrations_lost: Option<Vec<String>>,
    pub(crate) traces_left: Option<Vec<String>>,
    pub(crate) problems: Vec<String>,
    pub(crate) notes: Vec<(f64, String, Value)>,
    pub(crate) watching: usize,
    pub(crate) registrations: usize,
    pub(crate) seconds: f64,
}

/// Calls that ended with the host that carried them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Excused {
    pub(crate) cut: usize,
    pub(crate) lost: usize,
}

impl Outcome {
    /// Of a story that was played.
    pub(crate) fn of(name: &str, story: Story<'_>, course: &Course, seconds: f64) -> Self {
        let ledger = story.ledger();
        let totals = ledger.totals(|_| true);
        let excused = story
            .injected
            .as_ref()
            .map_or(Excused::default(), |i| excused(&ledger, i, totals));
        let (watching, registrations) = (ledger.watching, ledger.registrations);
        drop(ledger);
        Self {
            name: name.into(),
            kind: story.kind,
            decider: story.decider,
            fault: story.fault,
            injected: story.injected,
            marks: story.marks,
            totals,
            excused,
            split: course.split.iter().cloned().collect(),
            registrations_lost: story.registrations_lost,
            traces_left: story.traces_left,
            problems: story.problems,
            notes: story.notes,
            watching,
            registrations,
            seconds,
        }
    }

    /// Calls lost that did not live on what was killed.
    pub(crate) fn lost(&self) -> usize {
        self.totals.lost - self.excused.lost
    }

    /// Calls cut that did not live on what was killed.
    pub(crate) fn cut(&self) -> usize {
        self.totals.cut - self.excused.cut
    }

    /// Every promise that was not kept, in words.
    pub(crate) fn broken(&self) -> Vec<String> {
        let mut broken = self.problems.clone();
        let mut expect_none = |count: usize, what: &str| {
            if count > 0 {
                broken.push(format!("{count} {what}"));
            }
        };
        expect_none(self.lost(), "calls lost");
        expect_none(self.cut(), "calls cut");
        expect_none(self.split.len(), "rooms split");
        expect_none(
            self.registrations_lost.as_ref().map_or(0, Vec::len),
            "registrations lost",
        );
        expect_none(self.traces_left.as_ref().map_or(0, Vec::len), "traces left");
        if self.totals.answered == 0 {
            broken.push("no call was answered at all".into());
        }
        broken
    }
}

/// As many calls as the host carried may end with it; what was being set up through it at that moment, too.
fn excused(ledger: &Ledger, injected: &Injected, totals: Totals) -> Excused {
    let under_way = ledger
        .calls()
        .filter(|c| c.is_lost() && c.offered <= injected.t && c.answered.is_none());
    Excused {
        cut: totals.cut.min(injected.lived as usize),
        lost: if injected.carries {
            under_way.count()
        } else {
            0
        },
    }
}

/// The figures of a story decided in one way; without an outcome they are not known, and why.
pub(crate) fn figures(
    report: &mut Report,
    kind: Kind,
    decider: Decider,
    outcome: Option<&Outcome>,
) {
    let prefix = format!("{}.{}", kind.word(), decider.word());
    let why = "not played in this run";
    let mut zero = |name: &str, unit: &str, count: Option<usize>, how: String| {
        let figure = Figure::new(&format!("{prefix}.{name}"), json!(count), unit).how(how);
        report.figure(match count {
            Some(count) => figure.target("0", count == 0),
            None => figure,
        });
    };
    let how = |text: &dyn Fn(&Outcome) -> String| outcome.map_or(why.to_owned(), text);
    let calls = how(&|o| {
        format!(
            "of {} offered, {} answered, {} refused first, {} by the other balancer; by their callers",
            o.totals.offered, o.totals.answered, o.totals.refused, o.totals.failovers
        )
    });
    zero(
        "calls.lost",
        "calls",
        outcome.map(Outcome::lost),
        calls.clone(),
    );
    zero("calls.cut", "calls", outcome.map(Outcome::cut), calls);
    zero(
        "rooms.split",
        "rooms",
        outcome.map(|o| o.split.len()),
        how(&|o| {
            if o.kind == Kind::ByStack {
                "asked of the Asterisks; nobody books rooms in this story".into()
            } else {
                "open on two Asterisks at once, asked of themselves every 2 s".into()
            }
        }),
    );
    zero(
        "registrations.lost",
        "subscribers",
        outcome
            .and_then(|o| o.registrations_lost.as_ref())
            .map(Vec::len),
        how(&|o| {
            format!(
                "whose last REGISTER was answered by 200, without a row in the database; {} REGISTERs",
                o.registrations
            )
        }),
    );
    zero(
        "traces.left",
        "places",
        outcome.and_then(|o| o.traces_left.as_ref()).map(Vec::len),
        how(&|o| match &o.traces_left {
            Some(left) if left.is_empty() => {
                "of the member that went, in DNS, database, tables, inventories, namespaces".into()
            }
            Some(left) => left.join(", "),
            None => "nobody went".into(),
        }),
    );
    let marks = outcome.map(|o| o.marks.clone()).unwrap_or_default();
    let span = |from: Option<f64>, to: Option<f64>| Some(rounded((to? - from?).max(0.0)));
    let bare = span(marks.crossed, marks.first_call)
        .zip(marks.boot_s)
        .map(|(whole, boot)| rounded((whole - boot).max(0.0)));
    let boot = marks
        .boot_s
        .map_or(String::new(), |b| format!("; it booted for {b:.1} s"));
    let name = format!("{prefix}.crossed_to_first_call_s");
    report.figure(Figure::new(&name, json!(bare), "s").how(how(&|_| {
        format!("from the load's crossing to the newcomer's first call, without its own boot{boot}")
    })));
    let name = format!("{prefix}.crossed_to_decision_s");
    let decided = span(marks.crossed, marks.decided);
    report.figure(
        Figure::new(&name, json!(decided), "s").how(how(&|o| match o.decider {
            Decider::Agent => "by the agent's audit file".into(),
            Decider::Aodh => "to the alarm, by Aodh's history".into(),
        })),
    );
}

/// How many faults were injected, and how many of them cost nothing but what lived on what was killed.
pub(crate) fn faults(report: &mut Report, outcomes: &[Outcome]) {
    let injected: Vec<&Outcome> = outcomes.iter().filter(|o| o.injected.is_some()).collect();
    let survived = injected.iter().filter(|o| o.broken().is_empty()).count();
    let named: Vec<String> = injected
        .iter()
        .map(|o| {
            let verdict = if o.broken().is_empty() {
                "survived"
            } else {
                "NOT survived"
            };
            format!(
                "{}: {verdict}, {} calls ended with it",
                o.name,
                o.excused.cut + o.excused.lost
            )
        })
        .collect();
    let how = if named.is_empty() {
        "no fault in this run".to_owned()
    } else {
        named.join("; ")
    };
    let count = injected.len();
    report.figure(
        Figure::new(
            "faults.injected",
            json!((count > 0).then_some(count)),
            "faults",
        )
        .how(how.clone()),
    );
    let figure = Figure::new(
        "faults.survived",
        json!((count > 0).then_some(survived)),
        "faults",
    )
    .how(how);
    report.figure(if count > 0 {
        figure.target("= faults.injected", survived == count)
    } else {
        figure
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lived_there_may_end_with_it() {
        let ledger = Ledger::default();
        let totals = Totals {
            cut: 5,
            ..Totals::default()
        };
        let injected = |lived| Injected {
            what: "x killed".into(),
            host: Some("x".into()),
            t: 1.0,
            lived,
            carries: true,
        };
        assert_eq!(excused(&ledger, &injected(3), totals).cut, 3);
        assert_eq!(excused(&ledger, &injected(9), totals).cut, 5);
        assert_eq!(excused(&ledger, &injected(0), totals), Excused::default());
    }

    #[test]
    fn only_what_was_being_set_up_through_it_is_excused_as_lost() {
        let mut ledger = Ledger::default();
        for (line, t) in [
            ("offered 1 s1 s2", 0.5),
            ("lost 1 s1 s2 404", 4.0),
            ("offered 2 s3 s4", 2.0),
            ("lost 2 s3 s4 404", 5.0),
        ] {
            ledger.note("a", line, t);
        }
        let lost = |carries| {
            let injected = Injected {
                what: "x killed".into(),
                host: Some("x".into()),
                t: 1.0,
                lived: 0,
                carries,
            };
            excused(&ledger, &injected, ledger.totals(|_| true)).lost
        };
        assert_eq!(lost(true), 1, "the later one had nothing to do with it");
        assert_eq!(lost(false), 0, "no call goes through a name server");
    }
}
