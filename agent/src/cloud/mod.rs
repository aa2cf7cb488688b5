//! OpenStack, as the agent sees it: requests to the services of one project.
//!
//! This owns sessions (tokens, endpoints), timeouts and retries; nothing else in the agent retries
//! HTTP. It must not know what Heat, Gnocchi or Aodh mean by an answer: their modules do.

mod error;
mod exchange;
mod files;
mod keystone;
mod profile;
mod request;
mod retry;
mod secret;
mod session;
mod target;
#[cfg(test)]
pub(crate) mod tests;
mod traffic;

use std::fmt::Debug;

use async_trait::async_trait;

pub use error::CloudError;
pub use keystone::Keystone;
pub use request::{Answer, Method, Request, Service, segment};
pub use traffic::{Exchanges, Traffic};

/// One project of one cloud. Tests put recorded answers in its place.
#[async_trait]
pub trait Cloud: Send + Sync + Debug {
    /// Asks a service. An answer is a 2xx; every other one is an error.
    ///
    /// # Errors
    /// [`CloudError`] says whether the request was certainly not carried out.
    async fn request(&self, request: Request) -> Result<Answer, CloudError>;

    /// The id of the project; empty in tests that have none.
    ///
    /// # Errors
    /// As a request, when there is no token yet.
    async fn project_id(&self) -> Result<String, CloudError> {
        Ok(String::new())
    }
}
