//! A reader that refuses what would not fit into memory: endless lines, endless files.

use std::io::{Error, ErrorKind, Read, Result};

/// The longest line; a longer one is no row of a trace.
const MAX_LINE_BYTES: u64 = 64 << 10;

/// Passes bytes on until a limit is met.
#[derive(Debug)]
pub(super) struct Limited<R> {
    source: R,
    left_bytes: u64,
    max_bytes: u64,
    line_bytes: u64,
}

impl<R: Read> Limited<R> {
    pub(super) fn new(source: R, max_bytes: u64) -> Limited<R> {
        Limited {
            source,
            left_bytes: max_bytes,
            max_bytes,
            line_bytes: 0,
        }
    }
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let count = self.source.read(buffer)?;
        let read = &buffer[..count];
        self.left_bytes = match self.left_bytes.checked_sub(count as u64) {
            Some(left_bytes) => left_bytes,
            None => {
                let mebibytes = self.max_bytes >> 20;
                return Err(refused(format!(
                    "is too big (at most {mebibytes} MiB); cut the time or sum rows up"
                )));
            }
        };
        self.line_bytes = match read.iter().rposition(|byte| *byte == b'\n') {
            Some(newline) => (count - newline - 1) as u64,
            None => self.line_bytes + count as u64,
        };
        if self.line_bytes > MAX_LINE_BYTES {
            return Err(refused(format!(
                "has a line of more than {MAX_LINE_BYTES} bytes; is it a CSV file?"
            )));
        }
        Ok(count)
    }
}

fn refused(why: String) -> Error {
    Error::new(ErrorKind::InvalidData, why)
}
