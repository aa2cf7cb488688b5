//! What is to become of a group: computed from the ledger and the last look, anew each time.

use std::collections::BTreeSet;

use super::ledger::Ledger;
use super::view::Row;
use crate::heat::Phase;

/// What is to become of a group: by it an actuator computes its change.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Wish {
    /// Members that stay.
    pub(super) stay: Vec<Row>,
    /// Members that are to leave and are not on their way yet.
    pub(super) go: Vec<Row>,
    /// Members that are on their way out, whoever said so.
    pub(super) going: Vec<Row>,
    /// Members of `stay` that somebody claims, by name.
    pub(super) claimed: BTreeSet<String>,
    /// So many members are missing.
    pub(super) need: usize,
    /// Heat stopped in the middle of making members; the next change makes it go on.
    pub(super) is_stuck: bool,
}

impl Wish {
    /// Whether there is something to change.
    pub(super) fn is_due(&self) -> bool {
        self.need > 0 || !self.go.is_empty() || self.is_stuck
    }

    /// Whether a change must wait. A stack that is changed while it makes members breaks that off
    /// (measured); one that waits at a hook takes a change at once.
    fn must_wait(&self, phase: Phase) -> bool {
        let coming = self.stay.iter().any(Row::is_coming);
        let waits_at_hook = self.going.iter().any(|row| !row.held.is_empty());
        match phase {
            Phase::Failed => false,
            Phase::Complete => coming,
            Phase::InProgress => coming || !waits_at_hook && !self.go.iter().any(Row::is_coming),
        }
    }
}

impl Ledger {
    /// What is to become of the group: now, or (as an error) not before Heat has done what it is at.
    pub(super) fn wish(&self) -> Result<Wish, Wish> {
        let mut wish = Wish {
            need: self.pending.len(),
            ..Wish::default()
        };
        for row in self.view.iter().flat_map(|(_, view)| &view.rows) {
            let leaves = self.leaves(row);
            if row.status.is_leaving() && !(leaves && row.status.is_failed()) {
                wish.going.push(row.clone());
            } else if leaves {
                wish.go.push(row.clone());
            } else {
                if self.owner(&row.name).is_some() {
                    wish.claimed.insert(row.name.clone());
                }
                wish.stay.push(row.clone());
            }
        }
        let phase = self
            .view
            .as_ref()
            .map_or(Phase::Complete, |(_, view)| view.phase);
        wish.is_stuck = phase == Phase::Failed && wish.stay.iter().any(Row::is_coming);
        if wish.must_wait(phase) {
            Err(wish)
        } else {
            Ok(wish)
        }
    }
}
