//! The archive policy and the resource types: checked at start, made by `kamscale cloud prepare`.
//!
//! Both belong to the whole Gnocchi, so only administrators may make them. What exists is never
//! changed: somebody may have reasons for it.

use serde::Deserialize;
use serde_json::Value;

use super::names::{
    AGGREGATION_METHODS, ARCHIVE_POLICY, BACK_WINDOW_S, GRANULARITIES_S, Kind, archive_policy,
};
use crate::cloud::{Cloud, CloudError, Request, Service};

/// Why nothing can be published.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum GnocchiError {
    /// It is not there, and this user may not make it.
    #[error(
        "Gnocchi has no {0}, and only an administrator may make it: run `kamscale cloud prepare` \
         with an administrator's cloud"
    )]
    Unprepared(String),
    /// It is there, and not usable.
    #[error("Gnocchi's {what} {reason}; {remedy}")]
    Unusable {
        /// The thing's kind and name.
        what: String,
        /// What is wrong with it.
        reason: String,
        /// What to do.
        remedy: String,
    },
    /// Gnocchi or Keystone could not be asked.
    #[error(transparent)]
    Cloud(#[from] CloudError),
}

#[derive(Deserialize)]
struct Policy {
    aggregation_methods: Vec<String>,
    back_window: f64,
    definition: Vec<Definition>,
}

#[derive(Deserialize)]
struct Definition {
    granularity: String,
}

#[derive(Deserialize)]
struct Type {
    attributes: serde_json::Map<String, Value>,
}

/// Makes what is missing, as an administrator. Answers what it made.
///
/// # Errors
/// If it may not be made, or what exists cannot be used.
pub async fn prepare(cloud: &dyn Cloud) -> Result<Vec<String>, GnocchiError> {
    let mut made = Vec::new();
    if policy(cloud).await?.is_none() {
        made.push(
            make(
                cloud,
                "archive policy",
                "/v1/archive_policy",
                &archive_policy(),
            )
            .await?,
        );
    }
    for kind in Kind::ALL {
        if !has_type(cloud, kind).await? {
            let path = "/v1/resource_type";
            made.push(make(cloud, "resource type", path, &kind.definition()).await?);
        }
    }
    Ok(made)
}

/// Checks that all is there; makes it if this user may.
///
/// # Errors
/// [`GnocchiError::Unprepared`] names what is missing and the remedy.
pub async fn check(cloud: &dyn Cloud) -> Result<(), GnocchiError> {
    let made = prepare(cloud).await?;
    if !made.is_empty() {
        tracing::info!(made = made.join(", "), "Gnocchi prepared");
    }
    Ok(())
}

async fn make(
    cloud: &dyn Cloud,
    kind: &str,
    path: &str,
    body: &Value,
) -> Result<String, GnocchiError> {
    let name = format!("{kind} {}", body["name"].as_str().unwrap_or_default());
    // Repeated, it says that it is there: that is as good.
    let request = Request::post(Service::Metric, path, body).repeatable();
    match cloud.request(request).await {
        Ok(_) => Ok(name),
        Err(error) if error.is_conflict() => Ok(name),
        Err(CloudError::Refused { status: 403, .. }) => Err(GnocchiError::Unprepared(name)),
        Err(error) => Err(error.into()),
    }
}

async fn policy(cloud: &dyn Cloud) -> Result<Option<()>, GnocchiError> {
    let path = format!("/v1/archive_policy/{ARCHIVE_POLICY}");
    let answer = match cloud.request(Request::get(Service::Metric, path)).await {
        Ok(answer) => answer,
        Err(error) if error.is_not_found() => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let policy: Policy = answer.json()?;
    let unusable = |reason: String| GnocchiError::Unusable {
        what: format!("archive policy {ARCHIVE_POLICY}"),
        reason,
        remedy: "have it deleted and run `kamscale cloud prepare`, or create it as documented"
            .into(),
    };
    for method in AGGREGATION_METHODS {
        if !policy.aggregation_methods.iter().any(|it| it == method) {
            return Err(unusable(format!("does not keep {method}")));
        }
    }
    let mut coarsest_s = 0.0_f64;
    let kept: Vec<f64> = policy
        .definition
        .iter()
        .filter_map(|it| seconds(&it.granularity))
        .collect();
    for (granularity_s, _) in GRANULARITIES_S {
        #[expect(clippy::cast_precision_loss, reason = "a day at most")]
        let wanted_s = granularity_s as f64;
        if !kept.contains(&wanted_s) {
            return Err(unusable(format!("has no granularity of {granularity_s} s")));
        }
    }
    for kept_s in kept {
        coarsest_s = coarsest_s.max(kept_s);
    }
    #[expect(clippy::cast_precision_loss, reason = "an hour")]
    if policy.back_window * coarsest_s < BACK_WINDOW_S as f64 {
        // It works; after an outage less is filled back.
        let back_s = policy.back_window * coarsest_s;
        tracing::warn!(back_s, "Gnocchi's archive policy takes no older measures");
    }
    Ok(Some(()))
}

async fn has_type(cloud: &dyn Cloud, kind: Kind) -> Result<bool, GnocchiError> {
    let name = kind.resource_type();
    let path = format!("/v1/resource_type/{name}");
    let answer = match cloud.request(Request::get(Service::Metric, path)).await {
        Ok(answer) => answer,
        Err(error) if error.is_not_found() => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    let found: Type = answer.json()?;
    let wanted = kind.definition();
    let wanted = wanted["attributes"].as_object().into_iter().flatten();
    for (attribute, _) in wanted {
        if !found.attributes.contains_key(attribute) {
            return Err(GnocchiError::Unusable {
                what: format!("resource type {name}"),
                reason: format!("has no attribute {attribute}"),
                remedy: "have the attribute added, or the type deleted and made by `kamscale \
                         cloud prepare`"
                    .into(),
            });
        }
    }
    Ok(true)
}

/// Gnocchi writes spans as `0:01:00`, or `1 day, 0:00:00`.
fn seconds(text: &str) -> Option<f64> {
    let (days, clock) = match text.split_once(" day") {
        Some((days, rest)) => (days.parse::<f64>().ok()?, rest.rsplit(' ').next()?),
        None => (0.0, text),
    };
    let parts = clock.split(':').map(str::parse::<f64>);
    let parts: Vec<f64> = parts.collect::<Result<_, _>>().ok()?;
    let [hours, minutes, seconds] = parts[..] else {
        return None;
    };
    Some(days * 86_400.0 + hours * 3600.0 + minutes * 60.0 + seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_as_gnocchi_writes_them() {
        assert_eq!(seconds("0:00:01"), Some(1.0));
        assert_eq!(seconds("0:01:00"), Some(60.0));
        assert_eq!(seconds("1 day, 0:00:00"), Some(86_400.0));
        assert_eq!(seconds("30 days, 1:00:00"), Some(2_595_600.0));
        assert_eq!(seconds("soon"), None);
    }
}
