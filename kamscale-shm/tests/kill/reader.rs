//! The role of a Kamailio process that does nothing but apply and check tables.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use kamscale_shm::observed::add;
use kamscale_shm::{DesiredReader, Refresh};

use crate::checker::Checker;
use crate::process::obey;

/// Applies and checks as fast as it can.
pub(crate) fn run(dir: &Path) {
    let counts: Arc<[AtomicU64; 3]> = Arc::default();
    let orders = obey({
        let counts = Arc::clone(&counts);
        move || counts.iter().map(|c| c.load(Ordering::Relaxed)).collect()
    });
    let mut reader = DesiredReader::new(dir.join("k.desired"));
    reader.reserve();
    let mut checker = Checker::default();
    let mut epoch = 1;
    while !orders.stop() {
        match reader.refresh(epoch) {
            Refresh::Applied(generation) => {
                checker.check(reader.table(), generation);
                add(&counts[0], generation - counts[0].load(Ordering::Relaxed));
                add(&counts[1], 1);
            }
            Refresh::Torn => add(&counts[2], 1),
            Refresh::Rejected(why) => panic!("a table that was published is refused: {why}"),
            // No file yet: look again. Then it stays that one file.
            Refresh::Unchanged if checker.generation == 0 => epoch += 1,
            Refresh::Unchanged => {}
        }
    }
}
