//! The promises of the day and whether they were kept. A promise is about calls, processes and
//! pools; how fast something went is told and never judged.

use kamscale_tests::report::{Figure, Report, rounded};
use kamscale_tests::{PATIENCE, Sipp};
use serde_json::{Value, json};

use crate::course::Course;
use crate::members::{Life, events_of, step};
use crate::processes::Fingerprint;
use crate::scenario::{CAPACITY, Callers, LONG_CALLS, MOST_MEMBERS, Stage};

/// Everything that is judged.
pub(crate) struct Day<'a> {
    pub(crate) course: &'a Course,
    pub(crate) lives: &'a [Life],
    pub(crate) before: &'a Fingerprint,
    pub(crate) after: &'a Fingerprint,
}

/// Calls of one caller, by its own statistics.
#[derive(Clone, Copy, Default)]
struct Calls {
    offered: u64,
    answered: u64,
    /// Ended by the caller's own BYE, which was answered.
    hung_up: u64,
    failed: u64,
}

impl Calls {
    fn of(caller: &Sipp) -> Self {
        let (steps, totals) = (caller.steps(), caller.totals());
        Self {
            offered: step(&steps, "0_INVITE_Sent"),
            answered: step(&steps, "3_200_Recv"),
            hung_up: step(&steps, "7_200_Recv"),
            failed: totals.failed,
        }
    }

    fn and(self, other: Self) -> Self {
        Self {
            offered: self.offered + other.offered,
            answered: self.answered + other.answered,
            hung_up: self.hung_up + other.hung_up,
            failed: self.failed + other.failed,
        }
    }

    fn failures(&self) -> u64 {
        self.failed.max(self.offered.abs_diff(self.answered))
    }
}

