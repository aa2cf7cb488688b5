//! The real cloud: requests with a token of Keystone, renewed in time, retried where that is safe.
//!
//! Own code over reqwest, not the `openstack_sdk` crates: docs/architecture.md, "OpenStack", says
//! why. It must not know what a service means by its answers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use reqwest::header::HeaderValue;
use reqwest::{Client, Url};
use tokio::sync::Mutex;

use super::exchange::{Broken, Reply, client, exchange};
use super::files::Variables;
use super::profile::Profile;
use super::retry::{Failed, Waits, judge};
use super::session::{NoSession, Session};
use super::target::{redirected, target};
use super::{Answer, Cloud, CloudError, Method, Request, Traffic};
use crate::config::CloudConfig;

/// After a failure Keystone is left alone for so long: whoever asks meanwhile gets the same error.
const AWAY: Duration = Duration::from_secs(1);
/// A renewal may take so long; after one that failed the old token is used for a while.
const RENEWAL: Duration = Duration::from_secs(2);
const RENEWAL_AWAY: Duration = Duration::from_secs(20);
/// After a refusal longer, as accounts are locked by repeated ones.
const REFUSED: Duration = Duration::from_secs(30);
/// So many redirects are followed, all within the service.
const MOST_REDIRECTS: u32 = 3;

/// Sessions with one cloud.
#[derive(Debug)]
pub struct Keystone {
    profile: Profile,
    client: Client,
    timeout: Duration,
    traffic: Traffic,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    session: Option<Arc<Session>>,
    failed: Option<(Instant, NoSession)>,
}

impl Keystone {
    /// Reads the credentials: clouds.yaml, secure.yaml, `OS_*`. Asks nobody yet.
    ///
    /// # Errors
    /// [`CloudError::Credentials`] naming file, cloud and key.
    pub fn new(config: &CloudConfig) -> Result<Keystone, CloudError> {
        Keystone::from(config, &|name| std::env::var(name).ok())
    }

    pub(super) fn from(
        config: &CloudConfig,
        variables: Variables<'_>,
    ) -> Result<Keystone, CloudError> {
        let profile = Profile::read(config.name.as_deref(), variables)?;
        let timeout = Duration::try_from_secs_f64(config.timeout_s).unwrap_or(Duration::MAX);
        let timeout = timeout.clamp(Duration::from_millis(1), Duration::from_secs(3600));
        Ok(Keystone {
            client: client(&profile, timeout)?,
            profile,
            timeout,
            traffic: Traffic::default(),
            held: Mutex::default(),
        })
    }

    /// What was asked so far.
    pub fn traffic(&self) -> Traffic {
        self.traffic.clone()
    }

    /// A session that can be used; not that one, if its token was refused. One at a time asks
    /// Keystone, and the others take what it got.
    async fn session(&self, refused: Option<&Arc<Session>>) -> Result<Arc<Session>, NoSession> {
        let mut held = self.held.lock().await;
        let now = Instant::now();
        let is_refused = |it: &Arc<Session>| refused.is_some_and(|other| Arc::ptr_eq(it, other));
        let usable = held.session.clone();
        let usable = usable.filter(|it| !is_refused(it) && it.is_valid(now));
        if let Some(session) = usable.as_ref().filter(|it| !it.is_old(now)) {
            return Ok(session.clone());
        }
        let spared = held.failed.as_ref().filter(|(until, _)| now < *until);
        let error = match spared {
            Some((_, error)) => error.clone(),
            None => match self.begin(usable.is_some()).await {
                Ok(session) => {
                    let session = Arc::new(session);
                    held.session = Some(session.clone());
                    held.failed = None;
                    return Ok(session);
                }
                Err(error) => {
                    let pause = match error {
                        NoSession::Away(_) if usable.is_none() => AWAY,
                        NoSession::Away(_) => RENEWAL_AWAY,
                        NoSession::Refused(_) => REFUSED,
                    };
                    held.failed = Some((Instant::now() + pause, error.clone()));
                    error
                }
            },
        };
        // Before its time, the old one serves on.
        usable.ok_or(error)
    }

    /// Asks Keystone; for a renewal not long, as requests wait that could go by the old token.
    async fn begin(&self, renewal: bool) -> Result<Session, NoSession> {
        let session = Session::begin(&self.client, &self.profile, &self.traffic);
        if !renewal {
            return session.await;
        }
        let session = tokio::time::timeout(RENEWAL, session).await;
        session.unwrap_or_else(|_| {
            let place = &self.profile.auth_url;
            Err(NoSession::Away(format!("Keystone at {place} hangs")))
        })
    }

    async fn attempt(&self, request: &Request) -> Result<Answer, Failed> {
        let session = self.session(None).await;
        let session = session.map_err(|error| no_session(request, error))?;
        let reply = self.send(request, &session).await?;
        if matches!(&reply, Ok(reply) if reply.status == 500) && request.method != Method::Get {
            self.doubt(&session).await;
        }
        if !matches!(&reply, Ok(reply) if reply.status == 401) {
            return judge(request, reply);
        }
        tracing::info!(what = request.what(), "token refused, asking for another");
        let session = self.session(Some(&session)).await;
        let session = session.map_err(|error| no_session(request, error))?;
        match self.send(request, &session).await? {
            Ok(reply) if reply.status == 401 => Err(self.refused(request, &reply)),
            reply => judge(request, reply),
        }
    }

