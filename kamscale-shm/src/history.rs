//! What each publication changed against the one before: found by the publisher, kept in the desired
//! file for the last [`crate::limits::HISTORY_SLOTS`] of them, read by whoever asks.
//!
//! The publisher knows it best: it alone sees every publication, while a Kamailio process sees those
//! in force when it looks. It must not decide anything: nothing but reports reads it.

mod options;

use std::collections::HashMap;
use std::fmt::Write;

use crate::limits::HISTORY_WORDS;
use crate::spec::{MemberSpec, PoolSpec, TableSpec};

/// What happened to a pool or a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The pool was not there before.
    PoolAdded,
    /// The pool is gone.
    PoolRemoved,
    /// The pool's rows of keys have another number (`hash_bits`).
    HashBits,
    /// The member was not there before.
    MemberAdded,
    /// The member is gone.
    MemberRemoved,
    /// Its desired state.
    State,
    /// Its weight.
    Weight,
    /// Its priority.
    Priority,
    /// Its capacity, in calls.
    Capacity,
    /// Its URI.
    Uri,
    /// The local socket that its requests leave by.
    Socket,
    /// What scripts may read of it.
    Attributes,
    /// The proxy before it.
    Proxy,
    /// How it, or the members of the pool, are probed.
    Probe,
    /// How long the pool's members start slowly.
    SlowStart,
    /// Whether the pool's members get more than their capacity.
    RespectCapacity,
    /// The pool that takes what this one cannot.
    Overflow,
    /// When the pool's answers to probes are not believed.
    PanicThreshold,
    /// Something else of it.
    Other,
}

impl What {
    const ALL: [Self; 19] = [
        Self::PoolAdded,
        Self::PoolRemoved,
        Self::HashBits,
        Self::MemberAdded,
        Self::MemberRemoved,
        Self::State,
        Self::Weight,
        Self::Priority,
        Self::Capacity,
        Self::Uri,
        Self::Socket,
        Self::Attributes,
        Self::Proxy,
        Self::Probe,
        Self::SlowStart,
        Self::RespectCapacity,
        Self::Overflow,
        Self::PanicThreshold,
        Self::Other,
    ];

    /// Its name in RPC and in the file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PoolAdded => "pool_added",
            Self::PoolRemoved => "pool_removed",
            Self::HashBits => "hash_bits",
            Self::MemberAdded => "member_added",
            Self::MemberRemoved => "member_removed",
            Self::State => "state",
            Self::Weight => "weight",
            Self::Priority => "priority",
            Self::Capacity => "capacity",
            Self::Uri => "uri",
            Self::Socket => "socket",
            Self::Attributes => "attributes",
            Self::Proxy => "proxy",
            Self::Probe => "probe",
            Self::SlowStart => "slow_start_s",
            Self::RespectCapacity => "respect_capacity",
            Self::Overflow => "overflow",
            Self::PanicThreshold => "panic_threshold",
            Self::Other => "other",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|w| w.name() == name)
    }
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its pool.
    pub pool: String,
    /// Its member; empty if it is the pool itself.
    pub member: String,
    /// What changed.
    pub what: What,
    /// What it was; of a member that is gone, its URI. Empty if there was nothing.
    pub from: String,
    /// What it is; of a member that came, its URI. Empty if there is nothing.
    pub to: String,
}

/// One publication as it is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// Its generation.
    pub generation: u64,
    /// When it was published, in seconds since 1970, by the publisher's clock.
    pub time_s: u64,
    /// How many changes it had.
    pub total: usize,
    /// The first of them, as many as its place holds.
    pub changes: Vec<Change>,
}

/// Every difference between two tables: pools and members that came, then what else changed, then
/// what went.
#[must_use]
pub fn changes(before: &TableSpec, after: &TableSpec) -> Vec<Change> {
    let mut found = Vec::new();
    let old: HashMap<&str, &PoolSpec> = before.pools.iter().map(|p| (&*p.name, p)).collect();
    for (index, pool) in after.pools.iter().enumerate() {
        // Mostly nothing of a pool changes, and it is where it was.
        let same_place = before.pools.get(index).filter(|p| p.name == pool.name);
        match same_place.or_else(|| old.get(&*pool.name).copied()) {
            Some(was) if was == pool => {}
            Some(was) => of_pool(was, pool, &mut found),
            None => {
                found.push(change(pool, "", What::PoolAdded, "", ""));
                for member in &pool.members {
                    found.push(change(
                        pool,
                        &member.name,
                        What::MemberAdded,
                        "",
                        &member.uri,
                    ));
                }
            }
        }
    }
    let came = found.iter().filter(|c| c.what == What::PoolAdded).count();
    if before.pools.len() + came != after.pools.len() {
        let new: HashMap<&str, ()> = after.pools.iter().map(|p| (&*p.name, ())).collect();
        let gone = before.pools.iter().filter(|p| !new.contains_key(&*p.name));
        found.extend(gone.map(|pool| change(pool, "", What::PoolRemoved, "", "")));
    }
    found
}

