//! Memory: what the plan must know of earlier decisions and observations of one pool.
//!
//! It is kept in the state file, so that a restarted agent goes on where it was. Moments are unix
//! seconds; durations that guard a removal are counted up tick by tick, so that a leaping clock
//! cannot end them.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::number::count;
use super::{Flow, Policy};

/// Buckets into which the stabilization window is cut; bounds the memory.
const WINDOW_BUCKETS: f64 = 60.0;
/// A trend is looked for over so many windows, each cut into so many parts.
const TREND_WINDOWS: f64 = 4.0;
const TREND_PARTS: f64 = 4.0;
/// Calls scatter by the square root of their number; so many times that is chance.
const CHANCE: f64 = 3.0;
/// Creations whose duration is remembered, and how many must be before they are believed.
const BOOTS: usize = 20;
const BELIEVE_BOOTS: usize = 3;

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

/// What a stretch of time needed at its highest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Peak {
    /// When the stretch began.
    pub from_s: f64,
    /// When it was last added to.
    pub to_s: f64,
    /// Most calls on all members.
    pub calls: u64,
    /// Most members that had to stay.
    pub keep: u32,
}

/// Member-hours used within one hour.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spent {
    /// When the hour began.
    pub from_s: f64,
    /// Member-hours used in it so far.
    pub member_hours: f64,
}

/// What is remembered of one pool.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// The moment of the first decision.
    pub first_s: Option<f64>,
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
    /// Whether that is because of a quota.
    pub quota_reached: bool,
    /// How long the last creations took, oldest first.
    pub boots_s: VecDeque<f64>,
    /// No removal before this moment, because demand collapsed.
    pub guard_until_s: f64,
    /// What collapsed.
    pub guard_because: String,
    /// Members drained within the last ten minutes: when and how many.
    pub drained: VecDeque<(f64, u32)>,
    /// Member-hours of the last day, by hour, oldest first; only with a budget.
    pub spent: VecDeque<Spent>,
    /// Calls that come and go.
    pub flow: Flow,
    /// Members that drain.
    pub drains: BTreeMap<String, DrainClock>,
    /// Most calls by stretch of time (when it began, how many) over several windows, oldest first.
    pub trend: VecDeque<(f64, u64)>,
    /// Peaks over the stabilization window, oldest first.
    pub window: VecDeque<Peak>,
}

impl Memory {
    /// Remembers what one observation needed and forgets what is older than the window.
    pub(super) fn remember(&mut self, now_s: f64, calls: u64, keep: u32, window_s: f64) {
        let width_s = window_s / WINDOW_BUCKETS;
        match self.window.back_mut() {
            Some(last) if now_s - last.from_s < width_s => {
                last.to_s = now_s;
                last.calls = last.calls.max(calls);
                last.keep = last.keep.max(keep);
            }
            _ => self.window.push_back(Peak {
                from_s: now_s,
                to_s: now_s,
                calls,
                keep,
            }),
        }
        let oldest_s = now_s - window_s;
        while self.window.front().is_some_and(|peak| peak.to_s < oldest_s) {
            self.window.pop_front();
        }
    }

    /// Most calls and most members that had to stay within the window.
    pub(super) fn peak(&self) -> (u64, u32) {
        self.window.iter().fold((0, 0), |(calls, keep), peak| {
            (peak.calls.max(calls), peak.keep.max(keep))
        })
    }

    /// Whether the newest third of the window needed more than its oldest third, or the window more than
    /// the one before, beyond what chance explains: it is no moment to remove something.
    pub(super) fn rises(&self, now_s: f64, window_s: f64) -> bool {
        let third = self.window.len() / 3;
        let most =
            |peaks: &mut dyn Iterator<Item = &Peak>| peaks.take(third).map(|peak| peak.calls).max();
        let within = (
            most(&mut self.window.iter()),
            most(&mut self.window.iter().rev()),
        );
        let windows = (
            self.peak_between(now_s - 2.0 * window_s, now_s - window_s),
            self.peak_between(now_s - window_s, now_s),
        );
        let rises = |(before, now): (Option<u64>, Option<u64>)| {
            let (before, now) = (before.map(count), now.map(count));
            before
                .zip(now)
                .is_some_and(|(before, now)| now > before + before.sqrt())
        };
        rises(within) || rises(windows)
    }

    /// Most calls between two moments, by the remembered trend.
    fn peak_between(&self, from_s: f64, to_s: f64) -> Option<u64> {
        let parts = self.trend.iter();
        let parts = parts.filter(|(at_s, _)| (from_s..=to_s).contains(at_s));
        parts.map(|(_, calls)| *calls).max()
    }

    /// Remembers the most calls of stretches of the window, over several windows.
    pub(super) fn remember_trend(&mut self, now_s: f64, calls: u64, window_s: f64) {
        let width_s = window_s / TREND_PARTS;
        match self.trend.back_mut() {
            Some((from_s, most)) if now_s - *from_s < width_s => *most = calls.max(*most),
            _ => self.trend.push_back((now_s, calls)),
        }
        let oldest_s = now_s - TREND_WINDOWS * window_s - width_s;
        while self
            .trend
            .front()
            .is_some_and(|(from_s, _)| *from_s < oldest_s)
        {
            self.trend.pop_front();
        }
    }

    /// By how many calls per second demand falls: the peak of the newest window against that of the
    /// oldest remembered one, if chance does not explain the difference.
    pub(super) fn fall_per_s(&self, now_s: f64, window_s: f64) -> Option<f64> {
        let apart_s = (TREND_WINDOWS - 1.0) * window_s;
        let (oldest_s, _) = self.trend.front()?;
        if now_s - oldest_s < TREND_WINDOWS * window_s {
            return None;
        }
        let now = count(self.peak_between(now_s - window_s, now_s)?);
        let before = count(self.peak_between(now_s - apart_s - window_s, now_s - apart_s)?);
        let fall = before - now;
        (fall > CHANCE * before.sqrt()).then_some(fall / apart_s)
    }

    /// Learns how long creations take.
    pub(super) fn learn_boots(&mut self, booted_s: &[f64]) {
        for boot_s in booted_s.iter().filter(|boot_s| boot_s.is_finite()) {
            if self.boots_s.len() == BOOTS {
                self.boots_s.pop_front();
            }
            self.boots_s.push_back(boot_s.max(0.0));
        }
    }

    /// What nine of ten creations stay below; what the policy says until enough were seen.
    pub(super) fn boot_p90_s(&self, policy: &Policy) -> f64 {
        if self.boots_s.len() < BELIEVE_BOOTS {
            return policy.boot_s;
        }
        let mut boots_s: Vec<f64> = self.boots_s.iter().copied().collect();
        boots_s.sort_by(f64::total_cmp);
        boots_s[(boots_s.len() * 9).div_ceil(10) - 1]
    }

    /// Forgets the demand seen so far: what follows is watched anew.
    pub(super) fn forget_demand(&mut self) {
        self.window.clear();
        self.trend.clear();
        self.flow.samples.clear();
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
