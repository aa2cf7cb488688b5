//! What is done to an agent that Kamailio must not notice.

use std::fs::File;
use std::os::unix::fs::FileExt;

use crate::agent::Agent;
use crate::run::RunDir;

/// Does the `number`th of them, and says what it was.
pub(super) fn inflict(number: usize, agent: &mut Agent<'_>, run: &RunDir) -> &'static str {
    let desired = run.shm_dir().join("default.desired");
    match number % 5 {
        0 => {
            agent.kill();
            agent.restart();
            "agent killed, and started again"
        }
        1 => {
            agent.reload();
            "agent told to read its configuration again"
        }
        2 => {
            // Over everything: head, slots, stamps.
            let file = File::options().write(true).open(&desired);
            let written = file.and_then(|file| file.write_all_at(&[0xa5; 65_536], 0));
            written.unwrap_or_else(|e| panic!("damaging {}: {e}", desired.display()));
            "the agent's file overwritten with rubbish"
        }
        3 => {
            let removed = std::fs::remove_file(&desired);
            removed.unwrap_or_else(|e| panic!("removing {}: {e}", desired.display()));
            "the agent's file removed"
        }
        _ => {
            agent.stop();
            agent.restart();
            "agent ended in order, and started again"
        }
    }
}
