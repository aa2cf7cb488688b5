//! Legend: what colours and shapes mean, drawn with the same styles as the panels.

use std::fmt::Write;

/// Style, drawing in a box of 18 by 14, words.
const ENTRIES: [(&str, &str, &str); 15] = [
    ("demand", "M1 9L7 4 11 8 17 3", "demand"),
    ("carried", "M1 13V5H17V13Z", "calls carried"),
    ("capacity", "M1 13V2H17V13Z", "capacity"),
    ("gap", "M1 13V5H17V13Z", "not carried"),
    ("active", "M1 12V2H17V12Z", "active"),
    ("booting", "M1 12V2H17V12Z", "booting"),
    ("draining", "M1 12V2H17V12Z", "draining"),
    ("lost", "M3 13V3H8V13ZM10 13V8H15V13Z", "lost"),
    ("cut", "M3 13V3H8V13ZM10 13V8H15V13Z", "cut"),
    ("mark boot", "M9 2.8l4.4 7.8h-8.8z", "add"),
    ("mark take-back", "M9 2.8l4.4 7.8h-8.8z", "take back"),
    ("mark drain", "M9 11l-4.4-7.8h8.8z", "drain"),
    ("mark remove", "M9 11l-4.4-7.8h8.8z", "remove"),
    ("mark crash", "M5 3l8 8m0-8-8 8", "crash"),
    (
        "mark create-failed",
        "M6.2 7a2.8 2.8 0 1 0 5.6 0a2.8 2.8 0 1 0-5.6 0",
        "creation failed",
    ),
];

pub(super) fn html() -> String {
    let mut text = String::from("<ul class=\"legend\" aria-label=\"Legend\">");
    for (class, path, words) in ENTRIES {
        let _ = write!(
            text,
            "<li><svg viewBox=\"0 0 18 14\" width=\"18\" height=\"14\" aria-hidden=\"true\">\
             <path class=\"{class}\" d=\"{path}\"/></svg>{words}</li>"
        );
    }
    text.push_str("</ul>");
    text
}
