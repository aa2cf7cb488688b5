//! One kill of either side at a random moment, and what must hold right after it.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::desired_file::Raw;
use crate::moments::{Draw, await_some};
use crate::process::Process;
use crate::watcher::Watcher;

#[derive(Debug, Default)]
pub(crate) struct Killed {
    publishers: u64,
    while_starting: u64,
    half_way: u64,
    pub(crate) kamailios: u64,
    pub(crate) generation: u64,
}

/// Kills a publisher at a random moment of its start, of its work, or (most often) in the middle of
/// a publication, and checks what it leaves.
pub(crate) fn kill_publisher(publisher: Process, raw: &Raw, draw: &mut Draw, killed: &mut Killed) {
    let before = raw.generation();
    match draw.below(4) {
        0 => draw.wait_up_to(Duration::from_millis(12)),
        1 => {
            await_some("a newer generation", || {
                (raw.generation() > before).then_some(())
            });
            draw.wait_up_to(Duration::from_millis(20));
        }
        _ => {
            let wanted = before + 1 + draw.below(8);
            // A fast machine may be half-way too shortly to be seen: any moment then.
            await_some("a publication to interrupt", || {
                let generation = raw.generation();
                let seen = generation >= wanted && raw.is_half_way();
                (seen || generation > wanted + 64).then_some(())
            });
            draw.wait_up_to(Duration::from_micros(100));
        }
    }
    publisher.kill();
    killed.publishers += 1;
    killed.while_starting += u64::from(raw.generation() == before);
    killed.half_way += u64::from(raw.is_half_way());
    killed.generation = raw.generation();
    assert!(killed.generation >= before, "the generation went back");
}

/// One life of Kamailio that ends by kill -9: while starting, or while it counts.
pub(crate) fn live_and_die(dir: &Path, watcher: &mut Watcher, draw: &mut Draw) {
    let mut kamailio = Process::start("role_kamailio", dir);
    if draw.below(4) == 0 {
        draw.wait_up_to(Duration::from_millis(12));
    } else {
        watcher.after_birth(dir);
        kamailio.tell("go");
        let until = Instant::now() + Duration::from_micros(draw.below(40_000));
        while Instant::now() < until {
            watcher.look(dir);
        }
    }
    kamailio.kill();
    watcher.after_death(dir);
}
