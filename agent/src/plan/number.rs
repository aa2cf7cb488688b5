//! Numbers of members from loads, and loads from counts.

/// Rounds up to members; a hair above a whole number is noise of floating point, not demand.
pub(super) fn round_up(members: f64) -> u32 {
    whole((members - 1e-9).ceil())
}

/// Rounds down to members.
pub(super) fn round_down(members: f64) -> u32 {
    whole((members + 1e-9).floor())
}

fn whole(members: f64) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to the range of u32; NaN becomes 0"
    )]
    let members = members.clamp(0.0, f64::from(u32::MAX)) as u32;
    members
}

/// The nearest whole number, for words: integers are written several times faster.
pub(super) fn nearest(number: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to the range of u64; NaN becomes 0"
    )]
    let nearest = number.round().clamp(0.0, 1e18) as u64;
    nearest
}

/// A count as a number to reckon with.
pub(super) fn count(count: u64) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        reason = "exact far beyond any number of calls that there are"
    )]
    let count = count as f64;
    count
}
