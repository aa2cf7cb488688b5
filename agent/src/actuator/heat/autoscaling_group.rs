//! `OS::Heat::AutoScalingGroup`: who goes is marked unhealthy, then the capacity is set without it.
//!
//! Heat takes failed members first, then the oldest, and a marked one counts as failed. It goes only
//! if the new capacity leaves no room for it; with room Heat would replace it. So members go first,
//! and only then are new ones asked for; and whoever is failed without being meant to go is healed
//! before. Never by a signal: a marked member is not counted there, and one too many would go.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::group::Change;
use super::view::Row;
use super::wish::Wish;
use crate::config::HeatConfig;
use crate::heat::Action;

/// The words of our marks; others' marks are none of our business.
pub(super) const LEAVES: &str = "kamscale: drained, leaves the group";

/// What is to be changed for a wish.
pub(super) fn change(wish: &Wish, config: &HeatConfig) -> Option<Change> {
    let parameters = |size: usize| -> BTreeMap<String, Value> {
        BTreeMap::from([(config.size_parameter().to_owned(), json!(size))])
    };
    let good = wish.stay.iter().filter(|row| !row.is_failed()).count();
    if !wish.go.is_empty() {
        let heal = wish.stay.iter().filter(|row| is_wronged(row, wish));
        let healed: Vec<Row> = heal.cloned().collect();
        let mark = wish.go.iter().filter(|row| !row.is_failed());
        let size = good + healed.len();
        return Some(Change {
            mark: mark.cloned().collect(),
            heal: healed,
            parameters: parameters(size),
            // Fewer than the group's minimum is refused. With new members instead it is not.
            instead: (wish.need > 0).then(|| parameters(size + wish.need)),
        });
    }
    wish.is_due().then(|| Change {
        parameters: parameters(good + wish.need),
        ..Change::default()
    })
}

/// Failed or marked, though it is claimed and was made: it serves.
fn is_wronged(row: &Row, wish: &Wish) -> bool {
    row.is_failed()
        && matches!(row.status.action, Action::Check | Action::Update)
        && wish.claimed.contains(&row.name)
}

/// Members with our mark that nobody asked to leave: an agent died between mark and change.
pub(super) fn marked_by_us(wish: &Wish) -> impl Iterator<Item = &Row> {
    let marked = |row: &&Row| row.status.action == Action::Check && row.is_failed();
    wish.stay
        .iter()
        .filter(marked)
        .filter(|row| row.reason == LEAVES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actuator::heat::tests::{config, row};

    fn sizes(change: &Change) -> (Option<u64>, Option<u64>) {
        let size = |of: &BTreeMap<String, Value>| of["desired"].as_u64();
        (
            size(&change.parameters),
            change.instead.as_ref().and_then(size),
        )
    }

    #[test]
    fn members_go_before_others_come_and_are_not_counted() {
        let wish = Wish {
            stay: vec![row("a", "UPDATE_COMPLETE"), row("b", "CREATE_IN_PROGRESS")],
            go: vec![row("c", "CREATE_COMPLETE"), row("d", "CHECK_FAILED")],
            need: 2,
            ..Wish::default()
        };
        let change = change(&wish, &config("heat_autoscaling_group")).unwrap();
        assert_eq!(sizes(&change), (Some(2), Some(4)));
        let marked: Vec<&str> = change.mark.iter().map(|row| &*row.name).collect();
        assert_eq!(marked, ["c"], "d is marked already");
    }

    #[test]
    fn a_member_that_serves_and_is_marked_is_healed_before_heat_may_take_it_for_another() {
        let mut wish = Wish {
            stay: vec![row("a", "UPDATE_FAILED"), row("b", "CREATE_FAILED")],
            go: vec![row("c", "CREATE_COMPLETE")],
            ..Wish::default()
        };
        wish.claimed.insert("a".into());
        let change = change(&wish, &config("heat_autoscaling_group")).unwrap();
        assert_eq!(change.heal.len(), 1);
        assert_eq!(
            sizes(&change),
            (Some(1), None),
            "b could not be made: it goes, too"
        );
    }
}
