//! Orders: what each does, and that senseless ones do nothing.

use super::*;
use crate::simulate::SimPhase;

#[test]
fn a_booted_member_takes_calls_after_its_boot_time_and_is_reported_once() {
    let mut booted = Vec::new();
    let outcome = follow(&hour(), |view| {
        booted.extend(view.booted_s.iter().map(|took_s| (view.now_s, *took_s)));
        let count = if view.now_s == 600.0 { 2 } else { 0 };
        vec![Step::Boot(count)]
    });
    assert_eq!(booted, [(720.0, 120.0), (720.0, 120.0)]);
    assert_eq!(point_at(&outcome, 600.0).booting, 2);
    assert_eq!(point_at(&outcome, 720.0).active, 4);
    let boots: Vec<_> = outcome
        .marks
        .iter()
        .filter(|mark| mark.what == "boot")
        .collect();
    assert_eq!((boots.len(), boots[0].count), (1, 2));
    assert_eq!(boots[0].reason, "as scripted");
}

#[test]
fn a_draining_member_takes_no_calls_until_it_is_taken_back() {
    let mut seen = Vec::new();
    let outcome = follow(&hour(), |view| {
        let first = &view.members[0];
        seen.push((view.now_s, first.phase, first.calls));
        match view.now_s {
            600.0 => vec![Step::Drain(0)],
            1800.0 => vec![Step::TakeBack(0)],
            _ => Vec::new(),
        }
    });
    let draining: Vec<u32> = seen
        .iter()
        .filter(|(_, phase, _)| *phase == SimPhase::Draining)
        .map(|(_, _, calls)| *calls)
        .collect();
    assert_eq!(draining.len(), 120);
    assert!(draining.is_sorted_by(|before, after| before >= after));
    assert_eq!(draining.last(), Some(&0));
    assert!(seen.last().unwrap().2 > 0);
    assert_eq!(outcome.figures.cut_calls, 0);
    assert_eq!(point_at(&outcome, 1800.0 - 60.0).draining, 1);
}

#[test]
fn deleting_cuts_exactly_the_calls_of_the_member() {
    let mut carried = 0;
    let outcome = follow(&hour(), |view| {
        if view.now_s == 1800.0 {
            carried = view.members[1].calls;
            return vec![Step::Delete(1)];
        }
        Vec::new()
    });
    assert!(carried > 0);
    assert_eq!(outcome.figures.cut_calls, u64::from(carried));
    assert_eq!(point_at(&outcome, 1800.0).cut, carried);
    assert_eq!(point_at(&outcome, 3600.0).active, 1);
}

#[test]
fn nobody_is_cut_unless_somebody_is_deleted() {
    let outcome = follow(&hour(), |view| {
        let id = view.members.last().map_or(0, |member| member.id);
        match view.now_s % 300.0 {
            0.0 => vec![Step::Drain(id), Step::Boot(1)],
            100.0 => vec![Step::TakeBack(id)],
            _ => Vec::new(),
        }
    });
    assert!(outcome.figures.actions > 12);
    assert_eq!(outcome.figures.cut_calls, 0);
    assert_eq!(outcome.figures.crashed_calls, 0);
}

#[test]
fn a_member_can_be_deleted_while_it_boots_or_drains() {
    let outcome = follow(&hour(), |view| match view.now_s {
        0.0 => vec![Step::Drain(0), Step::Boot(1)],
        60.0 => vec![Step::Delete(2)],
        1800.0 => vec![Step::Delete(0)],
        _ => Vec::new(),
    });
    let end = point_at(&outcome, 3600.0);
    assert_eq!((end.active, end.booting, end.draining), (1, 0, 0));
    assert_eq!(outcome.figures.cut_calls, 0);
}

#[test]
fn senseless_orders_do_nothing_and_count_for_nothing() {
    let outcome = follow(&hour(), |_| {
        vec![
            Step::Drain(77),
            Step::TakeBack(77),
            Step::Delete(77),
            Step::TakeBack(0),
            Step::Boot(0),
        ]
    });
    assert_eq!(outcome.figures.actions, 0);
    assert!(outcome.marks.is_empty());
    assert_eq!(point_at(&outcome, 3600.0).active, 2);
}

#[test]
fn no_more_members_exist_than_the_quota_allows() {
    let outcome = follow(&hour(), |_| vec![Step::Boot(7)]);
    assert!(
        outcome
            .points
            .iter()
            .all(|point| point.active + point.booting <= 10)
    );
    assert_eq!(point_at(&outcome, 3600.0).active, 10);
    // Seven, then one; after that there is no room, and no order.
    let counts: Vec<u32> = outcome.marks.iter().map(|mark| mark.count).collect();
    assert_eq!(counts, [7, 1]);
    assert_eq!(outcome.figures.actions, 2);
}

#[test]
fn members_are_shown_oldest_first() {
    follow(&hour(), |view| {
        assert!(
            view.members
                .is_sorted_by(|before, after| before.id < after.id)
        );
        let oldest = view.members[0].id;
        if view.now_s % 600.0 == 0.0 {
            vec![Step::Boot(1), Step::Delete(oldest)]
        } else {
            Vec::new()
        }
    });
}
