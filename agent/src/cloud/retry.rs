//! When a request is asked again: what the outcome of a try means, and how long to wait.
//!
//! Asked again is what was certainly not carried out (no connection, 429, 503 with Retry-After),
//! and whatever may be repeated ([`Request::repeatable`]) also after a loss, 502, 503 and 504. It
//! must not send or wait itself.

use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

use super::exchange::{Broken, Reply, message};
use super::{Answer, CloudError, Method, Request};

/// A failed try.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) error: CloudError,
    /// Whether the same request may be sent again.
    pub(super) again: bool,
    /// The service wants to be left alone for so long.
    pub(super) retry_after_s: Option<f64>,
}

/// What the outcome of one try means.
pub(super) fn judge(request: &Request, reply: Result<Reply, Broken>) -> Result<Answer, Failed> {
    match reply {
        Ok(reply) if (200..300).contains(&reply.status) => Ok(Answer {
            status: reply.status,
            body: reply.body,
            request_id: reply.request_id,
            service: request.service,
        }),
        Ok(reply) => Err(by_status(request, reply)),
        Err(broken) => Err(by_break(request, broken)),
    }
}

fn by_status(request: &Request, reply: Reply) -> Failed {
    let service = request.service;
    let what = request.what();
    let status = reply.status;
    let passing = matches!(status, 429 | 502 | 503 | 504);
    // A 503 with Retry-After was said by somebody who did not begin.
    let undone = status < 500 || (status == 503 && reply.retry_after_s.is_some());
    let reads = request.method == Method::Get;
    let message = message(&reply.body);
    let error = match undone || reads || matches!(status, 501 | 505) {
        true => CloudError::Refused {
            service,
            what,
            status,
            message,
            request_id: reply.request_id,
            retry_after_s: reply.retry_after_s,
        },
        false => CloudError::Unknown {
            service,
            what,
            reason: format!("{status} {message}"),
            request_id: reply.request_id,
        },
    };
    Failed {
        again: passing && (undone || request.repeatable),
        retry_after_s: reply.retry_after_s.filter(|_| passing),
        error,
    }
}

fn by_break(request: &Request, broken: Broken) -> Failed {
    let service = request.service;
    let what = request.what();
    let (error, again) = match broken {
        Broken::NotSent(reason) => {
            let error = CloudError::Unreachable {
                service,
                what,
                reason,
            };
            (error, true)
        }
        Broken::Lost(reason) if request.method == Method::Get => {
            let error = CloudError::Unreachable {
                service,
                what,
                reason,
            };
            (error, true)
        }
        Broken::Lost(reason) => {
            let error = CloudError::Unknown {
                service,
                what,
                reason,
                request_id: None,
            };
            (error, request.repeatable)
        }
        Broken::TooLong(reason) => {
            let error = CloudError::Garbage {
                service,
                what,
                reason,
                request_id: None,
            };
            (error, false)
        }
    };
    Failed {
        error,
        again,
        retry_after_s: None,
    }
}

/// The waits between the tries of one request.
#[derive(Debug)]
pub(super) struct Waits {
    ends: Instant,
    backoff: ExponentialBackoff,
}

impl Waits {
    /// Waits that end with the patience.
    pub(super) fn new(patience: Duration) -> Waits {
        let backoff = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(200))
            .with_max_delay(Duration::from_secs(5))
            .with_jitter()
            .without_max_times();
        Waits {
            ends: Instant::now() + patience,
            backoff: backoff.build(),
        }
    }

    /// How long to wait before the next try; none if there is to be none.
    pub(super) fn next(&mut self, failed: &Failed) -> Option<Duration> {
        if !failed.again {
            return None;
        }
        let own = self.backoff.next()?;
        let asked = failed.retry_after_s.unwrap_or(0.0).clamp(0.0, 86_400.0);
        let wait = own.max(Duration::from_secs_f64(asked));
        (Instant::now() + wait < self.ends).then_some(wait)
    }
}
