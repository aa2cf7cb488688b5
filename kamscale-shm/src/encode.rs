//! A pool table as words: everything a selection needs is laid out by the publisher, so that a
//! Kamailio process has only to copy, validate and use it. The counterpart is [`crate::table`].
//!
//! ```text
//! header (8 words) | pools (8 each, by name hash) | members (8 each, pool by pool)
//! | active lists (1 word per active member) | sources (2 words per address, by hash)
//! | rows (4 per word) | options (8 words for each who has any) | strings
//! ```

mod options;

use std::collections::HashMap;
use std::net::IpAddr;

use crate::hash::{member_id, mix, xxh3};
use crate::limits::MAX_TABLE_WORDS;
use crate::rows::RowTable;
use crate::spec::{DesiredState, MemberSpec, PoolSpec, SpecError, TableSpec};
use crate::{checksum, uri};

pub(crate) use options::OPTION_TEXTS;

/// First word of every table: `KSTABLE` and the version of this encoding.
pub const MAGIC: u64 = u64::from_le_bytes(*b"KSTABLE\x01");
/// Words of the header, of a pool and of a member.
pub const RECORD_WORDS: usize = 8;
/// Words of one entry of the source index.
pub const SOURCE_WORDS: usize = 2;
/// Rows in one word.
const ROWS_PER_WORD: usize = 4;
/// The checksum (word 2) covers the words from here on.
pub const CHECKED_FROM: usize = 3;

/// Where a pool and its members have their rows in the observed file, and who owns which key.
#[derive(Debug)]
pub struct Placement<'a> {
    /// The pool's slot.
    pub slot: u32,
    /// The members' slots, in the order of the specification.
    pub member_slots: Vec<u32>,
    /// The row table of the pool, over its members in the order of the specification.
    pub rows: &'a RowTable,
}

/// What places keys on this member.
#[must_use]
pub fn weighted(pool: &PoolSpec) -> Vec<crate::rows::Weighted> {
    pool.members
        .iter()
        .map(|m| crate::rows::Weighted {
            id: member_id(&pool.name, &m.name),
            weight: m.weight,
        })
        .collect()
}

