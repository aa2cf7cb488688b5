//! What came of one run: figures, the course over time, and the marks in it.

use serde::Serialize;

/// One run of one policy in one scenario with one seed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// The scenario's name.
    pub scenario: String,
    /// The policy's name.
    pub policy: String,
    /// The seed.
    pub seed: u64,
    /// How long the run lasted, in simulated seconds.
    pub duration_s: f64,
    /// The figures.
    pub figures: Figures,
    /// The course, at equal steps.
    pub points: Vec<Point>,
    /// What happened, oldest first.
    pub marks: Vec<Mark>,
}

/// The figures of one run.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Figures {
    /// First attempts.
    pub offered_calls: u64,
    /// Callers who gave up because nothing took their call.
    pub lost_calls: u64,
    /// Lost per offered.
    pub lost_share: f64,
    /// Calls that ended because the scaler had their member deleted.
    pub cut_calls: u64,
    /// Calls that ended because a member crashed: not the policy's fault, but more where members are
    /// fuller.
    pub crashed_calls: u64,
    /// Hours of members that existed: booting, active and draining. Creations that fail cost nothing.
    pub member_hours: f64,
    /// Additions and removals, one for each order; the removal that ends a drain is not counted again.
    pub actions: u64,
    /// Orders that turned the one before round, less than 15 minutes after it.
    pub reversals_15min: u64,
    /// Seconds from the surge to the last refusal of it; 0 if nobody was refused; `None` without a surge.
    pub surge_to_capacity_s: Option<f64>,
    /// The least member-hours that could carry every call: the integral of max(min, ceil(calls / capacity)).
    pub least_member_hours: f64,
}

/// The pool at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Point {
    /// Seconds since the start.
    pub t_s: f64,
    /// Calls there would be if none were ever lost or cut.
    pub demand_calls: u32,
    /// Calls that are carried.
    pub calls: u32,
    /// Calls that fit on active members.
    pub capacity_calls: u32,
    /// Active members.
    pub active: u32,
    /// Booting members.
    pub booting: u32,
    /// Draining members.
    pub draining: u32,
    /// Callers lost since the last point.
    pub lost: u32,
    /// Calls cut since the last point.
    pub cut: u32,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Mark {
    /// Seconds since the start.
    pub t_s: f64,
    /// `boot`, `drain`, `take_back`, `remove`, `crash`, `create_failed`, `outage`, `surge`, `blackout`.
    pub what: String,
    /// How many members; 0 if it is none of a member.
    pub count: u32,
    /// Why, in words.
    pub reason: String,
}
