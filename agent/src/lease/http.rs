//! The way to the etcd servers: one after the other, with time limits, TLS and a token. It must not
//! know what a request means.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Certificate, Client, Identity, redirect};
use serde::Deserialize;
use serde_json::json;
use tokio::time::{Instant, timeout};

use super::LeaseError;
use super::etcd::{Transport, not_etcd};
use crate::config::LeaseConfig;

/// More is no table of ours.
const MAX_ANSWER_BYTES: usize = 64 << 20;

/// A cluster of etcd servers.
#[derive(Debug)]
pub(super) struct Http {
    client: Client,
    endpoints: Vec<String>,
    /// The endpoint that answered last.
    current: AtomicUsize,
    user: Option<User>,
    token: Mutex<Option<Token>>,
}

/// Not to be seen in logs.
#[derive(Clone)]
struct Token(HeaderValue);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

#[derive(Debug)]
struct User {
    name: String,
    password_file: PathBuf,
}

impl Http {
    pub(super) fn new(config: &LeaseConfig) -> Result<Http, LeaseError> {
        let endpoints = config.endpoints.iter();
        let endpoints: Vec<_> = endpoints
            .map(|e| e.trim_end_matches('/').to_owned())
            .collect();
        if endpoints.is_empty() {
            return Err(LeaseError::Config("endpoints: empty; name a server".into()));
        }
        let user = match (&config.user, &config.password_file) {
            (Some(name), Some(password_file)) => Some(User {
                name: name.clone(),
                password_file: password_file.clone(),
            }),
            (None, None) => None,
            _ => {
                return Err(LeaseError::Config(
                    "user and password_file go together".into(),
                ));
            }
        };
        Ok(Http {
            client: client(config)?,
            endpoints,
            current: AtomicUsize::new(0),
            user,
            token: Mutex::default(),
        })
    }

    /// Asks one server after the other until one answers.
    async fn around(
        &self,
        path: &str,
        body: &[u8],
        token: Option<&Token>,
        deadline: Instant,
    ) -> Result<Vec<u8>, LeaseError> {
        let count = self.endpoints.len();
        let first = self.current.load(Ordering::Relaxed);
        let mut tried = Vec::new();
        for (index, left) in (first..first + count)
            .map(|i| i % count)
            .zip((1..=count).rev())
        {
            let endpoint = &self.endpoints[index];
            // What a dead server takes must leave time for the others.
            let share = deadline.saturating_duration_since(Instant::now()) / as_u32(left);
            let answer = timeout(share, self.ask(endpoint, path, body, token)).await;
            match answer.unwrap_or_else(|_| Err(away("no answer in time"))) {
                Err(LeaseError::Away { tried: problem }) => {
                    tried.push(format!("{endpoint}: {problem}"));
                }
                other => {
                    self.current.store(index, Ordering::Relaxed);
                    return other;
                }
            }
        }
        // All failed; begin with another one next time.
        self.current.store((first + 1) % count, Ordering::Relaxed);
        Err(away(tried.join(", ")))
    }

    async fn ask(
        &self,
        endpoint: &str,
        path: &str,
        body: &[u8],
        token: Option<&Token>,
    ) -> Result<Vec<u8>, LeaseError> {
        let request = self.client.post(format!("{endpoint}{path}"));
        let request = match token {
            Some(token) => request.header(AUTHORIZATION, token.0.clone()),
            None => request,
        };
        let request = request.body(body.to_vec());
        let mut response = request.send().await.map_err(cause)?;
        let status = response.status();
        let mut answer = Vec::new();
        while let Some(part) = response.chunk().await.map_err(cause)? {
            if answer.len() + part.len() > MAX_ANSWER_BYTES {
                return Err(not_etcd(path, "more than 64 MiB"));
            }
            answer.extend_from_slice(&part);
        }
        if status.is_success() {
            return Ok(answer);
        }
        match serde_json::from_slice::<Refusal>(&answer) {
            Ok(refusal) => Err(refusal.meaning()),
            Err(_) if status.is_server_error() => Err(away(status.to_string())),
            Err(_) => Err(not_etcd(path, status)),
        }
    }

