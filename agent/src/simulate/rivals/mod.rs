//! The rivals: how others scale a pool, played through the same model as the plan function.
//!
//! Each is written from its own documentation and source, named in its header, with its default
//! settings; where those leave a choice, the header says what was chosen. A rival must look only at
//! what its original can see, and must not be made better or worse than it is.

mod aodh;
#[cfg(test)]
mod hand;
mod hpa;
mod jitsi;
mod optimum;
mod period;
#[cfg(test)]
mod played;
mod pool;
mod talk;
mod target_tracking;

pub use aodh::Aodh;
pub use hpa::Hpa;
pub use jitsi::Jitsi;
pub use optimum::{Foresight, Optimum, least_member_hours};
pub use talk::Talk;
pub use target_tracking::TargetTracking;

use super::Scaler;

/// The names of all rivals, in the order of [`all`].
pub const NAMES: [&str; 6] = ["talk", "aodh", "hpa", "target_tracking", "jitsi", "optimum"];

/// What every rival is told about its pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    /// The fewest members.
    pub min: u32,
    /// The most members.
    pub max: u32,
    /// Calls that each member may carry.
    pub capacity_calls: u32,
}

/// The rival of that name. `None` for a name that is not in [`NAMES`], and for `optimum` without
/// foresight.
pub fn by_name(
    name: &str,
    pool: Pool,
    foresight: Option<&Foresight>,
) -> Option<Box<dyn Scaler + Send>> {
    Some(match name {
        "talk" => Box::new(Talk::new(pool)),
        "aodh" => Box::new(Aodh::new(pool)),
        "hpa" => Box::new(Hpa::new(pool)),
        "target_tracking" => Box::new(TargetTracking::new(pool)),
        "jitsi" => Box::new(Jitsi::new(pool)),
        "optimum" => Box::new(Optimum::new(pool, foresight?.clone())),
        _ => return None,
    })
}

/// All rivals; `optimum` only with foresight.
pub fn all(pool: Pool, foresight: Option<&Foresight>) -> Vec<Box<dyn Scaler + Send>> {
    NAMES
        .iter()
        .filter_map(|name| by_name(name, pool, foresight))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const POOL: Pool = Pool {
        min: 2,
        max: 60,
        capacity_calls: 200,
    };

    #[test]
    fn every_rival_answers_to_its_name() {
        let foresight = Foresight::new(vec![(0.0, 100)], 60.0, 1500.0, 300.0);
        let names: Vec<String> = all(POOL, Some(&foresight))
            .iter()
            .map(|rival| rival.name().to_owned())
            .collect();
        assert_eq!(names, NAMES);
    }

    #[test]
    fn without_foresight_there_is_no_optimum() {
        assert_eq!(all(POOL, None).len(), NAMES.len() - 1);
        assert!(by_name("optimum", POOL, None).is_none());
        assert!(by_name("nobody", POOL, None).is_none());
    }
}
