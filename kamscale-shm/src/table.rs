//! A validated pool table, as a Kamailio process holds it for itself. [`Table::adopt`] checks every
//! offset, index and text once, so that nothing a request does with it can go wrong, whatever the
//! file held. The counterpart is [`crate::encode`].

mod check;
mod member;
mod options;
mod pool;
mod words;

use std::net::IpAddr;

use crate::encode::{RECORD_WORDS, SOURCE_WORDS, ip_words, source_hash};
use crate::hash::xxh3;
use crate::spec::TableSpec;

pub use check::TableError;
pub use member::Member;
pub use pool::Pool;

use check::check;
use words::{high, low, record};

/// One validated table.
#[derive(Debug, Default)]
pub struct Table {
    /// Nothing or zeros (empty), or validated; longer than the table in memory for any table.
    words: Vec<u64>,
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