fn of_pool(was: &PoolSpec, is: &PoolSpec, found: &mut Vec<Change>) {
    if was.hash_bits != is.hash_bits {
        let (from, to) = (was.hash_bits.to_string(), is.hash_bits.to_string());
        found.push(change(is, "", What::HashBits, &from, &to));
    }
    options::of_pool(was, is, found);
    let mut old: HashMap<&str, &MemberSpec> = was.members.iter().map(|m| (&*m.name, m)).collect();
    for member in &is.members {
        match old.remove(&*member.name) {
            None => found.push(change(is, &member.name, What::MemberAdded, "", &member.uri)),
            Some(before) if before == member => {}
            Some(before) => of_member(is, before, member, found),
        }
    }
    for member in was.members.iter().filter(|m| old.contains_key(&*m.name)) {
        let gone = change(is, &member.name, What::MemberRemoved, &member.uri, "");
        found.push(gone);
    }
}

fn of_member(pool: &PoolSpec, was: &MemberSpec, is: &MemberSpec, found: &mut Vec<Change>) {
    let before = found.len();
    let mut compare = |what, from: String, to: String| {
        if from != to {
            found.push(change(pool, &is.name, what, &from, &to));
        }
    };
    let state = |m: &MemberSpec| m.state.name().to_owned();
    compare(What::State, state(was), state(is));
    compare(What::Weight, was.weight.to_string(), is.weight.to_string());
    let priority = |m: &MemberSpec| m.priority.to_string();
    compare(What::Priority, priority(was), priority(is));
    let capacity = |m: &MemberSpec| m.capacity.to_string();
    compare(What::Capacity, capacity(was), capacity(is));
    compare(What::Uri, was.uri.clone(), is.uri.clone());
    options::of_member(&was.options, &is.options, &mut compare);
    if found.len() == before {
        found.push(change(pool, &is.name, What::Other, "", ""));
    }
}

fn change(pool: &PoolSpec, member: &str, what: What, from: &str, to: &str) -> Change {
    Change {
        pool: pool.name.clone(),
        member: member.to_owned(),
        what,
        from: from.to_owned(),
        to: to.to_owned(),
    }
}

/// The words of one record: a line with time and number of changes, then a line for each change as
/// long as there is room. Tabs divide, as no name and no URI holds one; zeros fill the last word.
pub(crate) fn encode(time_s: u64, changes: &[Change]) -> Vec<u64> {
    let mut text = format!("{time_s}\t{}\n", changes.len());
    for change in changes {
        let length = text.len();
        let Change {
            pool,
            member,
            what,
            from,
            to,
        } = change;
        let _ = writeln!(text, "{pool}\t{member}\t{}\t{from}\t{to}", what.name());
        if text.len() > HISTORY_WORDS * 8 {
            text.truncate(length);
            break;
        }
    }
    let word = |bytes: &[u8]| {
        let mut whole = [0; 8];
        whole[..bytes.len()].copy_from_slice(bytes);
        u64::from_le_bytes(whole)
    };
    text.as_bytes().chunks(8).map(word).collect()
}

/// The counterpart of [`encode`]; `None` for words that it did not write.
pub(crate) fn decode(generation: u64, words: &[u64]) -> Option<Publication> {
    let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
    let text = String::from_utf8(bytes).ok()?;
    let mut lines = text.trim_end_matches('\0').lines();
    let (time_s, total) = lines.next()?.split_once('\t')?;
    let change = |line: &str| {
        let mut fields = line.split('\t').map(str::to_owned);
        Some(Change {
            pool: fields.next()?,
            member: fields.next()?,
            what: What::from_name(&fields.next()?)?,
            from: fields.next()?,
            to: fields.next()?,
        })
    };
    Some(Publication {
        generation,
        time_s: time_s.parse().ok()?,
        total: total.parse().ok()?,
        changes: lines.map(change).collect::<Option<_>>()?,
    })
}

#[cfg(test)]
mod tests;
