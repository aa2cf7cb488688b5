//! Flow: how many calls come and go, and how many there will be when a member ordered now is ready.
//!
//! Calls in progress trail behind demand by their holding time. Arrivals do not: with λ calls begun or
//! refused and e calls ended per second, and a mean length of 1/μ, there will be
//! `N + (λ - e) (1 - e^(-μh)) / μ` calls after h seconds (with e = N μ the transient of an M/M/∞ system;
//! W. Whitt, "The transient behavior of the M/G/∞ queue"). A rise counts only as far as chance does not
//! explain it.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::number::count;
use super::supply::Supply;
use super::{Memory, Observation, Policy};

/// Samples are kept so long, and at least so far apart.
const KEEP_S: f64 = 120.0;
const STEP_S: f64 = 5.0;
/// Older than this the newest sample says nothing of what comes.
const STALE_S: f64 = 30.0;
/// Arrivals are looked at over the newest so many seconds; short ones see a surge early, long ones a slope.
const WINDOWS_S: [f64; 5] = [5.0, 10.0, 20.0, 60.0, 120.0];
/// Ends are counted over the newest so many seconds: the mean length of calls does not tell how fast
/// those end that are left, where short and long ones are mixed.
const ENDS_S: f64 = 30.0;
/// Arrivals scatter by the square root of their number; so many times that is chance.
const CHANCE: f64 = 3.0;
/// Where few arrive they scatter more than that.
const FEW_ARRIVALS: f64 = 2.0;
/// What is learned of holding times fades within so long.
const LEARN_S: f64 = 3600.0;
/// So many calls must have ended before their mean holding time is believed.
const BELIEVE_ENDS: f64 = 20.0;
/// A drop within one step beyond this share is no ending of calls: nothing is learned of it.
const COLLAPSE: f64 = 0.3;
/// So many times as many calls as usual do not end by themselves: their member died, or their network.
const TORN: f64 = 3.0;
/// Fewer calls than this can vanish by chance.
const FEW_CALLS: f64 = 10.0;

/// The counters at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// When.
    pub t_s: f64,
    /// Calls on all members.
    pub calls: u64,
    /// Calls begun since Kamailio's start, if known.
    pub started: Option<u64>,
    /// Requests refused since Kamailio's start, if known.
    pub refused: Option<u64>,
}

/// What is remembered of the flow of calls.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Flow {
    /// Samples of the last two minutes, oldest first.
    pub samples: VecDeque<Sample>,
    /// Calls that ended; older ones count less.
    pub ended: f64,
    /// Seconds of calls in progress; older ones count less.
    pub carried_s: f64,
    /// When a request was refused last.
    pub last_refused_s: Option<f64>,
}

impl Flow {
    /// Takes one observation in; answers whether calls ended as calls do.
    pub(super) fn add(&mut self, observation: &Observation, supply: Supply, now_s: f64) -> bool {
        let sample = Sample {
            t_s: now_s,
            calls: supply.all_calls,
            started: observation.started,
            refused: observation.refused,
        };
        let Some(last) = self.samples.back() else {
            self.samples.push_back(sample);
            return true;
        };
        let (began, refused) = (
            since(last.started, sample.started),
            since(last.refused, sample.refused),
        );
        // Counters that went back belong to another Kamailio.
        if began == Some(None) || refused == Some(None) || now_s < last.t_s {
            self.samples.clear();
            self.samples.push_back(sample);
            return true;
        }
        if refused.flatten().is_some_and(|refused| refused > 0.0) {
            self.last_refused_s = Some(now_s);
        }
        if now_s - last.t_s < STEP_S {
            return true;
        }
        let calm = self.learn_holding(&sample);
        self.samples.push_back(sample);
        while self
            .samples
            .get(1)
            .is_some_and(|next| next.t_s <= now_s - KEEP_S)
        {
            self.samples.pop_front();
        }
        calm
    }

    /// Learns from the calls that ended since the last sample; not from those that were torn down.
    fn learn_holding(&mut self, sample: &Sample) -> bool {
        let Some(last) = self.samples.back() else {
            return true;
        };
        let Some(began) = since(last.started, sample.started).flatten() else {
            return true;
        };
        let (calls, earlier) = (count(sample.calls), count(last.calls));
        let step_s = sample.t_s - last.t_s;
        let ended = (began + earlier - calls).max(0.0);
        let usual = self.hold_s().map(|hold_s| {
            let by_mean = earlier * step_s / hold_s;
            by_mean.max(self.ends_per_s().unwrap_or(0.0) * step_s)
        });
        let torn = usual.is_some_and(|usual| ended > TORN * usual + FEW_CALLS)
            || calls < earlier * (1.0 - COLLAPSE) && earlier >= FEW_CALLS;
        if torn || step_s > KEEP_S {
            return !torn;
        }
        let fade = (-step_s / LEARN_S).exp();
        self.ended = self.ended * fade + ended;
        self.carried_s = self.carried_s * fade + f64::midpoint(calls, earlier) * step_s;
        true
    }

    /// Mean holding time of calls in seconds, once enough of them ended.
    pub(super) fn hold_s(&self) -> Option<f64> {
        (self.ended >= BELIEVE_ENDS && self.carried_s > 0.0).then(|| self.carried_s / self.ended)
    }

