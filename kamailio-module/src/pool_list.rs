//! Several pools in one parameter, `conference,overflow=serial`: in which order, and how from each. It knows
//! names by their hash alone; whether there are such pools says the table.

use std::ffi::CStr;

use kamailio::message::MEMORY_LEN;
use kamscale_shm::spec::is_name;
use kamscale_shm::{Table, xxh3};

use crate::algorithm::Algorithm;

/// The name under which a transaction remembers its list, beside [`crate::memory::NAME`]: only requests
/// that were given several pools pay for it.
pub const NAME: &CStr = c"_ks_pools";
/// Pools that one list may have: with their algorithms they fill what a transaction can remember.
pub const MAX_LISTED: usize = 7;

/// Bytes of one pool: its algorithm and its hash.
const LISTED_LEN: usize = 9;
/// Stands for "as the function says".
const NO_ALGORITHM: u8 = u8::MAX;
const _: () = assert!(MAX_LISTED * LISTED_LEN < MEMORY_LEN);
const _: () = assert!(Algorithm::ALL.len() < NO_ALGORITHM as usize);

/// One pool of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// [`kamscale_shm::Pool::name_hash`].
    pub pool: u64,
    /// How members are chosen in it; `None`: as the function says.
    pub algorithm: Option<Algorithm>,
}

/// Pools in the order in which they are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolList {
    listed: [Listed; MAX_LISTED],
    len: usize,
}

/// Whether a parameter is a list and no pool's name.
#[must_use]
pub fn is_list(text: &[u8]) -> bool {
    text.contains(&b',') || text.contains(&b'=')
}

impl PoolList {
    /// A list without pools.
    #[must_use]
    pub const fn new() -> Self {
        let nothing = Listed {
            pool: 0,
            algorithm: None,
        };
        Self {
            listed: [nothing; MAX_LISTED],
            len: 0,
        }
    }

    /// A list of the pool whose name has this hash.
    #[must_use]
    pub fn of(pool: u64) -> Self {
        let mut list = Self::new();
        list.add(Listed {
            pool,
            algorithm: None,
        });
        list
    }

    /// `NAME[=ALGORITHM],...`; `each` sees every name.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(
        text: &str,
        mut each: impl FnMut(&str) -> Result<(), String>,
    ) -> Result<Self, String> {
        let mut list = Self::new();
        for part in text.split(',') {
            let (name, algorithm) = match part.split_once('=') {
                None => (part.trim(), None),
                Some((name, word)) => {
                    let (name, word) = (name.trim(), word.trim());
                    let known = Algorithm::from_name(word.as_bytes());
                    let missing = || {
                        let names = Algorithm::names();
                        format!("pool {name}: no algorithm {word:?}; there are: {names}")
                    };
                    (name, Some(known.ok_or_else(missing)?))
                }
            };
            if !is_name(name) {
                return Err(format!("{name:?} cannot be a pool's name"));
            }
            each(name)?;
            let pool = xxh3(name.as_bytes());
            if list.has(pool) {
                return Err(format!("pool {name} is listed twice"));
            }
            if !list.add(Listed { pool, algorithm }) {
                return Err(format!("at most {MAX_LISTED} pools can be listed"));
            }
        }
        Ok(list)
    }

    /// Puts a pool at the end. False if there is no room.
    pub fn add(&mut self, listed: Listed) -> bool {
        let free = self.listed.get_mut(self.len);
        let fits = free.is_some();
        if let Some(free) = free {
            *free = listed;
            self.len += 1;
        }
        fits
    }

    /// The same list in which every pool is followed by those that take what it cannot, as far as they are
    /// not listed already and there is room. They are asked in the way of the pool that overflows.
    #[must_use]
    pub fn with_overflow(&self, table: &Table) -> Self {
        let mut list = Self::new();
        for listed in self.iter() {
            let mut next = Some(listed);
            while let Some(one) = next.filter(|one| !list.has(one.pool)) {
                if !list.add(one) {
                    break;
                }
                let pool = table.pool_index_by_hash(one.pool);
                let pool = pool.and_then(|index| table.pool(index));
                let overflow = pool.and_then(|pool| table.pool(pool.overflow()?));
                next = overflow.map(|pool| Listed {
                    pool: pool.name_hash(),
                    ..one
                });
            }
        }
        list
    }

    fn has(&self, pool: u64) -> bool {
        self.iter().any(|listed| listed.pool == pool)
    }

    /// How many pools there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The pools.
    pub fn iter(&self) -> impl Iterator<Item = Listed> + '_ {
        self.listed.iter().take(self.len).copied()
    }

    /// The pool at a place.
    #[must_use]
    pub fn get(&self, place: usize) -> Option<Listed> {
        self.listed.get(..self.len)?.get(place).copied()
    }

    /// The bytes to remember.
    #[must_use]
    pub fn to_bytes(self) -> [u8; MEMORY_LEN] {
        let mut bytes = [0; MEMORY_LEN];
        let (count, rest) = bytes.split_at_mut(1);
        count[0] = u8::try_from(self.len).unwrap_or(0);
        for (place, listed) in rest.chunks_exact_mut(LISTED_LEN).zip(self.iter()) {
            place[0] = listed.algorithm.map_or(NO_ALGORITHM, |a| a as u8);
            place[1..].copy_from_slice(&listed.pool.to_le_bytes());
        }
        bytes
    }

    /// What [`Self::to_bytes`] made; `None` for what it cannot have made.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; MEMORY_LEN]) -> Option<Self> {
        let mut list = Self::new();
        let count = usize::from(bytes[0]);
        if count > MAX_LISTED {
            return None;
        }
        for place in bytes[1..].chunks_exact(LISTED_LEN).take(count) {
            let algorithm = match place[0] {
                NO_ALGORITHM => None,
                number => Some(Algorithm::from_number(usize::from(number))?),
            };
            let pool = u64::from_le_bytes(place[1..].try_into().ok()?);
            list.add(Listed { pool, algorithm });
        }
        Some(list)
    }
}

impl Default for PoolList {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<PoolList, String> {
        PoolList::parse(text, |_| Ok(()))
    }

    #[test]
    fn a_list_comes_back_from_a_transaction_as_it_was() {
        let list = parse("conference, overflow=serial,a,b,c,d,e = p2c").unwrap();
        assert_eq!(list.iter().count(), MAX_LISTED);
        let second = list.get(1).unwrap();
        assert_eq!(second.pool, xxh3(b"overflow"));
        assert_eq!(second.algorithm, Some(Algorithm::Serial));
        assert_eq!(list.get(0).unwrap().algorithm, None);
        assert_eq!(PoolList::from_bytes(&list.to_bytes()), Some(list));
        let one = parse("a=hash").unwrap();
        assert_eq!(PoolList::from_bytes(&one.to_bytes()), Some(one));
    }

    #[test]
    fn what_a_script_wrote_there_is_no_list() {
        assert_eq!(PoolList::from_bytes(&[0xff; MEMORY_LEN]), None);
        let mut bytes = parse("a,b").unwrap().to_bytes();
        bytes[1] = 200;
        assert_eq!(PoolList::from_bytes(&bytes), None);
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, wanted) in [
            ("a,", "\"\" cannot"),
            ("a,b c", "\"b c\" cannot"),
            ("a,b=fastest", "pool b: no algorithm \"fastest\""),
            ("a,b,a", "pool a is listed twice"),
            ("a,b,c,d,e,f,g,h", "at most 7"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(wanted), "{text}: {error}");
        }
    }
}
