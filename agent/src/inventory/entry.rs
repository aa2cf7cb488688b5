//! What the inventory says of one member, and how it follows from what an agent knows of it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::state::{Member, PoolState, Stage};

/// Members by name.
pub type Entries = BTreeMap<String, Entry>;
/// Pools by name.
pub type Pools = BTreeMap<String, Entries>;

/// One member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Where it is.
    pub address: IpAddr,
    /// Its port.
    pub port: u16,
    /// Where requests go, with the address in it.
    pub uri: String,
    /// What its pool wants of it.
    pub state: MemberState,
    /// Its share of requests against its siblings.
    pub weight: u16,
    /// Calls that it may carry.
    pub capacity_calls: u32,
}

/// What a pool wants of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MemberState {
    /// It boots: nothing is sent there yet.
    Joining,
    /// It takes requests.
    Active,
    /// It takes no new ones; so also while it is being deleted.
    Draining,
    /// It is out of use. No agent says so today; who reads the file must stand it.
    Disabled,
}

impl MemberState {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            MemberState::Joining => "joining",
            MemberState::Active => "active",
            MemberState::Draining => "draining",
            MemberState::Disabled => "disabled",
        }
    }
}

/// The members of a pool whose addresses are known. One that is being deleted is among them until it is
/// gone: whatever was made for it elsewhere may still be in use.
pub fn entries(pool: &PoolState) -> Entries {
    let members = pool.members.iter();
    members
        .filter_map(|(name, member)| Some((name.clone(), entry(member)?)))
        .collect()
}

fn entry(member: &Member) -> Option<Entry> {
    let uri = member.destination()?;
    let (address, port) = kamscale_shm::address_of(uri)?;
    Some(Entry {
        address,
        port,
        uri: uri.to_owned(),
        state: match member.stage {
            Stage::Booting => MemberState::Joining,
            Stage::Active => MemberState::Active,
            Stage::Draining | Stage::Leaving | Stage::Held | Stage::Stopping => {
                MemberState::Draining
            }
        },
        weight: member.weight,
        capacity_calls: member.capacity_calls,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::tests::member;

    #[test]
    fn a_member_is_listed_from_its_address_on_until_it_is_gone() {
        let mut pool = PoolState::default();
        let stages = [
            ("boots", Stage::Booting),
            ("drains", Stage::Draining),
            ("goes", Stage::Stopping),
            ("held", Stage::Held),
            ("serves", Stage::Active),
            ("unknown", Stage::Booting),
        ];
        for (name, stage) in stages {
            let mut member = member(stage);
            member.uri = match name {
                "unknown" => String::new(),
                _ => "sip:10.77.1.51:5070;transport=tcp".into(),
            };
            pool.members.insert(name.into(), member);
        }
        let listed = entries(&pool);
        let states: Vec<_> = listed
            .iter()
            .map(|(name, entry)| (name.as_str(), entry.state.name()))
            .collect();
        let expected = [
            ("boots", "joining"),
            ("drains", "draining"),
            ("goes", "draining"),
            ("held", "draining"),
            ("serves", "active"),
        ];
        assert_eq!(states, expected);
        let entry = &listed["serves"];
        assert_eq!(
            (entry.address.to_string().as_str(), entry.port),
            ("10.77.1.51", 5070)
        );
    }

    #[test]
    fn a_member_with_a_host_name_is_listed_where_it_was_found() {
        let mut named = member(Stage::Active);
        named.uri = "sips:ccp.example.net".into();
        assert_eq!(entry(&named), None, "nobody knows where it is");
        named.located = Some("sips:[2001:db8::1]".into());
        let entry = entry(&named).unwrap();
        assert_eq!(
            (entry.address.to_string().as_str(), entry.port),
            ("2001:db8::1", 5061)
        );
    }
}
