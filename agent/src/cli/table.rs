//! Aligned tables and durations for people.

/// One row.
pub(super) fn columns<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

/// Pads every column but the last to its widest cell.
pub(super) fn aligned(rows: &[Vec<String>]) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..count).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let line: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        text.push_str(line.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// As "5 min".
pub(super) fn duration(seconds: f64) -> String {
    match seconds.max(0.0) {
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7_200.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.0} h", s / 3_600.0),
        s => format!("{:.0} d", s / 86_400.0),
    }
}

/// A moment as `2026-11-22 03:14:15Z`.
pub(super) fn moment(unix_s: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "whole seconds; out of range is a dash"
    )]
    let seconds = unix_s.floor() as i64;
    jiff::Timestamp::from_second(seconds).map_or("-".into(), |moment| {
        moment.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_of_the_calendar_in_utc_and_what_is_none_is_a_dash() {
        assert_eq!(moment(1_763_800_200.9), "2025-11-22 08:30:00Z");
        assert_eq!(moment(-0.5), "1969-12-31 23:59:59Z");
        assert_eq!(moment(1e18), "-");
    }
}
