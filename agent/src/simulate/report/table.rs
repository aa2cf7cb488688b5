//! The table for the terminal.

use super::summary::{Row, Spread};
use super::{Report, Section, words};

const HEAD: [&str; 8] = [
    "POLICY",
    "LOST SHARE",
    "CUT CALLS",
    "MEMBER-HOURS",
    "X OPTIMUM",
    "ACTIONS",
    "REVERSALS",
    "SURGE TO CAPACITY",
];

pub(super) fn text(report: &Report) -> String {
    let sections: Vec<String> = report.scenarios.iter().map(section_text).collect();
    sections.join("\n")
}

fn section_text(section: &Section) -> String {
    let rows = section.rows();
    let mut cells: Vec<[String; 8]> = vec![HEAD.map(str::to_owned)];
    cells.extend(rows.iter().map(row_cells));
    let offered = rows
        .iter()
        .map(|row| row.offered_calls.median)
        .fold(0.0, f64::max);
    let seeds = match section.seeds().as_slice() {
        [seed] => format!("seed {seed}"),
        seeds => format!("median (worst) of {} seeds", seeds.len()),
    };
    let title = match section.about.title.trim_end_matches('.') {
        "" => String::new(),
        title => format!(": {title}"),
    };
    format!(
        "{}{title}\n{} calls offered, {seeds}\n{}",
        section.about.name,
        words::whole(offered),
        aligned(&cells)
    )
}

fn row_cells(row: &Row) -> [String; 8] {
    let optional = |spread: Option<Spread>, show: fn(f64) -> String| {
        spread.map_or("-".into(), |spread| cell(row, spread, show))
    };
    [
        row.policy.clone(),
        cell(row, row.lost_share, words::share),
        cell(row, row.cut_calls, words::whole),
        cell(row, row.member_hours, words::hours),
        optional(row.times_optimum, |times| format!("{times:.2}")),
        cell(row, row.actions, words::whole),
        cell(row, row.reversals_15min, words::whole),
        optional(row.surge_to_capacity_s, words::duration),
    ]
}

fn cell(row: &Row, spread: Spread, show: fn(f64) -> String) -> String {
    if row.seeds == 1 {
        return show(spread.median);
    }
    format!("{} ({})", show(spread.median), show(spread.worst))
}

/// The policy to the left, numbers to the right.
fn aligned(rows: &[[String; 8]]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let mut text = String::new();
    for row in rows {
        for (column, cell) in row.iter().enumerate() {
            let width = width(column);
            if column == 0 {
                text.push_str(&format!("{cell:width$}"));
            } else {
                text.push_str(&format!("  {cell:>width$}"));
            }
        }
        text.push('\n');
    }
    text
}
