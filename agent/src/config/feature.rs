//! Section `[features.NAME]`: how much of a feature is let in (`ks_admit()` in kamailio.cfg).

use serde::Deserialize;

/// Section `[features.NAME]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FeatureConfig {
    /// What is let in.
    pub admit: Admit,
    /// With [`Admit::Capacity`]: the load to which its pools are filled.
    pub admit_load: f64,
    /// With [`Admit::Rate`]: requests per second at this node.
    pub admit_per_s: Option<f64>,
    /// With [`Admit::Rate`]: so many at once; as many as in a second if absent.
    pub admit_burst: Option<f64>,
}

/// What is let in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Admit {
    /// Everything.
    #[default]
    All,
    /// As many calls as the pools of the feature can take.
    Capacity,
    /// So many requests per second.
    Rate,
}

impl Default for FeatureConfig {
    fn default() -> Self {
        FeatureConfig {
            admit: Admit::All,
            admit_load: 0.97,
            admit_per_s: None,
            admit_burst: None,
        }
    }
}
