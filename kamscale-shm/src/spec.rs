//! What the agent wants: pools and members in plain values, and the rules they must meet.

mod overflow;

use std::collections::HashSet;
use std::fmt;
use std::hash::BuildHasherDefault;

use crate::hash::{ById, member_id};
use crate::limits;
use crate::options::{MemberOptions, OptionFault, PoolOptions};

/// Whether a member takes new requests, as the agent (or `pools_file`) wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum DesiredState {
    /// Still starting: known, but not used yet.
    Joining = 0,
    /// Takes new requests.
    Active = 1,
    /// Takes no new requests; those it has go on until they end.
    Draining = 2,
    /// Out of use until somebody says otherwise.
    Disabled = 3,
}

impl DesiredState {
    /// The state's name in configuration, RPC and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Joining => "joining",
            Self::Active => "active",
            Self::Draining => "draining",
            Self::Disabled => "disabled",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Joining, Self::Active, Self::Draining, Self::Disabled]
            .into_iter()
            .find(|s| s.name() == name)
    }

    /// The state of that number in shared memory.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Joining),
            1 => Some(Self::Active),
            2 => Some(Self::Draining),
            3 => Some(Self::Disabled),
            _ => None,
        }
    }
}

/// A whole pool table: one atomic unit of publication.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableSpec {
    /// The pools, in any order.
    pub pools: Vec<PoolSpec>,
}

/// One pool: a named set of members that serve one feature or tier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolSpec {
    /// Its name, as `ks_select_dst()` uses it: 1 to 63 of `A-Z a-z 0-9 _ . -`.
    pub name: String,
    /// Bits of its row table (see [`crate::rows`]); part of the pool's identity, as changing it
    /// moves nearly all keys. See [`limits::HASH_BITS`].
    pub hash_bits: u8,
    /// Its members, in any order.
    pub members: Vec<MemberSpec>,
    /// What else it has.
    pub options: PoolOptions,
}

/// One SIP destination of a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberSpec {
    /// Its name, unique in the pool and kept for life: keys and counters belong to it.
    pub name: String,
    /// Where requests go, as it would stand in `$du`: `sip:10.0.0.1:5060;transport=udp`.
    pub uri: String,
    /// Whether it takes new requests.
    pub state: DesiredState,
    /// Its share for `weight` and `hash`, relative to the others; 0 means none.
    pub weight: u16,
    /// For `serial`: the highest is used first.
    pub priority: u16,
    /// Calls it may carry; 0 means not limited (and a load that is never known).
    pub capacity: u32,
    /// What else it has.
    pub options: MemberOptions,
}

/// Why a table cannot be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpecError {
    /// A name is empty, too long, or has another character than `A-Z a-z 0-9 _ . -`.
    Name(String),
    /// A URI is not `sip:` or `sips:`, too long, or holds blanks, quotes or control characters.
    Uri {
        /// Its member, as `pool/member`.
        member: String,
        /// The URI as given.
        uri: String,
    },
    /// Two pools, or two members of one pool, have one name.
    Duplicate(String),
    /// The row table of a pool has too few or too many bits.
    HashBits(String),
    /// An option of a pool or member is impossible.
    Option {
        /// Whose, as `pool NAME` or `member POOL/NAME`.
        of: String,
        /// Which, and why.
        fault: OptionFault,
    },
    /// A limit is exceeded.
    Limit {
        /// What there is too much of.
        what: &'static str,
        /// How much there may be.
        limit: usize,
        /// How much there is.
        is: usize,
    },
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => {
                write!(
                    f,
                    "name {name:?}: use 1 to {} of A-Z a-z 0-9 _ . -",
                    limits::MAX_NAME_BYTES
                )
            }
            Self::Uri { member, uri } => write!(
                f,
                "member {member}: {uri:?} is no SIP URI (sip:HOST[:PORT][;PARAMETERS], at most {} \
                 bytes, no blanks or quotes)",
                limits::MAX_URI_BYTES
            ),
            Self::Duplicate(name) => write!(f, "{name} is there twice"),
            Self::HashBits(pool) => write!(
                f,
                "pool {pool}: hash_bits must be {} to {}",
                limits::HASH_BITS.start(),
                limits::HASH_BITS.end()
            ),
            Self::Option { of, fault } => write!(f, "{of}: {}: {}", fault.key, fault.why),
            Self::Limit { what, limit, is } => {
                write!(f, "{is} {what}; at most {limit} are possible")
            }
        }
    }
}

