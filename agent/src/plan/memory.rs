//! Memory: what the plan must know of earlier decisions and observations of one pool.
//!
//! It is kept in the state file, so that a restarted agent goes on where it was. Moments are unix
//! seconds; durations that guard a removal are counted up tick by tick, so that a leaping clock
//! cannot end them.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

/// Buckets into which the stabilization window is cut; bounds the memory.
const WINDOW_BUCKETS: f64 = 60.0;

/// How long a draining member has been so, and empty.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct DrainClock {
    /// Seconds since the drain began, as far as they were watched.
    pub draining_s: f64,
    /// Seconds with 0 calls on every observation.
    pub empty_s: f64,
    /// Whether the last observation showed 0 calls.
    #[serde(default)]
    pub was_empty: bool,
}

/// The highest load and want of a stretch of time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Peak {
    /// When the stretch began.
    pub from_s: f64,
    /// When it was last added to.
    pub to_s: f64,
    /// Highest load in calls.
    pub load: f64,
    /// Highest number of members wanted.
    pub want: u32,
}

/// What is remembered of one pool.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// The moment of the last decision.
    pub last_now_s: Option<f64>,
    /// Which Kamailio was seen last.
    pub boot_id: Option<u64>,
    /// No removal before this moment, and why.
    pub no_removal_before_s: f64,
    /// Why removals wait.
    pub no_removal_because: String,
    /// Before this moment 0 calls prove nothing: Kamailio restarted and forgot what it counted.
    pub calls_unsure_before_s: f64,
    /// Since when demand has been watched without a gap.
    pub watching_since_s: Option<f64>,
    /// When good data was seen last.
    pub last_good_s: Option<f64>,
    /// The last addition.
    pub last_out_s: Option<f64>,
    /// The last removal.
    pub last_in_s: Option<f64>,
    /// The last failed creation.
    pub last_failure_s: Option<f64>,
    /// Failed creations in a row.
    pub failures_in_row: u32,
    /// No creation before this moment.
    pub no_create_before_s: f64,
    /// Members that drain.
    pub drains: BTreeMap<String, DrainClock>,
    /// Peaks over the stabilization window, oldest first.
    pub window: VecDeque<Peak>,
}

impl Memory {
    /// Remembers one observation of demand and forgets what is older than the window.
    pub(super) fn remember(&mut self, now_s: f64, load: f64, want: u32, window_s: f64) {
        let width_s = window_s / WINDOW_BUCKETS;
        match self.window.back_mut() {
            Some(last) if now_s - last.from_s < width_s => {
                last.to_s = now_s;
                last.load = last.load.max(load);
                last.want = last.want.max(want);
            }
            _ => self.window.push_back(Peak {
                from_s: now_s,
                to_s: now_s,
                load,
                want,
            }),
        }
        while self
            .window
            .front()
            .is_some_and(|peak| peak.to_s < now_s - window_s)
        {
            self.window.pop_front();
        }
    }

    /// The highest load of the window.
    pub(super) fn peak_load(&self) -> f64 {
        self.window.iter().map(|peak| peak.load).fold(0.0, f64::max)
    }

    /// The highest want of the window.
    pub(super) fn peak_want(&self) -> u32 {
        self.window.iter().map(|peak| peak.want).max().unwrap_or(0)
    }

    /// Forgets the demand seen so far: what follows is watched anew.
    pub(super) fn forget_demand(&mut self) {
        self.window.clear();
        self.watching_since_s = None;
    }

    /// No removal for so long.
    pub(super) fn block_removal(&mut self, until_s: f64, because: &str) {
        if until_s >= self.no_removal_before_s {
            self.no_removal_before_s = until_s;
            because.clone_into(&mut self.no_removal_because);
        }
    }
}
