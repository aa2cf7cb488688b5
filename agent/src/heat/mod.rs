//! Heat, as the actuators need it: stacks, their resources, marks, hooks; and the state of an alarm.
//!
//! Typed requests over [`Cloud`] and nothing more: no retry, no waiting, no decision. Paths and
//! fields are those of the Orchestration API, <https://docs.openstack.org/api-ref/orchestration/v1/>.

mod alarm;
mod event;
mod resource;
mod stack;
mod status;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

pub use resource::Resource;
pub use stack::{NewStack, Stack, StackPath, StackSummary};
pub use status::{Action, Phase, Status};

use crate::cloud::{Answer, Cloud, CloudError, Request, Service, segment};

/// The hook that holds a deletion.
const PRE_DELETE: &str = "pre-delete";

#[derive(Deserialize)]
struct Events {
    events: Vec<event::Event>,
}

/// Heat in one project.
#[derive(Debug, Clone)]
pub struct Heat {
    cloud: Arc<dyn Cloud>,
}

impl Heat {
    /// Heat behind a cloud.
    pub fn new(cloud: Arc<dyn Cloud>) -> Heat {
        Heat { cloud }
    }

    async fn get(&self, path: String) -> Result<Answer, CloudError> {
        let request = Request::get(Service::Orchestration, path);
        self.cloud.request(request).await
    }

    /// The stack of a name or id; `None` if there is none, or only one that was deleted.
    ///
    /// # Errors
    /// As [`Cloud::request`].
    pub async fn find(&self, name_or_id: &str) -> Result<Option<StackSummary>, CloudError> {
        // By the list, because there an absent stack is an empty list: a 404 may also be a wrong URL.
        let by_name = self.list(&format!("name={}", segment(name_or_id))).await?;
        if let Some(stack) = by_name.into_iter().next() {
            return Ok(Some(stack));
        }
        if !looks_like_id(name_or_id) {
            return Ok(None);
        }
        let by_id = self.list(&format!("id={}", segment(name_or_id))).await?;
        Ok(by_id.into_iter().next())
    }

    /// The stacks that have all these tags.
    ///
    /// # Errors
    /// As [`Cloud::request`].
    pub async fn tagged(&self, tags: &[&str]) -> Result<Vec<StackSummary>, CloudError> {
        let tags: Vec<String> = tags.iter().map(|tag| segment(tag)).collect();
        self.list(&format!("tags={}", tags.join(","))).await
    }

    /// The stacks that are parts of a stack, also of one that was deleted: an engine that dies while
    /// it makes one forgets whose it is, and leaves it there (measured).
    ///
    /// # Errors
    /// As [`Cloud::request`].
    pub async fn parts(&self, of: &StackPath) -> Result<Vec<StackSummary>, CloudError> {
        let owner = segment(of.id());
        self.list(&format!("owner_id={owner}&show_nested=True"))
            .await
    }

    async fn list(&self, query: &str) -> Result<Vec<StackSummary>, CloudError> {
        #[derive(Deserialize)]
        struct Body {
            stacks: Vec<StackSummary>,
        }
        let answer = self.get(format!("/stacks?{query}")).await?;
        Ok(answer.json::<Body>()?.stacks)
    }

    /// A stack with its parameters; with its outputs if they are wanted (Heat works for them).
    ///
    /// # Errors
    /// As [`Cloud::request`].
    pub async fn stack(&self, path: &StackPath, outputs: bool) -> Result<Stack, CloudError> {
        #[derive(Deserialize)]
        struct Body {
            stack: Stack,
        }
        let outputs = if outputs { "True" } else { "False" };
        let answer = self
            .get(format!("{path}?resolve_outputs={outputs}"))
            .await?;
        Ok(answer.json::<Body>()?.stack)
    }

    /// Creates a stack; answers its path.
    ///
    /// # Errors
    /// As [`Cloud::request`]; a conflict if a stack of that name exists.
    pub async fn create(&self, stack: &NewStack) -> Result<StackPath, CloudError> {
        #[derive(Deserialize)]
        struct Body {
            stack: Made,
        }
        #[derive(Deserialize)]
        struct Made {
            id: String,
        }
        let request = Request::post(Service::Orchestration, "/stacks", stack);
        let id = self.cloud.request(request).await?.json::<Body>()?.stack.id;
        Ok(StackPath::new(&stack.stack_name, &id))
    }