    /// The next request begins with another token. A service that passes a revoked token on, as Heat
    /// does for trusts, answers 500 to it while its own check still remembers it as good (measured).
    async fn doubt(&self, session: &Arc<Session>) {
        let mut held = self.held.lock().await;
        if held
            .session
            .as_ref()
            .is_some_and(|held| Arc::ptr_eq(held, session))
        {
            held.session = None;
        }
    }

    /// Sends it where it belongs, and after redirects within the service.
    async fn send(
        &self,
        request: &Request,
        session: &Session,
    ) -> Result<Result<Reply, Broken>, Failed> {
        let endpoint = session.endpoint(request.service, &self.profile);
        let endpoint = endpoint.map_err(finally)?;
        let mut url = target(&endpoint, request).map_err(finally)?;
        for _ in 0..MOST_REDIRECTS {
            let reply = self.once(request, url.clone(), session).await;
            let location = match &reply {
                Ok(reply) if matches!(reply.status, 301 | 302 | 307 | 308) => &reply.location,
                _ => return Ok(reply),
            };
            let Some(location) = location else {
                return Ok(reply);
            };
            url = redirected(&url, request, location).map_err(finally)?;
        }
        Err(finally(CloudError::Garbage {
            service: request.service,
            what: request.what(),
            reason: "it redirects in a circle".into(),
            request_id: None,
        }))
    }

    async fn once(&self, request: &Request, url: Url, session: &Session) -> Result<Reply, Broken> {
        let mut token = HeaderValue::from_str(session.token.expose())
            .map_err(|_| Broken::NotSent("Keystone's token is no header value".into()))?;
        token.set_sensitive(true);
        let path = url.path().to_owned();
        let mut sent = self.client.request(method(request.method), url);
        sent = sent.header("x-auth-token", token);
        sent = sent.header("accept", "application/json");
        if let Some(body) = &request.body {
            sent = sent.header("content-type", "application/json");
            sent = sent.body(body.clone());
        }
        let began = Instant::now();
        let reply = exchange(sent).await;
        let took = began.elapsed();
        let status = reply.as_ref().map_or(0, |reply| reply.status);
        let ok = (200..400).contains(&status);
        let service = request.service.name();
        self.traffic.add(service, request.method, took, ok);
        let request_id = reply.as_ref().ok().and_then(|it| it.request_id.as_deref());
        tracing::debug!(
            service,
            method = request.method.name(),
            path,
            status,
            request_id,
            duration_s = took.as_secs_f64(),
            "asked"
        );
        reply
    }

    fn refused(&self, request: &Request, reply: &Reply) -> Failed {
        let id = reply.request_id.as_deref();
        let id = id.map_or_else(String::new, |id| format!(" ({id})"));
        let reason = format!(
            "{} refuses a fresh token for {}{id}",
            request.service,
            request.what()
        );
        let remedy = "check the service's own credentials and clock: Keystone accepts ours";
        finally(self.profile.origin.wrong(&reason, remedy))
    }
}

#[cfg(test)]
impl Keystone {
    /// Has Keystone forget the token in use, as an operator might.
    pub(super) async fn revoke(&self) {
        let session = self.session(None).await.unwrap();
        let url = format!("{}/auth/tokens", self.profile.auth_url);
        let token = session.token.expose();
        let sent = self.client.delete(url).header("x-auth-token", token);
        let reply = exchange(sent.header("x-subject-token", token)).await;
        assert_eq!(reply.unwrap().status, 204);
    }

    /// Makes it time for another token.
    pub(super) async fn age(&self) {
        let mut held = self.held.lock().await;
        held.session = held.session.take().map(|it| Arc::new(it.aged()));
    }
}

#[async_trait]
impl Cloud for Keystone {
    async fn request(&self, request: Request) -> Result<Answer, CloudError> {
        let patience = request.patience.unwrap_or(2 * self.timeout);
        let mut waits = Waits::new(patience);
        loop {
            let failed = match self.attempt(&request).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            let Some(wait) = waits.next(&failed) else {
                return Err(failed.error);
            };
            tracing::debug!(error = %failed.error, wait_s = wait.as_secs_f64(), "asking again");
            tokio::time::sleep(wait).await;
        }
    }

    async fn project_id(&self) -> Result<String, CloudError> {
        match self.session(None).await {
            Ok(session) => Ok(session.project_id().to_owned()),
            Err(NoSession::Refused(error)) => Err(error),
            Err(NoSession::Away(reason)) => Err(CloudError::Unreachable {
                service: super::Service::Metric,
                what: "the project of the token".into(),
                reason,
            }),
        }
    }
}

/// Nothing was sent to the service.
fn no_session(request: &Request, error: NoSession) -> Failed {
    match error {
        NoSession::Refused(error) => finally(error),
        NoSession::Away(reason) => Failed {
            error: CloudError::Unreachable {
                service: request.service,
                what: request.what(),
                reason,
            },
            again: true,
            retry_after_s: None,
        },
    }
}

fn finally(error: CloudError) -> Failed {
    Failed {
        error,
        again: false,
        retry_after_s: None,
    }
}

fn method(method: Method) -> reqwest::Method {
    match method {
        Method::Get => reqwest::Method::GET,
        Method::Post => reqwest::Method::POST,
        Method::Put => reqwest::Method::PUT,
        Method::Patch => reqwest::Method::PATCH,
        Method::Delete => reqwest::Method::DELETE,
    }
}
