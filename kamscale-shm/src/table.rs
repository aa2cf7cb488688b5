//! A validated pool table, as a Kamailio process holds it for itself. [`Table::adopt`] checks every
//! offset, index and text once, so that nothing a request does with it can go wrong, whatever the
//! file held. The counterpart is [`crate::encode`].

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::checksum;
use crate::encode::{CHECKED_FROM, MAGIC, RECORD_WORDS, SOURCE_WORDS, ip_words, source_hash};
use crate::hash::{STEP, mix, xxh3};
use crate::limits;
use crate::rows::NOBODY;
use crate::spec::{DesiredState, MemberSpec, PoolSpec, TableSpec};

/// Tries of a key before the slow, exact search among the members that take something.
const OWNER_TRIES: u32 = 64;

/// Why a table is refused. The holder keeps its old one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableError {
    /// Another magic or encoding version: a foreign file, or an agent of another release.
    Version,
    /// Shorter than its header, or not as long as it says.
    Length,
    /// The checksum does not fit the words.
    Checksum,
    /// An offset, index or number points outside of its section: which.
    Record(&'static str),
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version => f.write_str("another version of the table, or no table at all"),
            Self::Length => f.write_str("a truncated table"),
            Self::Checksum => f.write_str("a damaged table (checksum)"),
            Self::Record(what) => write!(f, "a table with an impossible {what}"),
        }
    }
}

impl std::error::Error for TableError {}

/// One validated table.
#[derive(Debug, Default)]
pub struct Table {
    /// Nothing or zeros (empty), or validated; longer than the table in memory for any table.
    words: Vec<u64>,
}

/// One pool of a table.
#[derive(Clone, Copy, Debug)]
pub struct Pool<'a> {
    words: &'a [u64],
    record: &'a [u64; RECORD_WORDS],
}

/// One member of a table.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    words: &'a [u64],
    record: &'a [u64; RECORD_WORDS],
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the low half is what is asked for"
)]
const fn low(word: u64) -> usize {
    word as u32 as usize
}

const fn high(word: u64) -> usize {
    low(word >> 32)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "16 bits at a place are what is asked for"
)]
const fn u16_at(word: u64, shift: u32) -> u16 {
    (word >> shift) as u16
}

fn record(words: &[u64], at: usize) -> &[u64; RECORD_WORDS] {
    const NONE: [u64; RECORD_WORDS] = [0; RECORD_WORDS];
    words[at..].first_chunk().unwrap_or(&NONE)
}

/// `length` bytes of the strings section that begins at word `section`.
fn text(words: &[u64], section: usize, offset: usize, length: usize) -> &[u8] {
    let strings: &[u8] = bytemuck::cast_slice(&words[section..]);
    &strings[offset..offset + length]
}

impl Table {
    /// Takes words as a table after checking all of them. On failure the words come back too, so
    /// that their memory can be used again.
    ///
    /// # Errors
    /// What is wrong with the words, and the words.
    pub fn adopt(words: Vec<u64>, length: usize) -> Result<Self, (TableError, Vec<u64>)> {
        match check(&words, length) {
            Ok(()) => Ok(Self { words }),
            Err(why) => Err((why, words)),
        }
    }

    /// The same table in other memory: zeroed, and large enough for any table.
    pub(crate) fn moved_into(self, mut zeroed: Vec<u64>) -> Self {
        // Its own length, not that of its memory. Without words it is empty, as zeros are.
        let length = self.words.get(1).map_or(0, |w| low(*w));
        zeroed[..length].copy_from_slice(&self.words[..length]);
        Self { words: zeroed }
    }

    /// Gives the memory back.
    #[must_use]
    pub fn into_words(self) -> Vec<u64> {
        self.words
    }

