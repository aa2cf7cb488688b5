//! Reports: what came of runs, as a table, as JSON and as one HTML file to look at.
//!
//! Figures are put together here once, so that all three say the same. It must not run anything.

mod html;
mod json;
mod summary;
mod table;
mod words;

use std::collections::BTreeMap;

use super::Outcome;
use summary::Row;

/// A scenario, as it is told to people.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct About {
    /// Its name, as in [`Outcome::scenario`].
    pub name: String,
    /// What it is, in one line.
    pub title: String,
    /// The second of the day at which it begins.
    pub starts_at_s: f64,
}

/// Runs of several policies in several scenarios.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// What each policy is, in one line, by its name.
    policies: BTreeMap<String, String>,
    scenarios: Vec<Section>,
}

/// The runs of one scenario.
#[derive(Debug, Clone, PartialEq)]
struct Section {
    about: About,
    /// In the order in which policies and seeds were given.
    runs: Vec<Outcome>,
}

impl Report {
    /// Puts runs together: scenarios in the order of `about`, policies in the order of their first run.
    pub fn new(
        about: Vec<About>,
        policies: BTreeMap<String, String>,
        outcomes: Vec<Outcome>,
    ) -> Report {
        let mut scenarios: Vec<Section> = about
            .into_iter()
            .map(|about| Section {
                about,
                runs: Vec::new(),
            })
            .collect();
        for outcome in outcomes {
            let section = scenarios
                .iter_mut()
                .find(|section| section.about.name == outcome.scenario);
            if let Some(section) = section {
                section.runs.push(outcome);
            }
        }
        scenarios.retain(|section| !section.runs.is_empty());
        Report {
            policies,
            scenarios,
        }
    }

    /// A table for the terminal.
    pub fn table(&self) -> String {
        table::text(self)
    }

    /// All figures of each run, and their summary.
    pub fn json(&self) -> serde_json::Value {
        json::value(self)
    }

    /// One HTML file without any external resource.
    pub fn html(&self) -> String {
        html::page(self)
    }
}

impl Section {
    /// The policies, in the order of their first run.
    fn policies(&self) -> Vec<&str> {
        let mut policies: Vec<&str> = Vec::new();
        for run in &self.runs {
            if !policies.contains(&run.policy.as_str()) {
                policies.push(&run.policy);
            }
        }
        policies
    }

    fn runs_of(&self, policy: &str) -> Vec<&Outcome> {
        self.runs
            .iter()
            .filter(|run| run.policy == policy)
            .collect()
    }

    fn rows(&self) -> Vec<Row> {
        let policies = self.policies().into_iter();
        policies.map(|policy| Row::of(self, policy)).collect()
    }

    /// All seeds, ascending.
    fn seeds(&self) -> Vec<u64> {
        let mut seeds: Vec<u64> = self.runs.iter().map(|run| run.seed).collect();
        seeds.sort_unstable();
        seeds.dedup();
        seeds
    }

    /// The seed that is drawn, the same for all policies so that they are seen on the same day: the
    /// one on which our own policy lost and cut the median number of calls, and of equals the one on
    /// which all policies together did.
    fn drawn_seed(&self) -> u64 {
        let harm = |seed: u64, own: bool| {
            let runs = self.runs.iter().filter(|run| run.seed == seed);
            let runs = runs.filter(|run| !own || run.policy == words::OWN);
            runs.map(|run| run.figures.lost_calls + run.figures.cut_calls)
                .sum::<u64>()
        };
        let days = self.seeds().into_iter();
        let mut days: Vec<_> = days
            .map(|seed| (harm(seed, true), harm(seed, false), seed))
            .collect();
        days.sort_unstable();
        days.get(days.len() / 2).map_or(0, |(_, _, seed)| *seed)
    }

    /// The runs that are drawn, one for each policy.
    fn drawn(&self) -> Vec<&Outcome> {
        let seed = self.drawn_seed();
        self.runs.iter().filter(|run| run.seed == seed).collect()
    }
}

#[cfg(test)]
mod tests;
