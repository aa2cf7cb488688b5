//! Figures: the table of a scenario, with bars that compare the policies at a glance.

use std::fmt::Write;

use super::escape;
use crate::simulate::report::summary::{OPTIMUM, Row, Spread};
use crate::simulate::report::{Section, words};

const HEAD: [(&str, &str); 7] = [
    ("Policy", ""),
    ("Calls lost", "bar"),
    ("Calls cut", "bar"),
    ("Member-hours", "bar"),
    ("Actions", ""),
    ("Reversals", ""),
    ("Surge to capacity", ""),
];

/// The greatest worst values: the full length of a bar.
struct Most {
    lost: f64,
    cut: f64,
    hours: f64,
}

pub(super) fn table(section: &Section) -> String {
    let rows = section.rows();
    let most = |worst: fn(&Row) -> f64| rows.iter().map(worst).fold(0.0, f64::max);
    let most = Most {
        lost: most(|row| row.lost_calls.worst),
        cut: most(|row| row.cut_calls.worst),
        hours: most(|row| row.member_hours.worst),
    };
    let surge = rows.iter().any(|row| row.surge_to_capacity_s.is_some());
    let shown = |name: &str| surge || name != "Surge to capacity";
    let mut html = format!(
        "<div class=\"figures\"><table>\n<caption>{}</caption>\n<thead><tr>",
        caption(section)
    );
    for (name, class) in HEAD.iter().filter(|(name, _)| shown(name)) {
        let _ = write!(html, "<th scope=\"col\" class=\"{class}\">{name}</th>");
    }
    html.push_str("</tr></thead>\n<tbody>\n");
    for row in &rows {
        html.push_str(&row_html(row, &most, surge));
    }
    html.push_str("</tbody></table></div>");
    html
}

fn caption(section: &Section) -> String {
    match section.seeds().as_slice() {
        [seed] => format!("Figures of seed {seed}"),
        seeds => format!(
            "Median of {} seeds (the worst, where it differs); a tick in a bar is the worst",
            seeds.len()
        ),
    }
}

fn row_html(row: &Row, most: &Most, surge: bool) -> String {
    let class = match row.policy.as_str() {
        words::OWN => " class=\"own\"",
        OPTIMUM => " class=\"reference\"",
        _ => "",
    };
    let times = row
        .times_optimum
        .map(|times| format!("{:.2}×", times.median));
    let share = words::share(row.lost_share.median);
    let lost_note = (row.lost_calls.median > 0.0).then_some(share);
    let mut html = format!(
        "<tr{class}><th scope=\"row\">{}</th>{}{}{}{}{}",
        escape(words::display(&row.policy)),
        bar(
            row,
            row.lost_calls,
            most.lost,
            "lost",
            words::whole,
            lost_note
        ),
        bar(row, row.cut_calls, most.cut, "cut", words::whole, None),
        bar(
            row,
            row.member_hours,
            most.hours,
            "hours",
            words::hours,
            times
        ),
        number(row, row.actions, words::whole),
        number(row, row.reversals_15min, words::whole),
    );
    if surge {
        html.push_str(&match row.surge_to_capacity_s {
            Some(spread) => number(row, spread, words::duration),
            None => "<td>-</td>".into(),
        });
    }
    html.push_str("</tr>\n");
    html
}

/// A cell with a bar to the median and a tick at the worst.
fn bar(
    row: &Row,
    spread: Spread,
    most: f64,
    class: &str,
    show: fn(f64) -> String,
    note: Option<String>,
) -> String {
    let share = |value: f64| {
        if most > 0.0 {
            value / most * 100.0
        } else {
            0.0
        }
    };
    let median = share(spread.median);
    // A bar that is there at all can be seen.
    let median = if spread.median > 0.0 {
        median.max(1.0)
    } else {
        0.0
    };
    let tick = if row.seeds > 1 && spread.worst > spread.median {
        let at = share(spread.worst).max(1.0) - 0.6;
        format!("<rect class=\"worst\" x=\"{at:.2}\" width=\"0.6\" height=\"10\"/>")
    } else {
        String::new()
    };
    let note = note.map_or(String::new(), |note| format!(" <small>{note}</small>"));
    format!(
        "<td class=\"bar\"><svg viewBox=\"0 0 100 10\" preserveAspectRatio=\"none\" \
         aria-hidden=\"true\"><rect class=\"track\" width=\"100\" height=\"10\"/>\
         <rect class=\"{class}\" width=\"{median:.2}\" height=\"10\"/>{tick}</svg>\
         <span>{}{note}{}</span></td>",
        show(spread.median),
        worst(row, spread, show),
    )
}

fn number(row: &Row, spread: Spread, show: fn(f64) -> String) -> String {
    format!(
        "<td>{}{}</td>",
        show(spread.median),
        worst(row, spread, show)
    )
}

/// The worst, if it is another than the median.
fn worst(row: &Row, spread: Spread, show: fn(f64) -> String) -> String {
    let (median, worst) = (show(spread.median), show(spread.worst));
    if row.seeds > 1 && worst != median {
        format!(" <small>({worst})</small>")
    } else {
        String::new()
    }
}
