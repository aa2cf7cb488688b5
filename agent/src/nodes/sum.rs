//! What several nodes mean together: calls of a member on all of them, demand, revisions.
//!
//! It is pure: it is told reports and the time. What is missing may add and never remove: calls are
//! known only if every node said them lately, but for demand the last that a node said stands.

use std::collections::{BTreeMap, BTreeSet};

use super::{Expected, FeatureReport, NodeReport, PoolReport, Waited};

/// The other nodes that serve the same pools.
///
/// A report that does not name a pool says nothing about its calls (its Kamailio may be away); one
/// that names the pool but not a member says that the node has no call there, if it names all.
#[derive(Debug, Clone, Default)]
pub struct Nodes {
    own: String,
    max_age_s: f64,
    /// By name: every expected node but the own one, heard or not.
    others: BTreeMap<String, Heard>,
    /// Why it is not known which nodes there are, if so.
    unknown: Option<String>,
    /// What nodes counted that are gone: sums go on over them.
    gone: Gone,
}

/// What nodes had counted when they went.
#[derive(Debug, Clone, Default)]
struct Gone {
    pools: BTreeMap<String, PoolSum>,
    features: BTreeMap<String, [u64; 3]>,
}

/// What was heard of one node.
#[derive(Debug, Clone, Default)]
struct Heard {
    waited: Waited,
    last: Option<(f64, u64)>,
    pools: BTreeMap<String, HeardPool>,
    features: BTreeMap<String, [Growth; 3]>,
}

/// What it last said of a pool.
#[derive(Debug, Clone)]
struct HeardPool {
    at_s: f64,
    report: PoolReport,
    names_all: bool,
    members: BTreeMap<String, u32>,
    /// Those that the last report named, if it did not name all.
    said: BTreeSet<String>,
    started: Growth,
    refused: Growth,
}

/// What is counted by all other nodes together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PoolSum {
    /// Calls in the pool, as far as known: at least so many.
    pub calls: u64,
    /// Calls begun since each node was first heard; only grows.
    pub started: u64,
    /// Requests refused since each node was first heard; only grows.
    pub refused: u64,
}

impl Nodes {
    /// Nothing is heard yet. `own` need not be among the expected ones.
    pub fn new(expected: &[String], own: &str, max_age_s: f64) -> Nodes {
        let mut nodes = Nodes {
            own: own.to_owned(),
            max_age_s,
            ..Nodes::default()
        };
        nodes.expect(&Expected::all(expected));
        nodes
    }

    /// Other nodes are there now; what was heard of those that stay is kept, and what those that went had
    /// counted.
    pub fn expect(&mut self, expected: &Expected) {
        let mut known = std::mem::take(&mut self.others);
        for (name, waited) in &expected.nodes {
            if *name == self.own {
                continue;
            }
            // One that joins though it was there already is another machine with the same address.
            let stays = known.get(name).is_some_and(|heard| heard.waited <= *waited);
            let heard = stays.then(|| known.remove(name)).flatten();
            let heard = Heard {
                waited: *waited,
                ..heard.unwrap_or_default()
            };
            self.others.insert(name.clone(), heard);
        }
        for heard in known.into_values() {
            self.gone.add(heard);
        }
        self.unknown.clone_from(&expected.unknown);
    }

    /// Why it is not known which nodes there are, if so. Meanwhile no member is known to be empty.
    pub fn unknown(&self) -> Option<&str> {
        self.unknown.as_deref()
    }

    /// The other nodes that may carry calls.
    pub fn names(&self) -> impl Iterator<Item = &String> {
        self.counting().map(|(name, _)| name)
    }

    /// Those that are waited for now.
    fn counting(&self) -> impl Iterator<Item = (&String, &Heard)> {
        self.others
            .iter()
            .filter(|(_, heard)| heard.waited == Waited::Always || !heard.pools.is_empty())
    }

    /// Takes a report in. The own one, those of unexpected nodes, older ones than were heard, and
    /// those from too far in the future change nothing.
    pub fn hear(&mut self, report: &NodeReport, now_s: f64) {
        let max_age_s = self.max_age_s;
        let from_future = |at_s: f64| at_s > now_s + max_age_s;
        if !report.at_s.is_finite() || from_future(report.at_s) {
            return;
        }
        let Some(heard) = self.others.get_mut(&report.node) else {
            return;
        };
        // After the clock went back, what was heard is from the future: it would shadow all others.
        if heard.last.is_some_and(|(at_s, _)| from_future(at_s)) {
            heard.last = None;
            heard
                .pools
                .values_mut()
                .for_each(|pool| pool.at_s = f64::NEG_INFINITY);
        }
        heard.take(report);
    }