/// Encodes a table; `placements` has one entry per pool, in the order of `spec`.
///
/// # Errors
/// [`SpecError::Limit`] if the table is larger than a slot. The specification itself has been
/// checked before ([`TableSpec::check`]).
pub fn encode(
    spec: &TableSpec,
    placements: &[Placement<'_>],
    generation: u64,
) -> Result<Vec<u64>, SpecError> {
    let mut order: Vec<usize> = (0..spec.pools.len()).collect();
    order.sort_by_key(|i| xxh3(spec.pools[*i].name.as_bytes()));
    let members: usize = spec.pools.iter().map(|p| p.members.len()).sum();
    let mut out = Encoder::new(spec.pools.len(), members);
    let names = || order.iter().map(|from| spec.pools[*from].name.as_str());
    let overflows = spec.pools.iter().any(|p| !p.options.overflow.is_empty());
    let indices: HashMap<&str, usize> = if overflows {
        names().zip(0..).collect()
    } else {
        HashMap::new()
    };
    for (index, from) in order.iter().enumerate() {
        let pool = &spec.pools[*from];
        let overflow = indices.get(pool.options.overflow.as_str()).copied();
        let options = out.pool_options(&pool.options, overflow);
        out.pool(index, pool, &placements[*from], options);
    }
    let rows = order.iter().map(|from| placements[*from].rows);
    out.finish(generation, rows)
}

struct Encoder {
    pools: Vec<u64>,
    members: Vec<u64>,
    /// Active lists, then rows: offsets in pools are relative until the sections are joined.
    active: Vec<u64>,
    /// How many words of rows there are; they are nearly all of a table, and written last.
    rows: usize,
    options: Vec<u64>,
    sources: Vec<(u64, u64)>,
    strings: Vec<u8>,
}

const fn pair(low: u64, high: u64) -> u64 {
    low | high << 32
}

impl Encoder {
    fn new(pools: usize, members: usize) -> Self {
        Self {
            pools: Vec::with_capacity(pools * RECORD_WORDS),
            members: Vec::with_capacity(members * RECORD_WORDS),
            active: Vec::with_capacity(members),
            rows: 0,
            options: Vec::new(),
            sources: Vec::with_capacity(members),
            strings: Vec::with_capacity(members * 48),
        }
    }

    fn string(&mut self, text: &str) -> u64 {
        let at = self.strings.len() as u64;
        self.strings.extend_from_slice(text.as_bytes());
        at
    }

    fn pool(&mut self, index: usize, spec: &PoolSpec, placed: &Placement<'_>, options: u64) {
        let first = self.members.len() / RECORD_WORDS;
        let list = self.active.len();
        let name = self.string(&spec.name);
        let ids = placed.rows.members().iter().map(|m| m.id);
        for ((member, slot), id) in spec.members.iter().zip(&placed.member_slots).zip(ids) {
            self.member(index, id, member, *slot);
        }
        let active = active_list(&spec.members);
        let capacity: u64 = active
            .iter()
            .map(|e| u64::from(spec.members[e.0].capacity))
            .sum();
        self.active
            .extend(active.iter().map(|(member, alias, threshold)| {
                *member as u64 | (*alias as u64) << 16 | u64::from(*threshold) << 32
            }));
        let rows_at = self.rows;
        self.rows += (1 << placed.rows.bits()) / ROWS_PER_WORD;
        self.pools.extend_from_slice(&[
            xxh3(spec.name.as_bytes()),
            pair(name, spec.name.len() as u64),
            pair(u64::from(placed.slot), u64::from(placed.rows.bits())) | options << 48,
            pair(first as u64, spec.members.len() as u64),
            pair(list as u64, active.len() as u64),
            rows_at as u64,
            capacity,
            (first * RECORD_WORDS) as u64,
        ]);
    }

    fn member(&mut self, pool: usize, id: u64, spec: &MemberSpec, slot: u32) {
        let options = self.member_options(&spec.options);
        let uri = self.string(&spec.uri);
        let name = self.string(&spec.name);
        let host = uri::host_port(&spec.uri);
        let address = uri::address(&spec.uri, host.clone());
        let (family, ip, port) = match address {
            Some((ip @ IpAddr::V4(_), port)) => (4_u64, ip, port),
            Some((ip @ IpAddr::V6(_), port)) => (6, ip, port),
            None => (0, IpAddr::from([0; 4]), 0),
        };
        let (high, low) = ip_words(ip);
        if family != 0 {
            let member = self.members.len() / RECORD_WORDS;
            self.sources.push((source_hash(high, low), member as u64));
        }
        let live = if spec.state == DesiredState::Active {
            spec.weight
        } else {
            0
        };
        self.members.extend_from_slice(&[
            id,
            u64::from(slot) | (spec.state as u64) << 32 | family << 40 | u64::from(port) << 48,
            u64::from(spec.weight)
                | u64::from(live) << 16
                | u64::from(spec.priority) << 32
                | options << 48,
            pair(u64::from(spec.capacity), pool as u64),
            uri | (spec.uri.len() as u64) << 32 | (host.start as u64) << 48,
            name | (spec.name.len() as u64) << 32 | (host.len() as u64) << 48,
            high,
            low,
        ]);
    }

    fn finish<'r>(
        mut self,
        generation: u64,
        rows: impl Iterator<Item = &'r RowTable>,
    ) -> Result<Vec<u64>, SpecError> {
        self.sources.sort_unstable();
        let members = self.members.len() / RECORD_WORDS;
        let pools = self.pools.len() / RECORD_WORDS;
        let active_at = RECORD_WORDS + self.pools.len() + self.members.len();
        let sources_at = active_at + self.active.len();
        let rows_at = sources_at + self.sources.len() * SOURCE_WORDS;
        let options_at = rows_at + self.rows;
        let strings_at = options_at + self.options.len();
        let total = strings_at + self.strings.len().div_ceil(8);
        if total > MAX_TABLE_WORDS {
            let what = "bytes of table (fewer members, or fewer hash_bits)";
            return Err(SpecError::Limit {
                what,
                limit: MAX_TABLE_WORDS * 8,
                is: total * 8,
            });
        }
        // What was relative to a section becomes an offset in the table: a reader only adds.
        let (members_at, texts_at) = (RECORD_WORDS + self.pools.len(), 8 * strings_at as u64);
        for pool in self.pools.chunks_exact_mut(RECORD_WORDS) {
            pool[1] += texts_at;
            pool[4] += active_at as u64;
            pool[5] += rows_at as u64;
            pool[7] += members_at as u64;
        }
        for member in self.members.chunks_exact_mut(RECORD_WORDS) {
            member[4] += texts_at;
            member[5] += texts_at;
        }
        self.place_option_texts(texts_at);
        let mut words = Vec::with_capacity(total);
        words.extend_from_slice(&[
            MAGIC,
            total as u64,
            0,
            generation,
            pair(pools as u64, members as u64),
            pair(sources_at as u64, self.sources.len() as u64),
            pair(strings_at as u64, self.strings.len() as u64),
            pair(
                options_at as u64,
                (self.options.len() / RECORD_WORDS) as u64,
            ),
        ]);
        words.extend_from_slice(&self.pools);
        words.extend_from_slice(&self.members);
        words.extend_from_slice(&self.active);
        words.extend(
            self.sources
                .iter()
                .flat_map(|(hash, member)| [*hash, *member]),
        );
        rows.for_each(|table| put_rows(table, &mut words));
        words.extend_from_slice(&self.options);
        self.strings
            .resize(self.strings.len().next_multiple_of(8), 0);
        words.extend(self.strings.chunks_exact(8).map(|c| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(c);
            u64::from_ne_bytes(bytes)
        }));
        words[2] = checksum::of(&words[CHECKED_FROM..]);
        Ok(words)
    }
}

