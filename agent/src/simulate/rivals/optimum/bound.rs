//! The plain lower bound: what any pool needs that loses nothing, boots and drains left out.

/// Member-hours of the least size at every moment: the integral of max(min, ceil(demand / capacity))
/// until the end. The demand is (seconds since the start, calls), by time; each holds until the next.
pub fn least_member_hours(
    demand: &[(f64, u32)],
    min: u32,
    capacity_calls: u32,
    until_s: f64,
) -> f64 {
    let ends_s = demand
        .iter()
        .skip(1)
        .map(|(at_s, _)| *at_s)
        .chain([until_s]);
    let member_s: f64 = demand
        .iter()
        .zip(ends_s)
        .map(|((from_s, calls), end_s)| {
            let members = calls.div_ceil(capacity_calls.max(1)).max(min);
            (end_s.min(until_s) - from_s).max(0.0) * f64::from(members)
        })
        .sum();
    member_s / 3600.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_up_the_least_size_of_every_stretch() {
        let demand = [(0.0, 100), (3600.0, 201), (7200.0, 0), (9000.0, 999)];
        // One hour of 1, one of 3, half an hour of min 1; what comes after the end does not count.
        assert!((least_member_hours(&demand, 1, 100, 9000.0) - 4.5).abs() < 1e-9);
        assert!((least_member_hours(&demand, 2, 100, 3600.0) - 2.0).abs() < 1e-9);
        assert!((least_member_hours(&[], 2, 100, 3600.0)).abs() < 1e-9);
    }
}
