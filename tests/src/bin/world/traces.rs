//! Where the platform knows of a member: DNS, database, the tables of who sends it calls, the inventory, and the host
//! itself. All of it must have one that came, nothing of it one that went. Each place is asked itself.

use std::path::Path;

use crate::database;
use crate::names::{self, DOMAIN, SERVERS};
use crate::platform::{Platform, namespace};

const INVENTORY: &str = "/var/lib/kamscale/inventory.json";

/// A member of a pool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) pool: String,
    pub(crate) name: String,
    pub(crate) address: String,
    /// Its machine.
    pub(crate) host: String,
}

/// One place, and whether the member stands there; `None` if it cannot be asked, which is neither.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    what: String,
    has_it: Option<bool>,
}

fn place(what: String, has_it: Option<bool>) -> Place {
    Place { what, has_it }
}

/// All places that run.
fn places(platform: &Platform, member: &Member) -> Vec<Place> {
    let mut places = in_dns(platform, member);
    if member.pool == "ccp" {
        places.push(in_database(member));
    }
    for host in platform.hosts() {
        if serves(&host, &member.pool, platform) {
            let said = Platform::run(&host, &["kamcmd", "kamscale.members", &member.pool]);
            let has_it = said.ok().map(|text| names_it(&text, member));
            places.push(place(format!("table of {host}"), has_it));
        }
        if let Some(text) = platform.read(&host, INVENTORY) {
            places.push(place(
                format!("inventory of {host}"),
                Some(names_it(&text, member)),
            ));
        }
    }
    places
}

/// Places that still have a member that went, its machine among them.
pub(crate) fn left(platform: &Platform, member: &Member) -> Vec<String> {
    let mut left: Vec<String> = places(platform, member)
        .into_iter()
        .filter(|p| p.has_it != Some(false))
        .map(|p| p.what)
        .collect();
    if !member.host.is_empty() {
        let namespace = namespace(&member.host);
        if Path::new(&namespace).exists() {
            left.push(format!("namespace of {}", member.host));
        }
        if platform.init(&member.host).is_some() {
            left.push(format!("processes of {}", member.host));
        }
    }
    left
}

/// Places that do not have a member yet that came.
pub(crate) fn missing(platform: &Platform, member: &Member) -> Vec<String> {
    let places = places(platform, member).into_iter();
    let without = places.filter(|p| p.has_it != Some(true));
    without.map(|p| p.what).collect()
}

/// Whether a host's Kamailio sends calls to a pool.
fn serves(host: &str, pool: &str, platform: &Platform) -> bool {
    let is = |instance: &str| {
        let path = platform.path(host, &format!("/run/kamscale/{instance}.observed"));
        path.is_some_and(|p| p.exists())
    };
    if pool == "ccp" { is("lb") } else { is("ccp") }
}

fn names_it(text: &str, member: &Member) -> bool {
    let is_letter = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let is_there = |word: &str| {
        text.match_indices(word).any(|(at, _)| {
            let after = text[at + word.len()..].chars().next();
            let before = text[..at].chars().next_back();
            !after.is_some_and(is_letter) && !before.is_some_and(is_letter)
        })
    };
    is_there(&member.address) || is_there(&member.name)
}

/// A name server that was killed has nothing to say, and nobody asks it.
fn in_dns(platform: &Platform, member: &Member) -> Vec<Place> {
    let mut places = Vec::new();
    let running = SERVERS
        .into_iter()
        .filter(|(host, _)| platform.init(host).is_some());
    for (host, server) in running {
        let mut ask = |kind: &str, name: &str| {
            let said = names::ask(server, kind, name).ok();
            let has_it = said.map(|records| records.iter().any(|r| names_it(r, member)));
            places.push(place(format!("{kind} of {name} at {host}"), has_it));
        };
        ask("A", &format!("{}.{DOMAIN}", member.name));
        if member.pool == "ccp" {
            ask("A", &format!("ccp.{DOMAIN}"));
            ask("SRV", &format!("_sip._udp.ccp.{DOMAIN}"));
        }
    }
    places
}

fn in_database(member: &Member) -> Place {
    let host = &member.address;
    let rows = database::ask(&format!(
        "SELECT COUNT(*) FROM mysql.user WHERE host = '{host}'"
    ));
    let has_it = rows.ok().and_then(|rows| Some(rows.first()? != "0"));
    place("grants of the database".into(), has_it)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_longer_address_or_name_is_another_one() {
        let member = Member {
            name: "ccp-1".into(),
            address: "10.77.1.5".into(),
            ..Member::default()
        };
        for text in ["10.77.1.53", "ccp-12", "x-ccp-1", "110.77.1.5"] {
            assert!(!names_it(text, &member), "{text}");
        }
        for text in [
            "sip:10.77.1.5:5060",
            "0 5060 ccp-1.example.test.",
            "\"ccp-1\": {}",
        ] {
            assert!(names_it(text, &member), "{text}");
        }
    }
}