    /// The token in use, or a new one.
    async fn token(&self, deadline: Instant) -> Result<Option<Token>, LeaseError> {
        let Some(user) = &self.user else {
            return Ok(None);
        };
        if let Some(token) = self.kept_token().clone() {
            return Ok(Some(token));
        }
        let password = read(&user.password_file, "password_file")?;
        let password = String::from_utf8_lossy(&password);
        let password = password.trim_end_matches(['\r', '\n']);
        let path = "/v3/auth/authenticate";
        let body = json!({"name": user.name, "password": password}).to_string();
        let answer = self.around(path, body.as_bytes(), None, deadline).await?;
        let answer: Authenticated =
            serde_json::from_slice(&answer).map_err(|error| not_etcd(path, error))?;
        let mut token =
            HeaderValue::from_str(&answer.token).map_err(|error| not_etcd(path, error))?;
        token.set_sensitive(true);
        let token = Some(Token(token));
        self.kept_token().clone_from(&token);
        Ok(token)
    }

    fn kept_token(&self) -> std::sync::MutexGuard<'_, Option<Token>> {
        self.token.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Transport for Http {
    async fn call(
        &self,
        path: &str,
        body: Vec<u8>,
        deadline: Instant,
    ) -> Result<Vec<u8>, LeaseError> {
        let token = self.token(deadline).await?;
        let answer = self.around(path, &body, token.as_ref(), deadline).await;
        let Err(LeaseError::Token(message)) = answer else {
            return answer;
        };
        // Tokens end after some minutes, at a restart of etcd, and when users change.
        *self.kept_token() = None;
        let Some(token) = self.token(deadline).await? else {
            return Err(LeaseError::Denied(message));
        };
        let answer = self.around(path, &body, Some(&token), deadline).await;
        answer.map_err(|error| match error {
            LeaseError::Token(message) => LeaseError::Denied(message),
            other => other,
        })
    }
}

#[derive(Debug, Deserialize)]
struct Authenticated {
    token: String,
}

/// How etcd says no: with a gRPC code and words.
#[derive(Debug, Deserialize)]
struct Refusal {
    #[serde(alias = "grpc_code")]
    code: u32,
    message: String,
}

impl Refusal {
    fn meaning(self) -> LeaseError {
        let Refusal { code, message } = self;
        let says = |words: &str| message.contains(words);
        match code {
            // Cancelled, deadline exceeded, unavailable: this server has no quorum, or goes down.
            1 | 4 | 14 => away(message),
            16 => LeaseError::Token(message),
            3 if says("auth token") || says("auth store is old") || says("user name is empty") => {
                LeaseError::Token(message)
            }
            3 if says("authentication failed") => LeaseError::Denied(message),
            9 if says("authentication is not enabled") => {
                LeaseError::Denied(format!("{message}, but [lease] names a user"))
            }
            7 => LeaseError::Denied(message),
            _ => LeaseError::Refused { code, message },
        }
    }
}

fn client(config: &LeaseConfig) -> Result<Client, LeaseError> {
    let bad = |key: &str, file: &Path, error: reqwest::Error| {
        LeaseError::Config(format!(
            "{key}: {}: {error}; it must be PEM",
            file.display()
        ))
    };
    // A lease must not go through a proxy that somebody set for web pages.
    let mut builder = Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none());
    if let Some(file) = &config.ca_file {
        let authorities = Certificate::from_pem_bundle(&read(file, "ca_file")?);
        builder = builder.tls_certs_only(authorities.map_err(|e| bad("ca_file", file, e))?);
    }
    if let (Some(file), Some(key)) = (&config.certificate_file, &config.key_file) {
        let mut pem = read(file, "certificate_file")?;
        pem.push(b'\n');
        pem.extend(read(key, "key_file")?);
        let identity = Identity::from_pem(&pem);
        builder = builder.identity(identity.map_err(|e| bad("certificate_file", file, e))?);
    }
    let client = builder.build();
    client.map_err(|error| LeaseError::Config(format!("TLS cannot be set up: {error}")))
}

fn read(file: &Path, key: &str) -> Result<Vec<u8>, LeaseError> {
    std::fs::read(file)
        .map_err(|error| LeaseError::Config(format!("{key}: {}: {error}", file.display())))
}

fn away(problem: impl Into<String>) -> LeaseError {
    LeaseError::Away {
        tried: problem.into(),
    }
}

/// What is at the bottom of it: reqwest's own words name only the address, which we know.
fn cause(error: reqwest::Error) -> LeaseError {
    let mut bottom: &dyn std::error::Error = &error;
    while let Some(deeper) = bottom.source() {
        bottom = deeper;
    }
    away(bottom.to_string())
}

fn as_u32(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
