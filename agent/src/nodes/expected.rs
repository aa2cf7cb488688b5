//! Which nodes there are, and when each is waited for. It does not know who says so.

use std::collections::BTreeMap;

/// The nodes that there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expected {
    /// By name; the own one may be among them.
    pub nodes: BTreeMap<String, Waited>,
    /// Why there may be others, if so: then nothing is known to be nowhere in use.
    pub unknown: Option<String>,
}

/// When a node is waited for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Waited {
    /// Once it said what it has in a pool.
    OnceItSpoke,
    /// Always.
    #[default]
    Always,
}

impl Expected {
    /// These, all of them always.
    pub fn all(names: &[String]) -> Expected {
        let names = names.iter();
        Expected {
            nodes: names.map(|name| (name.clone(), Waited::Always)).collect(),
            unknown: None,
        }
    }
}