    /// Calls of a member on all other nodes; `None` if one of them did not say so lately. Only then,
    /// and with none on the own one, it is empty.
    pub fn calls_elsewhere(&self, pool: &str, member: &str, now_s: f64) -> Option<u32> {
        if self.unknown.is_some() {
            return None;
        }
        let mut calls = 0u32;
        for (_, heard) in self.counting() {
            let pool = heard.pools.get(pool)?;
            if !self.is_fresh(pool.at_s, now_s) {
                return None;
            }
            if !pool.names_all && !pool.said.contains(member) {
                return None;
            }
            calls = calls.saturating_add(pool.members.get(member).copied().unwrap_or(0));
        }
        Some(calls)
    }

    /// Calls of a member on all other nodes by the last that each said: for demand, never for a
    /// removal.
    pub fn calls_last_known(&self, pool: &str, member: &str) -> u32 {
        let pools = self
            .others
            .values()
            .filter_map(|heard| heard.pools.get(pool));
        pools.fold(0, |calls, pool| {
            calls.saturating_add(pool.members.get(member).copied().unwrap_or(0))
        })
    }

    /// What all other nodes count of a pool, by the last that each said.
    pub fn pool(&self, pool: &str) -> PoolSum {
        let pools = self
            .others
            .values()
            .filter_map(|heard| heard.pools.get(pool));
        let gone = self.gone.pools.get(pool).copied().unwrap_or_default();
        pools.fold(gone, |sum, pool| PoolSum {
            calls: sum.calls.saturating_add(pool.report.calls),
            started: sum.started.saturating_add(pool.started.sum),
            refused: sum.refused.saturating_add(pool.refused.sum),
        })
    }

    /// Requests of a feature at all other nodes since each was first heard; only grows.
    pub fn feature(&self, feature: &str) -> FeatureReport {
        let counts = self
            .others
            .values()
            .filter_map(|heard| heard.features.get(feature));
        let [offered, admitted, refused] =
            self.gone.features.get(feature).copied().unwrap_or_default();
        let gone = FeatureReport {
            offered,
            admitted,
            refused,
        };
        counts.fold(gone, |sum, [offered, admitted, refused]| FeatureReport {
            offered: sum.offered.saturating_add(offered.sum),
            admitted: sum.admitted.saturating_add(admitted.sum),
            refused: sum.refused.saturating_add(refused.sum),
        })
    }

    /// Nodes that did not report lately, with the age in seconds of their last report, if any.
    pub fn silent(&self, now_s: f64) -> Vec<(String, Option<f64>)> {
        self.missing(now_s, |heard| heard.last.map(|(at_s, _)| at_s))
    }

    /// Nodes that did not say lately what calls they have in a pool, with the age in seconds of the
    /// last time that they did. While there is one, no member of the pool can be known to be empty.
    pub fn silent_about(&self, pool: &str, now_s: f64) -> Vec<(String, Option<f64>)> {
        self.missing(now_s, |heard| heard.pools.get(pool).map(|pool| pool.at_s))
    }

    /// The smallest revision of the shared table among this node and all others; `None` if one of
    /// them did not report lately.
    pub fn min_revision(&self, own_revision: u64, now_s: f64) -> Option<u64> {
        if self.unknown.is_some() {
            return None;
        }
        self.counting().try_fold(own_revision, |least, (_, heard)| {
            let (at_s, revision) = heard.last?;
            self.is_fresh(at_s, now_s).then(|| least.min(revision))
        })
    }

    fn missing(
        &self,
        now_s: f64,
        said_at_s: impl Fn(&Heard) -> Option<f64>,
    ) -> Vec<(String, Option<f64>)> {
        let others = self.counting();
        let others = others.map(|(name, heard)| (name, said_at_s(heard)));
        others
            .filter(|(_, at_s)| !at_s.is_some_and(|at_s| self.is_fresh(at_s, now_s)))
            .map(|(name, at_s)| {
                let age_s = at_s.map(|at_s| (now_s - at_s).max(0.0));
                (name.clone(), age_s.filter(|age_s| age_s.is_finite()))
            })
            .collect()
    }

    /// Clocks differ a little: what is slightly from the future is of now.
    fn is_fresh(&self, at_s: f64, now_s: f64) -> bool {
        (now_s - at_s).abs() <= self.max_age_s
    }
}

