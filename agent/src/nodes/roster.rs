//! Roster: which nodes there are: written down, or the members of another instance's pool as the
//! inventory has them. It reads what is known and asks nobody.
//!
//! With a pool the nodes come and go at run time, and the invariants stay:
//!
//! * *A node that cannot be heard blocks removals* (invariant 7): active and draining members are waited
//!   for, for both may carry calls. One that is being deleted is listed as draining until it is gone.
//! * *A node that is gone blocks no more*: the inventory lists a member until its pool has removed it, which
//!   that does only when it is empty or dead. Its calls ended with it.
//! * *A node that boots blocks nothing*: its pool sends it nothing while it is joining, so that it has no calls
//!   to tell. Once it says that its Kamailio has our pools it could, and counts like any other.
//! * *Missing data never removes*: as long as the inventory has no such pool, or this node is not in it, nobody
//!   knows who else there is. Then no member is known to be empty; additions go on.

use tokio::sync::watch;

use super::{Expected, Waited, node_at};
use crate::inventory::{Entries, Known, MemberState};

/// Which nodes there are.
#[derive(Debug)]
pub enum Roster {
    /// These.
    Fixed(Expected),
    /// The members of a pool.
    Pool {
        /// The pool, of another instance.
        pool: String,
        /// This node's name: its address.
        own: String,
        /// The inventory.
        known: watch::Receiver<Known>,
    },
}

impl Roster {
    /// The nodes of now.
    pub fn now(&self) -> Expected {
        match self {
            Roster::Fixed(expected) => expected.clone(),
            Roster::Pool { pool, own, known } => {
                let inventory = known.borrow().inventory.clone();
                members(pool, own, inventory.pool(pool))
            }
        }
    }
}

fn members(pool: &str, own: &str, entries: Option<Entries>) -> Expected {
    let mut expected = Expected::default();
    for entry in entries.iter().flat_map(|entries| entries.values()) {
        let waited = match entry.state {
            MemberState::Joining => Waited::OnceItSpoke,
            MemberState::Active | MemberState::Draining | MemberState::Disabled => Waited::Always,
        };
        let known = expected.nodes.entry(node_at(entry.address));
        let known = known.or_insert(waited);
        *known = waited.max(*known);
    }
    if entries.is_none() {
        let why = format!("the inventory does not have pool {pool}, whose members are the nodes");
        expected.unknown = Some(why);
    } else if !expected.nodes.contains_key(own) {
        let why = format!("this node, {own}, is not in pool {pool} of the inventory");
        expected.unknown = Some(why);
    }
    expected
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::Entry;

    fn pool(members: &[(&str, MemberState)]) -> Option<Entries> {
        let entries = members
            .iter()
            .enumerate()
            .map(|(number, (address, state))| {
                let entry = Entry {
                    address: address.parse().unwrap(),
                    port: 5060,
                    uri: format!("sip:{address}"),
                    state: *state,
                    weight: 100,
                    capacity_calls: 200,
                };
                (format!("ccp-{number}"), entry)
            });
        Some(entries.collect())
    }

    #[test]
    fn members_are_nodes_by_their_addresses_and_one_that_joins_only_once_it_spoke() {
        use MemberState::{Active, Draining, Joining};
        let entries = pool(&[
            ("10.77.1.51", Active),
            ("10.77.1.52", Draining),
            ("10.77.1.53", Joining),
            ("2001:db8::1", Active),
        ]);
        let expected = members("ccp", "10.77.1.51", entries);
        assert_eq!(expected.unknown, None);
        let nodes: Vec<_> = expected.nodes.into_iter().collect();
        let as_expected = [
            ("10.77.1.51", Waited::Always),
            ("10.77.1.52", Waited::Always),
            ("10.77.1.53", Waited::OnceItSpoke),
            ("2001-db8--1", Waited::Always),
        ];
        let as_expected = as_expected.map(|(name, waited)| (name.to_owned(), waited));
        assert_eq!(nodes, as_expected);
    }

    #[test]
    fn without_the_pool_or_without_itself_in_it_a_node_does_not_know_the_others() {
        let why = members("ccp", "10.77.1.51", None).unknown.unwrap();
        assert!(why.contains("pool ccp"), "{why}");
        let others = pool(&[("10.77.1.52", MemberState::Active)]);
        let expected = members("ccp", "10.77.1.51", others);
        assert!(expected.unknown.unwrap().contains("10.77.1.51"));
        assert!(expected.nodes.contains_key("10.77.1.52"));
    }
}
