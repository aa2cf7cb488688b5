//! When Aodh's alarm for more of a pool went off, by its own record. It sets no state.

use kamscale_tests::cloud::{Cloud, text};
use serde_json::Value;

use crate::platform::{Platform, inside};

/// The first time after a moment (both in seconds since 1970), if it went off since.
pub(crate) fn alarmed_s(
    platform: &Platform,
    pool: &str,
    after_s: f64,
) -> Result<Option<f64>, String> {
    let cloud = Cloud::new(&platform.cloud_dir(), "kamscale");
    inside("operator", || {
        let alarms = cloud.get("alarming", "/v2/alarms")?;
        let mut each = alarms.as_array().into_iter().flatten();
        let is_meant = |alarm: &&Value| {
            let said = text(&alarm["description"]);
            said.contains(&format!("pool {pool} ")) && said.contains("more")
        };
        let alarm = each
            .find(is_meant)
            .ok_or_else(|| format!("there is no alarm for more of pool {pool}"))?;
        let path = format!("/v2/alarms/{}/history", text(&alarm["alarm_id"]));
        Ok(went_off(&cloud.get("alarming", &path)?, after_s))
    })?
}

/// The earliest transition to `alarm` in a history; `detail` is JSON in a string.
fn went_off(history: &Value, after_s: f64) -> Option<f64> {
    let changes = history.as_array().into_iter().flatten();
    let moments = changes.filter_map(|change| {
        let detail: Value = serde_json::from_str(change["detail"].as_str()?).ok()?;
        let is_alarm = change["type"] == "state transition" && detail["state"] == "alarm";
        is_alarm.then(|| unix_s(change["timestamp"].as_str()?))?
    });
    moments.filter(|moment| *moment >= after_s).reduce(f64::min)
}

/// Seconds since 1970 of a moment as Aodh writes it: always UTC.
fn unix_s(moment: &str) -> Option<f64> {
    let time: jiff::civil::DateTime = moment.trim_end_matches("+00:00").parse().ok()?;
    let time = time.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(time.timestamp().as_duration().as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_first_alarm_after_a_moment_counts() {
        let change = |at: &str, state: &str| {
            let detail = json!({"state": state}).to_string();
            json!({"type": "state transition", "timestamp": at, "detail": detail})
        };
        let history = json!([
            change("1970-01-01T00:03:00", "alarm"),
            change("1970-01-01T00:02:00", "ok"),
            change("1970-01-01T00:01:00.5", "alarm"),
        ]);
        assert_eq!(went_off(&history, 0.0), Some(60.5));
        assert_eq!(went_off(&history, 100.0), Some(180.0));
        assert_eq!(went_off(&history, 200.0), None);
    }
}