    /// Begins to delete a stack.
    ///
    /// # Errors
    /// As [`Cloud::request`].
    pub async fn delete(&self, path: &StackPath) -> Result<Answer, CloudError> {
        let request = Request::delete(Service::Orchestration, path.to_string());
        self.cloud.request(request).await
    }

    /// Changes parameters of a stack; template, environment and other parameters stay.
    ///
    /// # Errors
    /// As [`Cloud::request`].
    pub async fn set_parameters(
        &self,
        path: &StackPath,
        parameters: &BTreeMap<String, Value>,
    ) -> Result<Answer, CloudError> {
        let body = json!({ "parameters": parameters });
        let request = Request::patch(Service::Orchestration, path.to_string(), &body);
        self.cloud.request(request).await
    }

    /// The resources of a stack and of the stacks nested in it, so many levels down.
    ///
    /// # Errors
    /// As [`Cloud::request`].
    pub async fn resources(
        &self,
        path: &StackPath,
        nested_depth: u32,
    ) -> Result<Vec<Resource>, CloudError> {
        #[derive(Deserialize)]
        struct Body {
            resources: Vec<Resource>,
        }
        let answer = self
            .get(format!("{path}/resources?nested_depth={nested_depth}"))
            .await?;
        Ok(answer.json::<Body>()?.resources)
    }

    /// The attributes of one resource.
    ///
    /// # Errors
    /// As [`Cloud::request`].
    pub async fn attributes(&self, path: &StackPath, name: &str) -> Result<Value, CloudError> {
        let answer = self
            .get(format!("{path}/resources/{}", segment(name)))
            .await?;
        let body: Value = answer.json()?;
        let attributes = body.pointer("/resource/attributes");
        Ok(attributes.cloned().unwrap_or_default())
    }

    /// Marks a resource unhealthy (`CHECK_FAILED`), or takes that mark off.
    ///
    /// # Errors
    /// As [`Cloud::request`]; a conflict while the resource is being changed.
    pub async fn mark(
        &self,
        path: &StackPath,
        name: &str,
        unhealthy: bool,
        reason: &str,
    ) -> Result<(), CloudError> {
        let path = format!("{path}/resources/{}", segment(name));
        let body = json!({ "mark_unhealthy": unhealthy, "resource_status_reason": reason });
        let request = Request::patch(Service::Orchestration, path, &body).repeatable();
        self.cloud.request(request).await.map(drop)
    }

    /// The resources of a stack whose deletion waits for its hook to be cleared.
    ///
    /// # Errors
    /// As [`Cloud::request`].
    pub async fn held(&self, path: &StackPath) -> Result<Vec<String>, CloudError> {
        // Newest first; of each resource the newest word about the hook is true.
        let answer = self
            .get(format!("{path}/events?sort_dir=desc&limit=50"))
            .await?;
        let held = event::held(&answer.json::<Events>()?.events);
        Ok(held.into_iter().map(|(_, resource)| resource).collect())
    }

    /// The same for all stacks nested in a stack; each with its stack.
    ///
    /// # Errors
    /// As [`Cloud::request`].
    pub async fn held_below(
        &self,
        path: &StackPath,
    ) -> Result<Vec<(StackPath, String)>, CloudError> {
        let answer = self
            .get(format!(
                "{path}/events?nested_depth=5&sort_dir=desc&limit=500"
            ))
            .await?;
        let held = event::held(&answer.json::<Events>()?.events);
        let held = held.into_iter();
        Ok(held
            .filter_map(|(stack, name)| Some((stack?, name)))
            .collect())
    }

    /// Lets a held deletion go on. One that is not held, or is gone, is no error.
    ///
    /// # Errors
    /// As [`Cloud::request`].
    pub async fn release(&self, path: &StackPath, resource: &str) -> Result<(), CloudError> {
        let path = format!("{path}/resources/{}/signal", segment(resource));
        let body = json!({ "unset_hook": PRE_DELETE });
        let request = Request::post(Service::Orchestration, path, &body).repeatable();
        match self.cloud.request(request).await {
            Ok(_)
            | Err(CloudError::Refused {
                status: 400 | 404, ..
            }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Whether this is a UUID (RFC 9562), as ids of stacks and alarms are.
fn looks_like_id(text: &str) -> bool {
    let dashes = [8, 13, 18, 23];
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| {
            if dashes.contains(&at) {
                byte == b'-'
            } else {
                byte.is_ascii_hexdigit()
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_told_from_names() {
        assert!(looks_like_id("3f2504e0-4f89-41d3-9a0c-0305e82c3301"));
        assert!(!looks_like_id("conference"));
    }
}
