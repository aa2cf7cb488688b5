//! Tables for people: the scenarios on the terminal and as Markdown, and what was missed.

use std::fmt::Write as _;

use kamscale_agent::simulate::report::Report as Pages;
use kamscale_agent::simulate::{Outcome, Scenario};
use kamscale_tests::report::Report;

use crate::play;
use crate::row::{Row, Spread};

/// One table for each scenario, policies as rows.
pub(crate) fn scenarios(scenarios: &[Scenario], outcomes: &[Outcome]) -> String {
    // Tables need no course, which is nine tenths of an outcome.
    let bare = outcomes.iter().map(|outcome| Outcome {
        points: Vec::new(),
        marks: Vec::new(),
        scenario: outcome.scenario.clone(),
        policy: outcome.policy.clone(),
        figures: outcome.figures.clone(),
        ..*outcome
    });
    Pages::new(play::about(scenarios), play::titles(), bare.collect()).table()
}

/// The same for documents: one table of everything.
pub(crate) fn markdown(scenarios: &[Scenario], rows: &[Row]) -> String {
    let mut text = String::from(
        "| scenario | policy | lost % | calls cut | member-hours | x optimum | orders | reversals | surge s |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    for scenario in scenarios {
        let here = rows.iter().filter(|row| row.scenario == scenario.name);
        for (index, row) in here.enumerate() {
            let name = if index == 0 { &row.scenario } else { "" };
            let emphasis = if row.policy == play::OWN { "**" } else { "" };
            let surge = row
                .surge_s
                .map_or("".into(), |s| both(s, |s| format!("{s:.0}")));
            let _ = writeln!(
                text,
                "| {name} | {emphasis}{}{emphasis} | {} | {} | {} | {} | {} | {} | {surge} |",
                row.policy,
                both(row.lost_share, percent),
                both(row.cut_calls, |cut| format!("{cut:.0}")),
                both(row.member_hours, |hours| format!("{hours:.0}")),
                both(row.times_optimum, |times| format!("{times:.2}")),
                both(row.actions, |orders| format!("{orders:.0}")),
                both(row.reversals, |orders| format!("{orders:.0}")),
            );
        }
    }
    text
}

/// Median and, if it is another one, the worst.
fn both(spread: Spread, show: fn(f64) -> String) -> String {
    let (median, worst) = (show(spread.median), show(spread.worst));
    if median == worst {
        median
    } else {
        format!("{median} ({worst})")
    }
}

/// A share in percent, with two digits that count: a small loss is not shown as none.
pub(crate) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    match percent {
        p if p <= 0.0 => "0".into(),
        p if p < 0.001 => "<0.001".into(),
        p if p < 0.01 => format!("{p:.4}"),
        p if p < 0.1 => format!("{p:.3}"),
        p if p < 10.0 => format!("{p:.2}"),
        p => format!("{p:.1}"),
    }
}

/// The figures that belong to no scenario, then the targets: how many were met, and which were not.
pub(crate) fn verdicts(report: &Report) -> String {
    let mut text = String::from("by the clock\n");
    let clock = ["decide.", "simulate."];
    let figures = report.figures();
    let measured = figures
        .iter()
        .filter(|figure| clock.iter().any(|prefix| figure.name().starts_with(prefix)));
    text.push_str(&Report::table_of(measured.collect::<Vec<_>>()));
    let asked = figures.iter().filter(|figure| figure.has_target());
    let missed = asked.clone().filter(|figure| !figure.is_met());
    let by_worst = asked
        .clone()
        .filter(|figure| figure.is_met() && !figure.is_met_by_worst());
    let (missed, by_worst): (Vec<_>, Vec<_>) = (missed.collect(), by_worst.collect());
    let asked = asked.count();
    let _ = writeln!(text, "\n{} of {asked} targets met", asked - missed.len());
    if !missed.is_empty() {
        text.push_str("missed\n");
        text.push_str(&Report::table_of(missed));
    }
    if !by_worst.is_empty() {
        text.push_str("met by the median, not on the worst day\n");
        text.push_str(&Report::table_of(by_worst));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_loss_is_not_shown_as_none() {
        let shown = [0.0, 1e-9, 0.000_043, 0.000_21, 0.021, 0.311].map(percent);
        assert_eq!(shown, ["0", "<0.001", "0.0043", "0.021", "2.10", "31.1"]);
    }
}