    /// The generation under which it was published; 0 for a table that no agent published.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.words.get(3).copied().unwrap_or(0)
    }

    /// How many pools there are.
    #[must_use]
    #[inline]
    pub fn pool_count(&self) -> usize {
        self.words.get(4).map_or(0, |w| low(*w))
    }

    /// How many members there are, over all pools.
    #[must_use]
    pub fn member_count(&self) -> usize {
        self.words.get(4).map_or(0, |w| high(*w))
    }

    /// The pool at an index below [`Self::pool_count`].
    #[must_use]
    #[inline]
    pub fn pool(&self, index: usize) -> Option<Pool<'_>> {
        (index < self.pool_count()).then(|| Pool {
            words: &self.words,
            record: record(&self.words, RECORD_WORDS * (1 + index)),
        })
    }

    /// All pools.
    pub fn pools(&self) -> impl Iterator<Item = Pool<'_>> {
        (0..self.pool_count()).filter_map(|i| self.pool(i))
    }

    /// The index of the pool of that name.
    #[must_use]
    pub fn pool_index(&self, name: &[u8]) -> Option<usize> {
        self.pool_index_by_hash(xxh3(name))
            .filter(|i| self.pool(*i).is_some_and(|p| p.name() == name))
    }

    /// The index of the pool whose name has this hash ([`Pool::name_hash`]).
    #[must_use]
    pub fn pool_index_by_hash(&self, wanted: u64) -> Option<usize> {
        let (mut from, mut to) = (0, self.pool_count());
        while from < to {
            let middle = from.midpoint(to);
            let pool = self.pool(middle)?;
            match pool.record[0].cmp(&wanted) {
                std::cmp::Ordering::Less => from = middle + 1,
                std::cmp::Ordering::Greater => to = middle,
                std::cmp::Ordering::Equal => return Some(middle),
            }
        }
        None
    }

    /// The members (by index over all pools) whose URI names this address.
    pub fn members_at(&self, ip: IpAddr) -> impl Iterator<Item = Member<'_>> {
        let (ip_high, ip_low) = ip_words(ip);
        let wanted = source_hash(ip_high, ip_low);
        let index = self.words.get(5).copied().unwrap_or(0);
        let entries: &[[u64; SOURCE_WORDS]] = if high(index) == 0 {
            &[]
        } else {
            bytemuck::cast_slice(&self.words[low(index)..][..high(index) * SOURCE_WORDS])
        };
        let first = entries.partition_point(|e| e[0] < wanted);
        entries[first..]
            .iter()
            .take_while(move |e| e[0] == wanted)
            .filter_map(|e| self.member(low(e[1])))
            .filter(move |m| m.record[6] == ip_high && m.record[7] == ip_low)
    }

    /// The member at an index over all pools.
    fn member(&self, index: usize) -> Option<Member<'_>> {
        let at = RECORD_WORDS * (1 + self.pool_count() + index);
        (index < self.member_count()).then(|| Member {
            words: &self.words,
            record: record(&self.words, at),
        })
    }

    /// The table in plain values.
    #[must_use]
    pub fn to_spec(&self) -> TableSpec {
        TableSpec {
            pools: self.pools().map(|p| p.to_spec()).collect(),
        }
    }
}