    /// Calls that there will be after `horizon_s`, at most `cap` times those of now or of `least`.
    pub(super) fn expected(
        &self,
        calls: f64,
        horizon_s: f64,
        cap: f64,
        least: f64,
        now_s: Option<f64>,
    ) -> f64 {
        // What was seen long ago says nothing of what comes.
        let newest_s = self.samples.back().map(|sample| sample.t_s);
        if newest_s
            .zip(now_s)
            .is_some_and(|(newest_s, now_s)| now_s - newest_s > STALE_S)
        {
            return calls;
        }
        let rise = match self.hold_s() {
            Some(hold_s) => {
                let reach_s = hold_s * (1.0 - (-horizon_s / hold_s).exp());
                let ends_per_s = self.ends_per_s().unwrap_or(calls / hold_s);
                (self.arrivals_per_s(ends_per_s) - ends_per_s) * reach_s
            }
            None => self.slope_per_s() * horizon_s,
        };
        let most = (cap * calls.max(least)).max(calls);
        (calls + rise.max(0.0)).min(most)
    }

    /// Calls that ended per second lately.
    fn ends_per_s(&self) -> Option<f64> {
        let newest = self.samples.back()?;
        let oldest = self.back_to(newest.t_s - ENDS_S)?;
        let span_s = newest.t_s - oldest.t_s;
        let began = since(oldest.started, newest.started).flatten()?;
        let ended = began + count(oldest.calls) - count(newest.calls);
        (span_s >= ENDS_S * 0.7).then(|| (ended / span_s).max(0.0))
    }

    /// Calls begun or refused per second: the most of the windows that chance does not explain, if
    /// without a surge there would be `usual_per_s`.
    fn arrivals_per_s(&self, usual_per_s: f64) -> f64 {
        let Some(newest) = self.samples.back() else {
            return 0.0;
        };
        let surge = |window_s: f64| {
            let oldest = self.back_to(newest.t_s - window_s)?;
            let began = since(oldest.started, newest.started).flatten()?;
            let refused = since(oldest.refused, newest.refused).flatten();
            let span_s = newest.t_s - oldest.t_s;
            let arrived = began + refused.unwrap_or(0.0);
            let usual = usual_per_s * span_s;
            // Where the window is not filled yet the few samples say too little.
            let surely = span_s >= window_s * 0.7
                && arrived - usual > CHANCE * usual.max(1.0).sqrt() + FEW_ARRIVALS;
            // The most of several windows would be the luckiest one without this.
            surely.then(|| (arrived - 0.5 * arrived.sqrt()) / span_s)
        };
        WINDOWS_S.into_iter().filter_map(surge).fold(0.0, f64::max)
    }

    /// Growth of calls per second over two minutes, less what chance may have added.
    fn slope_per_s(&self) -> f64 {
        let (Some(oldest), Some(newest)) = (self.samples.front(), self.samples.back()) else {
            return 0.0;
        };
        let span_s = newest.t_s - oldest.t_s;
        if span_s < KEEP_S / 2.0 {
            return 0.0;
        }
        let grown = count(newest.calls) - count(oldest.calls);
        ((grown - CHANCE * grown.abs().max(1.0).sqrt()) / span_s).max(0.0)
    }

    /// The newest sample not younger than a moment's; the oldest if all are younger.
    fn back_to(&self, t_s: f64) -> Option<&Sample> {
        let mut samples = self.samples.iter().rev();
        samples
            .find(|sample| sample.t_s <= t_s)
            .or(self.samples.front())
    }

    /// The share of calls that vanished within two minutes, if that is more than policy allows for.
    pub(super) fn collapse(&self, others_fell: bool, policy: &Policy) -> Option<f64> {
        let newest = self.samples.back()?;
        let peak = self.samples.iter().map(|sample| sample.calls).max()?;
        let (calls, peak) = (count(newest.calls), count(peak));
        let drop = 1.0 - calls / peak.max(1.0);
        // Where another pool's demand fell too, half of it is enough.
        let needed = policy.outage_drop * if others_fell { 0.5 } else { 1.0 };
        (peak >= FEW_CALLS && drop >= needed).then_some(drop)
    }
}

/// By how much a counter grew: `Some(None)` if it went back, `None` if it was not seen twice.
fn since(before: Option<u64>, now: Option<u64>) -> Option<Option<f64>> {
    before
        .zip(now)
        .map(|(before, now)| now.checked_sub(before).map(count))
}

/// Brings the flow up to date and sets the outage guard.
pub(super) fn watch(
    memory: &mut Memory,
    observation: &Observation,
    policy: &Policy,
    supply: Supply,
    now_s: f64,
) {
    if !memory.flow.add(observation, supply, now_s) {
        // What was torn down at once is no trend.
        memory.trend.clear();
    }
    let guarded = policy.outage_guard_s > 0.0;
    if let Some(drop) = memory
        .flow
        .collapse(observation.others_fell, policy)
        .filter(|_| guarded)
    {
        let because = format!(
            "{:.0} % of the calls vanished within two minutes, which is an outage, not a quiet evening",
            drop * 100.0
        );
        memory.guard_until_s = now_s + policy.outage_guard_s;
        memory.guard_because = because;
    }
}
