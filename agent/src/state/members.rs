//! The members of a pool, shared with whoever remembers how they were: a copy costs nothing until one
//! side changes it, and what nobody changed since is known without looking at it.

use std::collections::BTreeMap;
use std::collections::btree_map::{Iter, IterMut};
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, OnceLock};

use kamscale_shm::member_id;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Member;

/// Members by name.
#[derive(Debug, Clone, Default)]
pub struct Members {
    by_name: Arc<BTreeMap<String, Member>>,
    /// Their identities, in the order of their names.
    ids: OnceLock<Arc<[u64]>>,
}

impl Members {
    /// Whether this is a copy, and neither was changed since. Others may be equal all the same.
    pub fn is_same(&self, other: &Members) -> bool {
        Arc::ptr_eq(&self.by_name, &other.by_name)
    }

    /// Their identities in their pool ([`member_id`]), in the order of their names.
    pub fn ids(&self, pool: &str) -> &[u64] {
        self.ids.get_or_init(|| {
            let names = self.by_name.keys();
            names.map(|name| member_id(pool, name)).collect()
        })
    }
}

impl Deref for Members {
    type Target = BTreeMap<String, Member>;

    fn deref(&self) -> &Self::Target {
        &self.by_name
    }
}

impl DerefMut for Members {
    fn deref_mut(&mut self) -> &mut Self::Target {
        self.ids = OnceLock::new();
        Arc::make_mut(&mut self.by_name)
    }
}

impl PartialEq for Members {
    fn eq(&self, other: &Members) -> bool {
        self.is_same(other) || self.by_name == other.by_name
    }
}

impl<'a> IntoIterator for &'a Members {
    type Item = (&'a String, &'a Member);
    type IntoIter = Iter<'a, String, Member>;

    fn into_iter(self) -> Self::IntoIter {
        self.by_name.iter()
    }
}

impl<'a> IntoIterator for &'a mut Members {
    type Item = (&'a String, &'a mut Member);
    type IntoIter = IterMut<'a, String, Member>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter_mut()
    }
}

impl Serialize for Members {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.by_name.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Members, D::Error> {
        Ok(Members {
            by_name: Arc::new(BTreeMap::deserialize(deserializer)?),
            ids: OnceLock::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::tests::member;
    use crate::state::Stage;

    #[test]
    fn a_copy_stays_as_it_was_and_is_the_same_until_one_side_changes() {
        let mut members = Members::default();
        members.insert("a".into(), member(Stage::Active));
        let copy = members.clone();
        assert!(copy.is_same(&members));
        members.insert("b".into(), member(Stage::Active));
        assert!(!copy.is_same(&members) && copy != members);
        assert_eq!((copy.len(), members.len()), (1, 2));
        members.remove("b");
        assert!(!copy.is_same(&members) && copy == members);
    }

    #[test]
    fn identities_are_those_of_the_names_whatever_came_or_went() {
        let mut members = Members::default();
        for name in ["b", "a", "c"] {
            members.insert(name.into(), member(Stage::Active));
            let ids: Vec<u64> = members.keys().map(|name| member_id("p", name)).collect();
            assert_eq!(members.ids("p"), ids);
        }
        members.remove("b");
        assert_eq!(members.ids("p"), [member_id("p", "a"), member_id("p", "c")]);
    }
}