impl Day<'_> {
    /// Adds every figure.
    pub(crate) fn judge(&self, report: &mut Report, stage: &Stage<'_>, callers: &mut Callers) {
        for caller in [&mut callers.long, &mut callers.short, &mut callers.queue] {
            caller.wait(PATIENCE);
        }
        let queue = Calls::of(&callers.queue);
        let conference = Calls::of(&callers.long).and(Calls::of(&callers.short));
        self.judge_calls(report, stage, conference.and(queue));
        self.judge_members(report);
        self.judge_kamailio(report);
        self.judge_queue(report, queue, stage);
        self.judge_removals(report);
        judge_decisions(report, stage);
        self.tell_speed(report);
    }

    fn judge_calls(&self, report: &mut Report, stage: &Stage<'_>, all: Calls) {
        let statistic = |name: &str| stage.kamailio.statistic(&format!("dialog:{name}"));
        let dialogs = statistic("processed_dialogs");
        let bad_dialogs = statistic("failed_dialogs") + statistic("expired_dialogs");
        let peak = self
            .course
            .samples
            .iter()
            .map(|s| s.calls("conference"))
            .max()
            .unwrap_or(0);
        report.figure(
            Figure::new("calls.offered", all.offered, "calls")
                .target("= dialogs of Kamailio", all.offered == dialogs)
                .how(format!(
                    "INVITEs of the callers; Kamailio saw {dialogs} dialogs"
                )),
        );
        report.figure(
            Figure::new("calls.answered", all.answered, "calls")
                .target("= offered", all.answered == all.offered)
                .how("INVITEs that got their 200, by the callers"),
        );
        report.figure(
            Figure::new("calls.failed", all.failures(), "calls")
                .target("0", all.failures() == 0 && bad_dialogs == 0)
                .how(format!(
                    "by the callers; Kamailio: {bad_dialogs} failed or expired dialogs"
                )),
        );
        let cut = all.answered.abs_diff(all.hung_up);
        let left = statistic("active_dialogs");
        report.figure(
            Figure::new("calls.cut", cut, "calls")
                .target("0", cut == 0 && left == 0)
                .how(format!(
                    "answered, without an answered BYE of their own; {left} dialogs left"
                )),
        );
        report.figure(
            Figure::new("calls.peak", peak, "calls")
                .target(&format!(">= {LONG_CALLS}"), peak >= LONG_CALLS)
                .how("conference calls at once, from shared memory"),
        );
    }

    fn judge_members(&self, report: &mut Report) {
        let active = |s: &kamscale_tests::Sample| s.count("conference", "active");
        let peak = self.course.samples.iter().map(active).max().unwrap_or(0);
        let first = self.course.samples.first().map_or(0, active);
        let last = self.course.samples.last();
        let end = last.map_or(0, |s| s.members("conference").count());
        let busiest = self.lives.iter().map(|l| l.peak).max().unwrap_or(0);
        report.figure(
            Figure::new("members.start", first, "members")
                .target("1", first == 1)
                .how("active in the first sample"),
        );
        report.figure(
            Figure::new("members.peak", peak, "members")
                .target(&MOST_MEMBERS.to_string(), peak == MOST_MEMBERS as usize)
                .how("active at once; nobody touched the pool"),
        );
        report.figure(
            Figure::new("members.end", end, "members")
                .target("1", end == 1)
                .how("in the table at the end, in any state"),
        );
        report.figure(
            Figure::new("members.busiest", busiest, "calls").how(format!(
                "most calls at once on one member; its capacity is {CAPACITY}"
            )),
        );
    }

    fn judge_kamailio(&self, report: &mut Report) {
        let restarts = self.before.restarts(self.after);
        report.figure(
            Figure::new("kamailio.restarts", restarts, "processes")
                .target("0", restarts == 0)
                .how(format!(
                    "{} processes: ids and start times compared, and the boot id",
                    self.before.count()
                )),
        );
        let reloads = self.before.reloads(self.after);
        report.figure(
            Figure::new("kamailio.reloads", json!(reloads), "reloads")
                .target("0", reloads == Some(0))
                .how(self.before.how()),
        );
    }

    fn judge_queue(&self, report: &mut Report, calls: Calls, stage: &Stage<'_>) {
        let entry = |s: &kamscale_tests::Sample| -> Vec<(String, &str, String)> {
            s.members("queue")
                .map(|(n, m)| (n.clone(), m.state, m.entry.clone()))
                .collect()
        };
        let first = self.course.samples.first().map(entry).unwrap_or_default();
        let changed = self
            .course
            .samples
            .iter()
            .filter(|s| entry(s) != first)
            .count();
        let decisions = events_of(self.course, "queue").count();
        let steps = stage.queue_members.iter().map(Sipp::steps);
        let (mut got, mut ended) = (0, 0);
        for steps in steps {
            got += step(&steps, "1_INVITE_Recv");
            ended += step(&steps, "6_BYE_Recv");
        }
        let lost = calls.offered.abs_diff(got) + calls.offered.abs_diff(ended) + calls.failures();
        let disturbed = changed as u64 + decisions as u64 + lost;
        report.figure(
            Figure::new("queue.disturbed", disturbed, "times")
                .target("0", disturbed == 0 && first.len() == 2)
                .how(format!(
                    "{changed} of {} samples differ, {decisions} decisions; {} calls, {got} came, \
                     {ended} ended by BYE",
                    self.course.samples.len(),
                    calls.offered
                )),
        );
    }

    fn judge_removals(&self, report: &mut Report) {
        let removed: Vec<&Life> = self.lives.iter().filter(|l| l.removed.is_some()).collect();
        let laden = |l: &&&Life| l.calls_at_removal != Some(0) || l.invites != l.byes;
        let laden = removed.iter().filter(laden).count();
        let shortest = removed.iter().filter_map(|l| l.empty_s).reduce(f64::min);
        let stopped = removed.iter().filter(|l| l.stopped.is_some()).count();
        report.figure(
            Figure::new("removed_with_calls", laden, "members")
                .target(
                    "0",
                    laden == 0 && removed.len() == MOST_MEMBERS as usize - 1,
                )
                .how(format!(
                    "of {} removed; each counted its calls itself, too, and all ended by BYE",
                    removed.len()
                )),
        );
        report.figure(
            Figure::new("removed_empty_s", json!(shortest.map(rounded)), "s")
                .target("> 0", shortest > Some(0.0) && stopped == removed.len())
                .how("shortest time with 0 calls before a member was stopped, from shared memory"),
        );
    }

    fn tell_speed(&self, report: &mut Report) {
        let new = || self.lives.iter().filter(|l| l.ordered.is_some());
        let worst = |from: fn(&Life) -> Option<f64>| -> Value {
            let spans = new().filter_map(|l| Some(l.first_call? - from(l)?));
            json!(spans.reduce(f64::max).map(|s| rounded(s.max(0.0))))
        };
        let unused = new().filter(|l| l.first_call.is_none()).count();
        report.figure(
            Figure::new("newcomers.unused", unused, "members")
                .target("0", unused == 0 && new().count() > 0)
                .how(format!(
                    "of {} newcomers, those that never got a call",
                    new().count()
                )),
        );
        report.figure(
            Figure::new("surge_to_first_use_s", worst(|l| l.ordered), "s")
                .how("slowest newcomer: from the decision to its first call (it boots for 2 s)"),
        );
        report.figure(
            Figure::new("ready_to_first_use_s", worst(|l| l.ready), "s")
                .how("slowest newcomer: from its second answer to OPTIONS to its first call"),
        );
    }
}

/// Every decision on record comes out the same when the plan is asked again.
fn judge_decisions(report: &mut Report, stage: &Stage<'_>) {
    let file = stage.agent.audit_file();
    let replayed = stage
        .agent
        .try_cli(&["plan", "--replay", &file.to_string_lossy()]);
    let (decisions, same, how) = match &replayed {
        Ok(answer) => {
            let count = |name: &str| answer[name].as_u64().unwrap_or(0);
            let how = "decisions in the audit log, decided again by `kamscale plan --replay`";
            (count("decisions"), count("same"), how.to_owned())
        }
        Err(problem) => (0, 0, problem.clone()),
    };
    report.figure(
        Figure::new("decisions.replayed", same, "decisions")
            .target("= decisions on record", same == decisions && decisions > 0)
            .how(format!("{decisions} {how}")),
    );
}
