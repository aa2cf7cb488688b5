//! Tests of the rows: shares, and what a change may move.

use super::*;
use proptest::prelude::*;

fn members(weights: &[(u64, u16)]) -> Vec<Weighted> {
    weights
        .iter()
        .map(|(id, weight)| Weighted {
            id: mix(*id + 1),
            weight: *weight,
        })
        .collect()
}

fn ids(table: &RowTable, of: &[Weighted]) -> Vec<u64> {
    table
        .owners()
        .map(|o| of.get(usize::from(o)).map_or(0, |m| m.id))
        .collect()
}

#[test]
fn the_first_rows_of_a_small_table_never_change() {
    let of = members(&[(0, 100), (1, 100), (2, 50)]);
    let first: Vec<u16> = RowTable::new(10, &of).owners().take(16).collect();
    assert_eq!(first, [1, 0, 0, 0, 0, 0, 0, 2, 0, 0, 1, 1, 1, 1, 1, 2]);
}

#[test]
fn shares_follow_the_weights() {
    let of = members(&[(0, 400), (1, 100), (2, 100), (3, 100), (4, 0)]);
    let table = RowTable::new(16, &of);
    for (index, weight) in [(0_u16, 400.0), (1, 100.0), (2, 100.0), (3, 100.0), (4, 0.0)] {
        let rows = table.owners().filter(|o| *o == index).count();
        let share = f64::from(u32::try_from(rows).unwrap()) / 65536.0;
        let sd = (700.0 * f64::max(weight, 1.0) / 700.0_f64.powi(2) / 65536.0).sqrt();
        assert!(
            (share - weight / 700.0).abs() < 5.0 * sd,
            "member {index} has {share}"
        );
    }
}

#[test]
fn growth_from_a_small_weight_costs_no_more_than_a_rebuild() {
    let mut table = RowTable::new(10, &members(&[(0, 1)]));
    for weight in [2, 5, 60, 900, 20_000, u16::MAX] {
        let of = members(&[(0, 1), (1, weight)]);
        table.change(&of);
        let fresh = RowTable::new(10, &of);
        assert_eq!(ids(&table, &of), ids(&fresh, &of));
        let excess = table.horizon / fresh.horizon;
        assert!(
            excess <= 4,
            "{excess} times the claims that are needed at weight {weight}"
        );
    }
}

#[test]
fn nobody_owns_a_pool_without_weight() {
    assert!(
        RowTable::new(10, &members(&[(0, 0)]))
            .owners()
            .all(|o| o == NOBODY)
    );
    assert!(RowTable::new(10, &[]).owners().all(|o| o == NOBODY));
}

type Weights = Vec<(u64, u16)>;

/// Two sets over the same few ids, the second in any order.
fn two_sets() -> impl Strategy<Value = (Weights, Weights)> {
    let weight = prop_oneof![Just(0_u16), Just(1), Just(100), 1_u16..2000];
    let set = proptest::collection::btree_map(0_u64..12, weight, 0..12);
    (
        set.clone(),
        set.prop_map(|m| m.into_iter().collect::<Vec<_>>())
            .prop_shuffle(),
    )
        .prop_map(|(a, b)| (a.into_iter().collect(), b))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_change_gives_what_a_rebuild_gives((before, after) in two_sets()) {
        let (before, after) = (members(&before), members(&after));
        let mut changed = RowTable::new(10, &before);
        changed.change(&after);
        prop_assert_eq!(ids(&changed, &after), ids(&RowTable::new(10, &after), &after));
        // and once more, from a table with a history
        changed.change(&before);
        prop_assert_eq!(ids(&changed, &before), ids(&RowTable::new(10, &before), &before));
    }

    #[test]
    fn only_rows_of_changed_members_move((before, after) in two_sets()) {
        let (before, after) = (members(&before), members(&after));
        let weight = |set: &[Weighted], id| set.iter().find(|m| m.id == id).map_or(0, |m| m.weight);
        let was = ids(&RowTable::new(10, &before), &before);
        let is = ids(&RowTable::new(10, &after), &after);
        for (from, to) in was.into_iter().zip(is).filter(|(a, b)| a != b) {
            let lost = weight(&after, from) < weight(&before, from);
            let won = weight(&after, to) > weight(&before, to);
            prop_assert!(from == 0 || lost || won, "a row moved between two unchanged members");
        }
    }

    #[test]
    fn only_the_ratio_of_weights_counts(set in two_sets().prop_map(|s| s.0), k in 1_u16..30) {
        let of = members(&set);
        let scaled: Vec<_> =
            of.iter().map(|m| Weighted { weight: m.weight.saturating_mul(k), ..*m }).collect();
        prop_assume!(of.iter().zip(&scaled).all(|(a, b)| a.weight * k == b.weight));
        prop_assert_eq!(ids(&RowTable::new(10, &of), &of), ids(&RowTable::new(10, &scaled), &of));
    }

    #[test]
    fn what_was_forgotten_changes_nothing((before, after) in two_sets()) {
        let (before, after) = (members(&before), members(&after));
        let mut table = RowTable::new(10, &before);
        table.forget();
        prop_assert_eq!(ids(&table, &before), ids(&RowTable::new(10, &before), &before));
        table.change(&after);
        prop_assert_eq!(ids(&table, &after), ids(&RowTable::new(10, &after), &after));
    }
}
