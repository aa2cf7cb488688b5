//! The simulator: the plan function against traffic, boots and faults, without waiting for them.
//!
//! A discrete-event model of one pool: calls arrive, last and end; balancers place them; members boot,
//! fail, drain and die. Whoever scales the pool is a [`Scaler`]: the plan function that the agent runs,
//! unchanged, or one of the rules that people use today. Everything is decided by a seed; the model
//! must not read a clock, a file or the network.

mod balancer;
mod kamscale;
mod outcome;
mod policies;
mod random;
pub mod report;
pub mod rivals;
mod run;
mod scale;
mod scaler;
mod scenario;
pub mod trace;
mod traffic;
mod wheel;
mod world;

pub use kamscale::Kamscale;
pub use outcome::{Figures, Mark, Outcome, Point};
pub use policies::{OPTIMUM, OWN, POLICIES};
pub use run::run;
pub use scale::{POOL_MEMBERS, POOLS, Scale, scale};
pub use scaler::{Decision, Scaler, SimMember, SimPhase, Step, View};
pub use scenario::{Balancing, BootTime, Crash, Placement, Retries, Scenario, ScenarioError, Span};
pub use traffic::{Meetings, Shape, Spike, Traffic};
