//! `OS::Heat::ResourceGroup`: one change says how many members there are and who of them goes.
//!
//! Members are numbered. Heat takes the first `count` numbers that are not in its skip list, and with
//! `removal_policies_mode: update` that list is exactly what the parameter says. So the parameter
//! always names *all* numbers that must not come (back): one that was left out would be made anew,
//! and the member with the highest number would go in its place.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::group::Change;
use super::wish::Wish;
use crate::config::HeatConfig;
use crate::heat::Stack;

/// Numbers that are kept from coming back; beyond these the lowest are used again, for new members.
/// They stand for members that are long gone; Heat's column for the list holds 64 KiB.
const MOST_REMOVED: usize = 2000;

/// What is to be changed for a wish.
pub(super) fn change(wish: &Wish, stack: &Stack, config: &HeatConfig) -> Option<Change> {
    if !wish.is_due() {
        return None;
    }
    let size = wish.stay.len() + wish.need;
    let removed = removed(wish, stack.names(&config.removal_parameter));
    let parameters = BTreeMap::from([
        (config.size_parameter().to_owned(), json!(size)),
        (config.removal_parameter.clone(), Value::from(removed)),
    ]);
    Some(Change {
        parameters,
        ..Change::default()
    })
}

/// All names that must not come: in order of their numbers.
fn removed(wish: &Wish, already: Vec<String>) -> Vec<String> {
    let stays: BTreeSet<&str> = wish.stay.iter().map(|row| &*row.name).collect();
    let leaving: BTreeSet<&str> = wish
        .go
        .iter()
        .chain(&wish.going)
        .map(|row| &*row.name)
        .collect();
    let numbers = stays.iter().filter_map(|name| name.parse::<u64>().ok());
    let gaps = 0..numbers.max().map_or(0, |highest| highest);
    let mut all: BTreeSet<String> = already.into_iter().collect();
    all.extend(gaps.map(|number| number.to_string()));
    all.extend(leaving.iter().map(|name| (*name).to_owned()));
    all.retain(|name| !stays.contains(&**name));
    let mut all: Vec<String> = all.into_iter().collect();
    all.sort_by_key(|name| (name.parse::<u64>().unwrap_or(u64::MAX), name.clone()));
    // Exactly as many as are made now may be given free: each of those takes the lowest free number.
    let spare = all.len().saturating_sub(MOST_REMOVED).min(wish.need);
    let mut freed = 0;
    all.retain(|name| {
        let free = freed < spare && !leaving.contains(&**name);
        freed += usize::from(free);
        !free
    });
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actuator::heat::tests::row;

    fn wish(stay: &[&str], go: &[&str], need: usize) -> Wish {
        let rows = |names: &[&str]| {
            names
                .iter()
                .map(|name| row(name, "CREATE_COMPLETE"))
                .collect()
        };
        Wish {
            stay: rows(stay),
            go: rows(go),
            need,
            ..Wish::default()
        }
    }

    fn list(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn every_number_that_must_not_come_back_is_named() {
        // 1 was removed before; Heat would make it anew if only 2 were named now.
        let names = removed(&wish(&["0", "3"], &["2"], 0), list(&["1"]));
        assert_eq!(names, ["1", "2"]);
        // Somebody emptied the parameter: the gap is named all the same.
        assert_eq!(removed(&wish(&["0", "2"], &[], 1), list(&[])), ["1"]);
        // A number above all members was removed: it is not used again.
        assert_eq!(removed(&wish(&["0"], &[], 1), list(&["1"])), ["1"]);
        // One that lives is never named, whatever the parameter says.
        assert_eq!(removed(&wish(&["0", "1"], &[], 1), list(&["1"])), [""; 0]);
    }

    #[test]
    fn a_long_list_gives_free_only_what_new_members_take() {
        let long: Vec<String> = (0..2010).map(|number| number.to_string()).collect();
        let names = removed(&wish(&["2010"], &[], 3), long.clone());
        assert_eq!((names.len(), names[0].as_str()), (2007, "3"));
        let names = removed(&wish(&["2010"], &["2011"], 0), long);
        assert_eq!(names.len(), 2011);
    }
}
