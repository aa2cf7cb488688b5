//! The desired file from outside: plain bytes, read past the code under test.

use std::fs::File;
use std::mem::offset_of;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use kamscale_shm::layout::{DesiredFile, TableSlot};
use kamscale_shm::limits::TABLE_SLOTS;
use kamscale_shm::publication;

/// The desired file, open.
pub(crate) struct Raw(File);

impl Raw {
    pub(crate) fn of(dir: &Path) -> Option<Self> {
        File::open(dir.join("k.desired")).ok().map(Self)
    }

    fn word(&self, at: usize) -> u64 {
        let mut bytes = [0; 8];
        self.0.read_exact_at(&mut bytes, at as u64).unwrap();
        u64::from_ne_bytes(bytes)
    }

    pub(crate) fn generation(&self) -> u64 {
        self.word(offset_of!(DesiredFile, generation))
    }

    fn stamp(&self, generation: u64) -> u64 {
        let slot = publication::slot_of(generation, TABLE_SLOTS);
        self.word(offset_of!(DesiredFile, slots) + slot * size_of::<TableSlot>())
    }

    /// Whether a publication was begun and not finished.
    pub(crate) fn is_half_way(&self) -> bool {
        let generation = self.generation();
        self.stamp(generation + 1) > 2 * generation
    }

    pub(crate) fn identity(&self) -> u64 {
        self.0.metadata().unwrap().ino()
    }
}
