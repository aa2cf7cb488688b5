//! The HTML report: one file that loads nothing, complete without its script.
//!
//! The page is put together here; `panel` draws one policy's day as SVG, `figures` the table with
//! bars. Colours and type stand in `report.css`, the crosshair in `report.js`. All text from outside
//! goes through [`escape`].

mod axis;
mod course;
mod figures;
mod harm;
mod legend;
mod lines;
mod marks;
mod members;
mod panel;

use super::{Report, Section, words};
use axis::{Frame, Scales};

const STYLE: &str = include_str!("report.css");
const SCRIPT: &str = include_str!("report.js");

/// The whole page.
pub(super) fn page(report: &Report) -> String {
    let title = match report.scenarios.as_slice() {
        [only] => format!("Kamscale simulation: {}", only.about.name),
        _ => "Kamscale simulation".to_owned(),
    };
    let sections: String = report
        .scenarios
        .iter()
        .enumerate()
        .map(|(number, section)| section_html(report, number, section))
        .collect();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <header class=\"top\"><p class=\"brand\">Kamscale <span>simulation</span></p>{nav}</header>\n\
         <main>\n{sections}</main>\n{foot}\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n",
        title = escape(&title),
        nav = nav(report),
        foot = foot(),
    )
}

/// Text that is not markup.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // No control characters: some are not allowed in HTML at all.
            other if other.is_control() => escaped.push(' '),
            other => escaped.push(other),
        }
    }
    escaped
}

fn nav(report: &Report) -> String {
    if report.scenarios.len() < 2 {
        return String::new();
    }
    let links = report
        .scenarios
        .iter()
        .enumerate()
        .map(|(number, section)| {
            format!("<a href=\"#s{number}\">{}</a>", escape(&section.about.name))
        });
    let links: Vec<String> = links.collect();
    format!("<nav aria-label=\"Scenarios\">{}</nav>", links.join(" "))
}

fn foot() -> String {
    "<footer><p>All policies meet the same calls. <b>Lost</b>: a caller gave up because nothing took \
     the call. <b>Cut</b>: a call ended because its member was deleted. <b>Member-hours</b>: hours of \
     all members that existed, booting and draining ones too, but no creations that fail. \
     <b>Actions</b>: orders to add or remove. <b>Reversals</b>: orders that turned the one before \
     round within 15 minutes. <b>Surge to capacity</b>: from the surge to the last refusal in the two \
     hours after it. <b>Optimum</b>: knows the future. \
     A simulation is evidence for a ranking, no promise.</p></footer>"
        .into()
}

fn section_html(report: &Report, number: usize, section: &Section) -> String {
    let drawn = section.drawn();
    let frame = Frame::of(&drawn, section.about.starts_at_s);
    let scales = Scales::of(&drawn, &frame);
    let panels: String = drawn
        .iter()
        .map(|run| {
            let title = report.policies.get(&run.policy).map_or("", String::as_str);
            panel::figure(run, title, &frame, &scales)
        })
        .collect();
    let title = match section.about.title.as_str() {
        "" => String::new(),
        title => format!(" <span>{}</span>", escape(title)),
    };
    format!(
        "<section id=\"s{number}\" class=\"scenario\" data-duration=\"{duration}\" \
         data-start=\"{start}\">\n<p class=\"eyebrow\"><b>{name}</b>{title}</p>\n\
         <h2>{verdict}</h2>\n<p class=\"footing\">{footing}</p>\n{figures}\n{legend}\n\
         <div class=\"panels\">\n{panels}</div>\n</section>\n",
        duration = frame.duration_s,
        start = section.about.starts_at_s,
        name = escape(&section.about.name),
        verdict = escape(&words::verdict(&drawn)),
        footing = escape(&words::footing(section, &drawn)),
        figures = figures::table(section),
        legend = legend::html(),
    )
}