impl std::error::Error for SpecError {}

/// Whether a text may name a feature, a pool or a member.
#[must_use]
pub fn is_name(text: &str) -> bool {
    (1..=limits::MAX_NAME_BYTES).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

/// Whether a text can be a member's URI. Kamailio parses it in full; this keeps out what would
/// change the meaning of a message it is put into.
#[must_use]
pub fn is_uri(text: &str) -> bool {
    let rest = text
        .strip_prefix("sip:")
        .or_else(|| text.strip_prefix("sips:"));
    text.len() <= limits::MAX_URI_BYTES
        && rest.is_some_and(|r| !r.is_empty() && !r.starts_with([':', ';', '?']))
        && text.bytes().all(is_uri_byte)
}

const fn is_uri_byte(byte: u8) -> bool {
    byte.is_ascii_graphic()
        && !matches!(
            byte,
            b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}'
        )
}

impl TableSpec {
    /// Whether the table may be published.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn check(&self) -> Result<(), SpecError> {
        self.checked_ids().map(|_| ())
    }

    /// The identities of all members, pool by pool, of a table that may be published.
    pub(crate) fn checked_ids(&self) -> Result<Vec<u64>, SpecError> {
        limit("pools", limits::MAX_POOLS, self.pools.len())?;
        let members = self.pools.iter().map(|p| p.members.len()).sum();
        limit("members", limits::MAX_MEMBERS, members)?;
        let mut pools = HashSet::with_capacity(self.pools.len());
        let mut ids = Vec::with_capacity(members);
        let mut seen = ById::with_capacity_and_hasher(members, BuildHasherDefault::default());
        for pool in &self.pools {
            pool.check()?;
            if !pools.insert(pool.name.as_str()) {
                return Err(SpecError::Duplicate(format!("pool {}", pool.name)));
            }
            for member in &pool.members {
                let id = member_id(&pool.name, &member.name);
                if seen.insert(id, ()).is_some() {
                    let name = format!("member {}/{}", pool.name, member.name);
                    return Err(SpecError::Duplicate(name));
                }
                ids.push(id);
            }
        }
        overflow::check(&self.pools)?;
        Ok(ids)
    }
}

impl PoolSpec {
    fn check(&self) -> Result<(), SpecError> {
        if !is_name(&self.name) {
            return Err(SpecError::Name(self.name.clone()));
        }
        if !limits::HASH_BITS.contains(&self.hash_bits) {
            return Err(SpecError::HashBits(self.name.clone()));
        }
        let own = |fault| {
            let of = format!("pool {}", self.name);
            SpecError::Option { of, fault }
        };
        self.options.check().map_err(own)?;
        self.options.probe.check().map_err(|fault| {
            let of = format!("pool {}: probe", self.name);
            SpecError::Option { of, fault }
        })?;
        for member in &self.members {
            if !is_name(&member.name) {
                return Err(SpecError::Name(member.name.clone()));
            }
            member.options.check().map_err(|fault| {
                let of = format!("member {}/{}", self.name, member.name);
                SpecError::Option { of, fault }
            })?;
            if !is_uri(&member.uri) {
                let name = format!("{}/{}", self.name, member.name);
                return Err(SpecError::Uri {
                    member: name,
                    uri: member.uri.clone(),
                });
            }
        }
        Ok(())
    }
}

fn limit(what: &'static str, limit: usize, is: usize) -> Result<(), SpecError> {
    if is > limit {
        Err(SpecError::Limit { what, limit, is })
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_that_could_end_a_header_is_refused() {
        for bad in [
            "",
            "sip:",
            "http://a",
            "sip:a b",
            "sip:a\r\nX: y",
            "sip:a>",
            "sip::5060",
        ] {
            assert!(!is_uri(bad), "{bad:?}");
        }
        for good in [
            "sip:10.0.0.1",
            "sips:a.example:5061",
            "sip:[2001:db8::1]:5060;transport=tcp",
        ] {
            assert!(is_uri(good), "{good:?}");
        }
    }
}
