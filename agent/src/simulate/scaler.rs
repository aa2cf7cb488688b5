//! The seam between the model and whoever scales: what a scaler sees, and what it may order.

/// The stage of a simulated member's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SimPhase {
    /// Ordered; not ready. A creation that will fail looks the same until its timeout.
    Booting,
    /// Takes calls.
    Active,
    /// Takes no new calls.
    Draining,
}

/// One simulated member.
#[derive(Debug, Clone, PartialEq)]
pub struct SimMember {
    /// Its number, never used twice; a greater one was ordered later.
    pub id: u32,
    /// The stage of its life.
    pub phase: SimPhase,
    /// Calls that it carries.
    pub calls: u32,
    /// When it was ordered, in seconds since the start.
    pub ordered_s: f64,
    /// When it became active first.
    pub active_s: Option<f64>,
    /// When its drain began, while it drains.
    pub draining_s: Option<f64>,
}

/// What a scaler sees of the pool.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// Seconds since the start.
    pub now_s: f64,
    /// All members that exist, oldest first.
    pub members: &'a [SimMember],
    /// Calls that each may carry.
    pub capacity_calls: u32,
    /// Whether calls and counters can be read now; in a metric blackout the cloud still shows members,
    /// but their `calls`, and `started` and `refused`, must not be looked at.
    pub metrics: bool,
    /// Calls begun since the start.
    pub started: u64,
    /// Calls refused since the start, retries counted each.
    pub refused: u64,
    /// How long each creation took that succeeded since this scaler's last look.
    pub booted_s: &'a [f64],
    /// Creations that failed since this scaler's last look.
    pub failed_creates: u32,
}

/// One order of a scaler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Order so many members; those beyond the quota are not made.
    Boot(u32),
    /// No new calls for this member. Nothing else happens to it until it is taken back or deleted.
    Drain(u32),
    /// Calls again for this draining member.
    TakeBack(u32),
    /// Delete this member at once; calls that it carries are cut.
    Delete(u32),
}

/// What a scaler decided.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Decision {
    /// Orders, carried out in this sequence.
    pub steps: Vec<Step>,
    /// Why, in words; only looked at when there are steps.
    pub reason: String,
}

/// Somebody who scales a pool.
pub trait Scaler {
    /// The policy's name in figures: `kamscale`, `talk`, `aodh`, `hpa`, `target_tracking`, `jitsi`,
    /// `optimum`.
    fn name(&self) -> &str;
    /// Seconds between two looks.
    fn interval_s(&self) -> f64;
    /// Looks and decides.
    fn decide(&mut self, view: &View<'_>) -> Decision;
}
