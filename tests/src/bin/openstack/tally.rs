//! The sums over all scenarios and the moments that were measured, and the figures made of them. It
//! must not play anything.

use std::sync::{Mutex, MutexGuard, PoisonError};

use kamscale_tests::report::{Figure, Report, rounded};
use serde_json::json;

use crate::traffic::Calls;

/// From the load's step, in seconds, the time that members took to boot left out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Loop {
    pub(crate) decide_s: f64,
    pub(crate) member_s: f64,
    pub(crate) first_call_s: f64,
}

/// One of the moments.
type Part = fn(&Loop) -> f64;

#[derive(Debug, Default)]
struct Sums {
    calls: Calls,
    leaked: usize,
    created: usize,
    created_twice: usize,
    scenarios: usize,
    agent: Vec<Loop>,
    aodh: Vec<Loop>,
    stock_aodh: Option<Loop>,
    more: Vec<Figure>,
}

/// Sums to which all scenarios add.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    sums: Mutex<Sums>,
}

impl Tally {
    fn sums(&self) -> MutexGuard<'_, Sums> {
        self.sums.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls of a scenario.
    pub(crate) fn calls(&self, calls: Calls) {
        self.sums().calls.add(calls);
    }

    /// What the plug-in's book says at the end of a scenario.
    pub(crate) fn members(&self, created: usize, created_twice: usize, leaked: usize) {
        let mut sums = self.sums();
        sums.scenarios += 1;
        sums.created += created;
        sums.created_twice += created_twice;
        sums.leaked += leaked;
    }

    /// A turn of the loop in which the agent decided.
    pub(crate) fn agent(&self, turn: Loop) {
        self.sums().agent.push(turn);
    }

    /// A turn of the loop in which Aodh decided, evaluating each second.
    pub(crate) fn aodh(&self, turn: Loop) {
        self.sums().aodh.push(turn);
    }

    /// A turn of the loop with Aodh as it is installed.
    pub(crate) fn stock_aodh(&self, turn: Loop) {
        self.sums().stock_aodh = Some(turn);
    }

    /// Another figure.
    pub(crate) fn figure(&self, figure: Figure) {
        self.sums().more.push(figure);
    }

    /// Adds all figures.
    pub(crate) fn report(&self, report: &mut Report) {
        let sums = self.sums();
        loops(report, &sums);
        let offered = sums.calls.offered;
        let zero = |name: &str, count: u64, unit: &str, how: String| {
            Figure::new(name, count, unit)
                .target("0", count == 0)
                .how(how)
        };
        let callers = format!(
            "of {offered} offered in {} scenarios, by the callers",
            sums.scenarios
        );
        report.figure(zero(
            "calls.failed",
            sums.calls.failed,
            "calls",
            callers.clone(),
        ));
        report.figure(zero("calls.cut", sums.calls.cut, "calls", callers));
        let book = format!("of {} made, by the plug-in's own book", sums.created);
        report.figure(zero(
            "members.leaked",
            sums.leaked as u64,
            "members",
            book.clone(),
        ));
        report.figure(zero(
            "members.created_twice",
            sums.created_twice as u64,
            "members",
            book,
        ));
        for figure in &sums.more {
            report.figure(figure.clone());
        }
    }
}

fn loops(report: &mut Report, sums: &Sums) {
    let aodh_call_s = median(&sums.aodh, |l| l.first_call_s);
    for (who, turns) in [("agent", &sums.agent), ("aodh", &sums.aodh)] {
        let parts: [(&str, Part); 3] = [
            ("decide_s", |l| l.decide_s),
            ("member_s", |l| l.member_s),
            ("first_call_s", |l| l.first_call_s),
        ];
        for (part, of) in parts {
            let (name, value) = (format!("loop.{who}.{part}"), median(turns, of));
            let worst = turns.iter().map(of).fold(f64::NAN, f64::max);
            let how = format!("median of {} turns, from the step of the load", turns.len());
            let mut figure = Figure::new(&name, json!(value.map(rounded)), "s").how(how);
            if turns.len() > 1 {
                figure = figure.worst(rounded(worst), None);
            }
            report.figure(match (who, part, value, aodh_call_s) {
                ("agent", "decide_s", Some(value), _) => figure.target("<= 2", value <= 2.0),
                ("agent", "first_call_s", Some(value), Some(aodh)) => {
                    figure.target("<= loop.aodh.first_call_s", value <= aodh)
                }
                _ => figure,
            });
        }
    }
    let name = "loop.agent.vs_stock_aodh";
    let ours = median(&sums.agent, |l| l.first_call_s);
    report.figure(match (ours, sums.stock_aodh) {
        (Some(ours), Some(stock)) => {
            let ratio = stock.first_call_s / ours;
            Figure::new(name, rounded(ratio), "ratio")
                .target(">= 10", ratio >= 10.0)
                .sides(json!({"first_call_s": rounded(ours)}), json!({
                    "decide_s": rounded(stock.decide_s), "member_s": rounded(stock.member_s),
                    "first_call_s": rounded(stock.first_call_s)}))
                .how("to the newcomer's first call; Aodh: evaluated every 60 s, granularity 60 s, one turn")
        }
        _ => Figure::new(name, json!(null), "ratio").how("only in the full run"),
    });
}

fn median(turns: &[Loop], of: impl Fn(&Loop) -> f64) -> Option<f64> {
    let mut values: Vec<f64> = turns.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        n if n % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}
