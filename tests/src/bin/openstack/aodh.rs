//! Alarms of the shipped template, and when they went off by Aodh's own clock. It sets no state.

use serde_json::{Value, json};

use crate::cloud::text;
use crate::heat::{StackSpec, with};
use crate::policy::SCALE_OUT_LOAD;
use crate::stage::Scene;

/// Seconds since 1970 of a moment that Aodh wrote, as `2026-11-22T07:17:32.123456`: always UTC.
fn unix_s(moment: &str) -> Option<f64> {
    let time: jiff::civil::DateTime = moment.trim_end_matches("+00:00").parse().ok()?;
    let time = time.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(time.timestamp().as_duration().as_secs_f64())
}

impl Scene<'_> {
    /// Alarms on Gnocchi's measures of a pool whose group was made before: more above the load at which
    /// the agent would act, fewer well below half of it. Returns the id of the one for more.
    #[track_caller]
    pub(crate) fn alarms(&self, pool: &str, granularity_s: u32) -> String {
        self.alarms_of(
            "alarms-gnocchi.yaml",
            pool,
            &json!({
                "instance": self.instance(),
                "scale_out_periods": 1,
                "scale_in_periods": 3,
                "granularity_s": granularity_s,
            }),
        )
    }

    /// The same on what Prometheus scrapes each second.
    #[track_caller]
    pub(crate) fn prometheus_alarms(&self, pool: &str) -> String {
        self.alarms_of(
            "alarms-prometheus.yaml",
            pool,
            &json!({
                "scale_out_for_s": 1,
                "scale_in_for_s": 3,
                "step_s": 1,
            }),
        )
    }

    #[track_caller]
    fn alarms_of(&self, template: &'static str, pool: &str, more: &Value) -> String {
        let (heat, group, name) = (self.heat(), self.stack(pool), self.stack("alarms"));
        let parameters = json!({
            "pool": pool,
            "nodes": 1,
            "scale_out_url": heat.output(&group, "scale_out_url"),
            "scale_in_url": heat.output(&group, "scale_in_url"),
            "scale_out_load": SCALE_OUT_LOAD,
            "scale_in_load": 0.25,
        });
        let parameters = with(parameters, more);
        heat.create(&StackSpec::new(name.clone(), template, parameters));
        text(&heat.output(&name, "scale_out_alarm"))
    }

    /// When an alarm went off last, if it did after that moment (both in seconds since 1970).
    pub(crate) fn alarmed_s(&self, id: &str, after_s: f64) -> Option<f64> {
        let path = format!("/v2/alarms/{id}/history");
        let history = self.stage.cloud.get("alarming", &path).ok()?;
        let changes = history.as_array().cloned().unwrap_or_default();
        // Newest first; `detail` is JSON in a string.
        let moments = changes.iter().filter_map(|change| {
            let detail: Value = serde_json::from_str(change["detail"].as_str()?).ok()?;
            let went_off = change["type"] == "state transition" && detail["state"] == "alarm";
            went_off.then(|| unix_s(change["timestamp"].as_str()?))?
        });
        moments.filter(|moment| *moment >= after_s).reduce(f64::min)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_of_aodh_are_utc() {
        assert_eq!(unix_s("1970-01-01T00:01:00.5"), Some(60.5));
        assert_eq!(unix_s("yesterday"), None);
    }
}
