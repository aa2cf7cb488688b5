//! What is asked of a service, and what it answers. It must not send anything.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::CloudError;

/// A service of the catalog, by its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// Heat. Its endpoint ends in the project's id: paths are `/stacks/...`.
    Orchestration,
    /// Gnocchi: paths are `/v1/...`.
    Metric,
    /// Aodh: paths are `/v2/...`.
    Alarming,
}

impl Service {
    /// All of them.
    pub const ALL: [Service; 3] = [Service::Orchestration, Service::Metric, Service::Alarming];

    /// Its type in the catalog.
    pub fn name(self) -> &'static str {
        match self {
            Service::Orchestration => "orchestration",
            Service::Metric => "metric",
            Service::Alarming => "alarming",
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// How a service is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// Reads.
    Get,
    /// Creates, or has something done.
    Post,
    /// Replaces.
    Put,
    /// Changes a part.
    Patch,
    /// Removes.
    Delete,
}

impl Method {
    /// Its name in HTTP (RFC 9110).
    pub fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// One request.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Which service.
    pub service: Service,
    /// How it is asked.
    pub method: Method,
    /// Below the endpoint of the service (`/stacks/x`, `/v1/...`, `/v2/...`), or an absolute URL
    /// that the same service gave in a link. One of another origin is refused: no token goes there.
    pub path: String,
    /// JSON, if the request has a body.
    pub body: Option<Vec<u8>>,
    /// Retries end after this time. Without one: after the time that the configuration allows.
    pub patience: Option<Duration>,
    /// Whether it may be repeated although it may have been carried out. So are all but POST and
    /// PATCH; a POST that only reads, or that changes nothing the second time, says so here.
    pub repeatable: bool,
}

impl Request {
    /// A request without a body.
    pub fn new(service: Service, method: Method, path: impl Into<String>) -> Request {
        Request {
            service,
            method,
            path: path.into(),
            body: None,
            patience: None,
            repeatable: matches!(method, Method::Get | Method::Put | Method::Delete),
        }
    }

    /// Reads.
    pub fn get(service: Service, path: impl Into<String>) -> Request {
        Request::new(service, Method::Get, path)
    }

    /// Creates, or has something done.
    pub fn post(service: Service, path: impl Into<String>, body: &impl Serialize) -> Request {
        Request::new(service, Method::Post, path).with_json(body)
    }

    /// Replaces.
    pub fn put(service: Service, path: impl Into<String>, body: &impl Serialize) -> Request {
        Request::new(service, Method::Put, path).with_json(body)
    }

    /// Changes a part.
    pub fn patch(service: Service, path: impl Into<String>, body: &impl Serialize) -> Request {
        Request::new(service, Method::Patch, path).with_json(body)
    }

    /// Removes.
    pub fn delete(service: Service, path: impl Into<String>) -> Request {
        Request::new(service, Method::Delete, path)
    }

    /// The same, with a body that is JSON already.
    pub fn with_body(mut self, body: Vec<u8>) -> Request {
        self.body = Some(body);
        self
    }

    /// The same, with another end of retries; zero means a single try.
    pub fn with_patience(mut self, patience: Duration) -> Request {
        self.patience = Some(patience);
        self
    }

    /// The same, and it may be repeated although it may have been carried out.
    pub fn repeatable(mut self) -> Request {
        self.repeatable = true;
        self
    }

    /// What is asked, for errors and logs: `GET /stacks/x`.
    pub fn what(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    fn with_json(self, body: &impl Serialize) -> Request {
        // What the agent sends has text as keys and finite numbers; a service refuses an empty body.
        let body = serde_json::to_vec(body).unwrap_or_default();
        self.with_body(body)
    }
}

/// What a service answered, with a status of 2xx.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// HTTP status (RFC 9110).
    pub status: u16,
    /// As it came.
    pub body: Vec<u8>,
    /// `x-openstack-request-id`: by it the service's own log is found.
    pub request_id: Option<String>,
    /// Which service answered, for errors about its content.
    pub service: Service,
}

impl Answer {
    /// What it says.
    ///
    /// # Errors
    /// [`CloudError::Garbage`] if it is no such JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, CloudError> {
        serde_json::from_slice(&self.body).map_err(|error| CloudError::Garbage {
            service: self.service,
            what: "its answer".into(),
            reason: error.to_string(),
            request_id: self.request_id.clone(),
        })
    }
}

/// A name as one segment of a path: what is not unreserved (RFC 3986 section 2.3) is encoded.
pub fn segment(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}
