//! A token and the catalog that came with it: Keystone's Identity API v3.
//!
//! It must not decide when a token is renewed, and never shows one.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use reqwest::{Client, Url};
use serde::Deserialize;

use super::exchange::{Broken, Reply, exchange, message};
use super::files::credentials;
use super::profile::Profile;
use super::secret::Secret;
use super::{CloudError, Method, Service, Traffic};

/// A token is renewed so long before it expires, or at half its life if that is shorter.
const MARGIN: Duration = Duration::from_secs(120);

/// What Keystone gave.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub(super) token: Secret,
    expires: Instant,
    renew: Instant,
    project_id: String,
    catalog: Vec<Entry>,
}

/// Why there is no session.
#[derive(Debug, Clone)]
pub(super) enum NoSession {
    /// Keystone did not answer, or not with a decision.
    Away(String),
    /// Keystone refused.
    Refused(CloudError),
}

#[derive(Debug, Deserialize)]
struct Body {
    token: Token,
}

#[derive(Debug, Deserialize)]
struct Token {
    expires_at: String,
    issued_at: Option<String>,
    project: Option<Project>,
    #[serde(default)]
    catalog: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
struct Project {
    id: String,
}

#[derive(Debug, Clone, Deserialize)]
struct Entry {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    endpoints: Vec<Endpoint>,
}

#[derive(Debug, Clone, Deserialize)]
struct Endpoint {
    interface: String,
    region: Option<String>,
    region_id: Option<String>,
    url: String,
}

impl Session {
    /// Asks Keystone for a token.
    pub(super) async fn begin(
        client: &Client,
        profile: &Profile,
        traffic: &Traffic,
    ) -> Result<Session, NoSession> {
        let url = format!("{}/auth/tokens", profile.auth_url);
        let body = profile.token_request().to_string();
        let request = client.post(&url).header("content-type", "application/json");
        let began = Instant::now();
        let reply = exchange(request.body(body)).await;
        let ok = reply.as_ref().is_ok_and(|reply| reply.status < 400);
        traffic.add("identity", Method::Post, began.elapsed(), ok);
        let reply = reply.map_err(|broken| {
            let (Broken::NotSent(why) | Broken::Lost(why) | Broken::TooLong(why)) = broken;
            NoSession::Away(format!(
                "Keystone at {} gave no token: {why}",
                profile.auth_url
            ))
        })?;
        tracing::debug!(
            service = "identity",
            method = "POST",
            path = "/auth/tokens",
            status = reply.status,
            request_id = reply.request_id.as_deref(),
            duration_s = began.elapsed().as_secs_f64(),
            "asked"
        );
        match reply.status {
            200 | 201 => read(reply, profile, began),
            _ => Err(refused(&reply, profile)),
        }
    }

    /// Whether it can be used still.
    pub(super) fn is_valid(&self, now: Instant) -> bool {
        now < self.expires
    }

    /// Whether it is time for the next.
    pub(super) fn is_old(&self, now: Instant) -> bool {
        now >= self.renew
    }

    #[cfg(test)]
    pub(super) fn aged(&self) -> Session {
        Session {
            renew: Instant::now(),
            ..self.clone()
        }
    }

    /// The project that the token is for.
    pub(super) fn project_id(&self) -> &str {
        &self.project_id
    }

    /// Where a service is, by the profile's region and interface.
    pub(super) fn endpoint(&self, service: Service, profile: &Profile) -> Result<Url, CloudError> {
        let written = profile.endpoint(service);
        let url = match written.or_else(|| self.in_catalog(service, profile)) {
            Some(url) => url,
            None => return Err(self.without(service, profile)),
        };
        Url::parse(url).map_err(|error| {
            let reason = format!("the endpoint {url} of {service} is no URL: {error}");
            profile.origin.wrong(&reason, "have the catalog corrected")
        })
    }

    fn in_catalog(&self, service: Service, profile: &Profile) -> Option<&str> {
        let entries = self.catalog.iter().filter(|it| it.kind == service.name());
        let mut endpoints = entries.flat_map(|entry| &entry.endpoints);
        endpoints
            .find(|endpoint| {
                let region = endpoint.region_id.as_ref().or(endpoint.region.as_ref());
                endpoint.interface == profile.interface
                    && (profile.region.is_none() || profile.region.as_ref() == region)
            })
            .map(|endpoint| endpoint.url.as_str())
    }

    fn without(&self, service: Service, profile: &Profile) -> CloudError {
        let region = profile.region.as_deref().unwrap_or("any");
        let reason = format!(
            "the catalog has no {service} with interface {} in region {region}",
            profile.interface
        );
        let mut has: Vec<String> = Vec::new();
        for entry in &self.catalog {
            for endpoint in &entry.endpoints {
                let region = endpoint.region_id.as_ref().or(endpoint.region.as_ref());
                let region = region.map_or("", String::as_str);
                has.push(format!(
                    "{} ({} in {region})",
                    entry.kind, endpoint.interface
                ));
            }
        }
        has.sort();
        has.dedup();
        let has = match has.is_empty() {
            true => "nothing: is the user's project right?".to_owned(),
            false => has.join(", "),
        };
        let remedy = format!(
            "correct {} or {}; the catalog has {has}",
            profile.origin.key("region_name"),
            profile.origin.key("interface"),
        );
        profile.origin.wrong(&reason, &remedy)
    }
}

fn read(reply: Reply, profile: &Profile, began: Instant) -> Result<Session, NoSession> {
    let odd = |why: &str| {
        let place = &profile.auth_url;
        NoSession::Away(format!(
            "Keystone at {place} gave no token that can be read: {why}"
        ))
    };
    let token = reply
        .subject_token
        .ok_or_else(|| odd("no X-Subject-Token"))?;
    // The text of the error could quote what is secret.
    let body: Body = serde_json::from_slice(&reply.body)
        .map_err(|error| odd(&format!("column {} of its answer", error.column())))?;
    // By Keystone's own clock, if it says it: ours may be wrong.
    let time = |text: &str| text.parse::<Timestamp>().ok();
    let issued = body.token.issued_at.as_deref().and_then(time);
    let expires = time(&body.token.expires_at).ok_or_else(|| odd("expires_at is no time"))?;
    let life = expires.duration_since(issued.unwrap_or_else(Timestamp::now));
    let life = Duration::try_from(life).unwrap_or_default();
    let margin = MARGIN.min(life / 2);
    Ok(Session {
        token: Secret::new(token),
        expires: began + life,
        renew: began + (life - margin),
        project_id: body.token.project.map(|it| it.id).unwrap_or_default(),
        catalog: body.token.catalog,
    })
}

fn refused(reply: &Reply, profile: &Profile) -> NoSession {
    let status = reply.status;
    let id = reply.request_id.as_deref();
    let id = id.map_or_else(String::new, |id| format!(" ({id})"));
    let said = message(&reply.body);
    let who = profile.who();
    let reason = format!(
        "Keystone at {} refused {who}: {status} {said}{id}",
        profile.auth_url
    );
    match status {
        429 | 500.. => NoSession::Away(reason),
        404 => NoSession::Refused(credentials(
            reason,
            &format!("correct {}", profile.origin.key("auth.auth_url")),
        )),
        _ => {
            let remedy = "check the secret, the project and the domains";
            NoSession::Refused(profile.origin.wrong(&reason, remedy))
        }
    }
}
