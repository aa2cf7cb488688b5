//! Resources of a stack, as the list of Heat gives them.

use serde::{Deserialize, Deserializer};

use super::{StackPath, Status};

/// One resource.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Resource {
    /// Its name in its stack.
    #[serde(rename = "resource_name")]
    pub name: String,
    /// Its type in the template.
    #[serde(rename = "resource_type")]
    pub kind: String,
    /// How it is.
    #[serde(rename = "resource_status")]
    pub status: Status,
    /// Why.
    #[serde(rename = "resource_status_reason", default, deserialize_with = "text")]
    pub reason: String,
    /// The id of what it stands for; empty until that is made.
    #[serde(rename = "physical_resource_id", default, deserialize_with = "text")]
    pub physical_id: String,
    /// When it was made, as Heat writes it: it sorts by time.
    #[serde(rename = "creation_time", default, deserialize_with = "text")]
    pub created: String,
    #[serde(default)]
    links: Vec<Link>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Link {
    pub(super) rel: String,
    pub(super) href: String,
}

impl Resource {
    /// The stack that it is a part of.
    pub fn stack(&self) -> Option<StackPath> {
        self.link("stack")
    }

    /// The stack that it is itself, if it is a nested stack.
    pub fn nested(&self) -> Option<StackPath> {
        self.link("nested")
    }

    fn link(&self, rel: &str) -> Option<StackPath> {
        let link = self.links.iter().find(|link| link.rel == rel)?;
        StackPath::from_link(&link.href)
    }
}

/// Text, or nothing where Heat says null.
fn text<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    Ok(Option::<String>::deserialize(from)?.unwrap_or_default())
}
