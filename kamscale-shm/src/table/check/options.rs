//! The validation of what pools and members have beside the rest.

use super::{Sections, TableError};
use crate::encode::{OPTION_TEXTS, RECORD_WORDS};
use crate::limits::MAX_OVERFLOWS;
use crate::table::words::{high, low, record, u16_at};

const FAULT: TableError = TableError::Record("option");

impl Sections {
    /// Every text of every such record, and every chain of pools that overflow.
    pub(super) fn check_options(&self, words: &[u64]) -> Result<(), TableError> {
        for number in 0..self.option_count {
            let options = record(words, self.options + RECORD_WORDS * number);
            let mut texts = options[..OPTION_TEXTS].iter().filter(|word| **word != 0);
            if !texts.all(|place| self.holds(low(*place), high(*place))) {
                return Err(FAULT);
            }
        }
        for pool in 0..self.pools {
            self.check_overflow(words, pool)?;
        }
        Ok(())
    }

    /// The record of the pool or member whose own record this is; `None` if it has none.
    fn options_of<'w>(&self, words: &'w [u64], of: &[u64]) -> Option<&'w [u64; RECORD_WORDS]> {
        let number = usize::from(u16_at(of[2], 48)).checked_sub(1)?;
        Some(record(words, self.options + RECORD_WORDS * number))
    }

    /// Whether a pool or member points to a record that is there.
    pub(super) fn check_options_of(&self, of: &[u64]) -> Result<(), TableError> {
        if usize::from(u16_at(of[2], 48)) <= self.option_count {
            Ok(())
        } else {
            Err(FAULT)
        }
    }

    fn check_overflow(&self, words: &[u64], pool: usize) -> Result<(), TableError> {
        let mut at = pool;
        for _ in 0..=MAX_OVERFLOWS {
            let pool = record(words, RECORD_WORDS * (1 + at));
            let next = self.options_of(words, pool).map_or(0, |o| u16_at(o[7], 48));
            match usize::from(next).checked_sub(1) {
                None => return Ok(()),
                Some(next) if next < self.pools => at = next,
                Some(_) => break,
            }
        }
        Err(FAULT)
    }
}
