//! What must hold of every table that a reader applies: it is its generation's, whole, and what
//! stayed has not moved.

use std::collections::{HashMap, HashSet};

use kamscale_shm::rows::RowTable;
use kamscale_shm::{Table, encode};

use crate::generation::{resident_id, table_of};

/// What one reader checks of everything it applies.
#[derive(Default)]
pub(crate) struct Checker {
    pub(crate) generation: u64,
    slots: HashMap<Vec<u8>, usize>,
    /// Owner of each row of the pool of residents.
    owners: Vec<u16>,
}

impl Checker {
    pub(crate) fn check(&mut self, table: &Table, generation: u64) {
        assert_eq!(
            table.generation(),
            generation,
            "another table than its generation's"
        );
        assert!(
            generation > self.generation,
            "{} then {generation}: back",
            self.generation
        );
        self.generation = generation;
        let mut read = table.to_spec();
        read.pools.sort_by(|a, b| a.name.cmp(&b.name));
        assert_eq!(
            read,
            table_of(generation),
            "not the table of generation {generation}"
        );
        self.check_slots(table);
        self.check_owners(table);
    }

    fn check_slots(&mut self, table: &Table) {
        let mut taken = HashSet::new();
        for slot in table
            .pools()
            .flat_map(|p| p.members().map(|m| m.slot()).collect::<Vec<_>>())
        {
            assert!(taken.insert(slot), "slot {slot} belongs to two members");
        }
        let pool = table.pool(table.pool_index(b"resident").unwrap()).unwrap();
        for member in pool.members() {
            let known = *self
                .slots
                .entry(member.name().to_vec())
                .or_insert(member.slot());
            assert_eq!(
                member.slot(),
                known,
                "the slot of a member that stayed moved"
            );
        }
        let known = *self
            .slots
            .entry(b"the pool".to_vec())
            .or_insert(pool.slot());
        assert_eq!(pool.slot(), known, "the slot of a pool that stayed moved");
    }

    fn check_owners(&mut self, table: &Table) {
        if self.owners.is_empty() {
            let pool = &table_of(1).pools[0];
            self.owners = RowTable::new(10, &encode::weighted(pool))
                .owners()
                .collect();
        }
        let pool = table.pool(table.pool_index(b"resident").unwrap()).unwrap();
        for row in (0..self.owners.len()).step_by(37) {
            let owner = pool.owner((row as u64) << 54, |_| true).unwrap();
            let expected = resident_id(usize::from(self.owners[row]));
            assert_eq!(owner.id(), expected, "a key of members that stayed moved");
        }
    }
}
