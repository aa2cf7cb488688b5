//! The validation of a table: nothing in it is believed, also not with a right checksum.

mod options;

use std::fmt;

use super::options::SECTION_WORD;
use super::words::{high, low, record, u16_at};
use crate::checksum;
use crate::encode::{CHECKED_FROM, MAGIC, RECORD_WORDS, SOURCE_WORDS};
use crate::limits;
use crate::rows::NOBODY;
use crate::spec::DesiredState;

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

/// Every offset, index and number of a table.
pub(super) fn check(words: &[u64], length: usize) -> Result<(), TableError> {
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
    limits.check_options(words)?;
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
    options: usize,
    option_count: usize,
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
            options: low(words[SECTION_WORD]),
            option_count: high(words[SECTION_WORD]),
        };
        let records = RECORD_WORDS * (1 + sections.pools + sections.members);
        let sources_end = sections.sources + sections.source_count * SOURCE_WORDS;
        let strings_end = sections.strings + sections.string_bytes.div_ceil(8);
        if sections.pools > limits::MAX_POOLS || sections.members > limits::MAX_MEMBERS {
            return Err(TableError::Record("number of pools or members"));
        }
        let options_end = sections.options + sections.option_count * RECORD_WORDS;
        let ends = [records, sources_end, strings_end, options_end];
        if ends.iter().any(|end| *end > words.len()) {
            return Err(TableError::Record("section"));
        }
        Ok(sections)
    }

    /// Whether a text lies in the section of strings.
    fn holds(&self, from: usize, length: usize) -> bool {
        let start = 8 * self.strings;
        from >= start && from + length <= start + self.string_bytes
    }

    fn check_pool(&self, words: &[u64], index: usize) -> Result<(), TableError> {
        let pool = record(words, RECORD_WORDS * (1 + index));
        let (first, count) = (low(pool[3]), high(pool[3]));
        let (list, active) = (low(pool[4]), high(pool[4]));
        let (rows, bits) = (low(pool[5]), usize::from(u16_at(pool[2], 32)));
        self.check_options_of(pool)?;
        if !self.holds(low(pool[1]), high(pool[1])) || low(pool[2]) >= limits::MAX_POOLS {
            return Err(TableError::Record("pool name or slot"));
        }
        let records = (RECORD_WORDS * (1 + self.pools + first)) as u64;
        if first + count > self.members || count > usize::from(NOBODY) || pool[7] != records {
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
        if is_row_table(&words[rows..rows + row_words], count) {
            Ok(())
        } else {
            Err(TableError::Record("row"))
        }
    }

    fn check_member(&self, words: &[u64], index: usize) -> Result<(), TableError> {
        let member = record(words, RECORD_WORDS * (1 + self.pools + index));
        self.check_options_of(member)?;
        let uri_length = usize::from(u16_at(member[4], 32));
        let name_length = usize::from(u16_at(member[5], 32));
        let host_end = usize::from(u16_at(member[4], 48)) + usize::from(u16_at(member[5], 48));
        if !self.holds(low(member[4]), uri_length) || uri_length > limits::MAX_URI_BYTES {
            return Err(TableError::Record("member URI"));
        }
        if !self.holds(low(member[5]), name_length) || host_end > uri_length {
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

/// Whether every row belongs to one of so many members, or to nobody. Looks at all of them, without an end
/// where one is wrong: so the compiler takes several at once, and most of a table is rows.
fn is_row_table(words: &[u64], count: usize) -> bool {
    let Ok(count) = u16::try_from(count) else {
        return false;
    };
    let rows: &[u16] = bytemuck::cast_slice(words);
    let wrong = rows.iter().fold(0, |wrong, owner| {
        wrong | u16::from(*owner >= count) & u16::from(*owner != NOBODY)
    });
    wrong == 0
}
