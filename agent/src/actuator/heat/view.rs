//! What was seen of a group: its members out of the flat list of resources that Heat gives.
//!
//! Taken from resources and never from outputs: those lag, and list members that are on their way
//! out. It asks nothing.

use std::net::IpAddr;

use serde_json::Value;

use crate::heat::{Phase, Resource, StackPath, Status};

/// One member of a group.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    /// Its name in the group.
    pub(super) name: String,
    /// What tells it from a later member of the same name.
    pub(super) identity: String,
    /// Its own stack; `None` if the member is a server itself.
    pub(super) nested: Option<StackPath>,
    pub(super) status: Status,
    pub(super) reason: String,
    /// When it was made, as Heat writes it: it sorts by time.
    pub(super) created: String,
    /// Whether anything in it is not being deleted.
    pub(super) has_life: bool,
    /// Where it is reached, once that was asked.
    pub(super) address: Option<IpAddr>,
    /// The resources in it whose deletion a hook holds.
    pub(super) held: Vec<String>,
    /// It is going, but nobody can tell yet whether a hook will hold it.
    pub(super) undecided: bool,
}

impl Row {
    /// Whether Heat broke its creation off because the stack was changed again (measured): the next
    /// change goes on with it.
    fn is_interrupted(&self) -> bool {
        self.status.is_stillborn() && self.reason.contains("cancelled")
    }

    /// Whether it is not made yet, and may still be.
    pub(super) fn is_coming(&self) -> bool {
        self.status.is_coming() || self.is_interrupted()
    }

    /// Whether it could not be made.
    pub(super) fn is_stillborn(&self) -> bool {
        self.status.is_stillborn() && !self.is_interrupted()
    }

    /// Whether what was done last failed, or it was marked.
    pub(super) fn is_failed(&self) -> bool {
        self.status.is_failed() && !self.is_interrupted()
    }
}

/// What one look saw.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct View {
    /// How far the group itself is.
    pub(super) phase: Phase,
    /// The group's own stack; its members are resources of it. `None` until Heat has made it.
    pub(super) group: Option<StackPath>,
    /// Its members, oldest first.
    pub(super) rows: Vec<Row>,
    /// The id of the alarm resource, if the stack has one.
    pub(super) alarm: Option<String>,
}

/// What is wrong with a stack as the home of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unfit {
    /// No resource of that name.
    Missing,
    /// One of another type; which.
    OtherType(String),
}

impl View {
    /// A view of nothing: the stack is gone.
    pub(super) fn empty() -> View {
        View {
            phase: Phase::Complete,
            group: None,
            rows: Vec::new(),
            alarm: None,
        }
    }

    /// From the resources of the stack `top`, with at least two levels below it.
    pub(super) fn of(
        resources: &[Resource],
        top: &StackPath,
        group: &str,
        kind: &str,
        alarm: &str,
    ) -> Result<View, Unfit> {
        let of_top = |resource: &&Resource| {
            let stack = resource.stack();
            stack.is_none_or(|stack| stack.id() == top.id())
        };
        let mut tops = resources.iter().filter(of_top);
        let found = tops.clone().find(|resource| resource.name == group);
        let found = found.ok_or(Unfit::Missing)?;
        if found.kind != kind {
            return Err(Unfit::OtherType(found.kind.clone()));
        }
        let alarm = tops.find(|resource| resource.name == alarm);
        let alarm = alarm.map(|resource| resource.physical_id.clone());
        let nested = found.nested();
        let mut rows: Vec<Row> = Vec::new();
        if let Some(nested) = &nested {
            for resource in resources
                .iter()
                .filter(|r| r.stack().as_ref() == Some(nested))
            {
                take(&mut rows, row(resource, resources));
            }
        }
        rows.sort_by(|a, b| (&a.created, &a.name).cmp(&(&b.created, &b.name)));
        Ok(View {
            phase: found.status.phase,
            group: nested,
            rows,
            alarm: alarm.filter(|id| !id.is_empty()),
        })
    }

    /// The member of a name.
    pub(super) fn row(&self, name: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.name == name)
    }
}

fn row(resource: &Resource, resources: &[Resource]) -> Row {
    let nested = resource.nested();
    let parts = resources.iter().filter(|part| {
        let stack = part.stack();
        nested.is_some() && stack == nested
    });
    let mut parts = parts.peekable();
    // A member without parts stands for itself.
    let has_life = match parts.peek() {
        Some(_) => parts.any(|part| !part.status.is_leaving()),
        None => !resource.status.is_leaving(),
    };
    let id = nested
        .as_ref()
        .map_or(&*resource.physical_id, StackPath::id);
    Row {
        name: resource.name.clone(),
        identity: id.to_owned(),
        nested,
        status: resource.status,
        reason: resource.reason.clone(),
        created: resource.created.clone(),
        has_life,
        address: None,
        held: Vec::new(),
        undecided: false,
    }
}

/// While Heat replaces a member there are two of its name: the newer one is the member.
fn take(rows: &mut Vec<Row>, new: Row) {
    match rows.iter_mut().find(|row| row.name == new.name) {
        None => rows.push(new),
        Some(old) => {
            let newer = (!new.status.is_leaving(), &new.created);
            if newer > (!old.status.is_leaving(), &old.created) {
                *old = new;
            }
        }
    }
}

/// An address in an output.
pub(super) fn address(value: &Value) -> Option<IpAddr> {
    value.as_str()?.trim().parse().ok()
}

/// The address in the attributes of a server (`OS::Nova::Server`).
pub(super) fn address_of_server(attributes: &Value) -> Option<IpAddr> {
    let direct = ["first_address", "address", "accessIPv4", "accessIPv6"];
    let mut direct = direct.iter().filter_map(|key| attributes.get(key));
    if let Some(found) = direct.find_map(address) {
        return Some(found);
    }
    let networks = attributes.get("addresses")?.as_object()?;
    let mut ports = networks.values().filter_map(Value::as_array).flatten();
    ports.find_map(|port| address(port.get("addr")?))
}
