//! Events: the only place where Heat says that a hook holds a resource.

use serde::Deserialize;

use super::resource::Link;
use super::{PRE_DELETE, StackPath};

/// One event of a stack.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Event {
    resource_name: String,
    #[serde(default)]
    resource_status_reason: Option<String>,
    #[serde(default)]
    links: Vec<Link>,
}

/// The resources that a hook holds, of events that come newest first, with their stacks. The event of
/// a hook that was cleared stays in the list, so only the newest of each resource counts.
pub(super) fn held(events: &[Event]) -> Vec<(Option<StackPath>, String)> {
    let paused = format!("DELETE paused until Hook {PRE_DELETE} is cleared");
    let mut seen: Vec<(Option<StackPath>, &str)> = Vec::new();
    let mut held = Vec::new();
    for event in events {
        let link = event.links.iter().find(|link| link.rel == "stack");
        let stack = link.and_then(|link| StackPath::from_link(&link.href));
        let key = (stack, event.resource_name.as_str());
        if seen.contains(&key) {
            continue;
        }
        if event.resource_status_reason.as_deref() == Some(&paused) {
            held.push((key.0.clone(), event.resource_name.clone()));
        }
        seen.push(key);
    }
    held
}
