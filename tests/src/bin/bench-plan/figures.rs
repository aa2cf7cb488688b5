//! From rows to the figures of the report, with what was expected beside them.

use kamscale_agent::simulate::Scenario;
use kamscale_tests::report::{Figure, Report};
use serde_json::json;

use crate::expected::{self, Limit};
use crate::row::{Row, Spread};

/// Digits after the point: for shares, and for everything else.
const SHARE_DIGITS: i32 = 8;
const DIGITS: i32 = 4;

/// Adds the figures of every scenario and policy; answers the promises that were broken.
pub(crate) fn add(report: &mut Report, scenarios: &[Scenario], rows: &[Row]) -> Vec<String> {
    let mut broken = Vec::new();
    for scenario in scenarios {
        let here: Vec<&Row> = rows
            .iter()
            .filter(|row| row.scenario == scenario.name)
            .collect();
        for row in &here {
            add_row(report, row, &here);
            if expected::cut_calls(row).is_some_and(|limit| !limit.is_met(row.cut_calls)) {
                broken.push(format!(
                    "{} cut {:.0} calls on a day of {}",
                    row.policy, row.cut_calls.worst, row.scenario
                ));
            }
        }
    }
    broken
}

fn add_row(report: &mut Report, row: &Row, scenario: &[&Row]) {
    let lost = expected::lost_share(row, scenario);
    let how = lost_how(&lost);
    let figure = |name: &str, spread: Spread, unit: &str, limit: Option<Limit>| {
        figure(row, name, spread, unit, limit)
    };
    report.figure(figure("lost_share", row.lost_share, "share", lost).how(how));
    let cut = expected::cut_calls(row);
    report.figure(figure("cut_calls", row.cut_calls, "calls", cut).how(days(row)));
    let hours = expected::member_hours(row);
    let optimum = figure("member_hours_vs_optimum", row.times_optimum, "ratio", hours);
    report.figure(optimum.how(format!(
        "{:.1} member-hours; the optimum was played on the same days; {}",
        row.member_hours.median,
        days(row)
    )));
    let least = figure("member_hours_vs_least", row.times_least, "ratio", None);
    report.figure(least.how(format!(
        "against the least that could carry its calls with instant boots; {}",
        days(row)
    )));
    report.figure(figure("actions", row.actions, "orders", None).how(days(row)));
    let reversals = expected::reversals(row);
    let reversals = figure("reversals_15min", row.reversals, "orders", reversals);
    report.figure(reversals.how(days(row)));
    report.figure(match row.surge_s {
        Some(spread) => figure("surge_to_capacity_s", spread, "s", None).how(format!(
            "from the surge to the last refusal of it, 0 if nobody was refused; {}",
            days(row)
        )),
        None => {
            let name = format!("{}.{}.surge_to_capacity_s", row.scenario, row.policy);
            Figure::new(&name, None::<f64>, "s").how("this scenario has no surge")
        }
    });
}

fn days(row: &Row) -> String {
    match row.seeds {
        (first, last) if first == last => format!("seed {first}"),
        (first, last) => format!("median and worst of the seeds {first} to {last}"),
    }
}

fn lost_how(limit: &Option<Limit>) -> String {
    let other = limit.as_ref().and_then(|limit| limit.other.as_ref());
    let best = other.and_then(|other| other["policy"].as_str());
    match (best, limit) {
        (Some(best), Some(limit)) => format!(
            "callers who gave up, of all; the best rival is {best}, a tenth of its median is {:.3e}",
            limit.most
        ),
        _ => "callers who gave up, of all".into(),
    }
}

fn figure(row: &Row, name: &str, spread: Spread, unit: &str, limit: Option<Limit>) -> Figure {
    let digits = if unit == "share" {
        SHARE_DIGITS
    } else {
        DIGITS
    };
    let name = format!("{}.{}.{name}", row.scenario, row.policy);
    let (median, worst) = (
        rounded(spread.median, digits),
        rounded(spread.worst, digits),
    );
    let figure = Figure::new(&name, median, unit);
    let Some(limit) = limit else {
        return figure.worst(worst, None);
    };
    let met_by_worst = limit.is_met_by_worst(spread);
    let mut figure = figure
        .worst(worst, Some(met_by_worst))
        .target(&limit.text, limit.is_met(spread));
    if let Some(other) = limit.other {
        figure = figure.sides(json!({"median": median, "worst": worst}), other);
    }
    figure
}

fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10f64.powi(digits);
    (value * scale).round() / scale
}
