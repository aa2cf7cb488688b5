//! Aodh: whether an alarm that drives a group is in its state `alarm`.

use serde::Deserialize;

use super::{Heat, StackPath, looks_like_id};
use crate::cloud::{CloudError, Request, Service, segment};

#[derive(Deserialize)]
struct Alarm {
    alarm_id: String,
    name: String,
    #[serde(default)]
    alarm_actions: Vec<String>,
}

impl Heat {
    /// Whether an alarm is in its state `alarm`.
    ///
    /// # Errors
    /// As [`crate::cloud::Cloud::request`].
    pub async fn alarms(&self, id: &str) -> Result<bool, CloudError> {
        let path = format!("/v2/alarms/{}/state", segment(id));
        let answer = self.cloud.request(Request::get(Service::Alarming, path));
        Ok(answer.await?.json::<String>()? == "alarm")
    }

    /// The id of the alarm that was made as resource `resource` of whatever stack and that signals
    /// resources of `group_stack`. An id is taken as it is.
    ///
    /// # Errors
    /// As [`crate::cloud::Cloud::request`].
    pub async fn find_alarm(
        &self,
        resource: &str,
        group_stack: &StackPath,
    ) -> Result<Option<String>, CloudError> {
        if looks_like_id(resource) {
            return Ok(Some(resource.into()));
        }
        let request = Request::get(Service::Alarming, "/v2/alarms");
        let alarms: Vec<Alarm> = self.cloud.request(request).await?.json()?;
        // Heat names what it makes STACK-RESOURCE-RANDOM.
        let named = format!("-{resource}-");
        let signals = format!("/{}/resources/", group_stack.id());
        let found = alarms.into_iter().find(|alarm| {
            let mut actions = alarm.alarm_actions.iter();
            (alarm.name == resource || alarm.name.contains(&named))
                && actions.any(|action| action.replace("%2F", "/").contains(&signals))
        });
        Ok(found.map(|alarm| alarm.alarm_id))
    }
}
