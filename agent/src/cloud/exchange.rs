//! One HTTP exchange, bounded in time and size, and what its failure means.
//!
//! It must not retry or judge a status.

use std::path::Path;
use std::time::Duration;

use reqwest::{Certificate, Client, RequestBuilder, Response, redirect};

use super::CloudError;
use super::profile::Profile;

/// Time for the connection alone.
const CONNECT: Duration = Duration::from_secs(5);
/// No service that we ask has so much to say.
const MOST_BYTES: usize = 64 << 20;
/// Of a service's message so much is passed on.
const MOST_OF_MESSAGE: usize = 1000;

/// What came back.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) request_id: Option<String>,
    pub(super) retry_after_s: Option<f64>,
    pub(super) location: Option<String>,
    pub(super) subject_token: Option<String>,
    pub(super) body: Vec<u8>,
}

/// Why nothing came back.
#[derive(Debug, Clone)]
pub(super) enum Broken {
    /// Nothing was sent.
    NotSent(String),
    /// Something was sent, and no whole answer came.
    Lost(String),
    /// More than an answer may be.
    TooLong(String),
}

/// The HTTP client for a cloud. Redirects are ours: a token must not follow one elsewhere.
pub(super) fn client(profile: &Profile, timeout: Duration) -> Result<Client, CloudError> {
    let mut builder = Client::builder()
        .connect_timeout(CONNECT.min(timeout))
        .timeout(timeout)
        .redirect(redirect::Policy::none())
        .pool_idle_timeout(Duration::from_secs(30))
        .user_agent(concat!("kamscale/", env!("CARGO_PKG_VERSION")));
    if !profile.verify {
        builder = builder.tls_danger_accept_invalid_certs(true);
    }
    if let Some(file) = &profile.cacert {
        builder = builder.tls_certs_only(certificates(file, profile)?);
    }
    builder.build().map_err(|error| {
        let reason = format!("no HTTP client: {}", whole(&error));
        let remedy = "install ca-certificates, or name the certificates in cacert";
        profile.origin.wrong(&reason, remedy)
    })
}

fn certificates(file: &Path, profile: &Profile) -> Result<Vec<Certificate>, CloudError> {
    let key = profile.origin.key("cacert");
    let wrong = |reason: String| {
        let reason = format!("{key} {}: {reason}", file.display());
        let remedy = "name a PEM file that the agent's user may read";
        profile.origin.wrong(&reason, remedy)
    };
    let text = std::fs::read(file).map_err(|error| wrong(error.to_string()))?;
    let found = Certificate::from_pem_bundle(&text).map_err(|error| wrong(whole(&error)))?;
    if found.is_empty() {
        return Err(wrong("has no certificate".into()));
    }
    Ok(found)
}

/// Sends and reads the whole answer.
pub(super) async fn exchange(request: RequestBuilder) -> Result<Reply, Broken> {
    let response = request.send().await.map_err(|error| {
        let connecting = error.is_connect() || error.is_builder();
        let reason = whole(&error);
        match connecting {
            true => Broken::NotSent(reason),
            false => Broken::Lost(reason),
        }
    })?;
    let header = |name: &str| {
        let value = response.headers().get(name)?.to_str().ok()?;
        Some(value.to_owned())
    };
    let mut reply = Reply {
        status: response.status().as_u16(),
        request_id: header("x-openstack-request-id"),
        retry_after_s: header("retry-after").and_then(|text| seconds(&text)),
        location: header("location"),
        subject_token: header("x-subject-token"),
        body: Vec::new(),
    };
    reply.body = body(response).await?;
    Ok(reply)
}

async fn body(mut response: Response) -> Result<Vec<u8>, Broken> {
    let mut body = Vec::new();
    loop {
        let chunk = response.chunk().await;
        let Some(chunk) = chunk.map_err(|error| Broken::Lost(whole(&error)))? else {
            return Ok(body);
        };
        if body.len() + chunk.len() > MOST_BYTES {
            let reason = format!("an answer of more than {} MiB", MOST_BYTES >> 20);
            return Err(Broken::TooLong(reason));
        }
        body.extend_from_slice(&chunk);
    }
}

/// Retry-After (RFC 9110 section 10.2.3): seconds, or a date.
fn seconds(text: &str) -> Option<f64> {
    if let Ok(seconds) = text.trim().parse::<u32>() {
        return Some(seconds.into());
    }
    let date = jiff::fmt::rfc2822::parse(text.trim()).ok()?;
    let left = date.timestamp().duration_since(jiff::Timestamp::now());
    Some(left.as_secs_f64().max(0.0))
}

/// An error with its causes, without the URL: the error around it names what was asked.
pub(super) fn whole(error: &reqwest::Error) -> String {
    let mut text = String::new();
    let mut next: Option<&dyn std::error::Error> = std::error::Error::source(error);
    while let Some(cause) = next {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    match (error.is_timeout(), text.is_empty()) {
        (true, _) if error.is_connect() => "no connection in time".into(),
        (true, _) => "no answer in time".into(),
        (false, true) => "the exchange broke".into(),
        (false, false) => text,
    }
}

/// What a service says about a refusal. Each has its own form of it.
pub(super) fn message(body: &[u8]) -> String {
    let Ok(said) = serde_json::from_slice::<serde_json::Value>(body) else {
        return shortened(String::from_utf8_lossy(body).trim());
    };
    let text = |path: &str| said.pointer(path).and_then(serde_json::Value::as_str);
    // Heat and Keystone; Gnocchi; Aodh.
    let message = text("/error/message")
        .or_else(|| text("/description/cause"))
        .or_else(|| text("/description"))
        .or_else(|| text("/error_message/faultstring"))
        .or_else(|| text("/error_message"));
    let reason = said.pointer("/description/reason");
    let reason = reason.map_or_else(String::new, |reason| format!(": {reason}"));
    match (text("/error/type"), message) {
        (Some(kind), Some(message)) => shortened(&format!("{kind}: {message}")),
        (None, Some(message)) => shortened(&format!("{message}{reason}")),
        (_, None) => shortened(&said.to_string()),
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MOST_OF_MESSAGE) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_services_message_is_found() {
        let heat = br#"{"explanation":"x","code":400,"error":{"message":"You have reached it",
            "traceback":null,"type":"RequestLimitExceeded"},"title":"Bad"}"#;
        assert!(message(heat).starts_with("RequestLimitExceeded: You have reached"));
        let gnocchi = br#"{"code":404,"description":{"cause":"Unknown resources",
            "detail":[]},"title":"Not Found"}"#;
        assert_eq!(message(gnocchi), "Unknown resources");
        let aodh = br#"{"error_message":{"debuginfo":null,"faultcode":"Client",
            "faultstring":"Alarm x not found"}}"#;
        assert_eq!(message(aodh), "Alarm x not found");
        assert_eq!(
            message(b"<html>bad gateway</html>"),
            "<html>bad gateway</html>"
        );
        assert_eq!(message(&[b'x'; 5000]).len(), MOST_OF_MESSAGE + 3);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(seconds("7"), Some(7.0));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:49:37 GMT"), Some(0.0));
        assert_eq!(seconds("soon"), None);
    }
}
