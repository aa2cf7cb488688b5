//! Stacks: where they are, what they say of themselves, and what a new one is made of.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Status;
use crate::cloud::segment;

/// Where a stack is. With its id, so that a stack of the same name made later is another one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StackPath {
    name: String,
    id: String,
}

impl StackPath {
    /// Of a name and an id.
    pub fn new(name: &str, id: &str) -> StackPath {
        StackPath {
            name: name.into(),
            id: id.into(),
        }
    }

    /// From a link of Heat's, as `http://heat/v1/PROJECT/stacks/NAME/ID`: only name and id are
    /// taken, because the host in it may be one that is not reached from here.
    pub fn from_link(href: &str) -> Option<StackPath> {
        let (_, rest) = href.rsplit_once("/stacks/")?;
        let mut words = rest.split(['/', '?']);
        let (name, id) = (words.next()?, words.next()?);
        (!name.is_empty() && !id.is_empty()).then(|| StackPath::new(name, id))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl fmt::Display for StackPath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "/stacks/{}/{}", segment(&self.name), segment(&self.id))
    }
}

/// A stack in a list.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct StackSummary {
    /// Its name.
    #[serde(rename = "stack_name")]
    pub name: String,
    /// Its id.
    pub id: String,
    /// How it is.
    #[serde(rename = "stack_status")]
    pub status: Status,
    /// Why.
    #[serde(rename = "stack_status_reason", default)]
    pub reason: Option<String>,
    /// When it was made, as Heat writes it: it sorts by time.
    #[serde(rename = "creation_time", default)]
    pub created: String,
    /// Its tags.
    #[serde(default)]
    pub tags: Option<Vec<String>>,
}

impl StackSummary {
    /// Where it is.
    pub fn path(&self) -> StackPath {
        StackPath::new(&self.name, &self.id)
    }
}

/// A stack.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Stack {
    /// How it is.
    #[serde(rename = "stack_status")]
    pub status: Status,
    /// Why.
    #[serde(rename = "stack_status_reason", default)]
    pub reason: Option<String>,
    /// Its parameters: whatever their type, Heat writes them as text.
    #[serde(default)]
    pub parameters: BTreeMap<String, Value>,
    #[serde(default)]
    outputs: Option<Vec<Output>>,
    /// Its tags.
    #[serde(default)]
    pub tags: Option<Vec<String>>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Output {
    output_key: String,
    #[serde(default)]
    output_value: Value,
}

impl Stack {
    /// An output that has a value.
    pub fn output(&self, key: &str) -> Option<&Value> {
        let mut outputs = self.outputs.iter().flatten();
        let output = outputs.find(|output| output.output_key == key)?;
        (!output.output_value.is_null()).then_some(&output.output_value)
    }

    /// A parameter that is a list of names, whether Heat writes it as a list or as text.
    pub fn names(&self, parameter: &str) -> Vec<String> {
        let listed = match self.parameters.get(parameter) {
            Some(Value::Array(names)) => names.clone(),
            Some(Value::String(text)) => serde_json::from_str(text).unwrap_or_default(),
            _ => Vec::new(),
        };
        let name = |value: &Value| match value {
            Value::String(name) => Some(name.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        listed.iter().filter_map(name).collect()
    }
}

/// What a new stack is made of.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NewStack {
    /// Its name.
    pub stack_name: String,
    /// The template's text.
    pub template: String,
    /// The environment file's text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Its parameters.
    pub parameters: BTreeMap<String, Value>,
    /// The texts of the files that the template names.
    pub files: BTreeMap<String, String>,
    /// Its tags, with commas between.
    pub tags: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_says_which_stack_whatever_its_host_is() {
        let path =
            StackPath::from_link("https://x:8004/v1/p/stacks/conference-group-a/77/resources/1");
        assert_eq!(path, Some(StackPath::new("conference-group-a", "77")));
        assert_eq!(StackPath::from_link("https://x/v1/p/stacks/"), None);
    }

    #[test]
    fn lists_are_read_as_heat_writes_them() {
        let stack = |text: &str| serde_json::from_str::<Stack>(text).unwrap();
        let written = stack(
            r#"{"stack_status": "UPDATE_COMPLETE", "parameters": {"remove": "[\"1\", 2]", "count": "3"}}"#,
        );
        assert_eq!(written.names("remove"), ["1", "2"]);
        assert!(written.names("count").is_empty() && written.names("absent").is_empty());
    }
}
