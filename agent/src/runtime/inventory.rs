//! Inventory: what the loop says of its own pools where nobody else can, and events about the file.

use std::collections::BTreeSet;

use super::Agent;
use crate::inventory::{Pools, entries};
use crate::journal::Event;
use crate::observe::without_numbers;
use crate::state::Tabled;

/// What was told, and what was put on record.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// Pools of shared actuators that were looked at since the agent started.
    sighted: BTreeSet<String>,
    told: Option<Tabled>,
    written: u64,
    problem: Option<String>,
}

impl Listing {
    /// What there is of this pool is known now.
    pub(super) fn sight(&mut self, pool: &str) {
        if !self.sighted.contains(pool) {
            self.sighted.insert(pool.to_owned());
        }
    }
}

impl Agent {
    /// After publishing: tells the own pools if they changed, and notes what became of the file.
    pub(super) fn list(&mut self) {
        let Some(keeper) = &self.services.inventory else {
            return;
        };
        let told = self.listing.told.as_ref();
        let is_told = told.is_some_and(|told| told.is_same(&self.state));
        // An agent that lost its state knows only after a look what there is: until then it would
        // take everything out.
        let mut shared = self.actuators.iter().filter(|(_, it)| it.is_shared());
        let knows = shared.all(|(pool, _)| self.listing.sighted.contains(pool));
        if keeper.wants_own() && knows && !is_told {
            let pools = self.state.pools.iter();
            let pools: Pools = pools
                .map(|(name, pool)| (name.clone(), entries(pool)))
                .collect();
            keeper.tell(pools);
            self.listing.told = Some(Tabled::now(&self.state));
        }
        self.note_inventory();
    }

    fn note_inventory(&mut self) {
        let Some(keeper) = &self.services.inventory else {
            return;
        };
        let known = keeper.known();
        if known.written != self.listing.written {
            self.listing.written = known.written;
            let pools = known.inventory.pools();
            let members: usize = pools.values().map(|pool| pool.len()).sum();
            let event = Event::new("inventory_written").with("pools", pools.len());
            self.journal.record(event.with("members", members));
        }
        let words = known.problem.as_deref().map(without_numbers);
        if words != self.listing.problem {
            let event = match known.problem {
                Some(problem) => Event::new("inventory_stuck").reason(problem).with(
                    "effect",
                    "its file stays as it is; nothing is taken out of it",
                ),
                None => Event::new("inventory_follows"),
            };
            self.journal.record(event);
            self.listing.problem = words;
        }
    }
}
