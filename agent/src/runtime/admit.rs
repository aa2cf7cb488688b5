//! Admit: tells Kamailio how much of each feature to let in, from what its pools can take now.

use std::collections::BTreeMap;
use std::time::Duration;

use kamscale_shm::bucket::Allowance;

use super::Agent;
use crate::admission::Reading;
use crate::config::{Admit, FeatureConfig};
use crate::state::Stage;

/// What the pools can take is right for a round. Without another word it stands for so many of them,
const ROUNDS: f64 = 5.0;
/// but at least for so long: a storm outlasts a restart of the agent, and a pool that was too full when
/// the agent died is not closed for ever.
const LEAST_S: f64 = 10.0;

impl Agent {
    /// Sets the rates of all features. While Kamailio cannot be believed nothing new is said.
    pub(super) fn admit(&mut self, now_s: f64) {
        let Some(snapshot) = self.seen.snapshot.as_ref() else {
            return;
        };
        if self.seen.problem.is_some() {
            return;
        }
        let features = snapshot.features.iter();
        let features: Vec<(String, u64)> = features.map(|f| (f.name.clone(), f.requests)).collect();
        for (number, (name, offered)) in features.into_iter().enumerate() {
            let allowance = self.allowance(&name, offered, now_s);
            let stands = self.stands(&name);
            self.proxy.admit(number, &name, allowance, stands);
            match allowance {
                Some(allowance) => self.allowed.insert(name, allowance.per_s()),
                None => self.allowed.remove(&name),
            };
        }
    }

    /// What is let in of a feature; `None`: everything.
    fn allowance(&mut self, name: &str, offered: u64, now_s: f64) -> Option<Allowance> {
        let config = self.config.features.get(name)?;
        match config.admit {
            Admit::All => None,
            Admit::Rate => {
                let per_s = config.admit_per_s?;
                Some(Allowance::new(per_s, config.admit_burst.unwrap_or(per_s)))
            }
            Admit::Capacity => {
                let reading = self.intake_of(name, config, offered);
                let rate = self.intakes.entry(name.to_owned()).or_default();
                let rate = rate.allow(reading, now_s);
                Some(Allowance::new(rate.per_s, rate.burst))
            }
        }
    }

    /// How long what is let in of a feature stands when this agent says no more; `None`: for ever, as
    /// an operator's rate does.
    fn stands(&self, name: &str) -> Option<Duration> {
        let config = self.config.features.get(name)?;
        let stands_s = (ROUNDS * self.config.agent.interval_s).max(LEAST_S);
        (config.admit == Admit::Capacity).then(|| Duration::from_secs_f64(stands_s))
    }

    /// Whether what this node lets in depends on what the others carry.
    pub(super) fn admits_by_capacity(&self) -> bool {
        let mut features = self.config.features.values();
        features.any(|feature| feature.admit == Admit::Capacity)
    }

    /// What is counted on the active members of a feature's pools.
    fn intake_of(&self, feature: &str, config: &FeatureConfig, offered: u64) -> Reading {
        let mut reading = Reading {
            offered,
            offered_elsewhere: self.seen.requests_elsewhere(feature),
            nodes: self.nodes_known(),
            ..Reading::default()
        };
        let mut capacity = 0.0;
        let pools = self.config.pools.iter();
        for (pool, _) in pools.filter(|(name, pool)| pool.feature(name) == feature) {
            let elsewhere = self.seen.elsewhere(pool);
            reading.ended_elsewhere += elsewhere.started.saturating_sub(elsewhere.calls);
            let members = self.state.pools.get(pool).into_iter();
            let members = members.flat_map(|state| &state.members);
            for (name, member) in members.filter(|(_, member)| member.stage == Stage::Active) {
                capacity += f64::from(member.capacity_calls);
                reading.calls += u64::from(self.seen.calls(pool, name).unwrap_or(0));
                if let Some(row) = self.seen.member(pool, name) {
                    let ended = row.calls_total.saturating_sub(u64::from(row.calls));
                    reading.ended.push((row.id, ended));
                }
            }
        }
        reading.room = capacity * config.admit_load;
        reading
    }

    /// Requests that were refused, by feature, as far as they belong to each of its pools.
    pub(super) fn turned_away(&self) -> BTreeMap<&str, u64> {
        let snapshot = self.seen.snapshot.iter();
        let features = snapshot.flat_map(|snapshot| &snapshot.features);
        let refusing = features.filter(|feature| feature.refused > 0);
        let mut away: BTreeMap<&str, (u64, u64)> = refusing
            .map(|feature| (feature.name.as_str(), (feature.refused, 0)))
            .collect();
        if !away.is_empty() {
            for (name, config) in &self.config.pools {
                if let Some((_, pools)) = away.get_mut(config.feature(name)) {
                    *pools += 1;
                }
            }
        }
        let shares = away.into_iter();
        shares
            .map(|(feature, (refused, pools))| (feature, refused / pools.max(1)))
            .collect()
    }
}
