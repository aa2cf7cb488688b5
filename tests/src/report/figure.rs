//! One figure of a report: its value, what was expected, and how it was measured. It must not know
//! other figures.

use serde::Serialize;
use serde_json::Value;

/// One measured or counted value. Its name stays the same for ever.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    pub(super) name: String,
    /// `null` if it could not be measured; `how` says why.
    value: Value,
    /// Where `value` is a median: the worst of those that it is the median of.
    #[serde(skip_serializing_if = "Option::is_none")]
    worst: Option<Value>,
    pub(super) unit: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) target: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) met: Option<bool>,
    /// Whether the worst met it too.
    #[serde(skip_serializing_if = "Option::is_none")]
    worst_met: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ours: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    other: Option<Value>,
    pub(super) how: String,
}

impl Figure {
    /// What was measured in this run.
    #[must_use]
    pub fn new(name: &str, value: impl Into<Value>, unit: &str) -> Self {
        Self {
            name: name.into(),
            value: value.into(),
            worst: None,
            unit: unit.into(),
            target: None,
            met: None,
            worst_met: None,
            ours: None,
            other: None,
            how: String::new(),
        }
    }

    /// What was expected, and whether it came so.
    #[must_use]
    pub fn target(mut self, target: &str, met: bool) -> Self {
        self.target = Some(target.into());
        self.met = Some(met);
        self
    }

    /// The worst of what its value is the median of; if it has a target, whether that was met, too.
    #[must_use]
    pub fn worst(mut self, worst: impl Into<Value>, met: Option<bool>) -> Self {
        self.worst = Some(worst.into());
        self.worst_met = met;
        self
    }

    /// How it was measured; for `null` why it could not be.
    #[must_use]
    pub fn how(mut self, how: impl Into<String>) -> Self {
        self.how = how.into();
        self
    }

    /// What both sides of a comparison measured.
    #[must_use]
    pub fn sides(mut self, ours: Value, other: Value) -> Self {
        self.ours = Some(ours);
        self.other = Some(other);
        self
    }

    /// False only if it has a target and missed it.
    #[must_use]
    pub fn is_met(&self) -> bool {
        self.met.unwrap_or(true)
    }

    /// False only if it has a target that its worst missed.
    #[must_use]
    pub fn is_met_by_worst(&self) -> bool {
        self.worst_met.unwrap_or(true)
    }

    /// Whether something was expected.
    #[must_use]
    pub fn has_target(&self) -> bool {
        self.target.is_some()
    }

    /// Its value, in words; the worst behind it, if there is one.
    #[must_use]
    pub fn shown(&self) -> String {
        match &self.worst {
            Some(worst) => format!("{} (worst {})", in_words(&self.value), in_words(worst)),
            None => in_words(&self.value),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Two digits after the point; of a small value, as a share of lost calls, two that count.
fn in_words(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::Number(number) if number.is_f64() => match number.as_f64().unwrap_or(0.0) {
            0.0 => "0".into(),
            small if small.abs() < 0.01 => format!("{small:.1e}"),
            other => format!("{other:.2}"),
        },
        other => other.to_string(),
    }
}
