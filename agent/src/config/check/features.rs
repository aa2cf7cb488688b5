//! The rules for what is let in of a feature.

use kamscale_shm::spec::is_name;

use super::{At, Checked, NAME_RULE};
use crate::config::{Admit, Config, FeatureConfig};

pub(super) fn check_feature(config: &Config, name: &str, feature: &FeatureConfig) -> Checked {
    At(&["features"]).need(name, is_name(name), NAME_RULE)?;
    let at = At(&["features", name]);
    let is_rate = feature.admit == Admit::Rate;
    let load = feature.admit_load;
    let problem = format!("{load} is no load to fill pools to; write 0.1 to 1.5");
    at.need("admit_load", (0.1..=1.5).contains(&load), problem)?;
    for (key, value) in [
        ("admit_per_s", feature.admit_per_s),
        ("admit_burst", feature.admit_burst),
    ] {
        let Some(value) = value else { continue };
        let problem = format!("has no effect without admit = \"rate\" in [features.{name}]");
        at.need(key, is_rate, problem)?;
        let problem = format!("{value} is out of range; write 0.01 to 1000000");
        at.need(key, (0.01..=1e6).contains(&value), problem)?;
    }
    if is_rate {
        let problem = "how many? write admit_per_s = 200, or admit = \"capacity\"";
        at.need("admit", feature.admit_per_s.is_some(), problem)?;
    }
    let mut pools = config.pools.iter();
    let has_pool = pools.any(|(pool, section)| section.feature(pool) == name);
    let problem =
        format!("no pool serves {name}: name it as `feature` of a pool, or write admit = \"rate\"");
    at.need(
        "admit",
        has_pool || feature.admit != Admit::Capacity,
        problem,
    )
}