impl<'a> Pool<'a> {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'a [u8] {
        let strings = low(self.words[6]);
        text(
            self.words,
            strings,
            low(self.record[1]),
            high(self.record[1]),
        )
    }

    /// [`xxh3`] of its name.
    #[must_use]
    #[inline]
    pub fn name_hash(&self) -> u64 {
        self.record[0]
    }

    /// Its row of pool counters.
    #[must_use]
    #[inline]
    pub fn slot(&self) -> usize {
        low(self.record[2])
    }

    /// The bits of its row table.
    #[must_use]
    pub fn hash_bits(&self) -> u8 {
        self.record[2].to_le_bytes()[4]
    }

    /// How many members it has.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        high(self.record[3])
    }

    /// Whether it has no members.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many of them are active.
    #[must_use]
    #[inline]
    pub fn active_len(&self) -> usize {
        high(self.record[4])
    }

    /// The capacity of the active members together, in calls.
    #[must_use]
    pub fn capacity(&self) -> u64 {
        self.record[6]
    }

    /// The member at an index below [`Self::len`].
    #[must_use]
    #[inline]
    pub fn member(&self, index: usize) -> Option<Member<'a>> {
        let at = RECORD_WORDS * (1 + low(self.words[4]) + low(self.record[3]) + index);
        (index < self.len()).then(|| Member {
            words: self.words,
            record: record(self.words, at),
        })
    }

    /// All members, in the order of the specification.
    pub fn members(self) -> impl Iterator<Item = Member<'a>> {
        (0..self.len()).filter_map(move |i| self.member(i))
    }

    /// The active member at a position below [`Self::active_len`]; by falling priority.
    #[must_use]
    #[inline]
    pub fn active(&self, position: usize) -> Option<Member<'a>> {
        if position >= self.active_len() {
            return None;
        }
        let entry = self.words[low(self.record[4]) + position];
        self.member(usize::from(u16_at(entry, 0)))
    }

    /// The active member that a number evenly spread over all of `u64` picks by weight.
    #[must_use]
    #[inline]
    pub fn weighted(&self, number: u64) -> Option<Member<'a>> {
        let count = self.active_len() as u64;
        if count == 0 {
            return None;
        }
        let wide = u128::from(number) * u128::from(count);
        let position = usize::try_from(wide >> 64).ok()?;
        let fraction = u64::try_from(wide & u128::from(u64::MAX)).ok()?;
        let entry = self.words[low(self.record[4]) + position];
        let shift = if fraction >> 32 < entry >> 32 { 0 } else { 16 };
        self.member(usize::from(u16_at(entry, shift)))
    }

    /// The member that owns a key among those `takes` allows: the owner of the key's row, or the
    /// next try by the key's own sequence. Equal on every host with the same members, and a member
    /// that stops taking moves only its own keys. `key` is [`crate::hash::xxh3`] of the key.
    #[must_use]
    pub fn owner(&self, key: u64, takes: impl Fn(&Member<'a>) -> bool) -> Option<Member<'a>> {
        let rows = low(self.record[5]);
        let bits = u32::from(self.hash_bits());
        let mut x = key;
        for _ in 0..OWNER_TRIES {
            let row = usize::try_from(x >> (64 - bits)).ok()?;
            let owner = u16_at(
                self.words[rows + row / 4],
                16 * u32::try_from(row % 4).ok()?,
            );
            if owner == NOBODY {
                break;
            }
            let member = self.member(usize::from(owner))?;
            if member.takes_share(x) && takes(&member) {
                return Some(member);
            }
            x = mix(x.wrapping_add(STEP));
        }
        self.owner_by_score(key, takes)
    }

    /// Weighted rendezvous among all members, for a pool of which hardly anything is left.
    #[cold]
    fn owner_by_score(&self, key: u64, takes: impl Fn(&Member<'a>) -> bool) -> Option<Member<'a>> {
        let score = |m: &Member<'a>| (neg_log2(mix(key ^ m.id())), u64::from(m.live()));
        self.members()
            .filter(|m| m.live() > 0 && takes(m))
            .min_by(|a, b| {
                let ((a_log, a_live), (b_log, b_live)) = (score(a), score(b));
                (a_log * b_live)
                    .cmp(&(b_log * a_live))
                    .then(a.id().cmp(&b.id()))
            })
    }

    fn to_spec(self) -> PoolSpec {
        PoolSpec {
            name: String::from_utf8_lossy(self.name()).into_owned(),
            hash_bits: self.hash_bits(),
            members: self.members().map(|m| m.to_spec()).collect(),
        }
    }
}

/// -log2(x / 2^64) with 24 fractional bits, within 1 %; integers only, so equal on every host.
fn neg_log2(x: u64) -> u64 {
    let x = x | 1;
    let zeros = u64::from(x.leading_zeros());
    let fraction = (x << zeros << 1) >> 40;
    let curve = ((fraction * ((1 << 24) - fraction)) >> 24) * 5_770_000;
    ((zeros + 1) << 24) - (fraction + (curve >> 24))
}

impl<'a> Member<'a> {
    /// What identifies it in counters ([`crate::hash::member_id`]).
    #[must_use]
    #[inline]
    pub fn id(&self) -> u64 {
        self.record[0]
    }

    /// Its row of member counters.
    #[must_use]
    #[inline]
    pub fn slot(&self) -> usize {
        low(self.record[1])
    }

    /// What the agent wants of it.
    #[must_use]
    pub fn state(&self) -> DesiredState {
        DesiredState::from_number(self.record[1].to_le_bytes()[4]).unwrap_or(DesiredState::Disabled)
    }

    /// Whether it may get new requests, as far as the table says.
    #[must_use]
    #[inline]
    pub fn is_active(&self) -> bool {
        self.record[1].to_le_bytes()[4] == DesiredState::Active as u8
    }

    /// The address and port its URI names, if the host is an address.
    #[must_use]
    pub fn address(&self) -> Option<(IpAddr, u16)> {
        let port = u16_at(self.record[1], 48);
        let bits = u128::from(self.record[6]) << 64 | u128::from(self.record[7]);
        match self.record[1].to_le_bytes()[5] {
            4 => Some((
                Ipv4Addr::from_bits(u32::try_from(bits & 0xffff_ffff).ok()?).into(),
                port,
            )),
            6 => Some((Ipv6Addr::from_bits(bits).into(), port)),
            _ => None,
        }
    }

    /// Its configured weight.
    #[must_use]
    pub fn weight(&self) -> u16 {
        u16_at(self.record[2], 0)
    }

    /// How much of its weight takes part now.
    #[must_use]
    #[inline]
    pub fn live(&self) -> u16 {
        u16_at(self.record[2], 16)
    }

    /// Its priority for `serial`.
    #[must_use]
    pub fn priority(&self) -> u16 {
        u16_at(self.record[2], 32)
    }

    /// Calls it may carry; 0 means not limited.
    #[must_use]
    #[inline]
    pub fn capacity(&self) -> u32 {
        u32::try_from(low(self.record[3])).unwrap_or(0)
    }

    /// The index of its pool.
    #[must_use]
    pub fn pool(&self) -> usize {
        high(self.record[3])
    }

    /// Its URI.
    #[must_use]
    #[inline]
    pub fn uri(&self) -> &'a [u8] {
        let length = usize::from(u16_at(self.record[4], 32));
        text(self.words, low(self.words[6]), low(self.record[4]), length)
    }

    /// `host[:port]` of its URI.
    #[must_use]
    pub fn host_port(&self) -> &'a [u8] {
        let start = usize::from(u16_at(self.record[4], 48));
        &self.uri()[start..start + usize::from(u16_at(self.record[5], 48))]
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'a [u8] {
        let length = usize::from(u16_at(self.record[5], 32));
        text(self.words, low(self.words[6]), low(self.record[5]), length)
    }

    /// Whether this try of a key (spread over `u64`) falls into the part of its weight that is live.
    #[inline]
    fn takes_share(&self, x: u64) -> bool {
        ((x & 0xffff_ffff) >> 1) * u64::from(self.weight()) < u64::from(self.live()) << 31
    }

    fn to_spec(self) -> MemberSpec {
        MemberSpec {
            name: String::from_utf8_lossy(self.name()).into_owned(),
            uri: String::from_utf8_lossy(self.uri()).into_owned(),
            state: self.state(),
            weight: self.weight(),
            priority: self.priority(),
            capacity: self.capacity(),
        }
    }
}

/// Every offset, index and number of a table.
fn check(words: &[u64], length: usize) -> Result<(), TableError> {
    let words = words.get(..length).ok_or(TableError::Length)?;
    if length < RECORD_WORDS {
        return Err(TableError::Length);
    }
    if words[0] != MAGIC {
        return Err(TableError::Version);
    }
    if words[1] != length as u64 {
        return Err(TableError::Length);
    }
    if words[2] != checksum::of(&words[CHECKED_FROM..]) {
        return Err(TableError::Checksum);
    }
    let limits = Sections::of(words)?;
    for index in 0..limits.pools {
        limits.check_pool(words, index)?;
    }
    for index in 0..limits.members {
        limits.check_member(words, index)?;
    }
    let sources = &words[limits.sources..][..limits.source_count * SOURCE_WORDS];
    if sources
        .chunks_exact(SOURCE_WORDS)
        .any(|e| e[1] >= limits.members as u64)
    {
        return Err(TableError::Record("source"));
    }
    Ok(())
}

/// Where the sections of a table are; every one lies within the words.
struct Sections {
    pools: usize,
    members: usize,
    sources: usize,
    source_count: usize,
    strings: usize,
    string_bytes: usize,
}

impl Sections {
    fn of(words: &[u64]) -> Result<Self, TableError> {
        let sections = Self {
            pools: low(words[4]),
            members: high(words[4]),
            sources: low(words[5]),
            source_count: high(words[5]),
            strings: low(words[6]),
            string_bytes: high(words[6]),
        };
        let records = RECORD_WORDS * (1 + sections.pools + sections.members);
        let sources_end = sections.sources + sections.source_count * SOURCE_WORDS;
        let strings_end = sections.strings + sections.string_bytes.div_ceil(8);
        if sections.pools > limits::MAX_POOLS || sections.members > limits::MAX_MEMBERS {
            return Err(TableError::Record("number of pools or members"));
        }
        if records > words.len() || sources_end > words.len() || strings_end > words.len() {
            return Err(TableError::Record("section"));
        }
        Ok(sections)
    }

    fn check_pool(&self, words: &[u64], index: usize) -> Result<(), TableError> {
        let pool = record(words, RECORD_WORDS * (1 + index));
        let (first, count) = (low(pool[3]), high(pool[3]));
        let (list, active) = (low(pool[4]), high(pool[4]));
        let (rows, bits) = (low(pool[5]), high(pool[2]));
        let name_end = low(pool[1]) + high(pool[1]);
        if name_end > self.string_bytes || low(pool[2]) >= limits::MAX_POOLS {
            return Err(TableError::Record("pool name or slot"));
        }
        if first + count > self.members || count > usize::from(NOBODY) {
            return Err(TableError::Record("member list"));
        }
        if active > count || list + active > words.len() {
            return Err(TableError::Record("active list"));
        }
        let fits = |m: u16| usize::from(m) < count;
        if !words[list..list + active]
            .iter()
            .all(|e| fits(u16_at(*e, 0)) && fits(u16_at(*e, 16)))
        {
            return Err(TableError::Record("active member"));
        }
        let bits = u8::try_from(bits)
            .ok()
            .filter(|b| limits::HASH_BITS.contains(b));
        let row_words = (1_usize << bits.ok_or(TableError::Record("number of rows"))?) / 4;
        if pool[5] >> 32 != 0 || rows + row_words > words.len() {
            return Err(TableError::Record("row table"));
        }
        let owned = |m: u16| m == NOBODY || fits(m);
        let rows_fit = |w: &u64| [0, 16, 32, 48].iter().all(|s| owned(u16_at(*w, *s)));
        if words[rows..rows + row_words].iter().all(rows_fit) {
            Ok(())
        } else {
            Err(TableError::Record("row"))
        }
    }

    fn check_member(&self, words: &[u64], index: usize) -> Result<(), TableError> {
        let member = record(words, RECORD_WORDS * (1 + self.pools + index));
        let uri_length = usize::from(u16_at(member[4], 32));
        let name_end = low(member[5]) + usize::from(u16_at(member[5], 32));
        let host_end = usize::from(u16_at(member[4], 48)) + usize::from(u16_at(member[5], 48));
        if low(member[4]) + uri_length > self.string_bytes || uri_length > limits::MAX_URI_BYTES {
            return Err(TableError::Record("member URI"));
        }
        if name_end > self.string_bytes || host_end > uri_length {
            return Err(TableError::Record("member name or host"));
        }
        let state = DesiredState::from_number(member[1].to_le_bytes()[4]);
        if low(member[1]) >= limits::MAX_MEMBERS || state.is_none() {
            return Err(TableError::Record("member slot or state"));
        }
        if high(member[3]) >= self.pools || u16_at(member[2], 16) > u16_at(member[2], 0) {
            return Err(TableError::Record("member pool or share"));
        }
        Ok(())
    }
}
