//! Rubbish written over the agent's file as it stands: Kamailio routes by the last good table,
//! counts and reports what it refuses, and uses the next good one by itself.

use std::path::Path;

use kamscale_shm::layout::{DesiredFile, TableSlot};
use kamscale_shm::limits::TABLE_SLOTS;
use kamscale_tests::{PATIENCE, RunDir, wait_until};

use crate::damage::{Site, write};

/// Where the generation stands in the desired file, and its first slot.
const GENERATION: u64 = 128;
const SLOTS: u64 = 4096;

/// Random bytes, the same in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        let words = std::iter::repeat_with(|| self.next().to_le_bytes());
        words.flatten().take(count).collect()
    }
}

/// A table that claims to be whole and is rubbish.
fn write_rubbish_table(path: &Path, generation: u64, random: &mut Random) {
    let slot = SLOTS + generation % TABLE_SLOTS as u64 * size_of::<TableSlot>() as u64;
    let words = 1 + random.next() % 5000;
    let bytes = random.bytes(8 * usize::try_from(words).unwrap());
    write(path, slot + 16, &bytes);
    write(path, slot + 8, &words.to_le_bytes());
    write(path, slot, &(2 * generation).to_le_bytes());
    write(path, GENERATION, &generation.to_le_bytes());
}

#[test]
fn a_rubbish_table_is_refused_counted_and_reported_now_and_then() {
    let run = RunDir::new("rubbish");
    let mut site = Site::start(&run);
    let (path, mut random) = (site.desired(), Random(0x5eed));
    for round in 1..=50 {
        write_rubbish_table(&path, 1000 + round, &mut random);
        let rejected = site.status("tables_rejected");
        assert!(rejected >= round, "{rejected} after {round}");
        site.goes_on();
    }
    wait_until("every worker has refused a table", PATIENCE, || {
        let workers = site.kamailio.observed("default").workers;
        workers
            .iter()
            .filter(|w| w.rank > 0)
            .all(|w| w.rejected > 0)
    });
    site.reported("the agent's table is refused");
    site.heals("rubbish tables");
    site.end();
}

#[test]
fn random_bytes_anywhere_in_the_file_harm_nobody() {
    let run = RunDir::new("garbage");
    let mut site = Site::start(&run);
    let (path, mut random) = (site.desired(), Random(0xfeed));
    let size = size_of::<DesiredFile>() as u64;
    for round in 0..40 {
        for _ in 0..200 {
            // Mostly where tables are; also in the head and in words that nobody uses.
            let region = [SLOTS + 4096, SLOTS * 2, size][usize::try_from(round % 3).unwrap()];
            let slot = random.next() % TABLE_SLOTS as u64 * size_of::<TableSlot>() as u64;
            let offset = (slot + random.next() % region).min(size - 64);
            let bytes = random.bytes(1 + usize::try_from(offset % 63).unwrap());
            // The head has its own test: this one is about tables.
            write(&path, offset.max(GENERATION), &bytes);
        }
        site.load.go_on(50);
    }
    let slot = random.bytes(size_of::<TableSlot>());
    for number in 0..TABLE_SLOTS as u64 {
        write(&path, SLOTS + number * slot.len() as u64, &slot);
    }
    site.goes_on();
    site.heals("random bytes");
    site.end();
}

#[test]
fn a_spoilt_head_is_noticed_and_healed() {
    let run = RunDir::new("spoilt head");
    let mut site = Site::start(&run);
    let path = site.desired();
    for (offset, bytes) in [(0, vec![0xff; 128]), (0, vec![0; 8]), (16, vec![1; 8])] {
        write(&path, offset, &bytes);
        site.goes_on();
        site.looked();
        site.heals("a spoilt head");
    }
    site.end();
}
