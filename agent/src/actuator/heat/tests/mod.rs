//! What the tests of the Heat actuators share.

mod model;
mod recorded;
mod scenarios;
mod service;
mod tidying;

use std::sync::Arc;

use async_trait::async_trait;

use super::view::Row;
use crate::cloud::{Answer, Cloud, CloudError, Request};
use crate::config::HeatConfig;
use crate::heat::Status;

/// A member in a status.
pub(super) fn row(name: &str, status: &str) -> Row {
    Row {
        name: name.into(),
        identity: format!("id-{name}"),
        nested: None,
        status: Status::parse(status).unwrap(),
        reason: String::new(),
        created: String::new(),
        has_life: true,
        lacks_part: false,
        address: None,
        is_nowhere: false,
        held: Vec::new(),
        undecided: false,
    }
}

/// A configuration.
pub(super) fn config(actuator: &str) -> HeatConfig {
    let text = format!(
        "actuator = \"{actuator}\"\nstack = \"conference\"\nready_options = 0\n\
         boot_timeout_s = 300\ndelete_timeout_s = 200"
    );
    toml::from_str(&text).unwrap()
}

/// A cloud that always answers the same.
#[derive(Debug)]
struct Same(Answer);

#[async_trait]
impl Cloud for Same {
    async fn request(&self, _request: Request) -> Result<Answer, CloudError> {
        Ok(self.0.clone())
    }
}

fn cloud_of(answer: Answer) -> Arc<dyn Cloud> {
    Arc::new(Same(answer))
}
