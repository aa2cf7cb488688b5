//! What was seen of a group: its members out of the flat list of resources that Heat gives.
//!
//! Taken from resources and never from outputs: those lag, and list members that are on their way
//! out. It asks nothing.

use std::net::IpAddr;

use serde_json::Value;

use crate::heat::{Action, Phase, Resource, StackPath, Status};

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
    /// Whether something in it could not be made.
    pub(super) lacks_part: bool,
    /// Where it is reached, once that was asked.
    pub(super) address: Option<IpAddr>,
    /// Whether it was asked and has none.
    pub(super) is_nowhere: bool,
    /// The resources in it whose deletion a hook holds.
    pub(super) held: Vec<String>,
    /// It is going, but nobody can tell yet whether a hook will hold it.
    pub(super) undecided: bool,
}

impl Row {
    /// Whether it is not made, by the last that was tried. After a creation that was broken off Heat tries
    /// again by an update (measured); a member that has an address was made, whatever an update did to it.
    fn is_unmade(&self) -> bool {
        let updated = self.status.action == Action::Update && self.status.is_failed();
        self.status.is_stillborn() || updated && self.lacks_part && self.is_nowhere
    }

    /// Whether Heat broke its creation off because the stack was changed again (measured): the next
    /// change goes on with it.
    fn is_interrupted(&self) -> bool {
        self.is_unmade() && self.reason.contains("cancelled")
    }

    /// Whether it is not made yet, and may still be.
    pub(super) fn is_coming(&self) -> bool {
        self.status.is_coming() || self.is_interrupted()
    }

    /// Whether it could not be made.
    pub(super) fn is_stillborn(&self) -> bool {
        self.is_unmade() && !self.is_interrupted()
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
    let lacks_part = parts.clone().any(|part| part.status.is_stillborn());
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
        lacks_part,
        address: None,
        is_nowhere: false,
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn resource(name: &str, status: &str, stack: &str, nested: &str) -> Resource {
        let link = |rel: &str, of: &str| json!({"rel": rel, "href": format!("/stacks/{of}/{of}")});
        let links = [link("stack", stack), link("nested", nested)];
        let links = &links[..if nested.is_empty() { 1 } else { 2 }];
        let kind = "OS::Heat::ResourceGroup";
        let value = json!({"resource_name": name, "resource_type": kind,
            "resource_status": status, "links": links});
        serde_json::from_value(value).unwrap()
    }

    /// As it came: while 3 was refused 4 was asked for and broken off; tried again, it was refused, too.
    #[test]
    fn a_member_that_an_update_could_not_make_is_stillborn_once_it_is_known_to_be_nowhere() {
        let resources = [
            resource("group", "UPDATE_FAILED", "top", "group"),
            resource("4", "UPDATE_FAILED", "group", "four"),
            resource("server", "CREATE_FAILED", "four", ""),
        ];
        let top = StackPath::new("top", "top");
        let kind = "OS::Heat::ResourceGroup";
        let view = View::of(&resources, &top, "group", kind, "alarm").unwrap();
        let mut row = view.row("4").unwrap().clone();
        row.reason = "Forbidden: resources.server: Quota exceeded for instances".into();
        assert!(!row.is_stillborn(), "its address was not asked for yet");
        row.is_nowhere = true;
        assert!(row.is_stillborn() && row.is_failed() && !row.is_coming());
        row.reason = "resources[4]: Stack UPDATE cancelled".into();
        assert!(row.is_coming() && !row.is_stillborn() && !row.is_failed());
        row.lacks_part = false;
        assert!(!row.is_stillborn(), "all of it is there");
    }
}
