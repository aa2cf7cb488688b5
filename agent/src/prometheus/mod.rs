//! Prometheus as a source: what other nodes report, and signals of any exporter.
//!
//! This owns the HTTP API of Prometheus (prometheus.io/docs/prometheus/latest/querying/api), in one
//! try with one timeout: who asks every second asks again anyway. It judges no demand.

mod answer;
mod error;
mod nodes;

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Response};
use serde::de::IgnoredAny;

use crate::config::PrometheusConfig;
use answer::Sample;
pub use error::PrometheusError;

/// More is no answer to any question of the agent: 16,384 members on 64 nodes are a quarter of it.
const MAX_ANSWER_BYTES: usize = 256 << 20;
/// So much of an error's text is shown.
const MAX_MESSAGE: usize = 200;

/// One value of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    /// What it is of; empty for what was added up over everything.
    pub labels: BTreeMap<String, String>,
    /// It may be infinite or no number.
    pub value: f64,
}

/// What a query gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Values {
    /// One per series.
    pub values: Vec<Value>,
    /// Seconds since the oldest of them was scraped. Only a plain selector has samples whose time
    /// can be asked for; what is computed is of now.
    pub age_s: f64,
}

/// A server with Prometheus' HTTP API.
#[derive(Debug)]
pub struct Prometheus {
    config: PrometheusConfig,
    url: String,
    client: Client,
    password: Option<String>,
    most_bytes: usize,
}

impl Prometheus {
    /// Reads the files that the configuration names; nothing is asked yet.
    ///
    /// # Errors
    /// [`PrometheusError::Files`].
    pub fn new(config: &PrometheusConfig) -> Result<Prometheus, PrometheusError> {
        let base = config.url.trim_end_matches('/');
        let timeout = Duration::try_from_secs_f64(config.timeout_s).unwrap_or(Duration::MAX);
        let mut client = Client::builder()
            .timeout(timeout)
            .redirect(Policy::none())
            // Proxies are for the world outside; this is a neighbour.
            .no_proxy();
        if let Some(file) = &config.ca_file {
            client = client.tls_certs_only(certificates(file)?);
        } else if base.starts_with("http://") {
            // Without TLS it must not matter whether the system has any certificates.
            client = client.tls_certs_only([]);
        }
        let password = config.password_file.as_ref().map(|file| {
            let text = read("password_file", file)?;
            Ok(String::from_utf8_lossy(&text).trim_end().to_owned())
        });
        Ok(Prometheus {
            url: format!("{base}/api/v1/query"),
            client: client
                .build()
                .map_err(|error| files("ca_file", reasons(&error)))?,
            password: password.transpose()?,
            config: config.clone(),
            most_bytes: MAX_ANSWER_BYTES,
        })
    }

    /// What a query in PromQL gives now. Newer servers (not yet 2.42) use no sample for it that is
    /// older than `max_age_s`, others up to five minutes; how far back a range in the query looks is
    /// its own matter.
    ///
    /// # Errors
    /// [`PrometheusError`]; also if the answer is not complete.
    pub async fn query(&self, promql: &str, max_age_s: f64) -> Result<Values, PrometheusError> {
        let body = self.ask(promql, Some(max_age_s)).await?;
        let samples: Vec<Sample<BTreeMap<String, String>>> = self.read(promql, &body)?;
        let mut age_s = 0.0;
        if samples.iter().any(|sample| !sample.metric.is_empty()) {
            // The line break ends a comment in the query.
            let times = format!("min(timestamp({promql}\n))");
            let body = self.ask(&times, Some(max_age_s)).await?;
            let oldest: Vec<Sample<IgnoredAny>> = self.read(&times, &body)?;
            age_s = oldest
                .iter()
                .map(|oldest| oldest.evaluated_s() - oldest.value())
                .fold(0.0, f64::max);
        }
        let values = samples.into_iter().map(|sample| Value {
            value: sample.value(),
            labels: sample.metric,
        });
        Ok(Values {
            values: values.collect(),
            age_s,
        })
    }

    /// Asks; the body of an answer that is a 2xx.
    async fn ask(&self, query: &str, max_age_s: Option<f64>) -> Result<Vec<u8>, PrometheusError> {
        let mut form = vec![("query", query.to_owned())];
        // A series that is no longer scraped would otherwise stand for five minutes.
        form.extend(max_age_s.map(|age_s| ("lookback_delta", format!("{}ms", whole_ms(age_s)))));
        // POST: a query may be longer than a URL may be. It changes nothing.
        let mut request = self.client.post(&self.url).form(&form);
        if let Some(user) = &self.config.user {
            request = request.basic_auth(user, self.password.as_ref());
        }
        let response = request
            .send()
            .await
            .map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        let body = self.body(response).await?;
        if status.is_success() {
            return Ok(body);
        }
        Err(PrometheusError::Refused {
            url: self.url.clone(),
            query: query.to_owned(),
            status: status.as_u16(),
            message: answer::message(&body, MAX_MESSAGE),
        })
    }

    async fn body(&self, mut response: Response) -> Result<Vec<u8>, PrometheusError> {
        let mut body = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| self.unreachable(&error))?
        {
            if body.len() + chunk.len() > self.most_bytes {
                let reason = format!("its answer is longer than {} bytes", self.most_bytes);
                return Err(self.garbage(reason));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// Reads an answer; the labels that matter are the caller's to say.
    fn read<'a, M>(&self, query: &str, body: &'a [u8]) -> Result<Vec<Sample<M>>, PrometheusError>
    where
        M: serde::Deserialize<'a> + Default,
    {
        let answer = answer::read(body).map_err(|reason| self.garbage(reason))?;
        match answer.warning {
            None => Ok(answer.samples),
            Some(warning) => Err(PrometheusError::Partial {
                url: self.url.clone(),
                query: query.to_owned(),
                warning: answer::message(warning.as_bytes(), MAX_MESSAGE),
            }),
        }
    }

    fn garbage(&self, reason: String) -> PrometheusError {
        PrometheusError::Garbage {
            url: self.url.clone(),
            reason,
        }
    }

    fn unreachable(&self, error: &reqwest::Error) -> PrometheusError {
        PrometheusError::Unreachable {
            url: self.url.clone(),
            reason: reasons(error),
        }
    }
}

/// An error with what caused it: the outermost says only that sending failed.
fn reasons(error: &dyn std::error::Error) -> String {
    let mut causes = vec![error.to_string()];
    let mut source = error.source();
    while let Some(error) = source {
        causes.push(error.to_string());
        source = error.source();
    }
    causes.join(": ")
}

fn files(what: &'static str, reason: String) -> PrometheusError {
    PrometheusError::Files { what, reason }
}

fn read(what: &'static str, file: &std::path::Path) -> Result<Vec<u8>, PrometheusError> {
    std::fs::read(file).map_err(|error| {
        let file = file.display();
        files(
            what,
            format!("{file} cannot be read: {error}; the agent's user must be able to"),
        )
    })
}

fn certificates(file: &std::path::Path) -> Result<Vec<Certificate>, PrometheusError> {
    let shown = file.display();
    match Certificate::from_pem_bundle(&read("ca_file", file)?) {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) => Err(files(
            "ca_file",
            format!("{shown} has no certificate; PEM is needed"),
        )),
        Err(error) => Err(files("ca_file", format!("{shown}: {error}; PEM is needed"))),
    }
}

/// At least one: zero would mean the default.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 1 and the milliseconds of ten days"
)]
fn whole_ms(seconds: f64) -> u64 {
    (seconds * 1000.0).clamp(1.0, 864e6) as u64
}

#[cfg(test)]
mod tests;