fn put_rows(table: &RowTable, words: &mut Vec<u64>) {
    let mut owners = table.owners();
    while let Some(owner) = owners.next() {
        let mut word = u64::from(owner);
        for shift in [16, 32, 48] {
            word |= u64::from(owners.next().unwrap_or(crate::rows::NOBODY)) << shift;
        }
        words.push(word);
    }
}

/// The address as two words, IPv4 mapped into IPv6.
#[must_use]
pub fn ip_words(ip: IpAddr) -> (u64, u64) {
    let bits = match ip {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    };
    let low = u64::try_from(bits & u128::from(u64::MAX)).unwrap_or(0);
    (u64::try_from(bits >> 64).unwrap_or(0), low)
}

/// The key of an address in the source index.
#[must_use]
pub const fn source_hash(high: u64, low: u64) -> u64 {
    mix(high ^ mix(low))
}

/// The active members by falling priority, as (member, alias, threshold): Vose's alias method, so
/// that one random number gives a member by weight, whatever their number.
fn active_list(members: &[MemberSpec]) -> Vec<(usize, usize, u32)> {
    let mut active: Vec<usize> = (0..members.len())
        .filter(|i| members[*i].state == DesiredState::Active)
        .collect();
    active.sort_by_key(|i| std::cmp::Reverse(members[*i].priority));
    let mut weights: Vec<u64> = active
        .iter()
        .map(|i| u64::from(members[*i].weight))
        .collect();
    if weights.iter().all(|w| *w == 0) {
        weights.fill(1); // a pool without any weight: equal shares, rather than no service
    }
    let total: u64 = weights.iter().sum();
    let count = active.len() as u64;
    let mut share: Vec<u64> = weights.iter().map(|w| w * count).collect();
    let mut list: Vec<_> = active.iter().map(|i| (*i, *i, u32::MAX)).collect();
    let (mut small, mut large): (Vec<usize>, Vec<usize>) =
        (0..share.len()).partition(|i| share[*i] < total);
    while let (Some(poor), Some(rich)) = (small.pop(), large.last().copied()) {
        list[poor].1 = active[rich];
        list[poor].2 = u32::try_from((share[poor] << 32) / total).unwrap_or(u32::MAX);
        share[rich] -= total - share[poor];
        if share[rich] < total {
            large.pop();
            small.push(rich);
        }
    }
    list
}
