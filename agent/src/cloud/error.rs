//! What can go wrong with a request, by what it means for what was asked.
//!
//! Whoever changes something must know whether it may have happened: that is what the variants
//! tell apart. No text holds a token or a password.

use super::Service;

/// Why there is no answer to use.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CloudError {
    /// A definite answer: it was not carried out.
    #[error(
        "{service} refused {what}: {status} {message}{}; {}",
        named(request_id),
        remedy(*status)
    )]
    Refused {
        /// Which service.
        service: Service,
        /// What was asked.
        what: String,
        /// HTTP status.
        status: u16,
        /// What the service says about it.
        message: String,
        /// `x-openstack-request-id`.
        request_id: Option<String>,
        /// Seconds after which the service wants to be asked again.
        retry_after_s: Option<f64>,
    },
    /// Certainly not carried out: no connection, or no token because Keystone is away.
    #[error("{service} cannot be reached for {what}: {reason}; check the endpoint and the network")]
    Unreachable {
        /// Which service.
        service: Service,
        /// What was asked.
        what: String,
        /// Why.
        reason: String,
    },
    /// May have been carried out: timed out or broken after sending, or 5xx to a change.
    #[error(
        "{service} may or may not have done {what}: {reason}{}; read before asking again",
        named(request_id)
    )]
    Unknown {
        /// Which service.
        service: Service,
        /// What was asked.
        what: String,
        /// Why.
        reason: String,
        /// `x-openstack-request-id`.
        request_id: Option<String>,
    },
    /// Refused by Keystone, also with a fresh token; or clouds.yaml or `OS_*` are wrong.
    #[error("{reason}; {remedy}")]
    Credentials {
        /// What is wrong: names file, cloud and key, or what Keystone says.
        reason: String,
        /// What to do.
        remedy: String,
    },
    /// An answer that is not what the service documents.
    #[error(
        "{service} answered {what} with something else than it documents: {reason}{}; see its log",
        named(request_id)
    )]
    Garbage {
        /// Which service.
        service: Service,
        /// What was asked.
        what: String,
        /// What is wrong with it.
        reason: String,
        /// `x-openstack-request-id`.
        request_id: Option<String>,
    },
}

impl CloudError {
    /// What was named does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self, CloudError::Refused { status: 404, .. })
    }

    /// It exists already, or something else is being done to it.
    pub fn is_conflict(&self) -> bool {
        matches!(self, CloudError::Refused { status: 409, .. })
    }

    /// Nothing more is to be had: a quota, or a limit of the service.
    pub fn is_quota(&self) -> bool {
        let CloudError::Refused {
            status, message, ..
        } = self
        else {
            return false;
        };
        let says = |word: &str| message.to_ascii_lowercase().contains(word);
        matches!(status, 400 | 403 | 409 | 413)
            && (says("quota")
                || says("requestlimitexceeded")
                || (says("maximum") && says("reached")))
    }

    /// Whether it was certainly not carried out.
    pub fn is_undone(&self) -> bool {
        !matches!(
            self,
            CloudError::Unknown { .. } | CloudError::Garbage { .. }
        )
    }
}

fn named(request_id: &Option<String>) -> String {
    let id = request_id.as_ref();
    id.map_or_else(String::new, |id| format!(" ({id})"))
}

fn remedy(status: u16) -> &'static str {
    match status {
        401 | 403 => "check the roles of the user or application credential in the project",
        404 => "check that it exists in this project and region",
        409 => "it exists already or is being changed: read it and ask again",
        413 | 429 => "wait, or have the limit raised",
        _ => "the service's log says more",
    }
}
