//! Puts [`crate::share`] before dmq: messages of other nodes go to the process that shares, and what
//! that has to say goes to dmq.

use std::sync::atomic::Ordering;

use kamailio::dmq::{self, Received};
use kamailio::process::Local;
use kamscale_shm::clock;

use super::{SERVER, with};
use crate::server::Server;
use crate::share::{Share, deliver};

/// Of the process that shares.
static SHARE: Local<Option<Share>> = Local::new(|| None);

/// Before the fork: opens the channel, if this node shares.
pub(super) fn prepare(server: &'static Server) -> Result<(), String> {
    if server.settings.share {
        dmq::bind(c"kamscale", received).map_err(|e| format!("modparam \"share\": {e}"))?;
        let share = Share::new(server, Share::boot_now());
        SHARE.with(|s| *s = Some(share));
    }
    Ok(())
}

/// In a process of dmq's.
fn received(message: &Received<'_>) {
    if let Some(server) = SERVER.get() {
        deliver(server, message.from, message.body);
    }
}

/// One turn of the process that shares. Nothing of this process is held while something is sent, as
/// a script may come back to it (`tm:local-request`).
pub(super) fn turn() {
    let messages = with(|server, worker| {
        SHARE.with(|share| {
            let share = share.as_mut()?;
            worker.refresh(server);
            let row = worker.row(server);
            let applied = row.map_or(0, |row| row.applied.load(Ordering::Relaxed));
            Some(share.turn(server, worker.table(), applied, clock::monotonic_ns()))
        })
    });
    let (Some(messages), Some(server)) = (messages.flatten(), SERVER.get()) else {
        return;
    };
    for message in messages {
        // dmq has logged why.
        if dmq::broadcast(message.as_bytes()).is_err() {
            server
                .observed
                .nodes()
                .not_sent
                .fetch_add(1, Ordering::Relaxed);
        }
    }
}
