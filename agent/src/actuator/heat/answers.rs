//! What the ledger answers the control loop, by the last look that succeeded.

use super::ledger::Ledger;
use crate::actuator::{Found, Handle};

impl Ledger {
    /// The youngest member that nobody claims and no order will.
    pub(super) fn spare(&self) -> Option<String> {
        let mut free = self.free(|_| true);
        (free.len() > self.expected()).then(|| free.pop()).flatten()
    }

    /// Members that nobody claims and no order will.
    pub(super) fn found(&mut self) -> Vec<Found> {
        if !self.told {
            return Vec::new();
        }
        let free = self.free(|row| !row.is_failed());
        let nobodys: Vec<String> = free.into_iter().skip(self.expected()).collect();
        self.offered.extend(nobodys.iter().cloned());
        let found = nobodys.into_iter().map(|resource| Found {
            handle: Handle::Heat {
                address: self.row(&resource).and_then(|row| row.address),
                resource: Some(resource),
            },
            name: None,
        });
        found.collect()
    }

    /// Members of the state whose deletion somebody else began and that wait to be let go.
    pub(super) fn held(&self) -> Vec<String> {
        let rows = self.view.iter().flat_map(|(_, view)| &view.rows);
        let held = rows.filter(|row| {
            let waits = !row.held.is_empty() || row.status.is_failed();
            row.status.is_leaving() && waits && !self.leaves(row)
        });
        held.filter_map(|row| self.owner(&row.name))
            .cloned()
            .collect()
    }

    /// Whether a member is there, by the last look.
    pub(super) fn is_alive(&self, handle: &Handle) -> bool {
        let Handle::Heat {
            resource: Some(resource),
            address,
        } = handle
        else {
            return true;
        };
        let Some((_, view)) = &self.view else {
            return true;
        };
        let Some(row) = view.row(resource) else {
            return false;
        };
        // Heat replaces a broken member by another of the same name.
        let replaced = row
            .address
            .zip(*address)
            .is_some_and(|(now, then)| now != then);
        let there = if row.status.is_leaving() {
            !row.held.is_empty() || row.undecided || row.status.is_failed()
        } else {
            !row.is_stillborn()
        };
        there && !replaced
    }
}