impl Gone {
    fn add(&mut self, heard: Heard) {
        for (name, pool) in heard.pools {
            // Its calls ended with it.
            let sum = self.pools.entry(name).or_default();
            sum.started = sum.started.saturating_add(pool.started.sum);
            sum.refused = sum.refused.saturating_add(pool.refused.sum);
        }
        for (name, counts) in heard.features {
            let sums = self.features.entry(name).or_default();
            for (sum, growth) in sums.iter_mut().zip(counts) {
                *sum = sum.saturating_add(growth.sum);
            }
        }
    }
}

impl Heard {
    fn take(&mut self, report: &NodeReport) {
        let is_older = self.last.is_some_and(|(at_s, _)| at_s > report.at_s);
        match &mut self.last {
            _ if is_older => {}
            // The same moment again, but told differently: the more cautious one stands.
            Some((at_s, revision)) if *at_s == report.at_s => {
                *revision = report.revision.min(*revision);
            }
            last => *last = Some((report.at_s, report.revision)),
        }
        let mut members: BTreeMap<&str, BTreeMap<String, u32>> = BTreeMap::new();
        for ((pool, member), calls) in &report.members {
            let of_pool = members.entry(pool).or_default();
            of_pool.insert(member.clone(), *calls);
        }
        for (name, pool) in &report.pools {
            let members = members.remove(name.as_str()).unwrap_or_default();
            let heard = self.pools.entry(name.clone());
            let heard = heard.or_insert_with(|| HeardPool::new(pool));
            heard.take(report, *pool, members);
        }
        if is_older {
            return;
        }
        // Of which start of Kamailio the features count, the pools of the same report say.
        let boot_id = report.pools.values().map(|pool| pool.boot_id).max();
        for (name, counts) in &report.features {
            let counts = [counts.offered, counts.admitted, counts.refused];
            let heard = self.features.entry(name.clone());
            let heard = heard.or_insert_with(|| counts.map(|count| Growth::from(boot_id, count)));
            for (growth, count) in heard.iter_mut().zip(counts) {
                growth.add(boot_id, count);
            }
        }
    }
}

impl HeardPool {
    fn new(report: &PoolReport) -> HeardPool {
        let boot_id = Some(report.boot_id);
        HeardPool {
            at_s: f64::NEG_INFINITY,
            report: *report,
            names_all: false,
            members: BTreeMap::new(),
            said: BTreeSet::new(),
            started: Growth::from(boot_id, report.started),
            refused: Growth::from(boot_id, report.refused),
        }
    }

    fn take(&mut self, of: &NodeReport, report: PoolReport, members: BTreeMap<String, u32>) {
        let at_s = of.at_s;
        if at_s < self.at_s {
            return;
        }
        if at_s == self.at_s {
            self.report.calls = self.report.calls.max(report.calls);
            self.said.extend(members.keys().cloned());
            self.names_all |= of.names_all;
            for (member, calls) in members {
                let known = self.members.entry(member).or_default();
                *known = calls.max(*known);
            }
        } else {
            (self.at_s, self.report, self.names_all) = (at_s, report, of.names_all);
            if of.names_all {
                self.members = members;
            } else {
                // For demand the last that was said of a member stands.
                self.said = members.keys().cloned().collect();
                self.members.extend(members);
            }
        }
        self.started.add(Some(report.boot_id), report.started);
        self.refused.add(Some(report.boot_id), report.refused);
    }
}

/// A counter of one node, followed over the starts of its Kamailio.
#[derive(Debug, Clone, Copy)]
struct Growth {
    boot_id: Option<u64>,
    last: u64,
    sum: u64,
}

impl Growth {
    /// What was counted before the node was first heard is not news.
    fn from(boot_id: Option<u64>, count: u64) -> Growth {
        Growth {
            boot_id,
            last: count,
            sum: 0,
        }
    }

    fn add(&mut self, boot_id: Option<u64>, count: u64) {
        let restarted = boot_id.is_some() && self.boot_id.is_some() && boot_id != self.boot_id;
        let grown = match count.checked_sub(self.last) {
            Some(grown) if !restarted => grown,
            // After a start counters begin at nothing, also if nobody says that there was one.
            _ => count,
        };
        self.sum = self.sum.saturating_add(grown);
        (self.boot_id, self.last) = (boot_id.or(self.boot_id), count);
    }
}

#[cfg(test)]
mod tests;
